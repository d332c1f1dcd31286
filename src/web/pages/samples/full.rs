//! Samples of sign-in, Overview, Rules, Connections and Settings.

use chrono::{TimeDelta, Timelike};
use uuid::Uuid;

use super::{HOSTILE, Sample, ago, chrome, form, hostile_chrome, now, push};
use crate::domain::delivery::{Channel, DeliveryState};
use crate::domain::event::EventType;
use crate::domain::ids::{ConnectionId, EventId, RuleId};
use crate::domain::user::Role;
use crate::web::chrome::{Banner, Chrome, Flash, FlashKind, Section};
use crate::web::form::FormState;
use crate::web::pages::account::{SetUpPage, SignInPage, TenantLine, TenantsPage};
use crate::web::pages::connections::{
    BooksCard, CheckResult, ConnectionsPage, Health, HookCard, TwilioCard,
};
use crate::web::pages::overview::{
    ConnectionLine, Counts, NeedLine, OverviewPage, OverviewView, SetUpStep,
};
use crate::web::pages::rules::{
    RuleDeletePage, RuleEditPage, RuleEditView, RuleLine, RulesPage, TemplateName,
};
use crate::web::pages::settings::{SettingsPage, countries, currencies, zones};
use crate::web::ui::bars::Hour;
use crate::web::ui::field::Choice;
use crate::web::ui::phone::Length;
use crate::web::ui::rule_sentence::RuleSentence;
use crate::web::ui::tone::Tone;

pub(super) fn add(to: &mut Vec<Sample>) {
    accounts(to);
    push(to, "overview-empty", &overview_empty());
    push(to, "overview-many", &overview_many());
    push(to, "overview-stopped", &overview_stopped());
    push(to, "overview-hostile", &overview_hostile());
    rules(to);
    push(to, "connections-empty", &connections_empty());
    push(to, "connections-many", &connections_many());
    push(to, "connections-hostile", &connections_hostile());
    push(
        to,
        "settings",
        &settings(chrome(Section::Settings), "Northwind Paper"),
    );
    push(
        to,
        "settings-hostile",
        &settings(hostile_chrome(Section::Settings), HOSTILE),
    );
}

fn accounts(to: &mut Vec<Sample>) {
    let sign_in = |form: FormState, flash: Option<Flash>| SignInPage {
        csrf: "csrf-token".into(),
        form,
        next: "/t/northwind/history".into(),
        flash,
    };
    push(to, "sign-in", &sign_in(FormState::new(), None));
    let mut wrong = form(&[("email", HOSTILE)]);
    wrong.refuse_all("E-mail and password do not fit together.");
    let signed_out = Flash {
        kind: FlashKind::Done,
        sentence: "You are signed out.".into(),
    };
    push(to, "sign-in-hostile", &sign_in(wrong, Some(signed_out)));
    let set_up = |form: FormState| SetUpPage {
        csrf: "csrf-token".into(),
        form,
        countries: countries(),
        zones: zones(),
        currencies: currencies(),
    };
    push(
        to,
        "set-up",
        &set_up(form(&[
            ("country", "DE"),
            ("zone", "Europe/Berlin"),
            ("currency", "EUR"),
        ])),
    );
    let mut refused = form(&[("company", HOSTILE), ("country", "DE")]);
    refused.refuse(
        "code",
        "This is not the code that serve printed last. It changes with each start.",
    );
    refused.refuse("password", "Use at least 12 characters.");
    push(to, "set-up-hostile", &set_up(refused));
    let tenants = |tenants, is_operator| TenantsPage {
        csrf: "csrf-token".into(),
        user_name: "Ada Lindqvist".into(),
        is_operator,
        tenants,
    };
    let line = |name: &str, role: &str, needs_you| TenantLine {
        name: name.into(),
        slug: "northwind".into(),
        role: role.into(),
        needs_you,
    };
    push(to, "tenants-empty", &tenants(Vec::new(), true));
    push(
        to,
        "tenants-many",
        &tenants(
            vec![
                line("Northwind Paper", "Owner", 2),
                line("Harbour Light Trading", "Editor", 0),
                line("Sato Shokai", "Operator", 1),
            ],
            true,
        ),
    );
    push(
        to,
        "tenants-hostile",
        &tenants(vec![line(HOSTILE, HOSTILE, 1)], false),
    );
}

fn quiet() -> OverviewView {
    let start = now()
        .with_minute(0)
        .and_then(|t| t.with_second(0))
        .unwrap_or_else(now)
        - TimeDelta::hours(23);
    OverviewView {
        today: Counts::default(),
        week: Counts::default(),
        week_before: Counts::default(),
        waiting: 0,
        hours: (0..24)
            .map(|h| Hour {
                starts_at: start + TimeDelta::hours(h),
                sent: 0,
                failed: 0,
            })
            .collect(),
        last_webhook: None,
        connections: Vec::new(),
        rejected: 0,
        needs_you: Vec::new(),
        checklist: Vec::new(),
    }
}

fn overview_empty() -> OverviewPage {
    let step = |title: &str, sentence: &str, words: &str, path: &str, done| SetUpStep {
        title: title.into(),
        sentence: sentence.into(),
        button: (words.into(), path.into()),
        done,
    };
    let view = OverviewView {
        checklist: vec![
            step("Make the company", "", "", "/settings", true),
            step(
                "Connect Zoho Books",
                "It tells us what happens, by a web address that you paste into it.",
                "Connect Zoho Books",
                "/connections#hook",
                false,
            ),
            step(
                "Connect Twilio",
                "It carries the messages; you need its account SID and token.",
                "Connect Twilio",
                "/connections#twilio",
                false,
            ),
            step(
                "Write the first rule",
                "Who gets which message when an invoice is sent, for one.",
                "Write a rule",
                "/rules/new",
                false,
            ),
        ],
        ..quiet()
    };
    OverviewPage {
        chrome: chrome(Section::Overview),
        view,
    }
}

fn overview_many() -> OverviewPage {
    let mut view = quiet();
    view.today = Counts {
        sent: 184,
        failed: 3,
    };
    view.week = Counts {
        sent: 1_204,
        failed: 17,
    };
    view.week_before = Counts {
        sent: 1_071,
        failed: 22,
    };
    view.waiting = 6;
    view.last_webhook = Some(ago(2));
    view.rejected = 3;
    let shape = [
        2, 0, 0, 0, 0, 0, 0, 1, 4, 18, 24, 31, 22, 9, 14, 27, 30, 26, 12, 6, 3, 5, 21, 16,
    ];
    for (hour, sent) in view.hours.iter_mut().zip(shape) {
        hour.sent = sent;
        hour.failed = u64::from(sent > 25);
    }
    let line = |name: &str, tone, word: &str, sentence: &str| ConnectionLine {
        name: name.into(),
        tone,
        word: word.into(),
        sentence: sentence.into(),
    };
    view.connections = vec![
        line(
            "Zoho Books",
            Tone::Ok,
            "Working",
            "Last request 2 minutes ago.",
        ),
        line(
            "Twilio",
            Tone::Held,
            "Paused",
            "Twilio asked us to slow down; sending goes on at 08:43.",
        ),
        line(
            "Zoho Books API",
            Tone::Failed,
            "Broken",
            "The access was withdrawn. Give it again.",
        ),
    ];
    let need = |state, sentence: &str, minutes| NeedLine {
        event: EventId::from_uuid(Uuid::from_u128(1)),
        state,
        sentence: sentence.into(),
        at: ago(minutes),
    };
    view.needs_you = vec![
        need(
            DeliveryState::Unknown,
            "The reminder for INV-00371 to Van der Meer Interieur may or may not have reached Twilio.",
            9,
        ),
        need(
            DeliveryState::Held,
            "The reminder for INV-00355 to Okafor Logistics waits: connect Twilio again.",
            1_600,
        ),
    ];
    let mut chrome = chrome(Section::Overview);
    chrome.needs_you = 2;
    chrome.banners = vec![Banner::Sandbox];
    OverviewPage { chrome, view }
}

fn overview_stopped() -> OverviewPage {
    let mut page = overview_many();
    page.chrome.banners = vec![
        Banner::Stopped {
            by: Some("Ada Lindqvist".into()),
            at: ago(12),
        },
        Banner::Rehearsal,
    ];
    page.chrome.flash = Some(Flash {
        kind: FlashKind::Done,
        sentence: "All sending is stopped. 6 messages are held.".into(),
    });
    page.chrome.can_switch = false;
    page
}

fn overview_hostile() -> OverviewPage {
    let mut page = overview_many();
    for need in &mut page.view.needs_you {
        need.sentence = HOSTILE.into();
    }
    for line in &mut page.view.connections {
        for text in [&mut line.name, &mut line.sentence, &mut line.word] {
            *text = HOSTILE.into();
        }
    }
    page.chrome = Chrome {
        needs_you: 40,
        ..hostile_chrome(Section::Overview)
    };
    page
}

fn rule(
    number: u128,
    name: &str,
    event_type: EventType,
    conditions: &[&str],
    enabled: bool,
) -> RuleLine {
    RuleLine {
        id: RuleId::from_uuid(Uuid::from_u128(number)),
        name: name.into(),
        sentence: RuleSentence {
            event_type,
            conditions: conditions.iter().map(|c| (*c).to_owned()).collect(),
            all: number != 3,
            channel: Channel::Sms,
            recipient: if number == 3 { "+44 7700 900456".into() } else { "the contact".into() },
            sender: "+44 7700 900123".into(),
        },
        template: "Hello {{ contact.first_name }}, invoice {{ invoice_number }} over {{ total | money }} is due on {{ due_date | date }}.".into(),
        enabled,
    }
}

fn rules(to: &mut Vec<Sample>) {
    let list = |chrome, rules| RulesPage { chrome, rules };
    let three = || {
        vec![
            rule(
                1,
                "Big invoices",
                EventType::InvoiceSent,
                &["total is at least 1,000", "currency is EUR"],
                true,
            ),
            rule(2, "Friendly reminder", EventType::InvoiceOverdue, &[], true),
            rule(
                3,
                "Tell the boss",
                EventType::PaymentReceived,
                &["amount is at least 10,000", "customer is Sato Shokai"],
                false,
            ),
        ]
    };
    push(to, "rules-empty", &list(chrome(Section::Rules), Vec::new()));
    push(
        to,
        "rules-one",
        &list(
            Chrome {
                role: Role::Viewer,
                ..chrome(Section::Rules)
            },
            three().into_iter().take(1).collect(),
        ),
    );
    push(to, "rules-many", &list(chrome(Section::Rules), three()));
    push(
        to,
        "rules-hostile",
        &list(
            hostile_chrome(Section::Rules),
            vec![rule(1, HOSTILE, EventType::InvoiceSent, &[HOSTILE], true)],
        ),
    );

    let typed = form(&[
        ("name", "Big invoices"),
        ("event_type", "invoice.sent"),
        ("joint", "all"),
        ("condition.0.field", "total"),
        ("condition.0.op", "at_least"),
        ("condition.0.value", "1000"),
        ("condition.1.field", "currency_code"),
        ("condition.1.op", "is"),
        ("condition.1.value", "EUR"),
        ("recipient", "contact"),
        ("sender", "default"),
        ("send_within", "24"),
        ("enabled", "1"),
        (
            "template",
            "Hello {{ contact.first_name }}, your invoice {{ invoice_number }} over {{ total | money }} is due on {{ due_date | date }}. Pay here: {{ payment_link }}",
        ),
    ]);
    push(
        to,
        "rule-new",
        &editor(
            chrome(Section::Rules),
            None,
            form(&[("enabled", "1"), ("send_within", "24")]),
        ),
    );
    push(
        to,
        "rule-edit",
        &editor(chrome(Section::Rules), Some(()), typed),
    );
    let mut refused = form(&[
        ("name", ""),
        ("template", HOSTILE),
        ("condition.0.field", "total"),
        ("condition.0.value", HOSTILE),
        ("recipient", "fixed"),
        ("recipient_number", HOSTILE),
    ]);
    refused.refuse("name", "Give the rule a name.");
    refused.refuse(
        "condition.0.value",
        "Type a number, such as 1000 or 1000.50.",
    );
    refused.refuse(
        "recipient_number",
        "Type the number with its country code, such as +44 7700 900123.",
    );
    refused.refuse(
        "template",
        "The name invoice_nummer is unknown. Did you mean invoice_number?",
    );
    push(
        to,
        "rule-edit-hostile",
        &editor(hostile_chrome(Section::Rules), Some(()), refused),
    );
    let delete = |rule: RuleLine, form| RuleDeletePage {
        chrome: chrome(Section::Rules),
        rule,
        form,
    };
    push(
        to,
        "rule-delete",
        &delete(three().remove(0), FormState::new()),
    );
    push(
        to,
        "rule-delete-hostile",
        &delete(
            rule(1, HOSTILE, EventType::InvoiceSent, &[HOSTILE], true),
            form(&[("name", HOSTILE)]),
        ),
    );
}

fn editor(chrome: Chrome, rule: Option<()>, form: FormState) -> RuleEditPage {
    let choices = |pairs: &[(&str, &str)]| {
        pairs
            .iter()
            .map(|(v, w)| Choice::new(*v, *w))
            .collect::<Vec<_>>()
    };
    let name = |name: &str, sample: &str| TemplateName {
        name: name.into(),
        sample: sample.into(),
    };
    let empty = form.value("template").is_empty();
    RuleEditPage {
        chrome,
        view: RuleEditView {
            rule: rule.map(|()| RuleId::from_uuid(Uuid::from_u128(1))),
            form,
            condition_rows: 4,
            fields: choices(&[
                ("total", "Total"),
                ("currency_code", "Currency"),
                ("customer_name", "Customer"),
            ]),
            operators: choices(&[
                ("is", "is"),
                ("is_not", "is not"),
                ("at_least", "is at least"),
                ("below", "is below"),
                ("contains", "contains"),
            ]),
            senders: choices(&[
                ("default", "Default sender, +44 7700 900123"),
                ("MG0123", "Messaging Service “Billing”"),
            ]),
            names: vec![
                name("contact.first_name", "Benjamin"),
                name("invoice_number", "INV-00003"),
                name("total", "1,350.00 EUR"),
                name("due_date", "30 May 2026"),
                name("customer_name", "Bowman & Co"),
                name("payment_link", "https://pay.example/3f2a"),
            ],
            preview: if empty {
                String::new()
            } else {
                "Hello Benjamin, your invoice INV-00003 over 1,350.00 EUR is due on 30 May 2026. Pay here: https://pay.example/3f2a".into()
            },
            preview_length: if empty {
                Length::default()
            } else {
                Length {
                    segments: 1,
                    characters: 115,
                    unicode: false,
                }
            },
        },
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
        },
        books: BooksCard {
            connection: None,
            form: form(&[("region", "eu")]),
            health: Health::Missing,
            checked: None,
            regions: ["com", "eu", "in", "com.au", "jp", "ca", "sa"]
                .map(|r| Choice::new(r, format!("zoho.{r}")))
                .into(),
            organizations: Vec::new(),
            scopes: "ZohoBooks.contacts.READ,ZohoBooks.settings.READ,ZohoBooks.invoices.READ"
                .into(),
        },
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
    page.books.health = Health::Broken("Zoho refused the access (invalid_code): the code was used before or is older than three minutes. Make a new one and give access again.".into());
    page.books.organizations = vec![
        Choice::new("60001234", "Northwind Paper GmbH"),
        Choice::new("60005678", "Northwind Paper Ltd"),
    ];
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
    page.books.organizations = vec![Choice::new(HOSTILE, HOSTILE)];
    page
}

fn settings(chrome: Chrome, company: &str) -> SettingsPage {
    SettingsPage {
        chrome,
        form: form(&[
            ("company", company),
            ("country", "DE"),
            ("zone", "Europe/Berlin"),
            ("currency", "EUR"),
        ]),
        countries: countries(),
        zones: zones(),
        currencies: currencies(),
    }
}
