//! Whom a message goes to: a rule's recipient becomes people, and people become addresses, each step with
//! its reason.

use std::cell::OnceCell;

use super::context::RoutingContext;
use super::evaluation_input::EvaluationInput;
use crate::app::AppError;
use crate::domain::address::Address;
use crate::domain::document::{ParsedDocument, Person};
use crate::domain::event::{Event, EventSource};
use crate::domain::phone::{CountryCode, Phone, country_from_text, to_e164};
use crate::domain::rule::Recipient;
use crate::domain::tenant::Tenant;
use crate::store::TenantStore;

/// Whom a message goes to, or why nobody can be reached.
#[derive(Clone)]
pub(super) struct Reached<'a> {
    pub(super) address: Result<Address, String>,
    pub(super) person: Option<&'a Person>,
    pub(super) name: String,
    /// How it came to this person, where that is worth a word: who was passed over, how old the number is.
    pub(super) notes: Vec<String>,
}

/// Finds whom each rule names; the document's contact, whom most of them name, is looked for once.
pub(super) struct Finder<'i, 'a> {
    input: &'i EvaluationInput<'a>,
    contact: OnceCell<Reached<'a>>,
}

impl<'i, 'a> Finder<'i, 'a> {
    pub(super) fn new(input: &'i EvaluationInput<'a>) -> Self {
        Self {
            input,
            contact: OnceCell::new(),
        }
    }

    pub(super) fn reach(&self, recipient: &Recipient) -> Reached<'a> {
        match recipient {
            Recipient::Fixed(number) if self.input.event.source != EventSource::Test => Reached {
                address: Ok(Address::Phone(number.clone())),
                person: people(self.input).next(),
                name: number.grouped(),
                notes: unknown_range(number),
            },
            _ => self.contact.get_or_init(|| self.find_contact()).clone(),
        }
    }

    fn find_contact(&self) -> Reached<'a> {
        if self.input.event.source == EventSource::Test {
            reach_tester(self.input)
        } else {
            reach_contact(self.input)
        }
    }
}

/// Whomever the rule names, a test reaches nobody but the one who sent it: the only person of its
/// document.
fn reach_tester<'a>(input: &EvaluationInput<'a>) -> Reached<'a> {
    let reached = reach_contact(input);
    let address = reached.address.map_err(|_| {
        "This is a test, and tests go only to the confirmed number of whoever sends them. Confirm \
         your own number, then send another"
            .to_owned()
    });
    Reached { address, ..reached }
}

/// Everybody who may be meant, in the order in which they are asked.
fn people<'a>(input: &EvaluationInput<'a>) -> impl Iterator<Item = &'a Person> {
    input.parsed.persons.iter().chain(input.remembered)
}

/// The first person who may be written to and whose mobile, then phone, becomes a number.
fn reach_contact<'a>(input: &EvaluationInput<'a>) -> Reached<'a> {
    let country = contact_country(input.parsed, &input.context.tenant);
    let mut passed_over = Vec::new();
    for person in people(input) {
        let (number, mistyped) = match number_of(person, country) {
            Ok(found) => found,
            Err(why) => {
                passed_over.push((person, why));
                continue;
            }
        };
        let name = person.name().or_else(|| party_name(input));
        let mut notes = Vec::new();
        if !passed_over.is_empty() {
            notes.push(format!("passed over: {}", told(&passed_over)));
        }
        notes.extend(mistyped.map(|why| format!("{} {why}, so the phone is used", called(person))));
        if let Some(at) = person.seen_at {
            let day = at.with_timezone(&input.context.tenant.zone);
            notes.push(format!(
                "{}’s number was last seen on {}",
                called(person),
                day.format("%-d %b %Y")
            ));
        }
        notes.extend(unknown_range(&number));
        return Reached {
            address: Ok(Address::Phone(number)),
            person: Some(person),
            name: name.unwrap_or_default(),
            notes,
        };
    }
    let whom = party_name(input).unwrap_or_else(|| "this contact".to_owned());
    Reached {
        address: Err(nobody(input, &passed_over, &whom)),
        person: people(input).next(),
        name: whom,
        notes: Vec::new(),
    }
}

/// Why nobody can be reached, and what helps.
fn nobody(input: &EvaluationInput<'_>, passed_over: &[(&Person, String)], whom: &str) -> String {
    let parsed = input.parsed;
    let name = parsed.number.as_deref().unwrap_or("the document");
    let kind = parsed.kind.words();
    let unknown = format!("No mobile number known for {whom}");
    if !passed_over.is_empty() {
        let all = told(passed_over);
        return if passed_over.iter().all(|(_, why)| why == NO_NUMBER) {
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
             named one of {whom}. Give the rule a fixed number instead, then decide this event again"
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

/// "Ann has no number, Bea does not allow SMS".
fn told(passed_over: &[(&Person, String)]) -> String {
    let all: Vec<String> = passed_over
        .iter()
        .map(|(person, why)| format!("{} {why}", called(person)))
        .collect();
    all.join(", ")
}

const NO_NUMBER: &str = "has no number";

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

/// A number that may be right: number plans grow.
fn unknown_range(number: &Phone) -> Vec<String> {
    if number.is_valid() {
        return Vec::new();
    }
    let note = format!(
        "{} is of a range that its country does not know: it may be mistyped",
        number.grouped()
    );
    vec![note]
}

fn called(person: &Person) -> String {
    let name = person.name().or_else(|| person.email.clone());
    name.unwrap_or_else(|| "a contact person".to_owned())
}

/// People remembered for the document's customer or vendor, as far as it leaves that to us: those whom it
/// names by their ids alone, or, where its kind names nobody, all of them.
pub(super) async fn remembered(
    store: &TenantStore,
    context: &RoutingContext,
    event: &Event,
    parsed: &ParsedDocument,
) -> Result<Vec<Person>, AppError> {
    let by_nature = parsed.kind.names_nobody() && parsed.persons.is_empty();
    let Some(party) = &parsed.party else {
        return Ok(Vec::new());
    };
    let asks_nothing = !by_nature && parsed.person_ids.is_empty();
    if asks_nothing || names_somebody(parsed, &context.tenant) {
        return Ok(Vec::new());
    }
    let mut people = store.people(event.connection, &party.id).await?;
    if !parsed.person_ids.is_empty() {
        people.retain(|p| parsed.person_ids.contains(&p.id));
    }
    Ok(people)
}

/// Whether somebody whom the document names can be reached.
fn names_somebody(parsed: &ParsedDocument, tenant: &Tenant) -> bool {
    let country = contact_country(parsed, tenant);
    let mut persons = parsed.persons.iter();
    persons.any(|p| number_of(p, country).is_ok())
}

fn contact_country(parsed: &ParsedDocument, tenant: &Tenant) -> Option<CountryCode> {
    let own = parsed.country.as_deref().and_then(country_from_text);
    own.or_else(|| CountryCode::parse(&tenant.country).ok())
}

fn party_name(input: &EvaluationInput<'_>) -> Option<String> {
    input.parsed.party.as_ref().and_then(|p| p.name.clone())
}
