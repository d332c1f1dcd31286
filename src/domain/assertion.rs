//! What a message asserts of its document: it leaves only while that is still so.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::document::{Document, DocumentKind};
use super::event::EventType;
use super::ids::ConnectionId;
use super::money::Amount;
use super::states::{self, Calendar};

/// The event that a message tells of, and what the document was when its text was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assertion {
    /// The connection to the books that the document is of.
    pub source: ConnectionId,
    pub kind: DocumentKind,
    /// Zoho's id of the document.
    pub document: String,
    pub says: Says,
}

/// The part of an assertion that only its own delivery reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Says {
    pub event_type: EventType,
    /// Of a reminder: whom it reminds, by Zoho's id of the customer or vendor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reminds: Option<String>,
    #[serde(flatten)]
    pub seen: Seen,
    /// A person saw the document like this and wanted the message all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<Seen>,
}

/// Those properties of a document that decide whether a message is still true.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balance: Option<Amount>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_date: Option<NaiveDate>,
}

/// The scope of a suppression that is only about reminders of one customer or vendor.
pub fn scope_of_reminders(source: ConnectionId, party: &str) -> String {
    format!("reminders:{}:{party}", source.uuid().simple())
}

impl Seen {
    /// What the document shows.
    pub fn of(document: &Document) -> Self {
        Self {
            status: document.status.clone(),
            balance: document.balance,
            due_date: document.due_date,
        }
    }
}

impl Assertion {
    /// Which suppressions concern the message besides those of everything; empty for none.
    pub fn scope(&self) -> String {
        let reminds = self.says.reminds.as_deref();
        reminds.map_or_else(String::new, |party| scope_of_reminders(self.source, party))
    }

    /// Why the message is not, or no longer, true of the document as it is known now.
    pub fn refuted_by(&self, document: &Document, calendar: Calendar) -> Option<String> {
        if self.is_confirmed_for(document) {
            return None;
        }
        let event_type = self.says.event_type;
        if let Some(why) = states::forbids(event_type, document, calendar) {
            return Some(why);
        }
        let (had, has) = (self.says.seen.due_date, document.due_date);
        let is_moved = event_type.is_reminder() && had.is_some() && had != has;
        is_moved.then(|| match has {
            Some(has) => format!("it is due on {} by now", has.format("%-d %b %Y")),
            None => "it has no due date any more".to_owned(),
        })
    }

    /// A reminder asks for what is owed: the balance that its text must be made anew for, if any.
    pub fn is_outdated_by(&self, document: &Document) -> bool {
        let (had, has) = (self.says.seen.balance, document.balance);
        let is_asking = self.says.event_type.is_reminder() && !self.is_confirmed_for(document);
        is_asking && had.is_some() && has.is_some() && had != has
    }

    fn is_confirmed_for(&self, document: &Document) -> bool {
        let confirmed = self.says.confirmed.as_ref();
        confirmed.is_some_and(|seen| *seen == Seen::of(document))
    }
}
