//! The tables of codes, each sorted by code, and the advice that several rows share.
//!
//! The surprise: titles come partly from a 2023 copy of Twilio's dictionary, so sentences are ours
//! and say no more than the title does.

mod at_once;
mod channels;
mod later;

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

const MOBILE: &str = "Ask {who} for a mobile number.";
const CHECK: &str = "Check the number in Zoho Books, or ask {who} for another one.";
const CREDENTIALS: &str =
    "Check the connection's Account SID, user and secret against the Twilio Console.";
const SENDER: &str = "Choose another sender on the connection, or settle it in the Twilio Console.";
const OURS: &str = "This is ours to mend: please send us the delivery's number.";
const WAIT: &str = "Send it again later.";
const REGISTER: &str = "Finish the registration in the Twilio Console, then send it again.";
const SLOW: &str = "Send it again later; fewer messages at once help.";

/// Every table; no code is in two.
pub(super) const TABLES: [&[Entry]; 3] = [at_once::ROWS, later::ROWS, channels::ROWS];
