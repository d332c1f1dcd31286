//! *Stop reminders here*: the page behind the link of a reminder.

use askama::Template;

use crate::app::reminder_stops::ReminderStop;

/// `GET /stop/{link}`; posts nothing there, or to `…/taking-back`.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/reminder_stops/index.html")]
pub struct ReminderStopPage {
    pub about: ReminderStop,
    /// The link itself.
    pub action: String,
}

/// The same for a link behind which nothing is, or no longer.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/reminder_stops/gone.html")]
pub struct NoReminderStopPage;
