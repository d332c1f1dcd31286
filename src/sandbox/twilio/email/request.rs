//! Reading a request to send, with every problem at once.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::super::error::Refusal;
use super::error::Problems;

/// 5 MB, everything included.
const LARGEST: usize = 5 * 1024 * 1024;
const MOST_RECIPIENTS: usize = 10_000;
const MOST_TAGS: usize = 10;
const LONGEST_KEY: usize = 128;
const LONGEST_VALUE: usize = 256;
const LONGEST_TAGS: usize = 10_000;

/// A request that may be taken.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) from: Address,
    pub(super) to: Vec<Recipient>,
    pub(super) subject: String,
    pub(super) html: String,
    pub(super) text: Option<String>,
    pub(super) tags: BTreeMap<String, String>,
}

/// An address with a name.
#[derive(Debug, Clone)]
pub(super) struct Address {
    pub(super) address: String,
    pub(super) name: Option<String>,
}

/// A recipient, with what the templates are filled in with.
#[derive(Debug)]
pub(super) struct Recipient {
    pub(super) to: Address,
    pub(super) variables: Map<String, Value>,
}

impl Address {
    pub(super) fn domain(&self) -> String {
        let parts = self.address.rsplit_once('@');
        parts.map_or("", |(_, domain)| domain).to_lowercase()
    }
}

/// Reads the body.
pub(super) fn read(body: &[u8]) -> Result<Request, Refusal> {
    if body.len() > LARGEST {
        return Err(Refusal::new(413, 20413, "The request is larger than 5 MB"));
    }
    let json: Value = serde_json::from_slice(body)
        .map_err(|error| Refusal::bad(20001, format!("The body is not JSON: {error}")))?;
    let mut problems = Problems::default();
    let known = ["from", "to", "content", "tags", "schedule", "ipPoolName"];
    object(&json, "$", &known, &mut problems);
    let from = from(&json["from"], &mut problems);
    let to = recipients(&json["to"], &mut problems);
    let content = &json["content"];
    let known = ["subject", "html", "text", "headers", "attachments"];
    object(content, "content", &known, &mut problems);
    let request = Request {
        from,
        to,
        subject: required(&content["subject"], "content.subject", &mut problems),
        html: required(&content["html"], "content.html", &mut problems),
        text: optional(&content["text"], "content.text", &mut problems),
        tags: tags(&json["tags"], &mut problems),
    };
    others(&json, &mut problems);
    problems.end()?;
    Ok(request)
}

fn object(json: &Value, context: &str, known: &[&str], problems: &mut Problems) {
    let Some(map) = json.as_object() else {
        return problems.add(context, "must be an object");
    };
    for key in map.keys().filter(|key| !known.contains(&key.as_str())) {
        problems.add(
            &format!("{context}.{key}"),
            "additional properties are not allowed",
        );
    }
}

fn from(json: &Value, problems: &mut Problems) -> Address {
    object(json, "from", &["address", "name"], problems);
    let from = address(json, "from", problems);
    if !from.domain().is_ascii() {
        problems.add("from.address", "the domain must not contain Unicode");
    }
    // Seen by the author of a wrapper; the schema asks for the address only.
    if from.name.as_deref().is_none_or(str::is_empty) {
        problems.add("from.name", "is required");
    }
    from
}

fn recipients(json: &Value, problems: &mut Problems) -> Vec<Recipient> {
    let none = Vec::new();
    let all = json.as_array().unwrap_or(&none);
    if all.is_empty() || all.len() > MOST_RECIPIENTS {
        problems.add("to", "must have from 1 to 10000 recipients");
    }
    let mut recipients = Vec::with_capacity(all.len().min(MOST_RECIPIENTS));
    for (at, one) in all.iter().take(MOST_RECIPIENTS).enumerate() {
        let context = format!("to[{at}]");
        object(one, &context, &["address", "name", "variables"], problems);
        let variables = match &one["variables"] {
            Value::Null => Map::new(),
            Value::Object(variables) => variables.clone(),
            _ => {
                problems.add(&format!("{context}.variables"), "must be an object");
                Map::new()
            }
        };
        let to = address(one, &context, problems);
        recipients.push(Recipient { to, variables });
    }
    recipients
}

fn address(json: &Value, context: &str, problems: &mut Problems) -> Address {
    let address = required(&json["address"], &format!("{context}.address"), problems);
    let is_one = address.rsplit_once('@').is_some_and(|(local, domain)| {
        !local.is_empty() && domain.contains('.') && !address.contains(char::is_whitespace)
    });
    if !address.is_empty() && !is_one {
        problems.add(&format!("{context}.address"), "must be an e-mail address");
    }
    let name = optional(&json["name"], &format!("{context}.name"), problems);
    if name
        .as_deref()
        .is_some_and(|name| name.contains(['\r', '\n']))
    {
        problems.add(&format!("{context}.name"), "must be one line");
    }
    Address { address, name }
}

fn tags(json: &Value, problems: &mut Problems) -> BTreeMap<String, String> {
    let map = match json {
        Value::Null => return BTreeMap::new(),
        Value::Object(map) => map,
        _ => {
            problems.add("tags", "must be an object");
            return BTreeMap::new();
        }
    };
    if map.len() > MOST_TAGS {
        problems.add("tags", "at most 10 tags");
    }
    let mut tags = BTreeMap::new();
    for (key, value) in map {
        match value.as_str() {
            Some(value) => {
                if key.chars().count() > LONGEST_KEY || value.chars().count() > LONGEST_VALUE {
                    problems.add(&format!("tags.{key}"), "is too long");
                }
                tags.insert(key.clone(), value.to_owned());
            }
            None => problems.add(&format!("tags.{key}"), "must be a string"),
        }
    }
    let bytes: usize = tags
        .iter()
        .map(|(key, value)| key.len() + value.len())
        .sum();
    if bytes > LONGEST_TAGS {
        problems.add("tags", "together at most 10000 bytes");
    }
    tags
}

/// What this stand-in checks and has no use for.
fn others(json: &Value, problems: &mut Problems) {
    let content = &json["content"];
    if content["headers"]
        .as_object()
        .is_some_and(|map| !map.values().all(Value::is_string))
    {
        problems.add("content.headers", "must be strings by their names");
    }
    for (at, one) in content["attachments"]
        .as_array()
        .into_iter()
        .flatten()
        .enumerate()
    {
        let place = format!("content.attachments[{at}]");
        object(
            one,
            &place,
            &["filename", "contentType", "content"],
            problems,
        );
        for name in ["filename", "contentType", "content"] {
            required(&one[name], &format!("{place}.{name}"), problems);
        }
    }
    if json["ipPoolName"]
        .as_str()
        .is_some_and(|name| !(2..=64).contains(&name.len()))
    {
        problems.add("ipPoolName", "must have from 2 to 64 characters");
    }
}

fn required(json: &Value, context: &str, problems: &mut Problems) -> String {
    match json.as_str() {
        Some(text) if !text.is_empty() => text.to_owned(),
        _ => {
            problems.add(context, "is required");
            String::new()
        }
    }
}

fn optional(json: &Value, context: &str, problems: &mut Problems) -> Option<String> {
    if !json.is_null() && !json.is_string() {
        problems.add(context, "must be a string");
    }
    json.as_str().map(str::to_owned)
}
