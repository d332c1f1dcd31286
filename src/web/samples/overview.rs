//! Samples of Overview and Settings.

use chrono::{TimeDelta, Timelike};
use uuid::Uuid;

use super::suppressions::replies;
use super::{HOSTILE, Sample, ago, chrome, form, hostile_chrome, now, push};
use crate::app::figures::Figures;
use crate::domain::delivery::{Channel, DeliveryState};
use crate::domain::ids::EventId;
use crate::web::areas::overview::page::{
    ChecklistStep, ConnectionLine, Need, NeedLine, OverviewPage, OverviewView,
};
use crate::web::areas::settings::page::{Morning, SettingsPage, countries, currencies, zones};
use crate::web::chrome::{Banner, Chrome, Flash, FlashKind, Section};
use crate::web::ui::bars::Hour;
use crate::web::ui::tone::Tone;

pub(super) fn add(to: &mut Vec<Sample>) {
    push(to, "overview-empty", &overview_empty());
    push(to, "overview-folded", &overview_folded());
    push(to, "overview-many", &overview_many());
    push(to, "overview-stopped", &overview_stopped());
    push(to, "overview-late", &overview_late());
    push(to, "overview-suspended", &overview_suspended());
    push(to, "overview-hostile", &overview_hostile());
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

fn quiet() -> OverviewView {
    let start = now()
        .with_minute(0)
        .and_then(|t| t.with_second(0))
        .unwrap_or_else(now)
        - TimeDelta::hours(23);
    OverviewView {
        today: Figures::default(),
        day: now().date_naive(),
        week: Figures::default(),
        week_before: None,
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
        replies: Vec::new(),
        checklist: Vec::new(),
        is_folded: false,
        queue_trouble: None,
        clock_off: None,
    }
}

fn overview_empty() -> OverviewPage {
    let view = OverviewView {
        checklist: checklist(1),
        ..quiet()
    };
    OverviewPage {
        chrome: chrome(Section::Overview),
        view,
    }
}

/// The steps, the first `done` of them behind.
fn checklist(done: usize) -> Vec<ChecklistStep> {
    let steps = [
        (
            "Connect Twilio",
            "It carries the messages.",
            "/connections#twilio",
        ),
        (
            "Confirm your own number",
            "You rehearse: until you go live, every SMS goes to the owner's own number, and every e-mail to their address.",
            "/own-number",
        ),
        (
            "Make the webhook in Zoho Books",
            "Copy the web address and the secret, and follow the steps in Zoho Books.",
            "/connections/set-up",
        ),
        (
            "Write the first rule",
            "Choose a ready one, such as a text to the contact when an invoice is sent.",
            "/rules/new",
        ),
        (
            "Go live",
            "Look at what would have been sent. An admin does this.",
            "",
        ),
    ];
    let step = |(at, (title, sentence, path)): (usize, (&str, &str, &str))| ChecklistStep {
        title: title.into(),
        sentence: sentence.into(),
        button: (!path.is_empty()).then(|| (title.to_owned(), path.to_owned())),
        done: at < done,
    };
    steps.into_iter().enumerate().map(step).collect()
}

fn overview_folded() -> OverviewPage {
    let mut page = overview_many();
    page.view.checklist = checklist(4);
    page.view.is_folded = true;
    page
}

fn overview_many() -> OverviewPage {
    let mut view = quiet();
    view.today = Figures {
        sent: 184,
        failed: 3,
    };
    view.week = Figures {
        sent: 1_204,
        failed: 17,
    };
    view.week_before = Some(Figures {
        sent: 1_071,
        failed: 22,
    });
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
    let event = EventId::from_uuid(Uuid::from_u128(1));
    let need = |state, sentence: &str, minutes| NeedLine {
        event,
        what: Need::Message(Channel::Sms, state),
        sentence: sentence.into(),
        at: ago(minutes),
        closes: Vec::new(),
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
        NeedLine {
            closes: vec![event, event],
            ..need(
                DeliveryState::Undelivered,
                "2 messages: The number is a landline or cannot receive SMS.",
                1_700,
            )
        },
        NeedLine {
            what: Need::NotUnderstood,
            closes: vec![event],
            ..need(
                DeliveryState::Failed,
                "1 request of Zoho Books could not be understood, so nobody was told. The page says why.",
                1_800,
            )
        },
    ];
    view.replies = replies();
    let mut chrome = chrome(Section::Overview);
    chrome.needs_you = 5;
    chrome.banners = vec![Banner::Sandbox];
    OverviewPage { chrome, view }
}

fn overview_stopped() -> OverviewPage {
    let mut page = overview_many();
    page.chrome.banners = vec![Banner::Stopped {
        by: Some("Ada Lindqvist".into()),
        at: ago(12),
    }];
    page.chrome.flash = Some(Flash {
        kind: FlashKind::Done,
        sentence: "All sending is stopped. 6 messages are held.".into(),
    });
    page.chrome.can_switch = false;
    page
}

fn overview_late() -> OverviewPage {
    let mut page = overview_many();
    page.chrome.banners = Vec::new();
    page.view.queue_trouble = Some("Redis refuses writes".into());
    page.view.clock_off = Some("3600 s ahead of".into());
    page
}

fn overview_suspended() -> OverviewPage {
    let mut page = overview_many();
    page.chrome.banners = vec![Banner::Suspended {
        why: "The invoices of March to May are not paid".into(),
    }];
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
    for reply in &mut page.view.replies {
        reply.who = HOSTILE.into();
        reply.body = HOSTILE.into();
    }
    page.chrome = Chrome {
        needs_you: 40,
        ..hostile_chrome(Section::Overview)
    };
    page
}

fn settings(chrome: Chrome, company: &str) -> SettingsPage {
    let is_on = company.len() < 60;
    SettingsPage {
        chrome,
        form: form(&[
            ("company", company),
            ("country", "DE"),
            ("zone", "Europe/Berlin"),
            ("currency", "EUR"),
        ]),
        hours: form(&[("from", "08:00"), ("to", "20:00")]),
        is_rehearsal: false,
        countries: countries(),
        zones: zones(),
        currencies: currencies(),
        morning: Some(Morning {
            is_on,
            can_mail: is_on,
            email: "ann@bowman.example".to_owned(),
        }),
    }
}
