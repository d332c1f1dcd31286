//! Every request of a test held against the description of the API, where a folder beside this one has it.

use std::path::Path;

use serde_json::Value;

use crate::sandbox::SandboxHandle;

const FILE: &str = "specs/twilio/twilio_comms_v1_emails.reconstructed.json";

/// Checks all that the sandbox was asked.
pub(super) fn check(sandbox: &SandboxHandle) {
    let Some(spec) = spec() else { return };
    let requests = sandbox.twilio().requests();
    assert!(!requests.is_empty());
    for request in requests.iter().filter(|r| r.path.starts_with("/v1/Emails")) {
        let path = match request.path.strip_prefix("/v1/Emails").unwrap() {
            "" => "/v1/Emails",
            below if below.starts_with("/Operations/") => "/v1/Emails/Operations/{operationId}",
            _ => "/v1/Emails/{emailId}",
        };
        let method = &spec["paths"][path][request.method.to_lowercase()];
        assert!(method.is_object(), "{} {path}", request.method);
        let parameters = method["parameters"].as_array().cloned().unwrap_or_default();
        for (name, _) in form_urlencoded::parse(request.query.as_bytes()) {
            let is_known = parameters
                .iter()
                .any(|p| p["name"] == *name && p["in"] == "query");
            assert!(is_known, "{path}?{name}");
        }
        let schema = &method["requestBody"]["content"]["application/json"]["schema"];
        if !schema.is_null() {
            assert_eq!(request.content_type, "application/json");
            let body: Value = serde_json::from_str(&request.body).unwrap();
            conforms(&spec, schema, &body, "$");
        }
    }
}

fn spec() -> Option<Value> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let folders = here.filter_map(|above| above.read_dir().ok()).flatten();
    let mut files = folders.flatten().map(|folder| folder.path().join(FILE));
    let text = files.find_map(|file| std::fs::read_to_string(file).ok())?;
    Some(serde_json::from_str(&text).unwrap())
}

/// As much of JSON Schema as that description uses.
fn conforms(spec: &Value, schema: &Value, value: &Value, at: &str) {
    if let Some(name) = schema["$ref"].as_str() {
        let pointer = name.strip_prefix('#').unwrap();
        return conforms(spec, spec.pointer(pointer).unwrap(), value, at);
    }
    let limit = |name: &str| schema[name].as_u64().and_then(|n| usize::try_from(n).ok());
    let within = |count: usize, least: &str, most: &str| {
        assert!(
            limit(least).is_none_or(|least| count >= least),
            "{at}: {least}"
        );
        assert!(limit(most).is_none_or(|most| count <= most), "{at}: {most}");
    };
    match schema["type"].as_str() {
        Some("string") => {
            let text = value
                .as_str()
                .unwrap_or_else(|| panic!("{at} is no string"));
            within(text.chars().count(), "minLength", "maxLength");
        }
        Some("array") => {
            let all = value
                .as_array()
                .unwrap_or_else(|| panic!("{at} is no array"));
            within(all.len(), "minItems", "maxItems");
            for (n, one) in all.iter().enumerate() {
                conforms(spec, &schema["items"], one, &format!("{at}[{n}]"));
            }
        }
        Some("object") => {
            let map = value
                .as_object()
                .unwrap_or_else(|| panic!("{at} is no object"));
            within(map.len(), "minProperties", "maxProperties");
            for name in schema["required"].as_array().into_iter().flatten() {
                assert!(
                    map.contains_key(name.as_str().unwrap()),
                    "{at} lacks {name}"
                );
            }
            for (name, one) in map {
                let (known, at) = (&schema["properties"][name], format!("{at}.{name}"));
                match &schema["additionalProperties"] {
                    _ if known.is_object() => conforms(spec, known, one, &at),
                    others @ Value::Object(_) => conforms(spec, others, one, &at),
                    // Keys that nobody has described are no better than forbidden ones.
                    _ => panic!("{at} is not described"),
                }
            }
        }
        _ => {}
    }
}
