//! Lists: filters, order, pages, and the rows' shorter form.
//!
//! A list's row leaves out what only the single record shows (lines, addresses, contact
//! persons), so a client that relies on it fails here as it would at Zoho.

use std::cmp::Ordering;

use actix_web::HttpResponse;
use chrono::{DateTime, FixedOffset, NaiveDate};
use serde_json::{Map, Value, json};

use super::fault::bad_value;
use super::kind::Kind;

const MOST_PER_PAGE: usize = 200;
/// Fields that Zoho shows on a single record only.
const DETAILS: [&str; 16] = [
    "line_items",
    "contact_persons",
    "contact_persons_associated",
    "contact_persons_details",
    "billing_address",
    "shipping_address",
    "payment_options",
    "taxes",
    "notes",
    "terms",
    "invoice_url",
    "default_templates",
    "invoices",
    "bills",
    "opening_balances",
    "custom_field_hash",
];

type Pairs = [(String, String)];

/// The answer to a list of `records`, which stand in any order.
pub(super) fn answer(kind: Kind, records: &[&Map<String, Value>], query: &Pairs) -> HttpResponse {
    match page(kind, records, query) {
        Ok(body) => HttpResponse::Ok().json(body),
        Err(parameter) => bad_value(&parameter),
    }
}

/// One page, or the name of the parameter that is wrong.
fn page(kind: Kind, records: &[&Map<String, Value>], query: &Pairs) -> Result<Value, String> {
    let column = get(query, "sort_column").unwrap_or("created_time");
    if !kind.sort_columns().contains(&column) {
        return Err("sort_column".to_owned());
    }
    let order = match get(query, "sort_order") {
        None if get(query, "sort_column").is_none() => "D",
        None | Some("A" | "ascending") => "A",
        Some("D" | "descending") => "D",
        Some(_) => return Err("sort_order".to_owned()),
    };
    let mut rows = Vec::new();
    for &record in records {
        if shows(kind, record, query)? {
            rows.push(record);
        }
    }
    rows.sort_by(|a, b| {
        // The id settles equal values, so that pages never overlap.
        let by_column = compare(a.get(column), b.get(column));
        let by_id = || compare(a.get(kind.id_field()), b.get(kind.id_field()));
        let ascending = by_column.then_with(by_id);
        if order == "A" {
            ascending
        } else {
            ascending.reverse()
        }
    });
    let filter = get(query, "filter_by").unwrap_or("Status.All").to_owned();
    let rows: Vec<Value> = rows.into_iter().map(summary).collect();
    let (rows, mut context) = cut(rows, query)?;
    for (name, value) in [
        ("report_name", kind.path()),
        ("applied_filter", &filter),
        ("sort_column", column),
        ("sort_order", order),
    ] {
        context.insert(name.to_owned(), value.into());
    }
    Ok(json!({
        "code": 0,
        "message": "success",
        kind.list_key(): rows,
        "page_context": context,
    }))
}

/// The rows of one page, and the start of their `page_context`.
pub(super) fn cut(
    rows: Vec<Value>,
    query: &Pairs,
) -> Result<(Vec<Value>, Map<String, Value>), String> {
    let page = number(query, "page", 1)?;
    let per_page = number(query, "per_page", MOST_PER_PAGE)?.min(MOST_PER_PAGE);
    let start = (page - 1).saturating_mul(per_page);
    let more = rows.len() > start.saturating_add(per_page);
    let rows = rows.into_iter().skip(start).take(per_page).collect();
    let mut context = Map::new();
    context.insert("page".to_owned(), page.into());
    context.insert("per_page".to_owned(), per_page.into());
    context.insert("has_more_page".to_owned(), more.into());
    Ok((rows, context))
}

fn number(query: &Pairs, name: &str, default: usize) -> Result<usize, String> {
    match get(query, name).map(str::parse) {
        None => Ok(default),
        Some(Ok(number)) if number > 0 => Ok(number),
        Some(_) => Err(name.to_owned()),
    }
}

fn shows(kind: Kind, record: &Map<String, Value>, query: &Pairs) -> Result<bool, String> {
    let mut shown = true;
    for (name, value) in query {
        shown &= match name.as_str() {
            "status" => status_is(record, value),
            "filter_by" => {
                let status = value.strip_prefix("Status.").ok_or("filter_by")?;
                status_is(record, &snake_case(status))
            }
            "last_modified_time" if kind.knows_modified() => {
                let since = time(value).ok_or("last_modified_time")?;
                text(record, name)
                    .and_then(time)
                    .is_some_and(|changed| changed >= since)
            }
            name if kind.equals().contains(&name) => text(record, name) == Some(value),
            name => date_shows(record, name, value)?,
        };
    }
    Ok(shown)
}

/// `date`, `due_date` and `created_date`, exactly or with `_start`, `_end`, `_before`, `_after`.
fn date_shows(record: &Map<String, Value>, name: &str, value: &str) -> Result<bool, String> {
    let (field, how) = ["_start", "_end", "_before", "_after"]
        .into_iter()
        .find_map(|how| name.strip_suffix(how).map(|field| (field, how)))
        .unwrap_or((name, ""));
    let field = match field {
        "date" | "due_date" => field,
        "created_date" => "created_time",
        // Zoho ignores what it does not know.
        _ => return Ok(true),
    };
    let wanted: NaiveDate = value.parse().map_err(|_| name.to_owned())?;
    let Some(day) = text(record, field).and_then(|text| text.get(..10)) else {
        return Ok(false);
    };
    let Ok(day) = day.parse::<NaiveDate>() else {
        return Ok(false);
    };
    Ok(match how {
        "_start" => day >= wanted,
        "_end" => day <= wanted,
        "_before" => day < wanted,
        "_after" => day > wanted,
        _ => day == wanted,
    })
}

/// `unpaid` is every state in which money is still owed.
fn status_is(record: &Map<String, Value>, wanted: &str) -> bool {
    let status = text(record, "status").unwrap_or_default();
    match wanted {
        "all" => true,
        "unpaid" => {
            matches!(
                status,
                "sent" | "viewed" | "overdue" | "partially_paid" | "unpaid" | "open"
            )
        }
        wanted => status == wanted,
    }
}

/// `PartiallyPaid` to `partially_paid`.
fn snake_case(word: &str) -> String {
    let mut snake = String::new();
    for (index, letter) in word.char_indices() {
        if letter.is_ascii_uppercase() && index > 0 {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

fn summary(record: &Map<String, Value>) -> Value {
    let kept = record
        .iter()
        .filter(|(name, _)| !DETAILS.contains(&name.as_str()));
    Value::Object(
        kept.map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
    )
}

fn compare(a: Option<&Value>, b: Option<&Value>) -> Ordering {
    let number = |value: Option<&Value>| value.and_then(Value::as_f64);
    let words = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or("").to_owned();
    match (number(a), number(b)) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        _ => match (time(&words(a)), time(&words(b))) {
            (Some(a), Some(b)) => a.cmp(&b),
            _ => words(a).cmp(&words(b)),
        },
    }
}

/// `yyyy-MM-ddTHH:mm:ss±HHMM`; an unescaped plus has become a space and is refused.
fn time(text: &str) -> Option<DateTime<FixedOffset>> {
    DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%z").ok()
}

fn text<'a>(record: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    record.get(name)?.as_str()
}

/// A parameter of the query, if it is not blank.
pub(super) fn get<'a>(query: &'a Pairs, name: &str) -> Option<&'a str> {
    let found = query.iter().find(|(key, _)| key == name)?;
    Some(found.1.as_str()).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invoice(id: u32, status: &str, due: &str) -> Map<String, Value> {
        let record = json!({
            "invoice_id": id.to_string(),
            "status": status,
            "due_date": due,
            "created_time": "2026-11-17T02:17:40-0800",
            "last_modified_time": format!("2026-11-17T02:{id:02}:00-0800"),
            "line_items": [],
        });
        record.as_object().unwrap().clone()
    }

    fn ids(records: &[Map<String, Value>], query: &[(&str, &str)]) -> Result<Vec<String>, String> {
        let query: Vec<(String, String)> = query
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let records: Vec<&Map<String, Value>> = records.iter().collect();
        let page = page(Kind::Invoices, &records, &query)?;
        let rows = page["invoices"].as_array().unwrap();
        assert!(rows.iter().all(|row| row.get("line_items").is_none()));
        Ok(rows
            .iter()
            .map(|row| row["invoice_id"].as_str().unwrap().to_owned())
            .collect())
    }

    #[test]
    fn filters_narrow_and_wrong_values_are_named() {
        let all = [
            invoice(1, "paid", "2026-12-01"),
            invoice(2, "sent", "2026-12-02"),
            invoice(3, "overdue", "2026-12-03"),
            invoice(4, "partially_paid", "2026-12-04"),
        ];
        let query = [("sort_column", "due_date"), ("status", "unpaid")];
        assert_eq!(ids(&all, &query).unwrap(), ["2", "3", "4"]);
        assert_eq!(
            ids(&all, &[("filter_by", "Status.PartiallyPaid")]).unwrap(),
            ["4"]
        );
        let range = [
            ("due_date_start", "2026-12-02"),
            ("due_date_end", "2026-12-03"),
        ];
        assert_eq!(ids(&all, &range).unwrap(), ["3", "2"]);
        assert_eq!(ids(&all, &[("due_date", "2026-12-01")]).unwrap(), ["1"]);
        let since = [("last_modified_time", "2026-11-17T10:03:00+0000")];
        assert_eq!(ids(&all, &since).unwrap(), ["4", "3"]);
        for (name, value) in [
            ("last_modified_time", "2026-11-17T10:03:00 0000"),
            ("due_date", "tomorrow"),
            ("sort_column", "last_modified_time"),
            ("sort_order", "X"),
            ("page", "0"),
            ("filter_by", "Paid"),
        ] {
            assert_eq!(ids(&all, &[(name, value)]).unwrap_err(), name);
        }
    }

    #[test]
    fn pages_cover_every_row_once() {
        let all: Vec<_> = (1..=5)
            .map(|id| invoice(id, "sent", "2026-12-01"))
            .collect();
        let mut seen = Vec::new();
        for page in ["1", "2", "3"] {
            seen.extend(ids(&all, &[("page", page), ("per_page", "2")]).unwrap());
        }
        assert_eq!(seen, ["5", "4", "3", "2", "1"]);
    }
}
