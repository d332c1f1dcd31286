//! What the editor offers: recipients with the tenant's groups, and senders.

use crate::domain::group::Group;
use crate::domain::rule::{RuleSender, Sender};
use crate::domain::sender::{SenderAddress, SenderProfile};
use crate::web::areas::rules::form::sender_of;
use crate::web::areas::rules::words::{kept_sender, own_sender};
use crate::web::ui::field::Choice;
use crate::web::ui::figure::counted;

/// The document's people, groups, and addresses of the rule's own; a group that is gone, while the rule
/// still names it.
pub(in crate::web) fn recipients(groups: &[Group], chosen: &str) -> Vec<Choice> {
    let mut choices = vec![
        Choice::new("first", "The contact on the document"),
        Choice::new("primary", "Its primary contact"),
        Choice::new("all", "All contact persons on it"),
        Choice::new("approvers", "Those who approve it"),
    ];
    choices.extend(groups.iter().map(|group| {
        let people = counted(group.on() as u64, "person", "people");
        let words = format!("The group {} ({people})", group.name);
        Choice::new(group.id.to_string(), words)
    }));
    choices.push(Choice::new("fixed", "Always these numbers and addresses"));
    keep(choices, chosen, "grp_", "A group that is gone")
}

/// What SMS come from: the default, what is kept, what the connection offers, and whatever the rule has.
pub(in crate::web) fn sms_senders(
    kept: &[SenderProfile],
    offered: Vec<Sender>,
    chosen: &str,
) -> Vec<Choice> {
    let mut choices = vec![Choice::new(
        "default",
        "The one that fits, else the default",
    )];
    let mut known = Vec::new();
    for of in kept {
        if let SenderAddress::Text(own) = &of.address {
            known.push(own.clone());
            choices.push(Choice::new(of.id.to_string(), kept_sender(of)));
        }
    }
    let own = match sender_of(chosen) {
        Some(RuleSender::Own(own)) => Some(own),
        _ => None,
    };
    let offered = offered.into_iter().filter(|o| !known.contains(o));
    for sender in offered.chain(own) {
        if choices.iter().all(|c| c.value != sender.as_str()) {
            choices.push(Choice::new(sender.as_str(), own_sender(&sender)));
        }
    }
    keep(choices, chosen, "snd_", "A sender that is gone")
}

/// What e-mails come from: only what is kept.
pub(in crate::web) fn email_senders(
    kept: &[SenderProfile],
    is_sandboxed: bool,
    chosen: &str,
) -> Vec<Choice> {
    let mut choices = vec![Choice::new(
        "default",
        "The one that fits, else the default",
    )];
    let emails = kept.iter().filter(|s| is_email(s));
    choices.extend(emails.map(|of| {
        let untried = if of.is_usable(is_sandboxed) {
            ""
        } else {
            " – not tested yet"
        };
        Choice::new(of.id.to_string(), format!("{}{untried}", kept_sender(of)))
    }));
    keep(choices, chosen, "snd_", "A sender that is gone")
}

/// What an e-mail of the rule comes from where nothing else fits better.
pub(in crate::web) fn email_sender<'k>(
    kept: &'k [SenderProfile],
    chosen: &str,
) -> Option<&'k SenderProfile> {
    let of = |is_meant: &dyn Fn(&SenderProfile) -> bool| {
        kept.iter().filter(|s| is_email(s)).find(|s| is_meant(s))
    };
    of(&|s| s.id.to_string() == chosen).or_else(|| of(&|s| s.is_default))
}

fn is_email(of: &SenderProfile) -> bool {
    matches!(of.address, SenderAddress::Email(_))
}

/// A chosen id that is not offered any more stays chosen, so that saving says what is wrong.
fn keep(mut choices: Vec<Choice>, chosen: &str, prefix: &str, words: &str) -> Vec<Choice> {
    if chosen.starts_with(prefix) && choices.iter().all(|c| c.value != chosen) {
        choices.push(Choice::new(chosen, words));
    }
    choices
}
