//! How the people whom a document names become addresses: each step with its reason.

use chrono_tz::Tz;

use crate::domain::address::{Address, Email};
use crate::domain::delivery::Channel;
use crate::domain::document::{ParsedDocument, Person};
use crate::domain::phone::{CountryCode, Phone, country_from_text, to_e164};
use crate::domain::tenant::Tenant;

/// An address, and what is worth a word about it.
pub(super) struct Found {
    pub(super) address: Address,
    pub(super) notes: Vec<String>,
}

/// The address of a person over a channel; or why there is none, to follow their name.
pub(super) fn address_of(
    person: &Person,
    channel: Channel,
    country: Option<CountryCode>,
) -> Result<Found, String> {
    match channel {
        Channel::Sms => {
            let (number, mistyped) = number_of(person, country)?;
            let mut notes = Vec::new();
            notes.extend(
                mistyped.map(|why| format!("{} {why}, so the phone is used", called(person))),
            );
            Ok(Found {
                address: Address::Phone(number),
                notes,
            })
        }
        Channel::Email => Ok(Found {
            address: Address::Email(email_of(person)?),
            notes: Vec::new(),
        }),
    }
}

const NO_NUMBER: &str = "has no number";
const NO_EMAIL: &str = "has no e-mail address";

/// Whether a reason only says that nothing is known.
pub(super) fn says_nothing_is_known(why: &str) -> bool {
    [NO_NUMBER, NO_EMAIL].contains(&why)
}

/// The number of a person, and what is wrong with the mobile where it is the phone's; or why there is none.
fn number_of(
    person: &Person,
    country: Option<CountryCode>,
) -> Result<(Phone, Option<String>), String> {
    if person.takes_sms == Some(false) {
        return Err("does not allow SMS (as Zoho Books has it)".to_owned());
    }
    let mut refused = None;
    for text in [&person.mobile, &person.phone].into_iter().flatten() {
        match to_e164(text, country) {
            Ok(number) => return Ok((number, refused)),
            Err(problem) if refused.is_none() => {
                let shown: String = text.chars().take(40).collect();
                refused = Some(format!("has “{shown}”, which {problem}"));
            }
            Err(_) => {}
        }
    }
    Err(refused.unwrap_or_else(|| NO_NUMBER.to_owned()))
}

fn email_of(person: &Person) -> Result<Email, String> {
    if person.takes_email == Some(false) {
        return Err("does not get e-mails (as Zoho Books has it)".to_owned());
    }
    let Some(text) = &person.email else {
        return Err(NO_EMAIL.to_owned());
    };
    Email::parse(text).map_err(|problem| {
        let shown: String = text.chars().take(60).collect();
        format!("has “{shown}”, which {problem}")
    })
}

/// What is worth a word about a number: number plans grow, and it may be right.
pub(super) fn unknown_range(address: &Address) -> Option<String> {
    let Address::Phone(number) = address else {
        return None;
    };
    (!number.is_valid()).then(|| {
        format!(
            "{} is of a range that its country does not know: it may be mistyped",
            number.grouped()
        )
    })
}

/// How old what is remembered of somebody is.
pub(super) fn age(person: &Person, channel: Channel, zone: Tz) -> Option<String> {
    let day = person.seen_at?.with_timezone(&zone);
    let what = match channel {
        Channel::Sms => "number",
        Channel::Email => "e-mail address",
    };
    Some(format!(
        "{}’s {what} was last seen on {}",
        called(person),
        day.format("%-d %b %Y")
    ))
}

/// What a person is called in a reason.
pub(super) fn called(person: &Person) -> String {
    let name = person.name().or_else(|| person.email.clone());
    name.unwrap_or_else(|| "a contact person".to_owned())
}

/// "Ann has no number, Bea does not allow SMS".
pub(super) fn named_with_reasons(passed_over: &[(&Person, String)]) -> String {
    let all = passed_over
        .iter()
        .map(|(person, why)| format!("{} {why}", called(person)));
    listed(all)
}

/// How many are named where many are meant.
const MOST_NAMED: usize = 10;

/// "Ann, Bea", and of many how many more there are.
pub(super) fn listed(all: impl ExactSizeIterator<Item = String>) -> String {
    let more = all.len().saturating_sub(MOST_NAMED);
    let named = all.take(MOST_NAMED).collect::<Vec<_>>().join(", ");
    if more == 0 {
        named
    } else {
        format!("{named} and {more} more")
    }
}

/// Why nobody can be reached, and what helps.
pub(super) fn nobody(
    parsed: &ParsedDocument,
    channel: Channel,
    passed_over: &[(&Person, String)],
    whom: &str,
) -> String {
    let name = parsed.number.as_deref().unwrap_or("the document");
    let kind = parsed.kind.label();
    let (what, instead) = match channel {
        Channel::Sms => ("mobile number", "number"),
        Channel::Email => ("e-mail address", "address"),
    };
    let unknown = format!("No {what} known for {whom}");
    if !passed_over.is_empty() {
        let all = named_with_reasons(passed_over);
        return if passed_over
            .iter()
            .all(|(_, why)| says_nothing_is_known(why))
        {
            format!("{unknown}: {all}. Add one in Zoho Books, then decide this event again")
        } else {
            format!(
                "Nobody at {whom} can be written to: {all}. If that is wrong, correct it in Zoho \
                 Books, then decide this event again"
            )
        };
    }
    if parsed.kind.names_nobody() {
        return format!(
            "{unknown}: Zoho Books names no people with a {kind}, and nothing that it sent before \
             named one of {whom}. Give the rule a fixed {instead} instead, then decide this event again"
        );
    }
    if parsed.person_ids.is_empty() {
        return format!(
            "{unknown}: {name} names nobody. Choose a contact person for it in Zoho Books and \
             save the {kind}, then decide this event again"
        );
    }
    format!(
        "{unknown}: {name} names its contact person by an id that nothing has told us of. Send the \
         {kind} with its contact persons’ details, or open and save the person in Zoho Books"
    )
}

/// Whose national numbers those of the document are.
pub(super) fn contact_country(parsed: &ParsedDocument, tenant: &Tenant) -> Option<CountryCode> {
    let own = parsed.country.as_deref().and_then(country_from_text);
    own.or_else(|| CountryCode::parse(&tenant.country).ok())
}
