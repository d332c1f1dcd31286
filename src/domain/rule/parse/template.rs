//! What a rule says, from its JSON.

use serde_json::Value;

use super::Problems;
use crate::domain::channel::Channel;
use crate::domain::rule::{EmailSource, MAX_TEMPLATE_BYTES, RuleChannel, TemplateSource};

pub(super) fn parse(
    json: Option<&Value>,
    channel: Option<RuleChannel>,
    problems: &mut Problems,
) -> Option<TemplateSource> {
    let before = problems.0.len();
    let needs = |of| channel.is_none_or(|channel| channel.uses(of));
    let body = text(json, "body");
    if needs(Channel::Sms) && body.trim().is_empty() {
        problems.add("template.body", "type the message");
    } else if body.len() > MAX_TEMPLATE_BYTES {
        problems.add("template.body", "is too long; 16 KB at the most");
    }
    let email = json.and_then(|json| json.get("email"));
    let email = email.filter(|e| !e.is_null());
    let email = if email.is_some() || channel.is_some_and(|c| c.uses(Channel::Email)) {
        Some(email_source(email, problems))
    } else {
        None
    };
    (problems.0.len() == before).then(|| TemplateSource {
        body: body.to_owned(),
        email,
    })
}

fn email_source(json: Option<&Value>, problems: &mut Problems) -> EmailSource {
    let [subject, preview, body] = ["subject", "preview", "body"].map(|part| text(json, part));
    let source = EmailSource {
        subject: subject.trim().to_owned(),
        preview: preview.trim().to_owned(),
        body: body.to_owned(),
    };
    for (part, message) in source.problems() {
        problems.add(&format!("template.email.{}", part.as_str()), message);
    }
    source
}

fn text<'a>(json: Option<&'a Value>, part: &str) -> &'a str {
    let part = json.and_then(|json| json.get(part));
    part.and_then(Value::as_str).unwrap_or_default()
}
