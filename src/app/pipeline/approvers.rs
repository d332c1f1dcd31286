//! Who approves a document, and who submitted it, as its body names them.

use serde_json::{Map, Value};

use crate::domain::address::Email;
use crate::domain::document::ParsedDocument;

/// How many approvers of one document are written to.
const MOST: usize = 20;

/// Somebody of the books' own organisation.
pub(super) struct Approver {
    pub(super) name: String,
    pub(super) email: Email,
}

/// `approvers_list[]`, then `submitted_by_email`, as far as they bear an address.
pub(super) fn approvers(parsed: &ParsedDocument) -> Vec<Approver> {
    let fields = &parsed.fields;
    let list = fields.get("approvers_list").and_then(Value::as_array);
    let listed = list.into_iter().flatten().filter_map(Value::as_object);
    let listed = listed.filter_map(|one| {
        let name = text(one, "approver_name").or_else(|| text(one, "name"));
        approver(name, text(one, "email")?)
    });
    let submitter = text(fields, "submitted_by_email");
    let submitter = submitter.and_then(|email| {
        let name = text(fields, "submitted_by_name").or_else(|| text(fields, "submitted_by"));
        approver(name, email)
    });
    let mut all: Vec<Approver> = Vec::new();
    for one in listed.chain(submitter) {
        if all.len() < MOST && all.iter().all(|a| a.email.key() != one.email.key()) {
            all.push(one);
        }
    }
    all
}

fn approver(name: Option<&str>, email: &str) -> Option<Approver> {
    let email = Email::parse(email).ok()?;
    let name = name.map_or_else(|| email.to_string(), str::to_owned);
    Some(Approver { name, email })
}

fn text<'a>(of: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    let text = of.get(name)?.as_str()?.trim();
    (!text.is_empty()).then_some(text)
}
