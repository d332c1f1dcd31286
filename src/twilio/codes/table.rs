//! The table of codes: one line per code, sorted by code.
//!
//! The surprise: titles come partly from a 2023 copy of Twilio's dictionary, so sentences are ours
//! and say no more than the title does.

use super::Class::{
    Account, Carrier, Channel, Content, Filtered, Limit, OptedOut, OurBug, QueueFull, Recipient,
    ServerTrouble, SetUp, Throttle,
};
use super::ResendAdvice::{AfterSetUp, AllowedHour, AskAPerson, Later, Never, NextDay, Once};
use super::{Class, Entry, ResendAdvice};

const fn row(
    code: i32,
    (title, class): (&'static str, Class),
    what: &'static str,
    (todo, later): (&'static str, ResendAdvice),
) -> Entry {
    Entry {
        code,
        title,
        class,
        what,
        todo,
        later,
    }
}

const MOBILE: &str = "Ask {who} for a mobile number, or send an e-mail instead.";
const CHECK: &str = "Check the number in Zoho Books, or ask {who} for another one.";
const CREDENTIALS: &str =
    "Check the connection's Account SID, user and secret against the Twilio Console.";
const SENDER: &str = "Choose another sender on the connection, or settle it in the Twilio Console.";
const OURS: &str = "This is ours to mend: please send us the delivery's number.";
const WAIT: &str = "Send it again later.";
const REGISTER: &str = "Finish the registration in the Twilio Console, then send it again.";
const SLOW: &str = "Send it again later; fewer messages at once help.";

pub(super) const TABLE: &[Entry] = &[
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
        (
            "Choose another sender for this country, or send an e-mail instead.",
            AfterSetUp,
        ),
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
        ("Unreachable handset", Recipient),
        "the phone is off, out of reach, or cannot receive texts",
        (
            "Send it again in a few hours, or send an e-mail instead.",
            Once,
        ),
    ),
    row(
        30004,
        ("Message blocked", Recipient),
        "the phone or its carrier blocks messages from this sender",
        ("Call {who}, or send an e-mail instead.", Never),
    ),
    row(
        30005,
        ("Unknown handset", Recipient),
        "the number is probably no longer in use",
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
        ("Send it again once, or send an e-mail instead.", Once),
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
        ("Send an SMS or an e-mail instead.", Never),
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
        ("Call {who}, or send an e-mail instead.", Never),
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
        ("Send an SMS or an e-mail instead.", Never),
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
        ("Send an SMS or an e-mail instead.", Never),
    ),
    row(
        63033,
        ("Blocked by the recipient", Channel),
        "the recipient has blocked the sender",
        ("Call {who}, or send an e-mail instead.", Never),
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
