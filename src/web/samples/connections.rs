//! Samples of Connections.

use chrono::TimeDelta;
use uuid::Uuid;

use super::{HOSTILE, Sample, ago, chrome, form, hostile_chrome, now, push};
use crate::app::limits::StoredFigures;
use crate::app::limits::{AccountLimits, CallsUnderWay, Pace};
use crate::domain::account_figures::{AccountFigures, Sum};
use crate::domain::delivery::Channel;
use crate::domain::ids::{ConnectionId, EventId};
use crate::domain::sender_rest::{Concerns, SenderRest};
use crate::web::areas::connections::page::{
    CheckResult, ConnectionsPage, Health, HookCard, TwilioCard,
};
use crate::web::areas::connections::webhook_guide_page::{
    Reach, TestEvent, WebhookGuidePage, WebhookGuideView,
};
use crate::web::areas::connections::zoho_connection_page::{
    BooksCard, ConsentPage, DisconnectPage,
};
use crate::web::chrome::Section;
use crate::web::form::FormState;
use crate::web::ui::field::Choice;
use crate::web::ui::requests::RequestLine;
use crate::web::ui::tone::Tone;

pub(super) fn add(to: &mut Vec<Sample>) {
    push(to, "connections-empty", &connections_empty());
    push(to, "connections-many", &connections_many());
    push(to, "connections-untried", &connections_untried());
    push(to, "connections-refused", &connections_refused());
    push(to, "connections-choose", &connections_choose());
    push(to, "connections-hostile", &connections_hostile());
    push(to, "webhook-guide-empty", &guide(Vec::new(), Reach::Likely));
    push(to, "webhook-guide-many", &guide_many());
    push(to, "webhook-guide-hostile", &guide_hostile());
    push(
        to,
        "connections-disconnect",
        &disconnect("Northwind Paper Ltd"),
    );
    push(to, "connections-disconnect-hostile", &disconnect(HOSTILE));
    if let Ok(url) = "https://accounts.zoho.eu/oauth/v2/auth?client_id=1000.AB&state=x".parse() {
        let chrome = chrome(Section::Connections);
        push(to, "connections-consent", &ConsentPage { chrome, url });
    }
}

/// Twilio could not be asked about what was typed.
fn connections_untried() -> ConnectionsPage {
    let mut page = connections_empty();
    page.twilio.form = typed();
    page.twilio.form.refuse_all(
        "Twilio could not be asked: Twilio did not answer in time. So nothing is kept yet. Try again in \
         a minute, or save the account untried: its first message then shows whether it is right. \
         Either way, type the secrets once more.",
    );
    page.twilio.is_untried = true;
    page
}

/// The account has no such number.
fn connections_refused() -> ConnectionsPage {
    let mut page = connections_empty();
    page.twilio.form = typed();
    page.twilio.form.refuse(
        "sender",
        "This Twilio account has no number +14155550123; type one of its own, as its Console lists them \
         under Phone Numbers, or the SID of a Messaging Service.",
    );
    page
}

fn typed() -> FormState {
    FormState::new()
        .with("account_sid", format!("AC{}", "0a".repeat(16)))
        .with("sender", "+14155550123")
}

fn disconnect(organisation: &str) -> DisconnectPage {
    DisconnectPage {
        chrome: chrome(Section::Connections),
        organisation: organisation.into(),
    }
}

fn connection(number: u128) -> ConnectionId {
    ConnectionId::from_uuid(Uuid::from_u128(number))
}

fn connections_empty() -> ConnectionsPage {
    ConnectionsPage {
        chrome: chrome(Section::Connections),
        hook: None,
        twilio: TwilioCard {
            connection: None,
            form: FormState::new(),
            health: Health::Missing,
            checked: None,
            callbacks: false,
            inbound: None,
            limits: None,
            is_untried: false,
        },
        books: BooksCard {
            connection: None,
            is_connected: false,
            organisation: String::new(),
            data_centre: String::new(),
            form: form(&[("region", "eu")]),
            health: Health::Missing,
            refusal: None,
            checked: None,
            regions: ["com", "eu", "in", "com.au", "jp", "ca", "sa"]
                .map(|r| Choice::new(r, format!("zoho.{r}")))
                .into(),
            organizations: Vec::new(),
            choice: FormState::new(),
            redirect: "https://ml.northwind.example/zoho/callback".into(),
            scopes: "ZohoBooks.contacts.READ,ZohoBooks.settings.READ,ZohoBooks.invoices.READ"
                .into(),
        },
    }
}

/// Little is left, and carriers took too much.
fn limits() -> AccountLimits {
    let rest = |sender: &str, code, concerns, hits| SenderRest {
        sender: format!(r#"{{"from":"{sender}"}}"#),
        code,
        concerns,
        since: ago(9),
        until: ago(-3),
        hits,
        rests: 1,
    };
    AccountLimits {
        figures: Some(StoredFigures {
            asked_at: ago(20),
            told_at: Some(ago(20)),
            figures: AccountFigures {
                balance: Sum::parse("8.4172", "USD"),
                month_cost: Sum::parse("1204.5", "USD"),
                month_messages: Some(14_511),
                calls_at_once: Some(3),
            },
            low_at: Some(ago(20)),
        }),
        calls: [(Channel::Sms, Some(ago(-1))), (Channel::Email, None)]
            .map(|(channel, paused_until)| CallsUnderWay {
                channel,
                now: 2,
                most: 20,
                paused_until,
            })
            .into(),
        paces: vec![Pace {
            sender: "+14155550100".to_owned(),
            segments_per_second: 3,
            waiting: 1_204,
        }],
        carriers: vec![
            rest("+14155550100", 30022, Concerns::Sender, 1),
            rest("+14155550100", 30027, Concerns::Carrier, 12),
        ],
    }
}

fn connections_many() -> ConnectionsPage {
    let mut page = connections_empty();
    page.hook = Some(HookCard {
        connection: connection(1),
        address: "https://ml.northwind.example/hooks/zoho/6f2c9a40b17e4d0c8b55".into(),
        new_secret: Some("q7Rk2mX9vT4pLw8sZb3nHy6c".into()),
        old_secret_until: Some(now() + TimeDelta::days(1)),
        last_request: Some(ago(2)),
        rejected: 3,
        is_reachable: true,
    });
    page.twilio = TwilioCard {
        connection: Some(connection(2)),
        form: form(&[
            ("account_sid", "AC0123456789abcdef0123456789abcdef"),
            ("sender", "+447700900123"),
        ]),
        is_untried: false,
        limits: Some(limits()),
        inbound: Some(
            "https://ml.northwind.example/hooks/twilio/8c1f6e0d2b4a49d7a3c5/inbound".into(),
        ),
        health: Health::Working,
        checked: Some(CheckResult {
            at: ago(0),
            findings: vec![
                (
                    Tone::Ok,
                    "Twilio accepts the account SID and the Auth Token.".into(),
                ),
                (
                    Tone::Ok,
                    "+44 7700 900123 belongs to the account and can send SMS.".into(),
                ),
                (
                    Tone::Needs,
                    "The account is on trial: it writes to verified numbers only.".into(),
                ),
            ],
        }),
        callbacks: true,
    };
    page.books.connection = Some(connection(3));
    page.books.is_connected = true;
    page.books.organisation = "Northwind Paper Ltd".into();
    page.books.data_centre = "Europe".into();
    page.books.health = Health::Broken("Zoho Books no longer accepts our access: it was revoked, replaced, or the user's password changed. Connect Zoho Books again.".into());
    page
}

fn connections_choose() -> ConnectionsPage {
    let mut page = connections_many();
    page.books.connection = None;
    page.books.organisation = String::new();
    page.books.health = Health::Unfinished;
    page.books.organizations = vec![
        Choice::new("60001234", "Northwind Paper GmbH"),
        Choice::new("60005678", "Northwind Paper Ltd"),
    ];
    page
}

fn guide(requests: Vec<RequestLine>, reach: Reach) -> WebhookGuidePage {
    WebhookGuidePage {
        chrome: chrome(Section::Connections),
        view: WebhookGuideView {
            connection: connection(1),
            address: "https://ml.northwind.example/hooks/zoho/6f2c9a40b17e4d0c8b55".into(),
            new_secret: None,
            old_secret_until: None,
            reach,
            is_heard: reach == Reach::Proven,
            requests,
            test: TestEvent {
                form: form(&[("event_type", "invoice.sent")]),
                types: vec![
                    Choice::new("invoice.sent", "Invoice is sent"),
                    Choice::new("invoice.overdue", "Invoice is overdue"),
                ],
                own_number: None,
                is_rehearsal: true,
            },
        },
    }
}

fn request(tone: Tone, verdict: &str, sentence: &str, minutes: i64) -> RequestLine {
    RequestLine {
        at: ago(minutes),
        tone,
        verdict: verdict.into(),
        sentence: sentence.into(),
        event: (tone == Tone::Ok).then(|| EventId::from_uuid(Uuid::from_u128(7))),
    }
}

fn guide_many() -> WebhookGuidePage {
    let requests = vec![
        request(
            Tone::Ok,
            "Accepted",
            "Invoice is sent: INV-00371; one message, delivered.",
            0,
        ),
        request(
            Tone::Ok,
            "Test",
            "Invoice is sent: TEST-4F1A; no rule matched.",
            3,
        ),
        request(
            Tone::Failed,
            "Refused",
            "The signature does not match. Check that the secret token in Zoho Books is the one \
             shown here. 4 more like it were counted.",
            9,
        ),
    ];
    let mut page = guide(requests, Reach::Proven);
    page.view.new_secret = Some("q7Rk2mX9vT4pLw8sZb3nHy6c".into());
    page.view.old_secret_until = Some(now() + TimeDelta::days(1));
    page.view.test.own_number = Some("+44 7700 900123".into());
    page
}

fn guide_hostile() -> WebhookGuidePage {
    let requests = vec![
        request(Tone::Ok, HOSTILE, HOSTILE, 0),
        request(Tone::Failed, HOSTILE, HOSTILE, 1),
    ];
    let mut page = guide(requests, Reach::Never);
    page.chrome = hostile_chrome(Section::Connections);
    page.view.address = HOSTILE.into();
    page.view.new_secret = Some(HOSTILE.into());
    page.view.test.own_number = Some(HOSTILE.into());
    page
}

fn connections_hostile() -> ConnectionsPage {
    let mut page = connections_many();
    page.chrome = hostile_chrome(Section::Connections);
    if let Some(hook) = &mut page.hook {
        hook.address = HOSTILE.into();
        hook.new_secret = Some(HOSTILE.into());
        hook.is_reachable = false;
        hook.last_request = None;
    }
    page.twilio.form = form(&[
        ("account_sid", HOSTILE),
        ("auth_token", "hush"),
        ("secret", "hush"),
    ]);
    page.twilio
        .form
        .refuse("account_sid", "An account SID is AC and 32 digits.");
    page.twilio.health = Health::Paused(HOSTILE.into());
    page.twilio.checked = Some(CheckResult {
        at: ago(1),
        findings: vec![(Tone::Failed, HOSTILE.into())],
    });
    page.books.health = Health::Broken(HOSTILE.into());
    page.books.refusal = Some(HOSTILE.into());
    page.books.organisation = HOSTILE.into();
    page.books.organizations = vec![Choice::new(HOSTILE, HOSTILE)];
    page
}
