//! Requests held against Twilio's own descriptions of its APIs, where a folder beside this one has them.
//! Both the unit tests and `tests/it` use this file.
//!
//! Stricter than those descriptions: what nobody has described is refused, in a query, a form and a body.

use std::path::Path;

use serde_json::Value;

const FILES: [&str; 3] = [
    "twilio_api_v2010.trimmed.json",
    "twilio_messaging_v1.trimmed.json",
    "twilio_comms_v1_emails.reconstructed.json",
];

/// Real, and cut from those files.
const UNDESCRIBED: [(&str, &str); 2] = [
    ("/SMS/ShortCodes.json", "ListShortCode"),
    ("/Usage/Records/ThisMonth.json", "ListUsageRecordThisMonth"),
];

/// What was asked, as it went over the wire.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    pub(crate) content_type: &'a str,
    pub(crate) body: &'a str,
}

/// Names with their values, all written as texts.
type Pairs = Vec<(String, String)>;

/// All descriptions.
pub(crate) struct Spec(Vec<Value>);

impl Spec {
    /// None where there is no such folder.
    pub(crate) fn found() -> Option<Self> {
        let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
        let beside = above.filter_map(|folder| folder.read_dir().ok()).flatten();
        let mut folders = beside
            .flatten()
            .map(|entry| entry.path().join("specs/twilio"));
        let folder = folders.find(|folder| folder.join(FILES[0]).is_file())?;
        let read = |file| {
            let text = std::fs::read_to_string(folder.join(file)).unwrap();
            serde_json::from_str(&text).unwrap()
        };
        Some(Self(FILES.into_iter().map(read).collect()))
    }

    /// The operation that was asked for, or what is wrong with how.
    pub(crate) fn check(&self, asked: &Asked<'_>) -> Result<String, String> {
        let Asked { method, path, .. } = *asked;
        let undescribed = UNDESCRIBED.into_iter().find(|(end, _)| path.ends_with(end));
        if let Some((_, operation)) = undescribed
            && method == "GET"
        {
            return Ok(operation.to_owned());
        }
        self.operation(asked)
            .map_err(|problem| format!("{method} {path}: {problem}"))
    }

    fn operation(&self, asked: &Asked<'_>) -> Result<String, String> {
        let (file, item, values) = self.path(asked.path).ok_or("no such path")?;
        let operation = &item[asked.method.to_lowercase()];
        let name = operation["operationId"].as_str().ok_or("no such method")?;
        let described = |place: &str| {
            let own = operation["parameters"].as_array().into_iter().flatten();
            let shared = item["parameters"].as_array().into_iter().flatten();
            own.chain(shared)
                .filter(|parameter| parameter["in"] == place)
                .map(|parameter| (parameter["name"].as_str().unwrap_or_default(), parameter))
                .collect::<Vec<_>>()
        };
        let schemas = |of: &[(&'_ str, &Value)]| {
            let pairs = of
                .iter()
                .map(|(name, p)| ((*name).to_owned(), p["schema"].clone()));
            Value::Object(pairs.collect())
        };
        texts(file, &schemas(&described("path")), values)?;
        let query = described("query");
        let given = pairs(asked.query);
        for (name, parameter) in &query {
            let is_given = given.iter().any(|(key, _)| key == name);
            if parameter["required"] == true && !is_given {
                return Err(format!("{name} is missing"));
            }
        }
        texts(file, &schemas(&query), given)?;
        body(file, &operation["requestBody"], asked)?;
        Ok(name.to_owned())
    }

    /// The description that has the path, with the values of its parameters. Literal parts win.
    fn path(&self, path: &str) -> Option<(&Value, &Value, Pairs)> {
        let all = self.0.iter().flat_map(|file| {
            let paths = file["paths"].as_object().into_iter().flatten();
            paths.map(move |(template, item)| (file, template, item))
        });
        let fitting = all.filter_map(|(file, template, item)| {
            Some((file, item, parameters_of(template, path)?))
        });
        fitting.min_by_key(|(_, _, values)| values.len())
    }
}

/// What stands in place of each `{name}`.
fn parameters_of(template: &str, path: &str) -> Option<Pairs> {
    let (wanted, given) = (template.split('/'), path.split('/'));
    if wanted.clone().count() != given.clone().count() {
        return None;
    }
    let mut values = Vec::new();
    for (wanted, given) in wanted.zip(given) {
        match wanted.split_once('{') {
            None if wanted == given => {}
            None => return None,
            Some((before, rest)) => {
                let (name, after) = rest.split_once('}')?;
                let value = given.strip_prefix(before)?.strip_suffix(after)?;
                values.push((name.to_owned(), value.to_owned()));
            }
        }
    }
    Some(values)
}

fn pairs(encoded: &str) -> Pairs {
    form_urlencoded::parse(encoded.as_bytes())
        .into_owned()
        .collect()
}

fn body(file: &Value, described: &Value, asked: &Asked<'_>) -> Result<(), String> {
    let Some(contents) = described["content"].as_object() else {
        let is_empty = asked.body.is_empty();
        return is_empty
            .then_some(())
            .ok_or("no body is described".to_owned());
    };
    let kind = asked.content_type.split(';').next().unwrap_or_default();
    let content = contents
        .get(kind)
        .ok_or(format!("{kind:?} is not described"))?;
    let schema = resolved(file, &content["schema"]);
    if kind == "application/json" {
        let body = serde_json::from_str(asked.body).map_err(|error| error.to_string())?;
        return conforms(file, schema, &body, "$");
    }
    let given = pairs(asked.body);
    for name in schema["required"].as_array().into_iter().flatten() {
        if !given.iter().any(|(key, _)| *name == **key) {
            return Err(format!("{name} is missing"));
        }
    }
    texts(file, &schema["properties"], given)
}

/// Values that are all written as texts: each is described, and stands once unless it is a list.
fn texts(file: &Value, schemas: &Value, given: Pairs) -> Result<(), String> {
    let mut seen: Vec<String> = Vec::new();
    for (name, value) in given {
        let schema = resolved(file, &schemas[&name]);
        if !schema.is_object() {
            return Err(format!("{name} is not described"));
        }
        let is_list = schema["type"] == "array";
        if seen.contains(&name) && !is_list {
            return Err(format!("{name} stands twice"));
        }
        let schema = if is_list { &schema["items"] } else { schema };
        let value = match schema["type"].as_str() {
            Some("integer" | "number" | "boolean") => {
                serde_json::from_str(&value).map_err(|_| format!("{name} is {value:?}"))?
            }
            _ => Value::String(value),
        };
        conforms(file, schema, &value, &name)?;
        seen.push(name);
    }
    Ok(())
}

fn resolved<'a>(file: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(name) => file.pointer(name.trim_start_matches('#')).unwrap(),
        None => schema,
    }
}

/// As much of JSON Schema as those descriptions use.
fn conforms(file: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    let schema = resolved(file, schema);
    let is_of_type = match schema["type"].as_str() {
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        other => return Err(format!("{at} is described as {other:?}")),
    };
    if !is_of_type {
        return Err(format!("{at} is no {}: {value}", schema["type"]));
    }
    let choices = schema["enum"].as_array();
    if choices.is_some_and(|choices| !choices.contains(value)) {
        return Err(format!("{at} is none of the choices: {value}"));
    }
    let counts = [
        (
            value.as_str().map(|text| text.chars().count()),
            ["minLength", "maxLength"],
        ),
        (value.as_array().map(Vec::len), ["minItems", "maxItems"]),
        (
            value.as_object().map(serde_json::Map::len),
            ["minProperties", "maxProperties"],
        ),
        (
            value.as_u64().and_then(|n| usize::try_from(n).ok()),
            ["minimum", "maximum"],
        ),
    ];
    for (count, [least, most]) in counts {
        let bound = |name: &str| schema[name].as_u64().and_then(|n| usize::try_from(n).ok());
        let Some(count) = count else { continue };
        if bound(least).is_some_and(|least| count < least) || bound(most).is_some_and(|m| count > m)
        {
            return Err(format!("{at} is not within its bounds: {count}"));
        }
    }
    if let Some(text) = value.as_str() {
        return formed(schema, text).map_err(|what| format!("{at} is no {what}: {text:?}"));
    }
    for (n, one) in value.as_array().into_iter().flatten().enumerate() {
        conforms(file, &schema["items"], one, &format!("{at}[{n}]"))?;
    }
    let Some(map) = value.as_object() else {
        return Ok(());
    };
    for name in schema["required"].as_array().into_iter().flatten() {
        if !map.keys().any(|key| *name == **key) {
            return Err(format!("{at} lacks {name}"));
        }
    }
    for (name, one) in map {
        let (known, at) = (&schema["properties"][name], format!("{at}.{name}"));
        match &schema["additionalProperties"] {
            _ if known.is_object() => conforms(file, known, one, &at)?,
            others @ Value::Object(_) => conforms(file, others, one, &at)?,
            _ => return Err(format!("{at} is not described")),
        }
    }
    Ok(())
}

fn formed<'a>(schema: &'a Value, text: &str) -> Result<(), &'a str> {
    if let Some(pattern) = schema["pattern"].as_str()
        && !is_id(pattern, text)
    {
        return Err(pattern);
    }
    let is_formed = match schema["format"].as_str() {
        Some("uri") => url::Url::parse(text).is_ok(),
        Some("email") => {
            let is_sole = !text.contains(|c: char| c.is_whitespace() || c.is_control() || c == ',');
            is_sole && text.split('@').filter(|part| !part.is_empty()).count() == 2
        }
        // Twilio takes a day as well.
        Some("date-time") => {
            chrono::DateTime::parse_from_rfc3339(text).is_ok()
                || text.parse::<chrono::NaiveDate>().is_ok()
        }
        _ => true,
    };
    is_formed
        .then_some(())
        .ok_or(schema["format"].as_str().unwrap_or_default())
}

/// Patterns are only those of ids, such as `^(SM|MM)[0-9a-fA-F]{32}$`: a prefix, and letters of some kinds.
fn is_id(pattern: &str, text: &str) -> bool {
    let (prefix, letters) = pattern
        .trim_start_matches('^')
        .split_once('[')
        .unwrap_or_else(|| panic!("a pattern of another kind: {pattern}"));
    let mut prefixes = prefix.trim_matches(['(', ')']).split('|');
    let Some(rest) = prefixes.find_map(|prefix| text.strip_prefix(prefix)) else {
        return false;
    };
    let mut rest = rest.chars().peekable();
    for kind in letters.trim_end_matches('$').split('[') {
        let (kind, times) = kind.split_once(']').unwrap_or((kind, ""));
        let times = times.trim_matches(['{', '}']);
        let (least, most) = times.split_once(',').unwrap_or((times, times));
        let [least, most] = [least, most].map(|times| times.parse().unwrap_or(1));
        let mut count = 0;
        while count < most && rest.next_if(|letter| is_of(kind, *letter)).is_some() {
            count += 1;
        }
        if count < least {
            return false;
        }
    }
    rest.peek().is_none()
}

/// Whether a letter is one of `a-hjkm`.
fn is_of(kind: &str, letter: char) -> bool {
    let kinds: Vec<char> = kind.chars().collect();
    let ranges = kinds.windows(3).filter(|range| range[1] == '-');
    let mut ranges = ranges.map(|range| range[0]..=range[2]);
    ranges.any(|range| range.contains(&letter)) || kinds.contains(&letter) && letter != '-'
}
