//! The state of health: what is wrong with the set-up, and how to mend it.
//!
//! It asks and looks but settles nothing: no connection's state changes, since `check` may run beside
//! a working service. What it does cost is one of Zoho's ten access tokens per connection.

mod server;

use chrono::{DateTime, TimeDelta, Utc};
use futures::{StreamExt as _, stream};
use secrecy::{ExposeSecret as _, SecretString};
use uuid::Uuid;

use super::connections::login;
use super::{App, AppError};
use crate::app::connections::zoho_connection::Probe;
use crate::crypto::token;
use crate::crypto::vault::Place;
use crate::domain::clock::TOLERANCE;
use crate::domain::clock::{Comparison, standing};
use crate::domain::connection::Connection;
use crate::domain::delivery::Channel;
use crate::domain::tenant::Tenant;
use crate::store::{Schema, TenantStore};

/// Tenants asked about at the same time.
const AT_ONCE: usize = 8;

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at: "Database", "Zoho Books of Zillum".
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
        let comparison = self.clock().comparison();
        findings.extend(comparison.map(machine_finding));
        let name = self.provider_words(Channel::Sms).name;
        findings.extend(clock_finding(&clocks, comparison.is_some(), name));
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
                "SMTP_URL is not set: e-mails are written to the log, since only this machine \
                 reaches the service."
            } else {
                "SMTP_URL is not set: no e-mails leave, so nobody can sign up, reset a password or \
                 be invited, and owners are not told of trouble."
            };
            return Finding::good(subject, says).with_advice(
                "Set SMTP_URL and MAIL_FROM to a mail server that takes e-mails from here.",
            );
        };
        match mailer.probe().await {
            Ok(()) => Finding::good(subject, format!("{host} takes e-mails from here.")),
            Err(wrong) => Finding::bad(
                subject,
                format!("{host} does not take e-mails: {wrong}."),
                "See that SMTP_URL has the right server, port, user and password (with @ written \
                 as %40), that this machine reaches it (many hosts block port 25: take 465 or \
                 587), and that it offers TLS.",
            ),
        }
    }

    async fn tenant_findings(&self, tenant: Tenant) -> (Vec<Finding>, Option<Reading>) {
        let store = self.tenant(tenant.id);
        let name = self.provider_words(Channel::Sms).name;
        let subject = format!("{name} of {}", tenant.name);
        let zoho = format!("Zoho Books of {}", tenant.name);
        let mut reading = None;
        let findings = vec![
            self.transport_finding(&store, subject.clone(), &mut reading)
                .await
                .unwrap_or_else(|error| unreadable(subject, &error)),
            self.books_finding(&store, zoho.clone())
                .await
                .unwrap_or_else(|error| unreadable(zoho, &error)),
        ];
        (findings, reading)
    }

    async fn transport_finding(
        &self,
        store: &TenantStore,
        subject: String,
        reading: &mut Option<Reading>,
    ) -> Result<Finding, AppError> {
        let Some(link) = self.link_for(store, Channel::Sms).await? else {
            return Ok(Finding::bad(
                subject,
                "It is not connected: messages are held.",
                "Connect it on the page Connections.",
            ));
        };
        let connection = &link.connection;
        let Some(kind) = self.parts.transports.provider(connection.provider) else {
            return Err(AppError::NotFound("provider"));
        };
        let secrets = self.secrets(store.tenant_id(), connection.id).await?;
        let examined = kind.examine(&login(connection, &secrets)).await;
        let ours = self.now();
        *reading = examined.date.map(|theirs| Reading { ours, theirs });
        Ok(match examined.verdict {
            Ok(says) => Finding::good(subject, says),
            Err((says, advice)) => Finding::bad(subject, says, advice),
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

/// A provider's clock beside ours.
#[derive(Debug, Clone, Copy)]
struct Reading {
    ours: DateTime<Utc>,
    theirs: DateTime<Utc>,
}

/// This machine's clock beside the database's, by which messages go.
fn machine_finding(comparison: Comparison) -> Finding {
    let subject = "Clock of this machine";
    if !comparison.is_off() {
        return Finding::good(subject, "It agrees with the database's.");
    }
    let standing = standing(comparison.machine_ahead);
    Finding::bad(
        subject,
        format!(
            "It is {standing} the database's. Messages go by the database's, but log lines bear \
             this one."
        ),
        "Let the machine set its clock by NTP.",
    )
}

/// The clock that messages go by, by the reading that is furthest off; `None` without a provider to
/// compare with.
fn clock_finding(clocks: &[Reading], is_of_database: bool, name: &str) -> Option<Finding> {
    let off = clocks
        .iter()
        .map(|reading| reading.ours - reading.theirs)
        .max_by_key(TimeDelta::abs)?;
    let (subject, whose) = if is_of_database {
        ("Clock of the database", "the database server")
    } else {
        ("Clock", "the machine")
    };
    Some(if off.abs() <= TOLERANCE {
        Finding::good(subject, format!("It agrees with {name}'s."))
    } else {
        Finding::bad(
            subject,
            format!("It is {} {name}'s.", standing(off)),
            format!("Let {whose} set its clock by NTP."),
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
    use chrono::TimeDelta;

    use super::*;
    use crate::app::connections::zoho_connection::BooksInput;
    use crate::app::connections::zoho_connection::tests::account;
    use crate::domain::actor::Actor;
    use crate::domain::connection::ConnectionState;
    use crate::sandbox::twilio::Settings;
    use crate::testing::company::TestCompany;
    use crate::twilio;
    use crate::twilio::set_up::TwilioInput;
    use crate::zoho;

    pub(super) fn found<'a>(report: &'a [Finding], subject: &str) -> &'a Finding {
        report
            .iter()
            .find(|f| f.subject == subject)
            .unwrap_or_else(|| panic!("{subject}: {report:#?}"))
    }

    async fn connected() -> TestCompany {
        let company = TestCompany::begin().await;
        let demo = company.sandbox().seed_demo().unwrap();
        let twilio = TwilioInput {
            account_sid: demo.twilio.account_sid.clone(),
            auth_token: Some(demo.twilio.auth_token.clone().into()),
            from: crate::sandbox::DEMO_NUMBER.to_owned(),
            ..TwilioInput::default()
        };
        company
            .app
            .connect(
                company.tenant,
                twilio::PROVIDER,
                (&twilio.into(), false),
                &Actor::named("owner"),
            )
            .await
            .unwrap();
        company
    }

    #[tokio::test]
    async fn a_sound_house_has_nothing_to_mend() {
        let company = connected().await;
        let who = account(&company, &["1"]);
        company
            .app
            .connect_books_self_client(
                company.tenant,
                BooksInput::of(&who, "code-1"),
                &Actor::named("owner"),
            )
            .await
            .unwrap();
        let now = company.app.now();
        company.app.store().make_partitions(now).await.unwrap();
        let report = company.app.report().await;
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
    async fn what_is_not_connected_is_told_and_webhooks_need_no_api() {
        let company = TestCompany::begin().await;
        let report = company.app.report().await;
        assert!(!found(&report, "Twilio of Zillum").is_good);
        assert!(found(&report, "Zoho Books of Zillum").is_good);
        assert!(report.iter().all(|f| f.subject != "Clock"));
    }

    #[tokio::test]
    async fn a_clock_that_is_off_is_told_with_its_direction() {
        let company = connected().await;
        for (skew, is_good, way) in [
            (8, true, "agrees"),
            (14, false, "behind"),
            (180, false, "behind"),
            (-180, false, "ahead"),
        ] {
            company.sandbox().twilio().set(Settings {
                date_skew_s: skew,
                ..Settings::default()
            });
            let report = company.app.report().await;
            let clock = found(&report, "Clock");
            assert_eq!(clock.is_good, is_good, "{clock:?}");
            assert!(clock.says.contains(way), "{clock:?}");
        }
    }

    #[tokio::test]
    async fn a_report_finds_a_revoked_access_and_changes_no_state() {
        let company = connected().await;
        let who = account(&company, &["1"]);
        company
            .app
            .connect_books_self_client(
                company.tenant,
                BooksInput::of(&who, "code-1"),
                &Actor::named("owner"),
            )
            .await
            .unwrap();
        let (_, login) = company
            .app
            .books_of(&company.app.tenant(company.tenant))
            .await
            .unwrap();
        let token = login.unwrap().refresh_token;
        assert!(
            company
                .sandbox()
                .zoho()
                .revoke_refresh_token(token.expose_secret())
        );
        company.clock.advance(TimeDelta::seconds(1));
        let report = company.app.report().await;
        let zoho = found(&report, "Zoho Books of Zillum");
        assert!(
            !zoho.is_good && zoho.says.contains("Connect Zoho Books again"),
            "{zoho:?}"
        );
        let connection = company
            .app
            .connection(company.tenant, zoho::PROVIDER)
            .await
            .unwrap();
        assert_eq!(connection.unwrap().state, ConnectionState::Ready);
    }
}
