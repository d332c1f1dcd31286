//! The whole way over HTTP, against the sandbox.

mod spec;

use std::sync::Arc;

use chrono::TimeDelta;
use secrecy::SecretString;
use url::Url;

use super::*;
use crate::domain::clock::{FixedClock, SharedClock};
use crate::domain::content::{Content, EmailContent};
use crate::domain::ids::DeliveryId;
use crate::domain::report::Status;
use crate::sandbox::twilio::{
    Email, EmailFilter, Fault, FaultKind, FaultOrder, KeyKind, NewAccount, NewKey, On, Permission,
};
use crate::sandbox::{Sandbox, SandboxConfig, SandboxHandle};
use crate::transport::{Finding, LedgerError, Marker, ProviderKind as _};
use crate::twilio::login::AUTH_TOKEN;

const SENDER: &str = r#"{"address":"billing@example.com","name":"Example Ltd"}"#;
const TO: &str = "ann@example.net";

/// An account, and the e-mails that it sends.
struct Desk {
    sandbox: SandboxHandle,
    clock: Arc<FixedClock>,
    emails: Arc<dyn Transport>,
}

/// Operations that other deliveries hold.
struct Held(Vec<String>);

#[async_trait]
impl Ledger for Held {
    async fn held_by_others(&self, ids: &[String]) -> Result<Vec<String>, LedgerError> {
        Ok(ids
            .iter()
            .filter(|id| self.0.contains(id))
            .cloned()
            .collect())
    }
}

impl Desk {
    async fn open() -> Self {
        Self::with(NewAccount::default(), None).await
    }

    /// Signs in with the token of the account, unless with another one.
    async fn with(account: NewAccount, token: Option<&str>) -> Self {
        let http = crate::http::client().unwrap();
        let clock = Arc::new(FixedClock::at("2026-11-22T12:00:00Z".parse().unwrap()));
        let mut config = SandboxConfig::new(clock.clone(), http.clone());
        config.workers = 1;
        let sandbox = Sandbox::start(config).await.unwrap();
        let known = sandbox.twilio().register(account).unwrap();
        let base = Url::parse(sandbox.base_url()).unwrap();
        let twilio = Twilio::new(http, Some(&base));
        let mut secrets: Vec<(String, SecretString)> = Vec::new();
        let mut settings = Settings::default();
        if let Some((sid, secret)) = known.api_keys.first() {
            settings = Settings::of(&json!({ "api_key_sid": sid }));
            let name = crate::twilio::login::API_KEY_SECRET.to_owned();
            secrets.push((name, secret.clone().into()));
        }
        let token = token.map_or(known.auth_token, str::to_owned);
        secrets.push((AUTH_TOKEN.to_owned(), token.into()));
        let login = Login {
            account: &known.account_sid,
            settings: &settings,
            secrets: &secrets,
        };
        let kinds = twilio.transports();
        let kind = kinds.iter().find(|kind| kind.name() == NAME).unwrap();
        let emails = kind.open(&login, None).unwrap();
        Self {
            sandbox,
            clock,
            emails,
        }
    }

    async fn send(&self, content: &Content, to: &str) -> Result<Accepted, SendFailure> {
        let time = CallTime::of(Duration::from_secs(5));
        self.emails.send(&outgoing(content, to), time).await
    }

    async fn fails(&self, fault: Fault) -> SendFailure {
        self.order(fault, On::Email);
        self.send(&mail("INV-7", "<p>Due.</p>"), TO)
            .await
            .unwrap_err()
    }

    fn order(&self, fault: Fault, on: On) {
        let order = FaultOrder {
            on,
            ..FaultOrder::once(fault)
        };
        self.sandbox.twilio().next(order).unwrap();
    }

    fn taken(&self) -> Vec<Email> {
        self.sandbox.twilio().emails(&EmailFilter::default())
    }

    /// Looks for an attempt that began when the clock of the desk began.
    async fn find(&self, attempt_no: i64, held: &[&str], marker: Option<&Marker>) -> Search {
        self.try_find(attempt_no, held, marker).await.unwrap()
    }

    async fn try_find(
        &self,
        attempt_no: i64,
        held: &[&str],
        marker: Option<&Marker>,
    ) -> Result<Search, FindFailure> {
        let clock: SharedClock = self.clock.clone();
        let content = mail("INV-7", "<p>Due.</p>");
        let started_at: DateTime<Utc> = "2026-11-22T12:00:00Z".parse().unwrap();
        let lost = Lost {
            delivery: delivery(),
            attempt_no,
            to: TO,
            content: &content,
            started_at,
            lease_until: started_at + TimeDelta::seconds(30),
            hints: &[],
            marker,
            clock: &clock,
        };
        let held = Held(held.iter().map(|id| (*id).to_owned()).collect());
        self.emails.find(&lost, &held).await
    }
}

fn delivery() -> DeliveryId {
    format!("dlv_{}", "0a".repeat(32)).parse().unwrap()
}

fn mail(subject: &str, html: &str) -> Content {
    Content::Email(EmailContent {
        subject: subject.to_owned(),
        text: "Due.".to_owned(),
        html: html.to_owned(),
        attachments: Vec::new(),
    })
}

fn outgoing<'a>(content: &'a Content, to: &'a str) -> Outgoing<'a> {
    Outgoing {
        mark: Some((delivery(), 1)),
        to,
        reader: "Bowman & Co",
        sender: SENDER,
        content,
        hooks: Some("https://example.com/hooks"),
        within: Duration::from_hours(1),
    }
}

#[tokio::test]
async fn an_email_is_taken_as_it_was_written() {
    let desk = Desk::open().await;
    let html = "<style>@media x{.a{color:red}}</style><p>{{ total }} {% raw %}</p>";
    let content = mail("INV-7 {{x}}\r\nBcc: all@example.org", html);
    let accepted = desk.send(&content, TO).await.unwrap();
    assert!(accepted.id.starts_with("comms_operation_"));
    assert_eq!(accepted.status, Status::Accepted);
    assert_eq!(
        accepted.sentence,
        format!("Twilio has it ({})", accepted.id)
    );
    assert_eq!(accepted.response["concurrent_requests"], 1);

    let taken = desk.taken();
    let [one] = taken.as_slice() else {
        panic!("{taken:?}")
    };
    assert_eq!(
        (one.from.as_str(), one.from_name.as_str()),
        ("billing@example.com", "Example Ltd")
    );
    assert_eq!(
        one.subject.replace('\u{2060}', ""),
        "INV-7 {{x}}  Bcc: all@example.org"
    );
    let read = one.html.replace("&#123;", "{").replace("&#125;", "}");
    assert_eq!(read, html);
    assert_eq!(one.tags["delivery"], delivery().to_string());
    assert_eq!((one.tags["attempt"].as_str(), one.tags.len()), ("1", 2));

    let kept = desk.emails.request(&outgoing(&content, TO));
    let kept: Value = serde_json::from_str(&kept).unwrap();
    assert_eq!(kept["json"]["to"][0]["address"], TO);
    let sender = (WORDS.sender_of)(&kept);
    assert_eq!(sender.as_deref(), Some("Example Ltd <billing@example.com>"));
    spec::check(&desk.sandbox);
}

#[tokio::test]
async fn each_way_to_fail_says_whether_it_may_exist() {
    let desk = Desk::open().await;
    let html = Fault {
        html: true,
        ..Fault::new(FaultKind::InternalError)
    };
    let waiting = |kind| Fault {
        retry_after: Some(9),
        ..Fault::new(kind)
    };
    let nine = Some(Duration::from_secs(9));
    let page = Fault {
        html: true,
        ..Fault::new(FaultKind::Unavailable)
    };
    let throttled = |retry_after| FailureKind::Throttled { retry_after };
    for (fault, kind) in [
        (waiting(FaultKind::TooMany), throttled(nine)),
        (Fault::new(FaultKind::TooMany), throttled(None)),
        (waiting(FaultKind::Unavailable), throttled(nine)),
        (Fault::new(FaultKind::Unavailable), throttled(None)),
        (page, FailureKind::Ambiguous),
        (Fault::new(FaultKind::InternalError), FailureKind::Ambiguous),
        (html, FailureKind::Ambiguous),
        (Fault::new(FaultKind::Garbage), FailureKind::Ambiguous),
        (Fault::new(FaultKind::Empty), FailureKind::Ambiguous),
        (Fault::new(FaultKind::Html), FailureKind::Ambiguous),
        (Fault::new(FaultKind::DropBefore), FailureKind::Ambiguous),
        (Fault::new(FaultKind::DropAfter), FailureKind::Ambiguous),
    ] {
        let name = format!("{fault:?}");
        assert_eq!(desk.fails(fault).await.kind, kind, "{name}");
    }
    let slow = Fault::new(FaultKind::TimeoutAfter).with_delay_ms(2_000);
    desk.order(slow, On::Email);
    let content = mail("INV-7", "<p>Due.</p>");
    let time = CallTime::of(Duration::from_millis(300));
    let failure = desk
        .emails
        .send(&outgoing(&content, TO), time)
        .await
        .unwrap_err();
    assert_eq!(failure.kind, FailureKind::Ambiguous);
}

#[tokio::test]
async fn an_unverified_sender_does_not_stop_the_account() {
    let desk = Desk::open().await;
    let content = mail("INV-7", "<p>Due.</p>");
    let message = Outgoing {
        sender: r#"{"address":"a@unverified.example","name":"A"}"#,
        ..outgoing(&content, TO)
    };
    let time = CallTime::of(Duration::from_secs(5));
    let failure = desk.emails.send(&message, time).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Refused { is_opt_out: false });
    assert_eq!(failure.error_code, 20403);
    assert!(failure.sentence.contains("unverified.example") && failure.sentence.contains("Verify"));

    // 401 to an e-mail alone: the key may send texts.
    let key = NewKey {
        kind: KeyKind::Restricted,
        may: vec![Permission::MessagesRead],
        ..NewKey::default()
    };
    let keyed = NewAccount {
        api_keys: vec![key],
        ..NewAccount::default()
    };
    let failure = Desk::with(keyed, None)
        .await
        .send(&content, TO)
        .await
        .unwrap_err();
    assert_eq!(failure.kind, FailureKind::Refused { is_opt_out: false });
    // A wrong token is refused everywhere.
    let desk = Desk::with(NewAccount::default(), Some("wrong_token")).await;
    let failure = desk.send(&content, TO).await.unwrap_err();
    assert!(matches!(failure.kind, FailureKind::Credentials { .. }));
}

#[tokio::test]
async fn what_is_unfit_is_not_asked() {
    let desk = Desk::open().await;
    let large = "x".repeat(5_000_000);
    for content in [
        mail("INV-7", &large),
        mail("", "<p>"),
        Content::Text("Hi".to_owned()),
    ] {
        let failure = desk.send(&content, TO).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Unbuildable);
    }
    let content = mail("INV-7", "<p>Due.</p>");
    let nameless = Outgoing {
        sender: "",
        ..outgoing(&content, TO)
    };
    let time = CallTime::of(Duration::from_secs(5));
    let failure = desk.emails.send(&nameless, time).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unbuildable);
    assert!(!desk.emails.has_sender("") && desk.emails.has_sender(SENDER));
    assert!(desk.sandbox.twilio().requests().is_empty());
}

#[tokio::test]
async fn it_is_asked_how_an_email_fares() {
    let desk = Desk::open().await;
    let content = mail("INV-7", "<p>Due.</p>");
    let mut ids = Vec::new();
    for local in ["ann", "undelivered", "failed", "opened", "late", "silent"] {
        let to = format!("{local}@example.net");
        ids.push(desk.send(&content, &to).await.unwrap().id);
    }
    let fares = async |id: usize| {
        let report = desk.emails.status(&ids[id]).await.unwrap();
        (report.status, report.word)
    };
    assert_eq!(fares(0).await, (Some(Status::Queued), "queued".to_owned()));
    desk.clock.advance(TimeDelta::hours(1));
    for (id, status) in [
        (0, Status::Delivered),
        (1, Status::Undelivered),
        (2, Status::Failed),
        (3, Status::Delivered),
        (4, Status::Queued),
        (5, Status::Sent),
    ] {
        assert_eq!(fares(id).await.0, Some(status), "{id}");
    }
    let email = desk.taken()[1].id.clone();
    let report = desk.emails.status(&email).await.unwrap();
    assert_eq!(report.status, Some(Status::Undelivered));
    desk.order(Fault::new(FaultKind::Html), On::EmailFetch);
    assert!(!desk.emails.status(&ids[0]).await.unwrap_err().is_lasting);
    desk.clock.advance(TimeDelta::days(7));
    let gone = desk.emails.status(&ids[0]).await.unwrap_err();
    assert!(gone.is_lasting && gone.why.contains("seven days"));
    assert!(desk.emails.status("../../x").await.unwrap_err().is_lasting);
    spec::check(&desk.sandbox);
}

#[test]
fn the_questions_end_on_the_sixth_day() {
    let mut age = 0;
    let ages: Vec<i64> = POLLS
        .iter()
        .map(|wait| {
            age += wait;
            age
        })
        .collect();
    let day = 86_400;
    assert_eq!(ages[..5], [60, 300, 1_800, 3 * 3_600, 12 * 3_600]);
    assert_eq!(ages[5..], [1, 2, 3, 4, 5, 6].map(|n| n * day));
}

#[tokio::test]
async fn a_lost_answer_is_found_by_its_tags() {
    let desk = Desk::open().await;
    desk.fails(Fault::new(FaultKind::DropAfter)).await;
    desk.clock.advance(TimeDelta::minutes(1));
    let id = desk.taken()[0].operation_id.clone();
    for key in ["emails", "data", "items"] {
        let mut settings = desk.sandbox.twilio().settings();
        key.clone_into(&mut settings.emails.list_key);
        desk.sandbox.twilio().set(settings);
        assert_eq!(
            desk.find(1, &[], None).await.finding,
            Finding::Found(id.clone())
        );
    }
    // Another attempt is no absence without doubt.
    let Finding::Absent { doubt: Some(doubt) } = desk.find(2, &[], None).await.finding else {
        panic!("no doubt")
    };
    assert!(doubt.contains("earlier try") && doubt.contains(&id));
    spec::check(&desk.sandbox);
}

#[tokio::test]
async fn a_filter_that_finds_nothing_is_no_absence_by_itself() {
    let desk = Desk::open().await;
    desk.fails(Fault::new(FaultKind::DropAfter)).await;
    let id = desk.taken()[0].operation_id.clone();
    let mut settings = desk.sandbox.twilio().settings();
    settings.emails.ignores_tag_filter = true;
    desk.sandbox.twilio().set(settings.clone());
    assert_eq!(
        desk.find(1, &[], None).await.finding,
        Finding::Found(id.clone())
    );
    settings.emails.hides_tags = true;
    desk.sandbox.twilio().set(settings);
    let Finding::Absent { doubt: Some(doubt) } = desk.find(1, &[], None).await.finding else {
        panic!("no doubt")
    };
    assert!(doubt.contains(&id));
    // Somebody else's, as we know.
    let search = desk.find(1, &[&id], None).await;
    assert_eq!(search.finding, Finding::Absent { doubt: None });
    assert_eq!(search.evidence["already_ours"], json!([id]));
}

#[tokio::test]
async fn what_was_never_taken_is_absent_once_the_list_is_recent_enough() {
    let desk = Desk::open().await;
    desk.fails(Fault::new(FaultKind::DropBefore)).await;
    assert_eq!(
        desk.find(1, &[], None).await.finding,
        Finding::Absent { doubt: None }
    );

    let content = mail("Other", "<p>Other.</p>");
    let message = Outgoing {
        mark: None,
        ..outgoing(&content, "bo@example.net")
    };
    let time = CallTime::of(Duration::from_secs(5));
    let other = desk.emails.send(&message, time).await.unwrap();
    let marker = Marker {
        id: other.id,
        to: "bo@example.net".to_owned(),
    };
    let mut settings = desk.sandbox.twilio().settings();
    settings.emails.list_lag_s = 120;
    desk.sandbox.twilio().set(settings);
    let search = desk.find(1, &[], Some(&marker)).await;
    assert!(matches!(search.finding, Finding::Undecided(_)));
    assert_eq!(search.evidence["witness_shown"], false);
    desk.clock.advance(TimeDelta::minutes(3));
    let search = desk.find(1, &[], Some(&marker)).await;
    assert_eq!(search.finding, Finding::Absent { doubt: None });

    desk.order(Fault::new(FaultKind::Garbage), On::EmailList);
    let failure = desk.try_find(1, &[], None).await.unwrap_err();
    assert!(matches!(
        failure,
        FindFailure::Provider {
            is_lasting: false,
            ..
        }
    ));
    desk.clock.advance(TimeDelta::days(7));
    let failure = desk.try_find(1, &[], None).await.unwrap_err();
    assert!(matches!(
        failure,
        FindFailure::Provider {
            is_lasting: true,
            ..
        }
    ));
}
