//! Samples of the rehearsal's pages.

use uuid::Uuid;

use super::{HOSTILE, Sample, ago, chrome, hostile_chrome, push};
use crate::domain::content::Content;
use crate::domain::delivery::{Channel, DeliveryState};
use crate::domain::ids::EventId;
use crate::domain::user::Role;
use crate::web::areas::rehearsal::page::{BackPage, GoLivePage, OwnNumberPage, RehearsalLine};
use crate::web::chrome::{Banner, Chrome, Section};
use crate::web::form::FormState;

pub(super) fn add(to: &mut Vec<Sample>) {
    push(to, "go-live-empty", &go_live(Vec::new()));
    push(
        to,
        "go-live-one",
        &go_live(lines().into_iter().take(1).collect()),
    );
    push(
        to,
        "go-live-many",
        &GoLivePage {
            is_cut: true,
            readers: 3,
            waiting: 2,
            ..go_live(lines())
        },
    );
    push(
        to,
        "go-live-viewer",
        &GoLivePage {
            chrome: Chrome {
                role: Role::Viewer,
                ..rehearsing(Section::Overview)
            },
            may: false,
            hours: None,
            ..go_live(lines())
        },
    );
    let mut by_email = lines();
    for line in by_email.iter_mut().take(2) {
        line.channel = Channel::Email;
        line.address = "ben@bowman.example".into();
        line.content = super::event::email("Invoice INV-00003 over €1,350.00");
    }
    push(to, "go-live-emails", &go_live(by_email));
    let mut hostile = lines();
    for line in &mut hostile {
        line.recipient = Some(HOSTILE.into());
        line.address = HOSTILE.into();
        line.content = Content::Text(HOSTILE.into());
    }
    push(
        to,
        "go-live-hostile",
        &GoLivePage {
            chrome: hostile_chrome(Section::Overview),
            ..go_live(hostile)
        },
    );
    let back = |number: Option<&str>| BackPage {
        chrome: chrome(Section::Settings),
        number: number.map(str::to_owned),
    };
    push(to, "back-to-rehearsal", &back(Some("+49 171 … 0188")));
    push(to, "back-to-rehearsal-unknown", &back(None));
    push(to, "own-number-empty", &own_number());
    push(
        to,
        "own-number-pending",
        &OwnNumberPage {
            pending: Some("+49 171 5550188".into()),
            ..own_number()
        },
    );
    let mut sandboxed = chrome(Section::Settings);
    sandboxed.banners = vec![Banner::Sandbox, Banner::Rehearsal { to: None }];
    push(
        to,
        "own-number-sandbox",
        &OwnNumberPage {
            chrome: sandboxed,
            pending: Some("+49 171 5550188".into()),
            sandbox_code: Some("073412".into()),
            ..own_number()
        },
    );
    push(
        to,
        "own-number-confirmed",
        &OwnNumberPage {
            confirmed: Some("+49 171 5550188".into()),
            others: Some("+44 770 … 0123".into()),
            ..own_number()
        },
    );
    push(
        to,
        "own-number-unconnected",
        &OwnNumberPage {
            obstacle: Some("Connect Twilio first: the code is sent with your account".into()),
            ..own_number()
        },
    );
    let mut form = FormState::new().with("phone", HOSTILE);
    form.refuse("phone", HOSTILE);
    form.refuse("code", "This is not the code that was sent; look again.");
    push(
        to,
        "own-number-hostile",
        &OwnNumberPage {
            chrome: hostile_chrome(Section::Settings),
            form,
            pending: Some(HOSTILE.into()),
            sandbox_code: Some(HOSTILE.into()),
            ..own_number()
        },
    );
}

fn rehearsing(section: Section) -> Chrome {
    Chrome {
        banners: vec![Banner::Rehearsal {
            to: Some("+49 171 … 0188".into()),
        }],
        ..chrome(section)
    }
}

fn go_live(messages: Vec<RehearsalLine>) -> GoLivePage {
    GoLivePage {
        chrome: rehearsing(Section::Overview),
        readers: messages.len(),
        messages,
        is_cut: false,
        waiting: 0,
        hours: Some("08:00 to 20:00".into()),
        may: true,
        form: FormState::new(),
    }
}

fn lines() -> Vec<RehearsalLine> {
    [
        (
            "Benjamin George",
            "+16175550123",
            DeliveryState::Delivered,
            4,
        ),
        (
            "Okafor Logistics",
            "+2348031230000",
            DeliveryState::Held,
            95,
        ),
        ("", "+447700900456", DeliveryState::Failed, 700),
    ]
    .map(|(name, address, state, minutes)| RehearsalLine {
        event: EventId::from_uuid(Uuid::from_u128(1)),
        at: ago(minutes),
        channel: Channel::Sms,
        recipient: (!name.is_empty()).then(|| name.to_owned()),
        address: address.to_owned(),
        content: Content::Text(
            "Hello, your invoice INV-00003 over 1,350.00 EUR is due on 30 May. Northwind Paper"
                .to_owned(),
        ),
        state,
    })
    .into()
}

fn own_number() -> OwnNumberPage {
    OwnNumberPage {
        chrome: Chrome {
            banners: vec![Banner::Rehearsal { to: None }],
            ..chrome(Section::Settings)
        },
        form: FormState::new(),
        confirmed: None,
        pending: None,
        sandbox_code: None,
        obstacle: None,
        others: None,
    }
}
