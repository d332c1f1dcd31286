use proptest::prelude::*;
use serde_json::json;

use super::*;

fn sample() -> Value {
    json!({
        "name": "Big invoices",
        "event_type": "invoice.overdue",
        "conditions": {"all": [
            {"field": "total", "op": "gte", "value": 1000.50},
            {"field": "status", "op": "in", "value": ["sent", 7]},
            {"field": "due_date", "op": "before", "value": "today-14d"},
            {"field": "contact.mobile", "op": "present"}
        ]},
        "channel": "sms",
        "recipient": {"kind": "fixed", "address": "07700 900456"},
        "sender": {"from": "Bowman & Co"},
        "template": {"body": "{{ customer_name }} owes {{ balance|money }}"}
    })
}

fn problems(edit: impl FnOnce(&mut Value)) -> Vec<String> {
    let mut json = sample();
    edit(&mut json);
    let found = RuleDefinition::parse(&json, CountryCode::parse("GB").ok());
    found
        .err()
        .unwrap_or_default()
        .into_iter()
        .map(|problem| problem.field)
        .collect()
}

#[test]
fn a_rule_is_read_normalised_and_survives_its_json_form() {
    let rule = RuleDefinition::parse(&sample(), CountryCode::parse("GB").ok()).unwrap();
    assert_eq!(rule.send_within, 86_400);
    let stored = serde_json::to_value(&rule).unwrap();
    assert_eq!(
        stored["recipient"],
        json!({"kind": "fixed", "addresses": ["+447700900456"]})
    );
    assert_eq!(stored["conditions"]["all"][0]["value"], json!("1000.5"));
    assert_eq!(
        stored["conditions"]["all"][1]["value"],
        json!(["sent", "7"])
    );
    assert!(stored["conditions"]["all"][3].get("value").is_none());
    assert_eq!(stored["event_type"], json!("invoice.overdue"));
    assert_eq!(
        serde_json::from_value::<RuleDefinition>(stored).unwrap(),
        rule
    );
}

#[test]
fn optional_parts_may_be_missing() {
    for part in ["conditions", "channel", "sender", "send_within"] {
        assert!(problems(|json| drop(json.as_object_mut().unwrap().remove(part))).is_empty());
        assert!(
            problems(|json| json[part] = Value::Null).is_empty(),
            "{part}"
        );
    }
    assert!(problems(|json| json["conditions"] = json!({})).is_empty());
    assert!(problems(|json| json["conditions"] = json!({"any": []})).is_empty());
}

#[test]
fn every_problem_names_its_field() {
    assert_eq!(problems(|json| json["name"] = json!("  ")), ["name"]);
    assert_eq!(
        problems(|json| json["name"] = json!("x".repeat(101))),
        ["name"]
    );
    assert_eq!(
        problems(|json| json["event_type"] = json!("invoice.eaten")),
        ["event_type"]
    );
    assert_eq!(
        problems(|json| json["channel"] = json!("pigeon")),
        ["channel"]
    );
    assert_eq!(
        problems(|json| json["conditons"] = json!([])),
        ["conditons"]
    );
    assert_eq!(
        problems(|json| json["conditions"] = json!([])),
        ["conditions"]
    );
    assert_eq!(
        problems(|json| json["recipient"] = json!("me")),
        ["recipient.kind"]
    );
    assert_eq!(
        problems(|json| json["recipient"]["address"] = json!("12")),
        ["recipient.address"]
    );
    assert_eq!(
        problems(|json| json["template"]["body"] = json!(" ")),
        ["template.body"]
    );
    for seconds in [
        json!(59),
        json!(2_592_001),
        json!(1.5),
        json!("soon"),
        json!(-60),
    ] {
        assert_eq!(
            problems(|json| json["send_within"] = seconds),
            ["send_within"]
        );
    }
    let many = json!({"all": vec![json!({"field": "a", "op": "present"}); 21]});
    assert_eq!(problems(|json| json["conditions"] = many), ["conditions"]);
    let all = RuleDefinition::parse(&json!({}), None).unwrap_err();
    assert_eq!(all.len(), 4);
}

#[test]
fn a_value_must_suit_its_comparison() {
    for (op, value) in [
        ("gt", json!("1.000")),
        ("gt", json!("$5")),
        ("before", json!("tomorrow")),
        ("in", json!([])),
        ("eq", json!("")),
        ("eq", json!(["a"])),
        ("eq", Value::Null),
        ("present", json!("x")),
    ] {
        let condition = json!({"all": [{"field": "total", "op": op, "value": value}]});
        let found = problems(|json| json["conditions"] = condition);
        assert_eq!(found, ["conditions.0.value"], "{op} {value}");
    }
    let bad = json!({"any": [{"field": "a b", "op": "like", "value": "x"}]});
    assert_eq!(
        problems(|json| json["conditions"] = bad),
        ["conditions.0.field", "conditions.0.op"]
    );
}

#[test]
fn a_sender_is_a_number_a_short_code_a_name_or_a_service() {
    for from in ["+16175550123", "ACME", "Bowman & Co", "24365", "A-1_b"] {
        assert!(
            problems(|json| json["sender"] = json!({"from": from})).is_empty(),
            "{from}"
        );
    }
    for from in ["Bowman & Sons", "Bowmän", "12", "", "<script>"] {
        let found = problems(|json| json["sender"] = json!({"from": from}));
        assert_eq!(found, ["sender.from"], "{from}");
    }
    let sid = format!("MG{}", "0aF9".repeat(8));
    assert!(problems(|json| json["sender"] = json!({"messaging_service_sid": sid})).is_empty());
    let found = problems(|json| json["sender"] = json!({"messaging_service_sid": "MG1"}));
    assert_eq!(found, ["sender.messaging_service_sid"]);
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,200}", part in 0..9_usize) {
        let mut json = sample();
        json[FIELDS[part]] = serde_json::from_str(&text).unwrap_or(Value::String(text));
        if let Ok(rule) = RuleDefinition::parse(&json, None) {
            let stored = serde_json::to_value(&rule).unwrap();
            prop_assert_eq!(serde_json::from_value::<RuleDefinition>(stored).unwrap(), rule);
        }
    }
}

#[test]
fn an_amount_may_be_typed_as_people_write_it() {
    let typed = |value: Value| {
        let json = json!({"all": [{"field": "total", "op": "gte", "value": value}]});
        let mut problems = Problems::default();
        let parsed = conditions::parse(Some(&json), &mut problems);
        let message = problems.0.first().map(|p| p.message.clone());
        match message {
            Some(message) => Err(message),
            None => Ok(parsed.list()[0].value.to_string()),
        }
    };
    for (text, plain) in [
        ("1,000", "1000"),
        ("1,000.50", "1000.50"),
        ("1.000,50", "1000.50"),
        ("1.000.000", "1000000"),
        ("1,00,000", "100000"),
        ("1 000", "1000"),
        ("1\u{202f}000,5", "1000.5"),
        ("1'000.50", "1000.50"),
        ("1,50", "1.50"),
        ("-1,000", "-1000"),
        ("1000.50", "1000.50"),
        ("0.125", "0.125"),
        ("1234.567", "1234.567"),
    ] {
        assert_eq!(typed(json!(text)).as_deref(), Ok(plain), "{text}");
    }
    let two_ways = typed(json!("1.000")).unwrap_err();
    assert!(two_ways.contains("two ways"), "{two_ways}");
    for text in [
        "1,00,00",
        "12,34,567.8.9",
        "1,000,00",
        "$5",
        "1,,000",
        ",",
        "1.000,500,2",
        "ten",
    ] {
        let said = typed(json!(text)).unwrap_err();
        assert!(said.contains("type a"), "{text}: {said}");
    }
    assert_eq!(
        typed(serde_json::from_str("1.125").unwrap()).as_deref(),
        Ok("1.125")
    );
}
