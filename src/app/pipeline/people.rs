//! The people whom a document leaves to us: remembered, or asked for.

use std::time::Duration;

use super::addresses::{address_of, contact_country};
use super::context::RoutingContext;
use crate::app::{App, AppError};
use crate::domain::delivery::Channel;
use crate::domain::document::{ParsedDocument, Person};
use crate::domain::event::{Event, EventSource};
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
    let mut channels = Channel::ALL.into_iter();
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
    let mut channels = Channel::ALL.into_iter().filter(|c| context.sends_over(*c));
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
