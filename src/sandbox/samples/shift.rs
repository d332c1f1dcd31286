//! Moves the times of a sample, so that it looks as if it had just been made.
//!
//! The service takes a document that is older than a day for history and tells nobody of it, so a
//! sample as it stands in a file would only ever set a baseline.

use chrono::{DateTime, Days, FixedOffset, NaiveDate, Offset, TimeDelta, Utc};
use serde_json::{Map, Value};

const ZOHO: &str = "%Y-%m-%dT%H:%M:%S%z";

/// A copy of `sample` (enveloped or bare) whose `created_time` is three minutes before `now`; its
/// other times and dates move along, none of the times beyond `now`, and what is overdue stays so.
pub fn shift_to_now(sample: &Value, now: DateTime<Utc>) -> Value {
    let mut moved = sample.clone();
    let record = match moved.as_object_mut() {
        Some(top) if top.len() == 1 => top.values_mut().next().and_then(Value::as_object_mut),
        top => top,
    };
    if let Some(record) = record {
        let zone = created(record).map_or(Utc.fix(), |at| *at.offset());
        shift(
            record,
            (now - TimeDelta::minutes(3)).with_timezone(&zone),
            now,
        );
        keep_overdue(record, now.with_timezone(&zone).date_naive());
    }
    moved
}

/// Moves every time and date of `record` so that its `created_time` becomes `target`.
pub(super) fn shift(
    record: &mut Map<String, Value>,
    target: DateTime<FixedOffset>,
    now: DateTime<Utc>,
) {
    let Some(created) = created(record) else {
        return;
    };
    let by = Shift {
        span: target - created,
        days: (target.date_naive() - created.date_naive()).num_days(),
        now,
    };
    for value in record.values_mut() {
        by.apply(value);
    }
}

struct Shift {
    span: TimeDelta,
    /// Dates move by whole days, whatever the hour.
    days: i64,
    now: DateTime<Utc>,
}

impl Shift {
    fn apply(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Some(moved) = self.time(text).or_else(|| self.date(text)) {
                    *text = moved;
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.apply(item)),
            Value::Object(fields) => fields.values_mut().for_each(|field| self.apply(field)),
            _ => {}
        }
    }

    fn time(&self, text: &str) -> Option<String> {
        let at = DateTime::parse_from_str(text, ZOHO).ok()?;
        let moved = at
            .checked_add_signed(self.span)?
            .min(self.now.with_timezone(at.offset()));
        Some(moved.format(ZOHO).to_string())
    }

    /// A date, with or without the midnight that some bodies append.
    fn date(&self, text: &str) -> Option<String> {
        let (ten, rest) = text.split_at_checked(10)?;
        if !rest.is_empty() && !rest.starts_with('T') {
            return None;
        }
        let date: NaiveDate = ten.parse().ok()?;
        let days = Days::new(self.days.unsigned_abs());
        let moved = if self.days < 0 {
            date.checked_sub_days(days)
        } else {
            date.checked_add_days(days)
        };
        Some(format!("{}{rest}", moved?))
    }
}

/// When the record was made, or its date's midnight where it does not say.
fn created(record: &Map<String, Value>) -> Option<DateTime<FixedOffset>> {
    let text = |key: &str| record.get(key).and_then(Value::as_str);
    text("created_time")
        .and_then(|t| DateTime::parse_from_str(t, ZOHO).ok())
        .or_else(|| {
            let date: NaiveDate = text("date")?.get(..10)?.parse().ok()?;
            Some(date.and_hms_opt(0, 0, 0)?.and_utc().fixed_offset())
        })
}

/// An overdue sample was due after its creation, which now is minutes ago.
fn keep_overdue(record: &mut Map<String, Value>, today: NaiveDate) {
    if record.get("status").and_then(Value::as_str) != Some("overdue") {
        return;
    }
    if let Some(Value::String(due)) = record.get_mut("due_date") {
        let date = due.get(..10).and_then(|ten| ten.parse::<NaiveDate>().ok());
        if let (true, Some(yesterday)) = (date.is_some_and(|d| d >= today), today.pred_opt()) {
            due.replace_range(..10, &yesterday.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        "2027-05-01T03:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_sample_looks_as_if_it_had_just_been_made() {
        let sample: Value = serde_json::from_str(include_str!("invoice.json")).unwrap();
        let moved = shift_to_now(&sample, now());
        let invoice = &moved["invoice"];
        // 3:00 in UTC is still the day before in the sample's zone.
        assert_eq!(invoice["created_time"], "2027-04-30T18:57:00-0800");
        assert_eq!(invoice["last_modified_time"], "2027-04-30T19:00:00-0800");
        assert_eq!(invoice["date"], "2027-04-30");
        assert_eq!(invoice["due_date"], "2027-05-15");
        assert_eq!(
            invoice["invoice_number"],
            sample["invoice"]["invoice_number"]
        );
        assert_eq!(shift_to_now(&sample["invoice"], now()), *invoice);
    }

    #[test]
    fn what_is_overdue_stays_overdue_in_its_own_form() {
        let text = include_str!("../../../tests/samples/webhook-invoice-variant-iso-dates.json");
        let sample: Value = serde_json::from_str(text).unwrap();
        let moved = shift_to_now(&sample, now());
        assert_eq!(moved["invoice"]["date"], "2027-04-30T00:00:00.000Z");
        assert_eq!(moved["invoice"]["due_date"], "2027-04-29T00:00:00.000Z");
    }

    #[test]
    fn what_has_no_times_is_left_alone() {
        for text in ["{}", "[1]", "\"2026-01-01\"", r#"{"a":{"date":"x"}}"#] {
            let value: Value = serde_json::from_str(text).unwrap();
            assert_eq!(shift_to_now(&value, now()), value);
        }
    }
}
