//! What the security log says: a sentence for every action that is known, and what was changed from
//! what to what. An action that is not known here is shown as it is.

use serde_json::Value;

use crate::domain::audit::AuditEntry;
use crate::domain::delivery::DeliveryState;
use crate::domain::provider::Providers;
use crate::domain::rule::Op;
use crate::domain::user::Role;
use crate::web::areas::words::capital;
use crate::web::providers::ZOHO;

/// What was done, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub sentence: String,
    pub changes: Vec<Difference>,
}

/// One value that was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub what: String,
    pub old: Option<String>,
    pub new: Option<String>,
}

/// A kind of entries to filter by.
pub struct Kind {
    /// In addresses.
    pub key: &'static str,
    pub words: &'static str,
    /// Its actions; `%` stands for anything.
    pub actions: &'static [&'static str],
}

/// Every kind, in the order of the chips.
pub const KINDS: [Kind; 7] = [
    Kind {
        key: "sign-ins",
        words: "Sign-ins",
        actions: &["account.%", "number.%"],
    },
    Kind {
        key: "team",
        words: "Team",
        actions: &[
            "member.joined",
            "member.left",
            "member.removed",
            "member.role_changed",
            "invitation.%",
        ],
    },
    Kind {
        key: "rules",
        words: "Rules",
        actions: &["rule.%", "rules.%"],
    },
    Kind {
        key: "connections",
        words: "Connections",
        actions: &["connection.%", "secret.%", "hook.%", "sender.%"],
    },
    Kind {
        key: "messages",
        words: "Messages",
        actions: &[
            "event.%",
            "delivery.%",
            "sending.%",
            "suppression.%",
            "permission.%",
            "reply.%",
        ],
    },
    Kind {
        key: "tokens",
        words: "API tokens",
        actions: &["token.%"],
    },
    Kind {
        key: "company",
        words: "Company",
        actions: &[
            "settings.%",
            "tenant.%",
            "operator.%",
            "rehearsal.%",
            "brand.%",
            "bank_details.%",
        ],
    },
];

/// The longest value that is shown whole, in characters.
const LONGEST: usize = 200;

/// Whether an action has a sentence of its own.
pub fn is_known(action: &str) -> bool {
    plain(action).is_some()
        || with_subject(action, "", &Value::Null, &Providers::default()).is_some()
}

/// What an entry says.
pub fn told(entry: &AuditEntry, providers: &Providers) -> Told {
    let detail = &entry.detail;
    let sentence = plain(&entry.action)
        .map(str::to_owned)
        .or_else(|| with_subject(&entry.action, &entry.subject, detail, providers))
        .unwrap_or_else(|| {
            let action = entry.action.replace(['.', '_'], " ");
            capital(format!("{action} {}", entry.subject).trim())
        });
    let changes = match entry.action.as_str() {
        "rule.created"
        | "rule.deleted"
        | "sender.added"
        | "sender.deleted"
        | "group.added"
        | "group.deleted"
        | "group.member_switched" => Vec::new(),
        "bank_details.asked" | "bank_details.agreed" | "bank_details.called_off" => {
            differences("bank details", detail, providers)
        }
        "rules.ordered" => lists(detail),
        "member.role_changed" => differences("role", detail, providers),
        "delivery.resolved" => differences("state", detail, providers),
        "member.renamed" => differences("name", detail, providers),
        "member.email_changed" => differences("e-mail", detail, providers),
        _ => differences("before and after", detail, providers),
    };
    Told { sentence, changes }
}

/// Actions that are told without a name.
fn plain(action: &str) -> Option<&'static str> {
    Some(match action {
        "tenant.created" => "Made the company",
        "tenant.deleted" => "Deleted a company",
        "settings.changed" => "Changed the settings of the company",
        "brand.changed" => "Changed how e-mails of the company look",
        "sending.stopped" => "Stopped all sending",
        "sending.resumed" => "Resumed sending",
        "tenant.reinstated" => "Reinstated the company",
        "rules.ordered" => "Changed the order of the rules",
        "operator.looked" => "Looked at the company, as operator of this service",
        "account.renamed" => "Changed their own name",
        "account.email_changed" => "Signs in with another e-mail address",
        "account.password_changed" => "Changed their own password",
        "account.second_factor_on" => "Turned on the second factor",
        "account.second_factor_off" => "Turned off the second factor",
        "account.recovery_codes_renewed" => "Made new recovery codes",
        "account.sessions_ended" => "Signed out their other browsers",
        "rehearsal.begun" => "Began the rehearsal: messages go to the owners",
        "rehearsal.ended" => "Went live: messages go to contacts",
        "number.confirmed" => "Confirmed their own number, for rehearsals",
        _ => return None,
    })
}

fn with_subject(
    action: &str,
    subject: &str,
    detail: &Value,
    providers: &Providers,
) -> Option<String> {
    let text = |name: &str| detail[name].as_str().unwrap_or_default().to_owned();
    let role =
        |name: &str| Role::parse(&text(name)).map_or_else(|| text(name), |r| r.label().to_owned());
    Some(match action {
        "account.signed_in" => match text("browser").as_str() {
            "" => "Signed in".to_owned(),
            browser => format!("Signed in: {browser}"),
        },
        "account.second_step_failed" => {
            format!(
                "Typed a wrong code after the right password: {}",
                text("browser")
            )
        }
        "account.session_ended" => format!("Signed out another browser: {}", text("browser")),
        "account.password_reset" => match (subject, text("second_factor").as_str()) {
            ("", _) => "Reset their own password by e-mail".to_owned(),
            (whose, "removed") => {
                format!("Reset the password of {whose}, and removed the second factor")
            }
            (whose, _) => format!("Reset the password of {whose}"),
        },
        "tenant.suspended" => format!("Suspended the company: {}", text("reason")),
        "rule.created" => format!("Wrote the rule “{}”", rule_name(detail)),
        "rule.changed" => format!("Changed the rule “{}”", rule_name(detail)),
        "rule.activated" => format!("Turned on the rule “{}”", text("name")),
        "rule.deactivated" => format!("Turned off the rule “{}”", text("name")),
        "rule.deleted" => format!("Deleted the rule “{}”", rule_name(detail)),
        "sender.added" => format!("Added the sender {}", sender_address(detail)),
        "sender.changed" => format!("Changed the sender {}", sender_address(detail)),
        "sender.deleted" => format!("Deleted the sender {}", sender_address(detail)),
        "sender.tested" => format!("Had a test sent from {}", text("address")),
        "group.added" => format!("Made the group “{}”", rule_name(detail)),
        "group.changed" => format!("Changed the group “{}”", rule_name(detail)),
        "group.deleted" => format!("Deleted the group “{}”", rule_name(detail)),
        "group.member_switched" => {
            let to = if detail["new"] == true { "on" } else { "off" };
            format!(
                "Turned {to} {} in the group “{}”",
                text("member"),
                text("name")
            )
        }
        "bank_details.asked" => format!("Asked for other {} bank details", text("currency")),
        "bank_details.agreed" => format!(
            "Agreed to the {} bank details that {} asked for",
            text("currency"),
            text("asked_by")
        ),
        "bank_details.called_off" => format!(
            "Called off the {} bank details that {} asked for",
            text("currency"),
            text("asked_by")
        ),
        "connection.changed" => connection(subject, detail, providers),
        "secret.rotated" => "Made a new secret for the webhooks of Zoho Books".to_owned(),
        "event.replayed" => format!("Had {subject} decided again"),
        "event.dealt" => format!("Said that nothing is left to do about {subject}"),
        "delivery.replayed" => format!("Sent {} again", short_id(subject)),
        "delivery.resolved" => resolved(subject, detail),
        "suppression.added" if text("wrote") == "stop" => format!("{subject} wrote STOP"),
        "suppression.lifted" if text("wrote") == "start" => format!("{subject} wrote START"),
        "suppression.added" if text("pressed") == "stop" => {
            format!("{subject} stopped reminders by the link in an e-mail")
        }
        "suppression.lifted" if text("pressed") == "take_back" => {
            format!("{subject} wants reminders again")
        }
        "permission.added" if !subject.is_empty() => {
            format!("Noted that {subject} may be written to")
        }
        "permission.added" => format!("Noted {} permissions", detail["added"]),
        "suppression.asked" => format!("{subject} wrote something that may mean STOP"),
        "suppression.answered" => format!("Said that {subject} did not mean STOP"),
        "suppression.added" if text("answer") == "stop" => {
            format!("Said that {subject} meant STOP")
        }
        "suppression.added" if text("answer") == "none" => {
            format!(
                "Suppressed {subject}, since nobody said within two working days what they meant"
            )
        }
        "suppression.added" => format!("Suppressed {subject}{}", because(detail)),
        "suppression.lifted" => format!("Lifted the suppression of {subject}{}", because(detail)),
        "token.created" => format!("Made the API token “{}” as {}", text("name"), role("role")),
        "token.revoked" => format!("Revoked the API token “{}”", text("name")),
        "token.ended" => format!(
            "The API token “{}” ended, since {} made it and is no longer in the team",
            text("name"),
            text("maker")
        ),
        "invitation.sent" => format!("Invited {subject} as {}", role("role")),
        "invitation.revoked" => format!("Took back the invitation of {subject}"),
        "member.password_reset" if subject.is_empty() => {
            "Reset their password by e-mail".to_owned()
        }
        "member.password_reset" => format!("Reset the password of {subject}"),
        "member.signed_in" => format!("Signed in{}", with_browser(detail)),
        "member.session_ended" => format!("Signed out a browser{}", with_browser(detail)),
        "member.joined" => format!("{subject} joined the team as {}", role("role")),
        "member.role_changed" => format!("Changed the role of {subject}{}", with_tokens(detail)),
        "member.removed" => format!("Removed {subject} from the team"),
        "member.left" => format!("{subject} left the team"),
        _ => return None,
    })
}

/// The tokens that may do something else since.
fn with_tokens(detail: &Value) -> String {
    let names = detail["tokens"].as_array();
    let names: Vec<_> = names
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if names.is_empty() {
        return String::new();
    }
    format!(
        ", and with it what these API tokens may do: {}",
        cut(&names.join(", "))
    )
}

fn because(detail: &Value) -> String {
    match detail["reason"].as_str() {
        Some(reason) if !reason.is_empty() => format!(": {reason}"),
        _ => String::new(),
    }
}

fn with_browser(detail: &Value) -> String {
    match detail["browser"].as_str() {
        Some(browser) if !browser.is_empty() => format!(", {browser}"),
        _ => String::new(),
    }
}

fn rule_name(detail: &Value) -> String {
    of_either(detail, "name")
}

fn sender_address(detail: &Value) -> String {
    of_either(detail, "address")
}

/// A field of what is there now, or of what was there.
fn of_either(detail: &Value, field: &str) -> String {
    let of = |side: &str| detail[side][field].as_str().map(str::to_owned);
    of("new").or_else(|| of("old")).unwrap_or_default()
}

fn connection(provider: &str, detail: &Value, providers: &Providers) -> String {
    let name = match providers.named(provider) {
        Some(words) => words.name,
        None if provider == ZOHO.as_str() => "Zoho Books",
        None => provider,
    };
    let account = |side: &str| detail[side]["account"].as_str().unwrap_or_default();
    let mut sentence = match (account("old"), account("new")) {
        ("", "") => format!("Changed how {name} is connected"),
        ("", _) => format!("Connected {name}"),
        (_, "") => format!("Disconnected {name}"),
        _ => format!("Changed the connection to {name}"),
    };
    // Names only: what is sealed never stands in the log.
    let secrets = detail["secrets"].as_array();
    let secrets: Vec<_> = secrets
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if !secrets.is_empty() {
        sentence.push_str(", with a new ");
        sentence.push_str(&secrets.join(" and ").replace('_', " "));
    }
    sentence
}

fn resolved(subject: &str, detail: &Value) -> String {
    let what = short_id(subject);
    match detail["new"].as_str() {
        Some("accepted") => format!("Said that {what} arrived"),
        Some("queued") => format!("Said that {what} did not arrive, and had it sent again"),
        Some("canceled") => format!("Called off {what}"),
        _ => format!("Settled {what}"),
    }
}

/// A delivery's id is long; its last digits tell it apart well enough.
fn short_id(id: &str) -> String {
    match id.char_indices().rev().nth(7) {
        Some((at, _)) if id.len() > 40 => format!("message …{}", &id[at..]),
        _ => id.to_owned(),
    }
}

/// Every value that differs between `old` and `new`; a single one is called `what`.
fn differences(what: &str, detail: &Value, providers: &Providers) -> Vec<Difference> {
    let (old, new) = (&detail["old"], &detail["new"]);
    match (old, new) {
        (Value::Null, Value::Null) => Vec::new(),
        (Value::Object(_), _) | (_, Value::Object(_)) => {
            let mut names: Vec<&String> = [old, new]
                .into_iter()
                .filter_map(Value::as_object)
                .flat_map(serde_json::Map::keys)
                .collect();
            names.sort();
            names.dedup();
            names
                .into_iter()
                .filter(|name| old[name.as_str()] != new[name.as_str()])
                .map(|name| Difference {
                    what: label(name, providers),
                    old: value(name, &old[name.as_str()], providers),
                    new: value(name, &new[name.as_str()], providers),
                })
                .collect()
        }
        _ => vec![Difference {
            what: what.to_owned(),
            old: value("", old, providers),
            new: value("", new, providers),
        }],
    }
}

fn lists(detail: &Value) -> Vec<Difference> {
    let list = |side: &str| {
        let names = detail[side].as_array()?;
        let names: Vec<_> = names.iter().filter_map(Value::as_str).collect();
        Some(cut(&names.join(", ")))
    };
    vec![Difference {
        what: "order".to_owned(),
        old: list("old"),
        new: list("new"),
    }]
}

fn label(name: &str, providers: &Providers) -> String {
    if let Some(words) = providers.field(name) {
        return words.to_owned();
    }
    match name {
        "enabled" => "on".to_owned(),
        "template" => "text".to_owned(),
        "send_within" => "time to send".to_owned(),
        "zone" => "time zone".to_owned(),
        "client_id" => "client".to_owned(),
        "region" => "data centre".to_owned(),
        name => name.replace('_', " "),
    }
}

/// A value in words; none where there is none.
fn value(name: &str, of: &Value, providers: &Providers) -> Option<String> {
    let text = match (name, of) {
        (_, Value::Null) => return None,
        (_, Value::String(text)) if text.is_empty() => return None,
        ("conditions", of) => conditions(of, providers),
        ("template", of) => of["body"].as_str().unwrap_or_default().to_owned(),
        ("recipient", of) => match of["address"].as_str() {
            Some(number) => number.to_owned(),
            None => "the contact".to_owned(),
        },
        ("sender", of) => of["from"]
            .as_str()
            .or_else(|| of["messaging_service_sid"].as_str())
            .unwrap_or_default()
            .to_owned(),
        ("send_within", Value::Number(n)) => format!("{n} seconds"),
        (_, Value::Bool(true)) => "yes".to_owned(),
        (_, Value::Bool(false)) => "no".to_owned(),
        (_, Value::String(text)) => match (Role::parse(text), DeliveryState::parse(text)) {
            (Some(role), _) => role.label().to_owned(),
            (None, Some(state)) => state.label(providers.any()).to_owned(),
            (None, None) => text.clone(),
        },
        (_, Value::Array(list)) => {
            let list: Vec<_> = list
                .iter()
                .filter_map(|v| value("", v, providers))
                .collect();
            list.join(", ")
        }
        (_, of) => of.to_string(),
    };
    Some(cut(&text))
}

/// "total is at least 1000, currency is EUR".
fn conditions(of: &Value, providers: &Providers) -> String {
    let (joint, list) = match (of["all"].as_array(), of["any"].as_array()) {
        (Some(all), _) => (" and ", all),
        (None, Some(any)) => (" or ", any),
        (None, None) => return of.to_string(),
    };
    let words: Vec<_> = list
        .iter()
        .map(|c| {
            let text = |name: &str| c[name].as_str().unwrap_or_default().to_owned();
            let op = Op::ALL.iter().copied().find(|op| op.as_str() == text("op"));
            let op = op.map_or_else(|| text("op"), |op| op.label().to_owned());
            let operand = value("", &c["value"], providers).unwrap_or_default();
            let words = format!("{} {op} {operand}", text("field").replace('_', " "));
            words.trim_end().to_owned()
        })
        .collect();
    if words.is_empty() {
        "none".to_owned()
    } else {
        words.join(joint)
    }
}

fn cut(text: &str) -> String {
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    let begin: String = text.chars().take(LONGEST).collect();
    format!("{begin}…")
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use serde_json::json;

    use super::*;
    use crate::domain::ids::AuditId;

    fn entry(action: &str, subject: &str, detail: Value) -> AuditEntry {
        AuditEntry {
            id: AuditId::nil(),
            at: DateTime::UNIX_EPOCH,
            actor: "ann@acme.example".to_owned(),
            address: "192.0.2.1".to_owned(),
            action: action.to_owned(),
            subject: subject.to_owned(),
            detail,
        }
    }

    #[test]
    fn a_changed_rule_tells_what_it_asked_before_and_asks_now() {
        let rule = |amount: &str, enabled: bool| {
            json!({
                "name": "Big invoices", "enabled": enabled, "channel": "sms",
                "conditions": { "all": [{ "field": "total", "op": "gte", "value": amount }] },
            })
        };
        let detail = json!({ "old": rule("1000", true), "new": rule("2000", true) });
        let told = told(
            &entry("rule.changed", "rul_1", detail),
            &Providers::default(),
        );
        assert_eq!(told.sentence, "Changed the rule “Big invoices”");
        let [change] = told.changes.as_slice() else {
            panic!("{:?}", told.changes);
        };
        assert_eq!(change.what, "conditions");
        assert_eq!(change.old.as_deref(), Some("total is at least 1000"));
        assert_eq!(change.new.as_deref(), Some("total is at least 2000"));
    }

    #[test]
    fn a_role_is_told_as_the_pages_call_it() {
        let detail = json!({ "old": "viewer", "new": "admin" });
        let told = told(
            &entry("member.role_changed", "bob@acme.example", detail),
            &Providers::default(),
        );
        assert_eq!(told.sentence, "Changed the role of bob@acme.example");
        assert_eq!(told.changes[0].old.as_deref(), Some("Viewer"));
        assert_eq!(told.changes[0].new.as_deref(), Some("Admin"));
    }

    #[test]
    fn an_action_of_tomorrow_is_shown_as_it_is() {
        let detail = json!({ "old": 1, "new": 2 });
        let told = told(
            &entry("moon.was_eaten", "cheese", detail),
            &Providers::default(),
        );
        assert_eq!(told.sentence, "Moon was eaten cheese");
        assert_eq!(told.changes[0].new.as_deref(), Some("2"));
        assert!(!is_known("moon.was_eaten") && is_known("rule.changed"));
    }

    #[test]
    fn long_values_are_cut() {
        let detail = json!({ "old": { "template": { "body": "x".repeat(5000) } }, "new": {} });
        let told = told(&entry("rule.changed", "", detail), &Providers::default());
        assert_eq!(
            told.changes[0].old.as_ref().unwrap().chars().count(),
            LONGEST + 1
        );
        assert_eq!(told.changes[0].new, None);
    }
}
