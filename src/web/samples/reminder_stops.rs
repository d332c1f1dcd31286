//! Samples of the page behind a reminder's link.

use super::{HOSTILE, Sample, push};
use crate::app::reminder_stops::ReminderStop;
use crate::web::areas::reminder_stops::page::{NoReminderStopPage, ReminderStopPage};

pub(super) fn add(to: &mut Vec<Sample>) {
    push(to, "stop-asked", &page(about(false)));
    push(to, "stop-done", &page(about(true)));
    let rehearsal = ReminderStop {
        is_rehearsal: true,
        ..about(false)
    };
    push(to, "stop-rehearsal", &page(rehearsal));
    let hostile = ReminderStop {
        company: HOSTILE.into(),
        customer: HOSTILE.into(),
        address: HOSTILE.into(),
        ..about(false)
    };
    push(to, "stop-hostile", &page(hostile));
    push(to, "stop-gone", &NoReminderStopPage);
}

fn about(is_stopped: bool) -> ReminderStop {
    ReminderStop {
        company: "Northwind Paper".into(),
        customer: "Bowman & Co".into(),
        address: "benjamin.george@bowman.example".into(),
        is_rehearsal: false,
        is_stopped,
    }
}

fn page(about: ReminderStop) -> ReminderStopPage {
    ReminderStopPage {
        about,
        action: "/stop/AAAA".into(),
    }
}
