//! Codes that come later, in a callback or on the message: the message itself is finished.
//!
//! The surprise: "send it again" means a new message, which costs again.

use super::super::Class::{Account, Carrier, Content, Filtered, Limit, OurBug, Recipient, SetUp};
use super::super::Entry;
use super::super::ResendAdvice::{
    AfterSetUp, AllowedHour, AskAPerson, Later, Never, NextDay, Once,
};
use super::{CHECK, MOBILE, OURS, REGISTER, SLOW, WAIT, row};

pub(super) const ROWS: &[Entry] = &[
    row(
        30001,
        ("Queue overflow", Limit),
        "too many messages waited at Twilio",
        (SLOW, Later),
    ),
    row(
        30002,
        ("Account suspended", Account),
        "Twilio has suspended the account",
        (
            "Sign in to the Twilio Console and see why the account is suspended.",
            AfterSetUp,
        ),
    ),
    row(
        30003,
        ("Unreachable handset", Carrier),
        "the phone is off, out of reach, or cannot receive texts",
        ("Send it again in a few hours.", Once),
    ),
    row(
        30004,
        ("Message blocked", Filtered),
        "the phone or its carrier blocks messages from this sender",
        ("Call {who}.", Never),
    ),
    row(
        30005,
        ("Unknown handset", Recipient),
        "it is probably no longer in use",
        (CHECK, Never),
    ),
    row(
        30006,
        ("Landline or unreachable carrier", Recipient),
        "it is a landline, or its carrier cannot be reached",
        (MOBILE, Never),
    ),
    row(
        30007,
        ("Message filtered", Filtered),
        "Twilio or the carrier took it for spam",
        (
            "Change the text (links and capitals are often the cause) or finish the sender's registration.",
            Never,
        ),
    ),
    row(
        30008,
        ("Unknown error", Carrier),
        "the carrier gave no reason",
        ("Send it again once.", Once),
    ),
    row(
        30009,
        ("Missing inbound segment", Carrier),
        "a part of the message was lost",
        (WAIT, Never),
    ),
    row(
        30010,
        ("Price over maximum", SetUp),
        "the message costs more than the account allows",
        ("Raise the limit in the Twilio Console.", Never),
    ),
    row(
        30011,
        ("MMS not supported", Content),
        "the recipient's carrier takes no pictures",
        ("Send the message without a file.", Never),
    ),
    row(
        30012,
        ("Validity period too small", OurBug),
        "the message had too little time",
        (OURS, Never),
    ),
    row(
        30017,
        ("Carrier congestion", Carrier),
        "the carrier was overloaded",
        (WAIT, Later),
    ),
    row(
        30018,
        ("Sender ID not registered", SetUp),
        "the destination country wants the sender's name to be registered",
        (REGISTER, AfterSetUp),
    ),
    row(
        30019,
        ("Content too large", Content),
        "the message is too large for the carrier",
        ("Shorten the rule's template, then send it again.", Never),
    ),
    row(
        30022,
        ("10DLC rate limit", Limit),
        "the sender's registration allows fewer messages per minute",
        (SLOW, Later),
    ),
    row(
        30023,
        ("Daily limit reached", Limit),
        "the carrier's limit for the day is reached",
        ("Send it again tomorrow.", NextDay),
    ),
    row(
        30024,
        ("Sender not provisioned at the carrier", SetUp),
        "the carrier does not know the sender yet",
        (REGISTER, AfterSetUp),
    ),
    row(
        30027,
        ("Daily limit reached", Limit),
        "the carrier's limit for the day is reached",
        ("Send it again tomorrow.", NextDay),
    ),
    row(
        30032,
        ("Toll-free number not verified", SetUp),
        "the sender's toll-free number is not verified",
        (
            "Verify the toll-free number in the Twilio Console, then send it again.",
            AfterSetUp,
        ),
    ),
    row(
        30033,
        ("10DLC campaign suspended", SetUp),
        "the sender's registration is suspended",
        (REGISTER, AfterSetUp),
    ),
    row(
        30034,
        ("Number not registered for 10DLC", SetUp),
        "the sender's number is not registered with the carriers in the United States",
        (REGISTER, AfterSetUp),
    ),
    row(
        30035,
        ("Number still being configured", SetUp),
        "the sender's number is still being set up",
        ("Send it again in a few hours.", Later),
    ),
    row(
        30036,
        ("Validity period expired", Carrier),
        "the time for which it may wait ran out",
        ("Send it again if it is still true.", AskAPerson),
    ),
    row(
        30410,
        ("Provider timeout", Carrier),
        "the carrier did not answer in time, and the message may have arrived",
        (
            "Ask {who} whether it arrived before you send it again.",
            AskAPerson,
        ),
    ),
    row(
        30450,
        ("Blocked by SMS pumping protection", Filtered),
        "Twilio's protection against fraud stopped it",
        (
            "Look at the number in the Twilio Console before you send it again.",
            Never,
        ),
    ),
    row(
        30610,
        ("Quiet hours", Limit),
        "it was the recipient's night, when texts are not allowed",
        ("Send it again in the recipient's daytime.", AllowedHour),
    ),
];
