//! Samples of Suppressions and of what recipients wrote back.

use uuid::Uuid;

use super::{HOSTILE, Sample, ago, chrome, hostile_chrome, push};
use crate::domain::delivery::Channel;
use crate::domain::ids::{ReplyId, SuppressionId};
use crate::domain::page::{Cursor, Page};
use crate::domain::reply::Wish;
use crate::domain::suppression::Source;
use crate::web::areas::suppressions::page::{
    LiftPage, RepliesPage, ReplyRow, SuppressionRow, SuppressionsPage,
};
use crate::web::chrome::Section;
use crate::web::form::FormState;

pub(super) fn add(to: &mut Vec<Sample>) {
    push(to, "suppressions-empty", &list(Vec::new()));
    push(
        to,
        "suppressions-one",
        &list(rows().into_iter().take(1).collect()),
    );
    let mut many = list(rows());
    many.rows.older = Some(Cursor::Before(Uuid::nil()));
    push(to, "suppressions-many", &many);
    push(
        to,
        "suppressions-not-found",
        &SuppressionsPage {
            text: "Okafor".into(),
            source: Some(Source::Stop),
            ..list(Vec::new())
        },
    );
    let mut erased = rows();
    for row in &mut erased {
        (row.address, row.name) = (None, None);
    }
    push(to, "suppressions-erased", &list(erased.clone()));
    for row in erased.into_iter().take(1) {
        push(to, "lift-erased", &lift(row));
    }
    let mut hostile = rows();
    for row in &mut hostile {
        row.address = Some(HOSTILE.into());
        row.name = Some(HOSTILE.into());
        row.reason = HOSTILE.into();
        row.by = Some(HOSTILE.into());
    }
    let mut form = FormState::new()
        .with("address", HOSTILE)
        .with("reason", HOSTILE);
    form.refuse(
        "address",
        "This number has letters or an extension; type digits only.",
    );
    push(
        to,
        "suppressions-hostile",
        &SuppressionsPage {
            chrome: hostile_chrome(Section::Suppressions),
            text: HOSTILE.into(),
            form,
            ..list(hostile.clone())
        },
    );
    for (name, row) in ["lift-stop", "lift-hand"].into_iter().zip(rows()) {
        push(to, name, &lift(row));
    }
    for row in hostile.into_iter().take(1) {
        push(to, "lift-hostile", &lift(row));
    }
    push(to, "replies-empty", &replied(Vec::new()));
    push(to, "replies-many", &replied(replies()));
    let mut hostile = replies();
    for reply in &mut hostile {
        reply.who = HOSTILE.into();
        reply.body = HOSTILE.into();
    }
    push(
        to,
        "replies-hostile",
        &RepliesPage {
            chrome: hostile_chrome(Section::Suppressions),
            ..replied(hostile)
        },
    );
}

fn list(rows: Vec<SuppressionRow>) -> SuppressionsPage {
    SuppressionsPage {
        chrome: chrome(Section::Suppressions),
        rows: Page::whole(rows),
        text: String::new(),
        source: None,
        form: FormState::new(),
    }
}

fn lift(row: SuppressionRow) -> LiftPage {
    LiftPage {
        chrome: chrome(Section::Suppressions),
        row,
        form: FormState::new(),
    }
}

fn rows() -> Vec<SuppressionRow> {
    [
        (
            "+16175550123",
            "Benjamin George",
            Source::Stop,
            "The recipient wrote STOP",
            "",
        ),
        (
            "+447700900456",
            "",
            Source::Hand,
            "Asked us on the phone",
            "ada@northwind.example",
        ),
        (
            "accounts@bowman.example",
            "Benjamin George",
            Source::Stop,
            "Pressed “stop reminders here”",
            "",
        ),
        (
            "+2348031230000",
            "Okafor Logistics",
            Source::Provider,
            "The recipient has opted out (21610)",
            "",
        ),
    ]
    .into_iter()
    .zip(1..)
    .map(
        |((address, name, source, reason, by), number)| SuppressionRow {
            id: SuppressionId::from_uuid(Uuid::from_u128(number)),
            at: ago(i64::try_from(number).unwrap_or(1) * 300),
            channel: if address.contains('@') {
                Channel::Email
            } else {
                Channel::Sms
            },
            is_of_reminders: address.contains('@') && source == Source::Stop,
            address: Some(address.to_owned()),
            name: (!name.is_empty()).then(|| name.to_owned()),
            source,
            reason: reason.to_owned(),
            by: (!by.is_empty()).then(|| by.to_owned()),
        },
    )
    .collect()
}

fn replied(rows: Vec<ReplyRow>) -> RepliesPage {
    RepliesPage {
        chrome: chrome(Section::Suppressions),
        rows: Page::whole(rows),
    }
}

/// What people wrote back, here and on Overview.
pub(super) fn replies() -> Vec<ReplyRow> {
    [
        (
            "Benjamin George (+1617 … 0123)",
            "thanks, paid",
            Wish::Read,
            false,
        ),
        ("+4477 … 0456", "Who is this?", Wish::Read, true),
        ("Okafor Logistics (+2348 … 0000)", "STOP", Wish::Stop, true),
        (
            "Okafor Logistics (+2348 … 0000)",
            "START",
            Wish::Start,
            true,
        ),
        ("+4930 … 4567", "help", Wish::Help, true),
        (
            "Ann Lee (+1202 … 0143)",
            "please stop texting me at night",
            Wish::Unclear,
            false,
        ),
    ]
    .into_iter()
    .zip(1..)
    .map(|((who, body, wish, is_seen), number)| ReplyRow {
        id: ReplyId::from_uuid(Uuid::from_u128(number)),
        at: ago(i64::try_from(number).unwrap_or(1) * 40),
        who: who.to_owned(),
        body: body.to_owned(),
        wish,
        is_proven: number != 2,
        is_seen,
    })
    .collect()
}
