//! A rule as a sentence: "When an **invoice is sent** and **total is at least 1,000**, send
//! **an SMS** to **the contact** from **+44 …**."

use maud::{Markup, html};

use crate::domain::event::EventType;
use crate::domain::rule::RuleChannel;

/// The parts of a rule that are read; the words are those of its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleSentence {
    pub event_type: EventType,
    /// Each condition in words: "total is at least 1,000".
    pub conditions: Vec<String>,
    /// All of them must hold, or any one.
    pub all: bool,
    pub channel: RuleChannel,
    /// "the contact", or a number.
    pub recipient: String,
    /// "the default sender", a number, or a messaging service.
    pub sender: String,
}

/// The sentence.
pub fn sentence(of: &RuleSentence) -> Markup {
    let joint = if of.all { " and " } else { " or " };
    html! {
        "When " (article(of.event_type)) " " b { (of.event_type.label()) }
        @for (at, condition) in of.conditions.iter().enumerate() {
            @if at > 0 { (joint) }
            @else if !of.all && of.conditions.len() > 1 { " and either " }
            @else { " and " }
            b { (condition) }
        }
        ", send " b { (of.channel.label()) } " to " b { (of.recipient) }
        " from " b { (of.sender) } "."
    }
}

/// "an" before invoice and expense, "a" before the rest.
pub fn article(of: EventType) -> &'static str {
    if of.label().starts_with(['a', 'e', 'i', 'o', 'u']) {
        "an"
    } else {
        "a"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_reads_as_a_sentence() {
        let rule = RuleSentence {
            event_type: EventType::InvoiceSent,
            conditions: vec!["total is at least 1,000".into(), "currency is EUR".into()],
            all: true,
            channel: RuleChannel::Sms,
            recipient: "the contact".into(),
            sender: "<b>".into(),
        };
        assert_eq!(
            sentence(&rule).into_string(),
            "When an <b>invoice is sent</b> and <b>total is at least 1,000</b> and <b>currency is \
             EUR</b>, send <b>an SMS</b> to <b>the contact</b> from <b>&lt;b&gt;</b>."
        );
    }
}
