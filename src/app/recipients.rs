//! Whom a message goes to: a rule's recipient becomes people, and people become addresses, each step with
//! its reason.

use super::decide::Matter;
use crate::domain::document::{Person, Reading};
use crate::domain::event::EventSource;
use crate::domain::phone::{CountryCode, E164, country_from_text, to_e164};
use crate::domain::rule::Recipient;
use crate::domain::tenant::Tenant;

/// Whom a message goes to, or why nobody can be reached.
pub(super) struct Reached<'a> {
    pub(super) address: Result<E164, String>,
    pub(super) person: Option<&'a Person>,
    pub(super) name: String,
}

pub(super) fn reach<'a>(recipient: &Recipient, matter: &Matter<'a>) -> Reached<'a> {
    if matter.event.source == EventSource::Test {
        return reach_tester(matter);
    }
    let people = matter.reading.persons.iter().chain(matter.remembered);
    match recipient {
        Recipient::Fixed(number) => Reached {
            address: Ok(number.clone()),
            person: people.clone().next(),
            name: number.grouped(),
        },
        Recipient::Contact => reach_contact(&people, matter),
    }
}

/// Whomever the rule names, a test reaches nobody but the one who sent it: the only person of its
/// document.
fn reach_tester<'a>(matter: &Matter<'a>) -> Reached<'a> {
    let reached = reach_contact(&matter.reading.persons.iter(), matter);
    let address = reached.address.map_err(|_| {
        "This is a test, and tests go only to the confirmed number of whoever sends them. Confirm \
         your own number, then send another"
            .to_owned()
    });
    Reached { address, ..reached }
}

/// The first person whose mobile, then phone, becomes a number.
fn reach_contact<'a>(
    people: &(impl Iterator<Item = &'a Person> + Clone),
    matter: &Matter<'a>,
) -> Reached<'a> {
    let country = contact_country(matter.reading, &matter.grounds.tenant);
    let mut refused = None;
    for person in people.clone() {
        for text in [&person.mobile, &person.phone].into_iter().flatten() {
            match to_e164(text, country) {
                Ok(number) => {
                    let name = person
                        .name()
                        .or_else(|| party_name(matter))
                        .unwrap_or_default();
                    return Reached {
                        address: Ok(number),
                        person: Some(person),
                        name,
                    };
                }
                Err(problem) if refused.is_none() => {
                    let shown: String = text.chars().take(40).collect();
                    let who = person.name().unwrap_or_else(|| "the contact".to_owned());
                    refused = Some(format!("the number of {who}, “{shown}”, {problem}"));
                }
                Err(_) => {}
            }
        }
    }
    let whom = party_name(matter).unwrap_or_else(|| "this contact".to_owned());
    let why = match refused {
        Some(why) => format!("No usable mobile number for {whom}: {why}. Correct it in Zoho Books"),
        None => format!("No mobile number known for {whom}; add one in Zoho Books"),
    };
    Reached {
        address: Err(why),
        person: people.clone().next(),
        name: whom,
    }
}

/// Whether somebody whom the document names can be reached.
pub(super) fn names_somebody(reading: &Reading, tenant: &Tenant) -> bool {
    let country = contact_country(reading, tenant);
    let persons = reading.persons.iter();
    let mut texts = persons.flat_map(|p| [&p.mobile, &p.phone]).flatten();
    texts.any(|text| to_e164(text, country).is_ok())
}

fn contact_country(reading: &Reading, tenant: &Tenant) -> Option<CountryCode> {
    let own = reading.country.as_deref().and_then(country_from_text);
    own.or_else(|| CountryCode::parse(&tenant.country).ok())
}

fn party_name(matter: &Matter<'_>) -> Option<String> {
    matter.reading.party.as_ref().and_then(|p| p.name.clone())
}
