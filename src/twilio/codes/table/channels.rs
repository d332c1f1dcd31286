//! Codes of WhatsApp and RCS, at once or later.
//!
//! The surprise: 63036 (RCS cannot reach the phone) asks for an SMS instead, not for a retry.

use super::super::Class::{Carrier, Channel, Content, Limit, SetUp};
use super::super::Entry;
use super::super::ResendAdvice::{AfterSetUp, Later, Never, NextDay};
use super::{CHECK, SENDER, SLOW, WAIT, row};

pub(super) const ROWS: &[Entry] = &[
    row(
        63001,
        ("Channel not set up", Channel),
        "the WhatsApp or RCS sender is not set up",
        (SENDER, AfterSetUp),
    ),
    row(
        63002,
        ("Channel not set up", Channel),
        "the WhatsApp or RCS sender is not set up",
        (SENDER, AfterSetUp),
    ),
    row(
        63003,
        ("Channel recipient not found", Channel),
        "the recipient does not use this channel",
        ("Send an SMS instead.", Never),
    ),
    row(
        63004,
        ("Channel refused the content", Channel),
        "the channel did not accept the text",
        ("Change the rule's template.", Never),
    ),
    row(
        63005,
        ("Channel refused the content", Channel),
        "the channel did not accept the text",
        ("Change the rule's template.", Never),
    ),
    row(
        63007,
        ("No channel with this 'From'", SetUp),
        "the sender has no WhatsApp or RCS channel",
        (SENDER, AfterSetUp),
    ),
    row(
        63010,
        ("Channel's internal error", Carrier),
        "the channel had trouble",
        (WAIT, Later),
    ),
    row(
        63012,
        ("Channel's internal error", Carrier),
        "the channel had trouble",
        (WAIT, Later),
    ),
    row(
        63013,
        ("Channel policy", Channel),
        "the message goes against the channel's rules",
        ("Change the rule's template.", Never),
    ),
    row(
        63014,
        ("Blocked by the recipient", Channel),
        "the recipient has blocked the sender",
        ("Call {who}.", Never),
    ),
    row(
        63015,
        ("Recipient has not joined the sandbox", SetUp),
        "the recipient has not joined the WhatsApp test group",
        (
            "Ask {who} to join, or use a live WhatsApp sender.",
            AfterSetUp,
        ),
    ),
    row(
        63016,
        ("Outside the 24-hour window", Channel),
        "WhatsApp wants an approved template when the recipient has not written for a day",
        ("Use an approved template in the rule.", AfterSetUp),
    ),
    row(
        63017,
        ("Channel rate limit", Limit),
        "too many messages went out at once",
        (SLOW, Later),
    ),
    row(
        63018,
        ("Channel rate limit", Limit),
        "too many messages went out at once",
        (SLOW, Later),
    ),
    row(
        63020,
        ("Business Manager invitation", SetUp),
        "the WhatsApp business account is not joined to Twilio",
        (
            "Accept the invitation in Meta's Business Manager.",
            AfterSetUp,
        ),
    ),
    row(
        63021,
        ("Channel: invalid content", Channel),
        "the channel did not accept the content",
        ("Change the rule's template.", Never),
    ),
    row(
        63024,
        ("Channel: invalid recipient", Channel),
        "the recipient does not use this channel",
        ("Send an SMS instead.", Never),
    ),
    row(
        63027,
        ("Template not found", Content),
        "the template does not exist in this language",
        (
            "Choose a template that exists in the Twilio Console.",
            AfterSetUp,
        ),
    ),
    row(
        63028,
        ("Wrong number of template values", Content),
        "the template wants another number of values",
        (
            "Check the rule's values against the template in the Twilio Console.",
            AfterSetUp,
        ),
    ),
    row(
        63031,
        ("Same 'From' and 'To'", SetUp),
        "sender and recipient are the same number",
        (CHECK, Never),
    ),
    row(
        63032,
        ("WhatsApp limitation", Channel),
        "WhatsApp does not deliver to this user",
        ("Send an SMS instead.", Never),
    ),
    row(
        63033,
        ("Blocked by the recipient", Channel),
        "the recipient has blocked the sender",
        ("Call {who}.", Never),
    ),
    row(
        63036,
        ("RCS cannot reach the phone", Channel),
        "the phone cannot receive RCS",
        ("Send an SMS instead.", Never),
    ),
    row(
        63038,
        ("Account over its daily limit", Limit),
        "the account has reached its limit for 24 hours",
        (
            "Send it again tomorrow, or upgrade the Twilio account.",
            NextDay,
        ),
    ),
    row(
        63041,
        ("Template paused or disabled", SetUp),
        "the template is paused or disabled",
        (
            "Choose another template, or settle it in the Twilio Console.",
            AfterSetUp,
        ),
    ),
    row(
        63042,
        ("Template paused or disabled", SetUp),
        "the template is paused or disabled",
        (
            "Choose another template, or settle it in the Twilio Console.",
            AfterSetUp,
        ),
    ),
    row(
        63051,
        ("WhatsApp account locked", SetUp),
        "the WhatsApp business account is locked",
        ("Settle it in Meta's Business Manager.", AfterSetUp),
    ),
];
