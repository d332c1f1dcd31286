//! The people whom a document names, and how they become addresses: each step with its reason.

use std::time::Duration;

use chrono_tz::Tz;

use super::context::RoutingContext;
use super::evaluation_input::EvaluationInput;
use crate::app::{App, AppError};
use crate::domain::address::{Address, Email};
use crate::domain::delivery::Channel;
use crate::domain::document::{ParsedDocument, Person};
use crate::domain::event::{Event, EventSource};
use crate::domain::phone::{CountryCode, Phone, country_from_text, to_e164};
use crate::domain::tenant::Tenant;
use crate::store::TenantStore;
use crate::zoho::wire;

/// People whom a document does not name itself.
#[derive(Debug, Default)]
pub(super) struct OtherPeople {
    /// Remembered for its customer or vendor.
    pub(super) remembered: Vec<Person>,
    /// The document's own e-mail address, where none of its people has that one.
    pub(super) documents_email: Option<Person>,
    /// The customer's primary contact as the books have it, or why they could not be asked; `None` where no
    /// rule wants that.
    pub(super) customer: Option<Result<Person, String>>,
}

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
pub(super) fn is_nothing(why: &str) -> bool {
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
pub(super) fn told(passed_over: &[(&Person, String)]) -> String {
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
    input: &EvaluationInput<'_>,
    channel: Channel,
    passed_over: &[(&Person, String)],
    whom: &str,
) -> String {
    let parsed = input.parsed;
    let name = parsed.number.as_deref().unwrap_or("the document");
    let kind = parsed.kind.label();
    let (what, instead) = match channel {
        Channel::Sms => ("mobile number", "number"),
        Channel::Email => ("e-mail address", "address"),
    };
    let unknown = format!("No {what} known for {whom}");
    if !passed_over.is_empty() {
        let all = told(passed_over);
        return if passed_over.iter().all(|(_, why)| is_nothing(why)) {
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

/// The people whom a document leaves to us. Remembered are those whom it names by their ids alone, or, where
/// its kind names nobody, all of its customer or vendor.
pub(super) async fn other_people(
    app: &App,
    store: &TenantStore,
    context: &RoutingContext,
    event: &Event,
    parsed: &ParsedDocument,
) -> Result<OtherPeople, AppError> {
    let remembered = remembered(store, context, event, parsed).await?;
    let documents_email = documents_email(parsed);
    let customer = if event.source != EventSource::Test && wants_customer(context, parsed) {
        Some(app.primary_contact(store, parsed).await?)
    } else {
        None
    };
    Ok(OtherPeople {
        remembered,
        documents_email,
        customer,
    })
}

/// Whether a rule may need the customer's primary contact: one of the document's kind asks for it, and the
/// document itself names nobody who can be reached.
fn wants_customer(context: &RoutingContext, parsed: &ParsedDocument) -> bool {
    let wants = |channel: Channel| {
        context.rules.iter().any(|rule| {
            let of = &rule.definition;
            let is_asked = rule.enabled && of.event_type.document() == parsed.kind;
            is_asked && of.channel.uses(channel) && of.recipient.falls_back()
        })
    };
    let mut channels = Channel::ALL.iter().copied();
    channels.any(|channel| wants(channel) && !names_somebody(parsed, channel, &context.tenant))
}

/// For Zoho's answer about a customer.
const LOOK_UP: Duration = Duration::from_secs(5);

impl App {
    /// The primary contact of a document's customer or vendor as Zoho Books has it; or why there is none.
    async fn primary_contact(
        &self,
        store: &TenantStore,
        parsed: &ParsedDocument,
    ) -> Result<Result<Person, String>, AppError> {
        let Some(party) = &parsed.party else {
            return Ok(Err("the document names no customer".to_owned()));
        };
        let (connection, Some(login)) = self.books_of(store).await? else {
            let why = "Zoho Books cannot be asked for the customer’s primary contact: connect it \
                       under Connections";
            return Ok(Err(why.to_owned()));
        };
        let tokens = &self.parts.zoho_tokens;
        let asked = tokens.call(&login, |access| {
            let books = tokens.oauth().books(access, &connection.account);
            let (books, id) = (books.with_timeout(LOOK_UP), party.id.clone());
            async move { books.contact(&id).await }
        });
        Ok(match asked.await {
            Ok(answered) => {
                let people = wire::people_of_contact(&answered.value);
                let first = people.into_iter().next();
                first.ok_or_else(|| "Zoho Books has no contact person for the customer".to_owned())
            }
            Err(error) => Err(format!(
                "Zoho Books could not be asked for the customer’s primary contact ({})",
                error.sentence()
            )),
        })
    }
}

async fn remembered(
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
    let mut channels = Channel::ALL
        .iter()
        .copied()
        .filter(|c| context.sends_over(*c));
    if asks_nothing || channels.all(|c| names_somebody(parsed, c, &context.tenant)) {
        return Ok(Vec::new());
    }
    let mut people = store.people(event.connection, &party.id).await?;
    if !parsed.person_ids.is_empty() {
        people.retain(|p| parsed.person_ids.contains(&p.id));
    }
    Ok(people)
}

/// The address at the top of an invoice is its customer's.
fn documents_email(parsed: &ParsedDocument) -> Option<Person> {
    let email = parsed.email.clone()?;
    let is_somebodys = |p: &Person| {
        let own = p.email.as_deref();
        own.is_some_and(|own| own.trim().eq_ignore_ascii_case(email.trim()))
    };
    (!parsed.persons.iter().any(is_somebodys)).then(|| Person {
        email: Some(email),
        ..Person::default()
    })
}

/// Whether somebody whom the document names can be reached.
fn names_somebody(parsed: &ParsedDocument, channel: Channel, tenant: &Tenant) -> bool {
    let country = contact_country(parsed, tenant);
    let mut persons = parsed.persons.iter();
    persons.any(|p| address_of(p, channel, country).is_ok())
}

/// Whose national numbers those of the document are.
pub(super) fn contact_country(parsed: &ParsedDocument, tenant: &Tenant) -> Option<CountryCode> {
    let own = parsed.country.as_deref().and_then(country_from_text);
    own.or_else(|| CountryCode::parse(&tenant.country).ok())
}
