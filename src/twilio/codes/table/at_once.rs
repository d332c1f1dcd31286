//! Codes that come in Twilio's answer: nothing was sent, save after 20500 and 20503.
//!
//! The surprise: 21610 (opted out) can also come later, from a Messaging Service.

use super::super::Class::{
    Account, Carrier, Content, OptedOut, OurBug, QueueFull, Recipient, ServerTrouble, SetUp,
    Throttle,
};
use super::super::Entry;
use super::super::ResendAdvice::{AfterSetUp, AskAPerson, Later, Never, Once};
use super::{CHECK, CREDENTIALS, MOBILE, OURS, SENDER, row};

pub(super) const ROWS: &[Entry] = &[
    row(
        10001,
        ("Account not active", Account),
        "the Twilio account is not active",
        (
            "Sign in to the Twilio Console and see why the account is not active.",
            AfterSetUp,
        ),
    ),
    row(
        20003,
        ("Authentication error", Account),
        "Twilio did not accept the connection's credentials",
        (CREDENTIALS, AfterSetUp),
    ),
    row(
        20005,
        ("Account not active", Account),
        "the Twilio account is not active",
        (
            "Sign in to the Twilio Console and see why the account is not active.",
            AfterSetUp,
        ),
    ),
    row(
        20008,
        ("Resource not accessible with test credentials", Account),
        "the connection uses Twilio's test credentials",
        (
            "Replace them by the live credentials from the Twilio Console.",
            AfterSetUp,
        ),
    ),
    row(
        20403,
        ("Forbidden", Account),
        "the connection's credentials may not send messages",
        (
            "Give the API key the right to send messages in the Twilio Console, or use another one.",
            AfterSetUp,
        ),
    ),
    row(
        20404,
        ("Not found", Account),
        "Twilio does not know this account at this address",
        (
            "Check the Account SID and the region of the connection.",
            AfterSetUp,
        ),
    ),
    row(
        20429,
        ("Too many requests", Throttle),
        "Twilio asked us to slow down",
        ("Nothing to do: it is sent again after a pause.", Later),
    ),
    row(
        20500,
        ("Internal server error", ServerTrouble),
        "Twilio had trouble and may or may not have taken the message",
        (
            "Ask {who} whether it arrived before you send it again.",
            AskAPerson,
        ),
    ),
    row(
        20503,
        ("Service unavailable", ServerTrouble),
        "Twilio was unavailable and may or may not have taken the message",
        (
            "Ask {who} whether it arrived before you send it again.",
            AskAPerson,
        ),
    ),
    row(
        21211,
        ("Invalid 'To' number", Recipient),
        "it is not a number that Twilio can write to",
        (CHECK, Never),
    ),
    row(
        21212,
        ("Invalid 'From' number", SetUp),
        "the sender's number is not valid",
        (SENDER, AfterSetUp),
    ),
    row(
        21401,
        ("Invalid 'From' number", SetUp),
        "the sender's number is not valid",
        (SENDER, AfterSetUp),
    ),
    row(
        21408,
        ("No permission to send to this country", SetUp),
        "sending to this country is not switched on in your Twilio account",
        (
            "Switch the country on in the Twilio Console under Messaging, Geo permissions, then send it again.",
            AfterSetUp,
        ),
    ),
    row(
        21602,
        ("Message body is required", Content),
        "the text is empty",
        (
            "Write a text in the rule's template, then send it again.",
            Never,
        ),
    ),
    row(
        21603,
        ("A 'From' number is required", OurBug),
        "the message had no sender",
        (OURS, Never),
    ),
    row(
        21604,
        ("A 'To' number is required", OurBug),
        "the message had no recipient",
        (OURS, Never),
    ),
    row(
        21606,
        ("'From' number cannot send this message", SetUp),
        "the sender's number cannot send texts to this recipient, or belongs to another account",
        (SENDER, AfterSetUp),
    ),
    row(
        21607,
        ("'From' must be a trial number", SetUp),
        "a trial account sends only from its trial number",
        (
            "Choose the trial number as sender, or upgrade the Twilio account.",
            AfterSetUp,
        ),
    ),
    row(
        21608,
        ("'To' number is not verified", SetUp),
        "the Twilio account may only write to verified numbers for now",
        (
            "Verify the number in the Twilio Console, or upgrade the account, then send it again.",
            AfterSetUp,
        ),
    ),
    row(
        21609,
        ("Invalid 'StatusCallback'", OurBug),
        "Twilio did not accept the web address for delivery reports",
        (
            "Check that this service has a public https address.",
            AfterSetUp,
        ),
    ),
    row(
        21610,
        ("Recipient has opted out", OptedOut),
        "its owner wrote STOP and does not want messages from this sender",
        (
            "Do not write to {who} by SMS. {who} can write START to receive messages again.",
            Never,
        ),
    ),
    row(
        21611,
        ("Queue of the sender is full", QueueFull),
        "too many messages wait at Twilio for this sender",
        ("Nothing to do: it is sent again later.", Later),
    ),
    row(
        21612,
        ("'To' cannot be reached by this sender", Recipient),
        "this sender cannot reach it by SMS",
        ("Choose another sender for this country.", AfterSetUp),
    ),
    row(
        21614,
        ("'To' is not a mobile number", Recipient),
        "it is not a mobile number",
        (MOBILE, Never),
    ),
    row(
        21617,
        ("Body exceeds 1600 characters", Content),
        "the text is longer than 1,600 characters",
        ("Shorten the rule's template, then send it again.", Never),
    ),
    row(
        21618,
        ("Body cannot be sent", Content),
        "Twilio cannot send this text",
        ("Change the rule's template, then send it again.", Never),
    ),
    row(
        21619,
        ("Unable to create record", Carrier),
        "Twilio could not record the message",
        (
            "Send it again once; if it fails again, ask Twilio's support.",
            Once,
        ),
    ),
    row(
        21620,
        ("Media refused", Content),
        "Twilio did not accept the attached file",
        ("Remove the file, or make it smaller.", Never),
    ),
    row(
        21623,
        ("Media refused", Content),
        "Twilio did not accept the attached file",
        ("Remove the file, or make it smaller.", Never),
    ),
    row(
        21624,
        ("Invalid validity period", OurBug),
        "the time for which the message may wait is not valid",
        (OURS, Never),
    ),
    row(
        21654,
        ("Content template missing or invalid", Content),
        "Twilio does not know the message template",
        (
            "Choose a template that exists in the Twilio Console.",
            Never,
        ),
    ),
    row(
        21655,
        ("Content template missing or invalid", Content),
        "Twilio does not know the message template",
        (
            "Choose a template that exists in the Twilio Console.",
            Never,
        ),
    ),
    row(
        21656,
        ("Content variables invalid", Content),
        "the values for the message template are not valid",
        (
            "Check the rule's values against the template in the Twilio Console.",
            Never,
        ),
    ),
    row(
        21661,
        ("'From' cannot send messages", SetUp),
        "the sender's number cannot send texts, or belongs to another account",
        (SENDER, AfterSetUp),
    ),
    row(
        21664,
        ("Wrong use of 'FallbackFrom'", OurBug),
        "the sender for the fall-back to SMS is wrong",
        (OURS, Never),
    ),
    row(
        21666,
        ("Wrong use of 'FallbackFrom'", OurBug),
        "the sender for the fall-back to SMS is wrong",
        (OURS, Never),
    ),
    row(
        21667,
        ("Wrong use of 'FallbackFrom'", OurBug),
        "the sender for the fall-back to SMS is wrong",
        (OURS, Never),
    ),
    row(
        21701,
        ("Messaging Service invalid or unavailable", SetUp),
        "the Messaging Service of the connection cannot be used",
        (
            "Choose another Messaging Service on the connection.",
            AfterSetUp,
        ),
    ),
    row(
        21702,
        ("Messaging Service invalid or unavailable", SetUp),
        "the Messaging Service of the connection cannot be used",
        (
            "Choose another Messaging Service on the connection.",
            AfterSetUp,
        ),
    ),
    row(
        21703,
        ("No number in the service can send this", SetUp),
        "no number of the Messaging Service can write to this country",
        (
            "Add a fitting number to the Messaging Service in the Twilio Console.",
            AfterSetUp,
        ),
    ),
    row(
        21704,
        ("Messaging Service has no senders", SetUp),
        "the Messaging Service has no senders",
        (
            "Add a number to the Messaging Service in the Twilio Console.",
            AfterSetUp,
        ),
    ),
    row(
        21705,
        ("Messaging Service invalid or unavailable", SetUp),
        "the Messaging Service of the connection cannot be used",
        (
            "Choose another Messaging Service on the connection.",
            AfterSetUp,
        ),
    ),
    row(
        35111,
        ("Time of sending missing", OurBug),
        "the planned time is missing",
        (OURS, Never),
    ),
    row(
        35114,
        ("Scheduling refused", OurBug),
        "Twilio did not accept the planned time",
        (OURS, Never),
    ),
    row(
        35118,
        ("Scheduling refused", OurBug),
        "Twilio did not accept the planned time",
        (OURS, Never),
    ),
    row(
        35125,
        ("Scheduling refused", OurBug),
        "Twilio did not accept the planned time",
        (OURS, Never),
    ),
    row(
        35126,
        ("Scheduling refused", OurBug),
        "Twilio did not accept the planned time",
        (OURS, Never),
    ),
];
