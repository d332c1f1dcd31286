//! From Zoho's record to a [`ParsedDocument`].
//!
//! Written from captured payloads: blanks mean absent, ids are text or numbers, and a field of the
//! wrong type is absent too, so that one odd value never costs a record.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::body::{self, Found, Unrecognised};
use super::{envelope, scalar};
use crate::domain::document::{Application, Clearing, DocumentKind, ParsedDocument, Party, Person};
use crate::domain::event::EventType;
use crate::domain::money::Amount;

/// The longest e-mail address (RFC 5321).
const EMAIL_BYTES: usize = 254;
const PHONE_BYTES: usize = 60;
/// Zoho's payment links have about 200 characters.
const LINK_BYTES: usize = 2000;

type Record = Map<String, Value>;

/// Reads a webhook's body, or an API reply with one record; `typed` is the event type of the path.
pub fn read(
    body: &[u8],
    content_type: Option<&str>,
    typed: Option<EventType>,
) -> Result<ParsedDocument, Unrecognised> {
    let Found { kind, record } = body::find(body, content_type, typed)?;
    parse(kind, record)
}

/// Reads one bare record of a known kind, as lists of the API hold them.
pub fn parse(kind: DocumentKind, record: Record) -> Result<ParsedDocument, Unrecognised> {
    let id = scalar::id(&record, envelope::id_field(kind)).ok_or(Unrecognised::NoId { kind })?;
    let persons = persons(&record);
    Ok(ParsedDocument {
        kind,
        id,
        number: number(kind, &record),
        status: scalar::text(&record, "status").map(|status| status.to_lowercase()),
        date: scalar::date(&record, "date"),
        due_date: scalar::date(&record, "due_date"),
        created_time: scalar::instant(&record, "created_time"),
        last_modified_time: scalar::instant(&record, "last_modified_time"),
        total: total(kind, &record),
        balance: scalar::amount(&record, "balance"),
        currency: currency(&record),
        party: party(kind, &record),
        email: scalar::whole(&record, "email", EMAIL_BYTES),
        country: country(&record),
        clearing: clearing(kind, &record),
        applications: applications(kind, &record),
        person_ids: person_ids(&record, &persons),
        persons,
        payment_link: payment_link(&record),
        fields: record,
    })
}

/// What a clerk calls it. Payments and expenses are known by their reference where they have no
/// number of their own.
fn number(kind: DocumentKind, record: &Record) -> Option<String> {
    let keys: &[&str] = match kind {
        DocumentKind::Invoice => &["invoice_number"],
        DocumentKind::Bill => &["bill_number"],
        DocumentKind::PurchaseOrder => &["purchaseorder_number"],
        DocumentKind::CustomerPayment | DocumentKind::VendorPayment => {
            &["payment_number", "reference_number"]
        }
        DocumentKind::Expense => &["expense_number", "reference_number"],
    };
    keys.iter().find_map(|key| scalar::text(record, key))
}

/// A payment has an `amount`; an expense's `amount` is before tax, so its `total` comes first.
fn total(kind: DocumentKind, record: &Record) -> Option<Amount> {
    let keys = match kind {
        DocumentKind::CustomerPayment | DocumentKind::VendorPayment => ["amount", "total"],
        _ => ["total", "amount"],
    };
    keys.iter().find_map(|key| scalar::amount(record, key))
}

/// Most invoices that one payment is read to be applied to.
const MOST_APPLICATIONS: usize = 200;

/// How a cleared invoice was cleared, where that was by no payment (invoice API: `payment_made`,
/// `credits_applied`, `write_off_amount`). Only what the body says counts.
fn clearing(kind: DocumentKind, record: &Record) -> Option<Clearing> {
    let amount = |key| scalar::amount(record, key).map(|a| a.0);
    let is_cleared = scalar::text(record, "status").is_some_and(|s| s.eq_ignore_ascii_case("paid"))
        || amount("balance").is_some_and(|b| b <= 0);
    if kind != DocumentKind::Invoice || !is_cleared {
        return None;
    }
    let (total, credits) = (amount("total"), amount("credits_applied").unwrap_or(0));
    if total == Some(0) {
        Some(Clearing::NothingOwed)
    } else if amount("write_off_amount").is_some_and(|w| w > 0) {
        Some(Clearing::WriteOff)
    } else {
        let is_credit = match amount("payment_made") {
            Some(made) => made == 0 && credits > 0,
            None => total.is_some_and(|t| credits >= t),
        };
        is_credit.then_some(Clearing::Credit)
    }
}

/// What a payment leaves open of each invoice (customer payment API: `invoices[].balance_amount`).
fn applications(kind: DocumentKind, record: &Record) -> Vec<Application> {
    let lines = record.get("invoices").and_then(Value::as_array);
    let lines = lines.filter(|_| kind == DocumentKind::CustomerPayment);
    lines
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
        .filter_map(|line| {
            Some(Application {
                invoice: scalar::id(line, "invoice_id")?,
                balance: scalar::amount(line, "balance_amount")?,
            })
        })
        .take(MOST_APPLICATIONS)
        .collect()
}

/// `currency_symbol` holds the code in some organisations (`"NGN"`).
fn currency(record: &Record) -> Option<String> {
    ["currency_code", "currency_symbol"].iter().find_map(|key| {
        let code = scalar::whole(record, key, 3)?;
        (code.len() == 3 && code.bytes().all(|b| b.is_ascii_alphabetic()))
            .then(|| code.to_ascii_uppercase())
    })
}

/// The vendor where money goes out (bill, purchase order, vendor payment, expense), else the
/// customer. An expense without a vendor has its customer, who may be billed for it.
fn party(kind: DocumentKind, record: &Record) -> Option<Party> {
    let of = |id: &str, name: &str| {
        Some(Party {
            id: scalar::id(record, id)?,
            name: scalar::text(record, name),
        })
    };
    let vendor = || of("vendor_id", "vendor_name");
    let customer = || of("customer_id", "customer_name");
    match kind {
        DocumentKind::Invoice | DocumentKind::CustomerPayment => customer(),
        DocumentKind::Bill | DocumentKind::PurchaseOrder | DocumentKind::VendorPayment => vendor(),
        DocumentKind::Expense => vendor().or_else(customer),
    }
}

/// The billing address's country: a code where Zoho has one, else free text ("U.S.A").
fn country(record: &Record) -> Option<String> {
    ["billing_address", "customer_default_billing_address"]
        .iter()
        .find_map(|key| {
            let address = record.get(*key)?.as_object()?;
            scalar::text(address, "country_code").or_else(|| scalar::text(address, "country"))
        })
}

/// Associated persons first, then details with the primary first; each once, and what one list
/// lacks about a person is filled from the other.
fn persons(record: &Record) -> Vec<Person> {
    let mut details = listed(record, "contact_persons_details");
    details.sort_by_key(|person| !person.is_primary);
    let mut persons: Vec<Person> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for person in listed(record, "contact_persons_associated")
        .into_iter()
        .chain(details)
    {
        if let Some(place) = places.get(&person.id) {
            fill(&mut persons[*place], person);
            continue;
        }
        if !person.id.is_empty() {
            places.insert(person.id.clone(), persons.len());
        }
        persons.push(person);
    }
    persons
}

/// The people of a customer or vendor as `GET /contacts/{id}` has it, the primary one first.
pub fn people_of_contact(contact: &Value) -> Vec<Person> {
    let mut people = contact
        .as_object()
        .map(|record| listed(record, "contact_persons"))
        .unwrap_or_default();
    people.sort_by_key(|person| !person.is_primary);
    people
}

fn listed(record: &Record, key: &str) -> Vec<Person> {
    let list = record
        .get(key)
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    list.iter()
        .filter_map(Value::as_object)
        .filter_map(person)
        .collect()
}

/// A person one can at least look up or write to.
fn person(record: &Record) -> Option<Person> {
    let email = |key: &str| scalar::whole(record, key, EMAIL_BYTES);
    let preference = record.get("communication_preference");
    let allows = |key: &str| preference.and_then(|p| p.get(key)).and_then(Value::as_bool);
    let person = Person {
        id: scalar::id(record, "contact_person_id").unwrap_or_default(),
        first_name: scalar::text(record, "first_name")
            .or_else(|| scalar::text(record, "contact_person_name")),
        last_name: scalar::text(record, "last_name"),
        email: email("email").or_else(|| email("contact_person_email")),
        phone: scalar::whole(record, "phone", PHONE_BYTES),
        mobile: scalar::whole(record, "mobile", PHONE_BYTES),
        is_primary: record
            .get("is_primary_contact")
            .and_then(Value::as_bool)
            .unwrap_or(false),
        takes_sms: allows("is_sms_enabled"),
        takes_email: allows("is_email_enabled"),
        seen_at: None,
    };
    let is_somebody = person.email.is_some()
        || person.phone.is_some()
        || person.mobile.is_some()
        || !person.id.is_empty();
    is_somebody.then_some(person)
}

/// Most people that are looked up by their ids alone.
const MOST_IDS: usize = 50;

/// Those of `contact_persons` of whom the body says nothing else.
fn person_ids(record: &Record, persons: &[Person]) -> Vec<String> {
    let ids = record.get("contact_persons").and_then(Value::as_array);
    let mut only: Vec<String> = Vec::new();
    for id in ids.into_iter().flatten().take(MOST_IDS) {
        let text = match id {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            _ => continue,
        };
        let is_told = persons.iter().any(|p| p.id == text) || only.contains(&text);
        if !text.is_empty() && !is_told {
            only.push(text);
        }
    }
    only
}

fn fill(person: &mut Person, other: Person) {
    let Person {
        id: _,
        first_name,
        last_name,
        email,
        phone,
        mobile,
        is_primary,
        takes_sms,
        takes_email,
        seen_at: _,
    } = other;
    // Names go together: one person's first name beside another spelling's last name is nobody.
    if person.name().is_none() {
        (person.first_name, person.last_name) = (first_name, last_name);
    } else if person.last_name.is_none() && person.first_name == first_name {
        person.last_name = last_name;
    }
    person.email = person.email.take().or(email);
    person.phone = person.phone.take().or(phone);
    person.mobile = person.mobile.take().or(mobile);
    person.is_primary |= is_primary;
    person.takes_sms = both_allow(person.takes_sms, takes_sms);
    person.takes_email = both_allow(person.takes_email, takes_email);
}

/// One no is a no.
const fn both_allow(one: Option<bool>, other: Option<bool>) -> Option<bool> {
    match (one, other) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (None, other) => other,
        (one, _) => one,
    }
}

/// Zoho's `invoice_url` ends with a blank in captured payloads. Anything but a web address would be
/// a trap for whoever taps it.
fn payment_link(record: &Record) -> Option<String> {
    let link = scalar::whole(record, "invoice_url", LINK_BYTES)?;
    let is_web = link.starts_with("https://") || link.starts_with("http://");
    (is_web && !link.contains(char::is_whitespace)).then_some(link)
}

#[cfg(test)]
mod tests;
