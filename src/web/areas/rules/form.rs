//! Between the editor's fields and a rule's JSON form.
//!
//! Rows of conditions without a field are left out of the JSON, so a problem's number is not the
//! row's: [`Typed`] remembers which row each condition came from.

use serde_json::{Value, json};

use crate::app::FieldProblem;
use crate::domain::address::Address;
use crate::domain::rule::{
    Conditions, DEFAULT_SEND_WITHIN, EmailSource, MAX_CONDITIONS, Op, Recipient, Rule, RuleSender,
    Sender,
};
use crate::web::areas::words;
use crate::web::extract::csrf_form::Form;
use crate::web::form::FormState;

/// The most rows that are read: some may be empty.
const MOST_ROWS: usize = MAX_CONDITIONS + 10;

/// What was typed.
#[derive(Debug, Clone)]
pub(in crate::web) struct Typed {
    /// The rule's JSON form, still unchecked.
    pub(in crate::web) definition: Value,
    /// The row of each condition.
    rows: Vec<usize>,
}

/// A new rule's form.
pub(in crate::web) fn empty() -> FormState {
    FormState::new()
        .with("event_type", "invoice.sent")
        .with("joint", "all")
        .with("channel", "sms")
        .with("recipient", "first")
        .with("sender", "default")
        .with("email_sender", "default")
        .with("send_within", "24")
        .with("enabled", "1")
}

/// A stored rule as a form.
pub(in crate::web) fn of(rule: &Rule) -> FormState {
    let definition = &rule.definition;
    let joint = match definition.conditions {
        Conditions::All(_) => "all",
        Conditions::Any(_) => "any",
    };
    let (recipient, addresses, else_customer) = match &definition.recipient {
        Recipient::Contact { who, else_customer } => {
            (who.as_str().to_owned(), String::new(), *else_customer)
        }
        Recipient::Fixed(addresses) => {
            let all: Vec<&str> = addresses.iter().map(Address::as_str).collect();
            ("fixed".to_owned(), all.join(", "), false)
        }
        Recipient::Group(id) => (id.to_string(), String::new(), false),
        Recipient::Approvers => ("approvers".to_owned(), String::new(), false),
    };
    let sender = match &definition.sender {
        None => "default".to_owned(),
        Some(RuleSender::Own(own)) => own.as_str().to_owned(),
        Some(RuleSender::Kept(id)) => id.to_string(),
    };
    let kept = definition.email_sender;
    let email_sender = kept.map_or_else(|| "default".to_owned(), |id| id.to_string());
    let email = definition.template.email.as_ref();
    let of_email = |part: fn(&EmailSource) -> &String| email.map_or("", |e| part(e).as_str());
    let seconds = definition.send_within;
    let usual = matches!(seconds / 3600, 1 | 4 | 24 | 72 | 168) && seconds.is_multiple_of(3600);
    let send_within = if usual {
        (seconds / 3600).to_string()
    } else {
        format!("{seconds}s")
    };
    let form = FormState::new()
        .with("name", definition.name.as_str())
        .with("event_type", definition.event_type.as_str())
        .with("joint", joint)
        .with("channel", definition.channel.as_str())
        .with("recipient", recipient)
        .with("addresses", addresses)
        .with("else_customer", if else_customer { "1" } else { "" })
        .with("sender", sender)
        .with("email_sender", email_sender)
        .with("email_subject", of_email(|e| &e.subject))
        .with("email_preview", of_email(|e| &e.preview))
        .with("email_body", of_email(|e| &e.body))
        .with("send_within", send_within)
        .with("template", definition.template.body.as_str())
        .with("enabled", if rule.enabled { "1" } else { "" });
    let conditions = definition.conditions.list().iter().enumerate();
    conditions.fold(form, |form, (row, condition)| {
        form.with(format!("condition.{row}.field"), condition.field.as_str())
            .with(format!("condition.{row}.op"), condition.op.as_str())
            .with(
                format!("condition.{row}.value"),
                condition.value.to_string(),
            )
    })
}

/// How many rows of conditions a form holds.
pub(in crate::web) fn rows(form: &FormState) -> usize {
    let filled = |row: &usize| !form.value(&format!("condition.{row}.field")).is_empty();
    (0..MOST_ROWS).rfind(filled).map_or(0, |row| row + 1)
}

/// Reads what was typed.
pub(in crate::web) fn read(form: &Form) -> Typed {
    let mut rows = Vec::new();
    let mut conditions = Vec::new();
    for row in 0..MOST_ROWS {
        let part = |part: &str| form.get(&format!("condition.{row}.{part}")).to_owned();
        let field = part("field");
        if !field.is_empty() {
            rows.push(row);
            conditions.push(condition(&field, &part("op"), &part("value")));
        }
    }
    let joint = if form.get("joint") == "any" {
        "any"
    } else {
        "all"
    };
    let email = json!({
        "subject": form.get("email_subject"),
        "preview": form.get("email_preview"),
        "body": form.text("email_body"),
    });
    // One that nobody has begun is none, unless the rule sends e-mails.
    let is_begun = ["subject", "preview", "body"].iter().any(|part| {
        email[part]
            .as_str()
            .is_some_and(|text| !text.trim().is_empty())
    });
    let definition = json!({
        "name": form.get("name"),
        "event_type": form.get("event_type"),
        "conditions": { joint: conditions },
        "channel": Some(form.get("channel")).filter(|channel| !channel.is_empty()),
        "recipient": recipient(form),
        "sender": sender_of(form.get("sender")),
        "email_sender": kept_sender(form.get("email_sender")),
        "template": { "body": form.text("template"), "email": is_begun.then_some(email) },
        "send_within": send_within(form.get("send_within")),
    });
    Typed { definition, rows }
}

/// Whom the choice and what was typed beside it mean.
fn recipient(form: &Form) -> Value {
    match form.get("recipient") {
        "fixed" => {
            let typed = form.text("addresses");
            let all: Vec<&str> = typed
                .split([',', ';', '\n'])
                .map(str::trim)
                .filter(|address| !address.is_empty())
                .collect();
            json!({ "kind": "fixed", "addresses": all })
        }
        "approvers" => json!({ "kind": "approvers" }),
        group if group.starts_with("grp_") => json!({ "kind": "group", "group": group }),
        who => json!({
            "kind": "contact", "who": (who != "contact").then_some(who), "else_customer": form.get("else_customer") == "1",
        }),
    }
}

fn kept_sender(typed: &str) -> Option<&str> {
    (!typed.is_empty() && typed != "default").then_some(typed)
}

/// A comparison with a list takes its values apart at the commas.
fn condition(field: &str, op: &str, value: &str) -> Value {
    let takes_list = Op::parse(op).is_some_and(Op::takes_list);
    let takes_nothing = Op::parse(op).is_some_and(Op::takes_nothing);
    if takes_list {
        let values: Vec<&str> = value
            .split(',')
            .map(str::trim)
            .filter(|v| !v.is_empty())
            .collect();
        json!({"field": field, "op": op, "value": values})
    } else if takes_nothing && value.is_empty() {
        json!({"field": field, "op": op})
    } else {
        json!({"field": field, "op": op, "value": value})
    }
}

/// The sender of the editor's list; none for the default.
pub(in crate::web) fn sender_of(value: &str) -> Option<RuleSender> {
    let own = match value {
        "" | "default" => None,
        kept if kept.starts_with("snd_") => return kept.parse().ok().map(RuleSender::Kept),
        sid if sid.len() > 11 && sid.starts_with("MG") => {
            Some(Sender::MessagingService(sid.to_owned()))
        }
        from => Some(Sender::From(from.to_owned())),
    };
    own.map(RuleSender::Own)
}

/// Hours, or seconds as `5400s`. What is neither is refused with the field's own words.
fn send_within(text: &str) -> Value {
    if text.is_empty() {
        return json!(DEFAULT_SEND_WITHIN);
    }
    let hours = text.parse::<u32>().ok().and_then(|h| h.checked_mul(3600));
    let seconds = text.strip_suffix('s').and_then(|s| s.parse::<u32>().ok());
    hours.or(seconds).map_or(json!(text), |n| json!(n))
}

impl Typed {
    /// Puts each problem at the field that it is about.
    pub(in crate::web) fn refuse(&self, problems: &[FieldProblem], form: &mut FormState) {
        for problem in problems {
            let why = match problem.field.as_str() {
                path if path.starts_with("recipient.address") => number_sentence(&problem.message),
                _ => sentence(&problem.message),
            };
            match self.field(&problem.field) {
                Some(field) => form.refuse(field, why),
                None => form.refuse_all(why),
            }
        }
    }

    fn field(&self, path: &str) -> Option<String> {
        if let Some(rest) = path.strip_prefix("conditions.") {
            let (number, part) = rest.split_once('.')?;
            let row = self.rows.get(number.parse::<usize>().ok()?)?;
            return Some(format!("condition.{row}.{part}"));
        }
        let field = match path {
            "name" | "event_type" | "send_within" => path,
            path if path.starts_with("recipient.address") => "addresses",
            path if path.starts_with("recipient") => "recipient",
            "template.email.subject" => "email_subject",
            "template.email.preview" => "email_preview",
            "template.email.body" => "email_body",
            "channel" => "channel",
            "email_sender" => "email_sender",
            "template.body" => "template",
            path if path.starts_with("sender") => "sender",
            _ => return None,
        };
        Some(field.to_owned())
    }
}

/// A phone number's problem with its subject: "The number has too few digits for its country."
fn number_sentence(message: &str) -> String {
    if ["has ", "is ", "begins "]
        .iter()
        .any(|verb| message.starts_with(verb))
    {
        sentence(&format!("the number {message}"))
    } else {
        sentence(message)
    }
}

/// A problem's words as a sentence below its field.
pub(in crate::web) fn sentence(message: &str) -> String {
    crate::web::areas::event::view::ended(&words::capital(message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::rule::RuleDefinition;

    fn state(pairs: &[(&str, &str)]) -> FormState {
        pairs
            .iter()
            .fold(FormState::new(), |form, (n, v)| form.with(*n, *v))
    }

    fn posted(text: &str) -> Form {
        Form::from_pairs(form_urlencoded::parse(text.as_bytes()).into_owned())
    }

    #[test]
    fn a_rule_survives_the_way_through_the_form() {
        let json = json!({
            "name": "Big", "event_type": "invoice.overdue",
            "conditions": {"any": [
                {"field": "total", "op": "gte", "value": "1000"},
                {"field": "status", "op": "in", "value": ["sent", "overdue"]},
                {"field": "contact.mobile", "op": "present"},
            ]},
            "channel": "both",
            "recipient": {"kind": "fixed", "addresses": ["+447700900456", "ann@example.com"]},
            "sender": {"messaging_service_sid": "MG00000000000000000000000000000001"},
            "email_sender": "snd_00000000000000000000000000000001",
            "template": {
                "body": "Hello\nthere",
                "email": {"subject": "Hello", "preview": "there", "body": "Dear\n\nAnn"},
            },
            "send_within": 5400,
        });
        let definition = RuleDefinition::parse(&json, None).unwrap();
        let rule = Rule {
            id: crate::domain::ids::RuleId::nil(),
            version: 1,
            position: 1,
            enabled: true,
            definition: definition.clone(),
        };
        let form = of(&rule);
        assert_eq!(rows(&form), 3);
        let names = [
            "name",
            "event_type",
            "joint",
            "channel",
            "recipient",
            "addresses",
            "sender",
            "email_sender",
            "email_subject",
            "email_preview",
            "email_body",
            "send_within",
            "template",
        ];
        let conditions = (0..3)
            .flat_map(|row| ["field", "op", "value"].map(|part| format!("condition.{row}.{part}")));
        let all = names.iter().map(|n| (*n).to_owned()).chain(conditions);
        let pairs = all.map(|n| (n.clone(), form.value(&n).to_owned()));
        let typed = read(&Form::from_pairs(pairs));
        assert_eq!(
            RuleDefinition::parse(&typed.definition, None).unwrap(),
            definition
        );
    }

    #[test]
    fn a_problem_stands_at_the_row_that_was_typed_wrong() {
        let typed = read(&posted(
            "condition.0.field=&condition.1.field=total&condition.1.op=gte&condition.1.value=much\
             &channel=sms&recipient=fixed&addresses=12&sender=default&template=x&name=N\
             &event_type=invoice.sent",
        ));
        let problems = RuleDefinition::parse(&typed.definition, None).unwrap_err();
        let problems: Vec<_> = problems
            .into_iter()
            .map(|p| FieldProblem::new(p.field, p.message))
            .collect();
        let mut form = state(&[]);
        typed.refuse(&problems, &mut form);
        assert!(
            form.error("condition.1.value")
                .unwrap()
                .starts_with("Type a number")
        );
        assert!(
            form.error("addresses")
                .unwrap()
                .starts_with("The number has no country code;")
        );
        assert_eq!(form.error("name"), None);
    }

    #[test]
    fn a_span_is_hours_or_seconds() {
        assert_eq!(send_within("4"), json!(14_400));
        assert_eq!(send_within("90s"), json!(90));
        assert_eq!(send_within("soon"), json!("soon"));
    }
}
