//! What can be asked about the messages taken.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::email::Email;
use super::message::Message;

/// Which messages to show.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct MessageFilter {
    /// Of this account.
    pub account_sid: Option<String>,
    /// To exactly this recipient.
    pub to: Option<String>,
    /// In this state.
    pub status: Option<String>,
    /// With this in the text.
    pub body_contains: Option<String>,
}

/// How often one text was taken for one recipient: more than once is a double.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TextCount {
    /// The recipient.
    pub to: String,
    /// The text.
    pub body: String,
    /// How many messages.
    pub count: usize,
}

impl MessageFilter {
    pub(super) fn shows(&self, message: &Message) -> bool {
        let is = |wanted: &Option<String>, value: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted == value)
        };
        is(&self.account_sid, &message.account_sid)
            && is(&self.to, &message.to)
            && is(&self.status, &message.status)
            && self
                .body_contains
                .as_ref()
                .is_none_or(|text| message.body.contains(text))
    }
}

/// How often each text was taken for each recipient, doubles first.
pub fn text_counts(messages: &[Message]) -> Vec<TextCount> {
    counted(messages.iter().map(|m| (&*m.to, &*m.body)))
}

/// The same of e-mails, by their subjects and text parts.
pub fn email_counts(emails: &[Email]) -> Vec<TextCount> {
    let bodies: Vec<String> = emails
        .iter()
        .map(|email| format!("{}\n\n{}", email.subject, email.text))
        .collect();
    counted(
        emails
            .iter()
            .zip(&bodies)
            .map(|(email, body)| (&*email.to, &**body)),
    )
}

fn counted<'a>(texts: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<TextCount> {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for text in texts {
        *counts.entry(text).or_default() += 1;
    }
    let mut counts: Vec<TextCount> = counts
        .into_iter()
        .map(|((to, body), count)| TextCount {
            to: to.to_owned(),
            body: body.to_owned(),
            count,
        })
        .collect();
    counts.sort_by_key(|text| std::cmp::Reverse(text.count));
    counts
}
