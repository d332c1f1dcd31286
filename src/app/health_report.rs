//! The state of health: what is wrong with the set-up, and how to mend it.
//!
//! It asks and looks but settles nothing: no connection's state changes, since `check` may run beside
//! a working service. What it does cost is one of Zoho's ten access tokens per connection.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::{StreamExt as _, stream};
use secrecy::{ExposeSecret as _, SecretString};
use uuid::Uuid;

use super::books::Probe;
use super::{App, AppError};
use crate::crypto::token;
use crate::crypto::vault::Place;
use crate::domain::connection::Connection;
use crate::domain::tenant::Tenant;
use crate::store::{Schema, ServerTrouble, Standbys, TenantStore};
use crate::twilio::error::CallFailure;
use crate::twilio::messages::CallTime;

/// A clock that is off by more than this confuses windows, leases and tokens.
pub(super) const CLOCK_TOLERANCE: TimeDelta = TimeDelta::seconds(10);

const CALL: Duration = Duration::from_secs(15);

/// Tenants asked about at the same time.
const AT_ONCE: usize = 8;

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at: "Database", "Twilio of Zillum".
    pub subject: String,
    pub is_good: bool,
    /// What was found, in a sentence.
    pub says: String,
    /// How to mend it; empty when there is nothing to do.
    pub advice: String,
}

impl Finding {
    fn good(subject: impl Into<String>, says: impl Into<String>) -> Self {
        Self {
            subject: subject.into(),
            is_good: true,
            says: says.into(),
            advice: String::new(),
        }
    }

    fn bad(subject: impl Into<String>, says: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            is_good: false,
            advice: advice.into(),
            ..Self::good(subject, says)
        }
    }

    fn with_advice(self, advice: impl Into<String>) -> Self {
        Self {
            advice: advice.into(),
            ..self
        }
    }
}

impl App {
    /// Looks at database, key, public address, every tenant's connections, and the clock.
    pub async fn report(&self) -> Vec<Finding> {
        let mut findings = vec![self.database_finding().await];
        findings.extend(self.server_findings().await);
        findings.push(self.key_finding());
        findings.push(self.address_finding());
        findings.push(self.mail_finding().await);
        let mut clocks = Vec::new();
        match self.store().platform().tenants().await {
            Ok(tenants) => {
                let mut asked = stream::iter(tenants)
                    .map(|tenant| self.tenant_findings(tenant))
                    .buffered(AT_ONCE);
                while let Some((found, reading)) = asked.next().await {
                    findings.extend(found);
                    clocks.extend(reading);
                }
            }
            Err(error) => findings.push(Finding::bad(
                "Tenants",
                format!("The tenants cannot be read: {error}."),
                "Mend the database first.",
            )),
        }
        findings.extend(clock_finding(&clocks));
        findings
    }

    async fn database_finding(&self) -> Finding {
        let subject = "Database";
        let platform = self.store().platform();
        if let Err(error) = platform.ping().await {
            let advice = "See that the server of DATABASE_URL runs, or that the file can be read.";
            return Finding::bad(subject, format!("It does not answer: {error}."), advice);
        }
        match self.store().schema().await {
            Ok(Schema { pending: 0, .. }) => {}
            Ok(Schema { pending, .. }) => {
                let says = format!("{pending} steps of its schema are missing.");
                return Finding::bad(subject, says, "Run `migrate`.");
            }
            Err(error) => {
                let says = format!("Its schema cannot be read: {error}.");
                return Finding::bad(subject, says, "Run `migrate`.");
            }
        }
        match platform.may_write().await {
            Ok(true) => {}
            Ok(false) => {
                let says = "It answers and its schema is up to date. The role of DATABASE_URL only \
                            reads, so writing was not tried.";
                return Finding::good(subject, says);
            }
            Err(error) => {
                let says = format!("Its rights cannot be read: {error}.");
                return Finding::bad(
                    subject,
                    says,
                    "See docs/operate.md for the rights of each role.",
                );
            }
        }
        // Through the one writer, to the disk and back, though no row is there to change: it ends a
        // session that nobody has.
        let nobody = token::random().digest;
        match platform.end_session(*nobody.as_bytes()).await {
            Ok(()) => Finding::good(
                subject,
                "It answers, its schema is up to date, and it writes.",
            ),
            Err(error) => Finding::bad(
                subject,
                format!("It answers but does not write: {error}."),
                "See that the disk has room and that the file and its folder may be written.",
            ),
        }
    }

    /// What is only so on `PostgreSQL`: what the server promises, its copies, the months of the history.
    async fn server_findings(&self) -> Vec<Finding> {
        let store = self.store();
        let troubles = store.server_troubles().into_iter();
        let mut findings: Vec<_> = troubles.map(trouble_finding).collect();
        findings.extend(match store.platform().standbys().await {
            Ok(standbys) => standby_finding(standbys),
            Err(error) => {
                let says = format!("The state of replication cannot be read: {error}.");
                Some(Finding::bad(
                    "Replication",
                    says,
                    "See the log of the server.",
                ))
            }
        });
        findings.extend(match store.missing_months(self.now()).await {
            Ok(missing) => months_finding(&missing),
            Err(error) => {
                let says = format!("The months of the history cannot be read: {error}.");
                Some(Finding::bad(MONTHS, says, "Run `migrate`."))
            }
        });
        findings
    }

    fn key_finding(&self) -> Finding {
        let subject = "Master key";
        let place = Place::platform("check", "sealed", Uuid::nil());
        let vault = &self.parts.vault;
        let sample = SecretString::from("sample");
        let opened = vault
            .seal(&place, &sample)
            .and_then(|sealed| vault.open(&place, &sealed));
        let key = vault.master_key_id();
        match opened {
            Ok(opened) if opened.expose_secret() == sample.expose_secret() => {
                Finding::good(subject, format!("Key {key} seals and opens."))
            }
            Ok(_) => Finding::bad(
                subject,
                format!("Key {key} opened something else than it sealed."),
                "Do not go on: restore the database and the key from a copy.",
            ),
            Err(error) => Finding::bad(
                subject,
                format!("Key {key} does not work: {error}."),
                "Set MASTER_KEY or MASTER_KEY_FILE to the key that this database was made with.",
            ),
        }
    }

    fn address_finding(&self) -> Finding {
        let subject = "Public address";
        let url = self.public_url();
        let address = url.origin();
        if self.is_sandboxed() {
            let says = format!("{address}; the providers are replaced by the sandbox.");
            return Finding::good(subject, says).with_advice(
                "Nothing is really sent. Remove the sandbox's addresses from the environment to \
                 go live.",
            );
        }
        if url.is_public_https() {
            let says = format!("{address} can take webhooks and status reports.");
            return Finding::good(subject, says);
        }
        Finding::bad(
            subject,
            format!(
                "{address} is not a public https address: Zoho Books cannot reach it, and states \
                 of messages are asked for instead of reported."
            ),
            "Set PUBLIC_URL to the https address under which the outside reaches this service.",
        )
    }

    async fn mail_finding(&self) -> Finding {
        let subject = "Mail";
        let mailer = &self.parts.mailer;
        let Some(host) = mailer.host() else {
            let says = if mailer.is_log() {
                "SMTP_URL is not set: letters are written to the log, since only this machine \
                 reaches the service."
            } else {
                "SMTP_URL is not set: no letters leave, so nobody can sign up, reset a password or \
                 be invited, and owners are not told of trouble."
            };
            return Finding::good(subject, says).with_advice(
                "Set SMTP_URL and MAIL_FROM to a mail server that takes letters from here.",
            );
        };
        match mailer.probe().await {
            Ok(()) => Finding::good(subject, format!("{host} takes letters from here.")),
            Err(wrong) => Finding::bad(
                subject,
                format!("{host} does not take letters: {wrong}."),
                "See that SMTP_URL has the right server, port, user and password (with @ written \
                 as %40), that this machine reaches it (many hosts block port 25: take 465 or \
                 587), and that it offers TLS.",
            ),
        }
    }

    async fn tenant_findings(&self, tenant: Tenant) -> (Vec<Finding>, Option<Reading>) {
        let store = self.tenant(tenant.id);
        let twilio = format!("Twilio of {}", tenant.name);
        let zoho = format!("Zoho Books of {}", tenant.name);
        let mut reading = None;
        let findings = vec![
            self.twilio_finding(&store, twilio.clone(), &mut reading)
                .await
                .unwrap_or_else(|error| unreadable(twilio, &error)),
            self.books_finding(&store, zoho.clone())
                .await
                .unwrap_or_else(|error| unreadable(zoho, &error)),
        ];
        (findings, reading)
    }

    async fn twilio_finding(
        &self,
        store: &TenantStore,
        subject: String,
        reading: &mut Option<Reading>,
    ) -> Result<Finding, AppError> {
        let Some((_, access)) = self.twilio_of(store).await? else {
            return Ok(Finding::bad(
                subject,
                "It is not connected: messages are held.",
                "Connect it on the page Connections.",
            ));
        };
        let tested = self
            .parts
            .twilio
            .test(&access.account, CallTime::of(CALL))
            .await;
        let theirs = match &tested {
            Ok(report) => report.date,
            Err(error) => error.date,
        };
        let ours = self.now();
        *reading = theirs.map(|theirs| Reading { ours, theirs });
        Ok(match tested {
            Ok(report) if report.is_usable() => {
                let mut says = "Twilio accepts the credentials.".to_owned();
                for warning in &report.warnings {
                    says.push(' ');
                    says.push_str(warning.sentence());
                }
                Finding::good(subject, says)
            }
            Ok(_) => Finding::bad(
                subject,
                "The account is suspended or closed.",
                "Open the Twilio Console to see why.",
            ),
            Err(error) if matches!(error.kind, CallFailure::Credentials(_)) => Finding::bad(
                subject,
                "Twilio refuses the credentials.",
                "Copy the Account SID and the Auth Token, or the API key and its secret, from the \
                 Twilio Console again.",
            ),
            Err(error) => Finding::bad(
                subject,
                format!("Twilio could not be asked: {error}."),
                "See that this machine reaches api.twilio.com, then check again.",
            ),
        })
    }

    async fn books_finding(
        &self,
        store: &TenantStore,
        subject: String,
    ) -> Result<Finding, AppError> {
        let (connection, login) = self.books_of(store).await?;
        let Some(login) = login else {
            // The webhook alone is enough for everything but reminders and look-ups.
            let says = "Its API is not connected; webhooks do not need it.";
            return Ok(Finding::good(subject, says));
        };
        if connection.account.is_empty() {
            return Ok(Finding::bad(
                subject,
                "Access was granted, but no organisation is chosen.",
                "Choose it on the page Connections.",
            ));
        }
        // A report wants proof, however fresh the last check.
        let connection = Connection {
            checked_at: None,
            ..connection
        };
        Ok(match self.probe_books(&connection, &login).await {
            Probe::Good(says) => Finding::good(subject, says),
            Probe::Broken(says) => Finding::bad(
                subject,
                says,
                "Mend it on the page Connections; webhooks are taken meanwhile.",
            ),
            Probe::Unknown(says) => Finding::bad(
                subject,
                format!("{says}."),
                format!(
                    "See that this machine reaches {}.",
                    login.endpoints.accounts_base()
                ),
            ),
        })
    }
}

const MONTHS: &str = "Months of the history";

fn trouble_finding(trouble: ServerTrouble) -> Finding {
    let says = format!("{}.", capitalised(&trouble.to_string()));
    let advice = format!("{}.", capitalised(trouble.advice()));
    Finding::bad("Database server", says, advice)
}

/// Nothing where there is no copy.
fn standby_finding(standbys: Standbys) -> Option<Finding> {
    let subject = "Replication";
    let count = standbys.count;
    if standbys.commits_wait {
        let says = "What is acknowledged is on a standby as well.";
        return Some(Finding::good(subject, says));
    }
    (count > 0).then(|| {
        let who = match count {
            1 => "One standby follows".to_owned(),
            _ => format!("{count} standbys follow"),
        };
        let says = format!("{who}, and no commit waits for any.");
        Finding::good(subject, says).with_advice(
            "A failover loses what was acknowledged in the moments before it, and messages sent then may \
             be sent again. Name a standby in synchronous_standby_names if that must not be.",
        )
    })
}

/// Nothing where none is missing.
fn months_finding(missing: &[(String, &'static str)]) -> Option<Finding> {
    let (_, table) = missing.first()?;
    let months: Vec<_> = missing.iter().map(|(month, _)| month.as_str()).collect();
    let says = format!(
        "There is no partition for {} (of the table {table}, perhaps of others).",
        months.join(", ")
    );
    Some(Finding::bad(
        MONTHS,
        says,
        "Run `migrate` as the role that owns the tables: it makes them, or says why it cannot.",
    ))
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(letters).collect()
}

/// A provider's clock beside ours.
#[derive(Debug, Clone, Copy)]
struct Reading {
    ours: DateTime<Utc>,
    theirs: DateTime<Utc>,
}

/// The clock, by the reading that is furthest off; `None` without a provider to compare with.
fn clock_finding(clocks: &[Reading]) -> Option<Finding> {
    let off = clocks
        .iter()
        .map(|reading| reading.ours - reading.theirs)
        .max_by_key(TimeDelta::abs)?;
    let subject = "Clock";
    Some(if off.abs() <= CLOCK_TOLERANCE {
        Finding::good(subject, "It agrees with Twilio's.")
    } else {
        let way = if off > TimeDelta::zero() {
            "ahead of"
        } else {
            "behind"
        };
        Finding::bad(
            subject,
            format!("It is {} seconds {way} Twilio's.", off.abs().num_seconds()),
            "Let the machine set its clock by NTP.",
        )
    })
}

fn unreadable(subject: String, error: &AppError) -> Finding {
    Finding::bad(
        subject,
        format!("Its row cannot be read: {error}."),
        "Set MASTER_KEY to the key that sealed it, or enter the credentials anew.",
    )
}

#[cfg(test)]
mod tests {
    use chrono::{Datelike as _, TimeDelta};

    use super::*;
    use crate::app::books::{BooksInput, tests::account};
    use crate::app::connections::TwilioInput;
    use crate::app::test_house::House;
    use crate::domain::actor::Actor;
    use crate::domain::connection::{ConnectionState, Provider};
    use crate::sandbox::twilio::Settings;

    fn found<'a>(report: &'a [Finding], subject: &str) -> &'a Finding {
        report
            .iter()
            .find(|f| f.subject == subject)
            .unwrap_or_else(|| panic!("{subject}: {report:#?}"))
    }

    async fn connected() -> House {
        let house = House::build().await;
        let demo = house.sandbox.seed_demo().unwrap();
        let twilio = TwilioInput {
            account_sid: demo.twilio.account_sid.clone(),
            auth_token: Some(demo.twilio.auth_token.clone().into()),
            from: crate::sandbox::DEMO_NUMBER.to_owned(),
            ..TwilioInput::default()
        };
        house
            .app
            .connect_twilio(house.tenant, twilio, &Actor::named("owner"))
            .await
            .unwrap();
        house
    }

    #[tokio::test]
    async fn a_sound_house_has_nothing_to_mend() {
        let house = connected().await;
        let who = account(&house, &["1"]);
        house
            .app
            .connect_books_self_client(
                house.tenant,
                BooksInput::of(&who, "code-1"),
                &Actor::named("owner"),
            )
            .await
            .unwrap();
        let now = house.app.now();
        house.app.store().make_partitions(now).await.unwrap();
        let report = house.app.report().await;
        assert!(report.iter().all(|f| f.is_good), "{report:#?}");
        for subject in [
            "Database",
            "Master key",
            "Public address",
            "Clock",
            "Twilio of Zillum",
            "Zoho Books of Zillum",
        ] {
            found(&report, subject);
        }
    }

    #[tokio::test]
    async fn a_month_that_cannot_be_made_is_told_before_it_begins() {
        let house = House::build().await;
        if house.database.is_file() {
            return;
        }
        let now = house.app.now();
        house.app.store().make_partitions(now).await.unwrap();
        assert!(house.app.report().await.iter().all(|f| f.subject != MONTHS));
        // Another table takes the place of the month after the next.
        let month = now.date_naive().with_day(1).unwrap() + chrono::Months::new(2);
        let month = month.format("%Y_%m").to_string();
        let stray = format!("ALTER TABLE receipts_{month} RENAME TO stray");
        house.database.run(&stray).await;
        assert!(house.app.store().make_partitions(now).await.is_err());
        let report = house.app.report().await;
        let months = found(&report, MONTHS);
        assert!(!months.is_good, "{months:?}");
        assert!(months.says.contains(&month.replace('_', "-")), "{months:?}");
        assert!(months.says.contains("receipts"), "{months:?}");
        assert!(months.advice.contains("migrate"), "{months:?}");
    }

    #[test]
    fn copies_that_lag_are_told_and_one_that_commits_wait_for_is_enough() {
        let told = |count, commits_wait| {
            let standbys = Standbys {
                count,
                commits_wait,
            };
            standby_finding(standbys)
        };
        assert_eq!(told(0, false), None);
        let lagging = told(1, false).unwrap();
        assert!(lagging.is_good && lagging.advice.contains("synchronous_standby_names"));
        assert!(
            lagging.says.starts_with("One standby follows"),
            "{lagging:?}"
        );
        assert!(
            told(2, false)
                .unwrap()
                .says
                .starts_with("2 standbys follow")
        );
        assert_eq!(told(2, true).unwrap().advice, "");
    }

    #[tokio::test]
    async fn what_is_not_connected_is_told_and_webhooks_need_no_api() {
        let house = House::build().await;
        let report = house.app.report().await;
        assert!(!found(&report, "Twilio of Zillum").is_good);
        assert!(found(&report, "Zoho Books of Zillum").is_good);
        assert!(report.iter().all(|f| f.subject != "Clock"));
    }

    #[tokio::test]
    async fn a_clock_that_is_off_is_told_with_its_direction() {
        let house = connected().await;
        for (skew, is_good, way) in [
            (8, true, "agrees"),
            (14, false, "behind"),
            (180, false, "behind"),
            (-180, false, "ahead"),
        ] {
            house.sandbox.twilio().set(Settings {
                date_skew_s: skew,
                ..Settings::default()
            });
            let report = house.app.report().await;
            let clock = found(&report, "Clock");
            assert_eq!(clock.is_good, is_good, "{clock:?}");
            assert!(clock.says.contains(way), "{clock:?}");
        }
    }

    #[tokio::test]
    async fn a_report_finds_a_revoked_access_and_changes_no_state() {
        let house = connected().await;
        let who = account(&house, &["1"]);
        house
            .app
            .connect_books_self_client(
                house.tenant,
                BooksInput::of(&who, "code-1"),
                &Actor::named("owner"),
            )
            .await
            .unwrap();
        let (_, login) = house
            .app
            .books_of(&house.app.tenant(house.tenant))
            .await
            .unwrap();
        let token = login.unwrap().refresh_token;
        assert!(
            house
                .sandbox
                .zoho()
                .revoke_refresh_token(token.expose_secret())
        );
        house.clock.advance(TimeDelta::seconds(1));
        let report = house.app.report().await;
        let zoho = found(&report, "Zoho Books of Zillum");
        assert!(
            !zoho.is_good && zoho.says.contains("Connect Zoho Books again"),
            "{zoho:?}"
        );
        let connection = house
            .app
            .connection(house.tenant, Provider::Zoho)
            .await
            .unwrap();
        assert_eq!(connection.unwrap().state, ConnectionState::Ready);
    }
}
