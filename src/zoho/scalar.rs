//! Single values of Zoho's JSON: ids, texts, amounts, dates.
//!
//! Nothing here fails: a blank, a wrong type or a value out of range is simply absent, since one
//! odd field must not cost a record. Zoho writes absence as `""` or `" "`, even for numbers.

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::{Map, Value};

use crate::domain::day;
use crate::domain::decimal;
use crate::domain::money::Amount;
use crate::domain::name;

/// Ids are short; anything longer is no id and would not fit an index.
const ID_CHARS: usize = 50;
/// Names and numbers are cut here.
const TEXT_CHARS: usize = 200;

type Record = Map<String, Value>;

/// An id, written as text or as a number.
pub(super) fn id(record: &Record, key: &str) -> Option<String> {
    let text = scalar(record.get(key)?)?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    (text.len() <= ID_CHARS && text.bytes().all(plain)).then(|| text.to_owned())
}

/// A text to be shown: one line, without control characters (PostgreSQL refuses NUL) and marks that turn
/// it around, cut when long.
pub(super) fn text(record: &Record, key: &str) -> Option<String> {
    let is_shown = |c: &char| c.is_whitespace() || !(c.is_control() || name::turns(*c));
    let shown: String = scalar(record.get(key)?)?.chars().filter(is_shown).collect();
    let line = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    let cut: String = line.chars().take(TEXT_CHARS).collect();
    (!cut.is_empty()).then_some(cut)
}

/// A text that is of no use when cut: an address, a phone number, a link.
pub(super) fn whole(record: &Record, key: &str, max_bytes: usize) -> Option<String> {
    let text = scalar(record.get(key)?)?;
    (text.len() <= max_bytes && !text.contains(char::is_control)).then(|| text.to_owned())
}

/// An amount, exactly: from the text of a JSON number or a decimal string, with or without
/// separators between its thousands.
pub(super) fn amount(record: &Record, key: &str) -> Option<Amount> {
    let text = scalar(record.get(key)?)?;
    Amount::parse(text).or_else(|| Amount::parse(&decimal::plain_text_of(text)?))
}

/// A date, whether a time follows or not; what could be two days is none.
pub(super) fn date(record: &Record, key: &str) -> Option<NaiveDate> {
    parse_date(scalar(record.get(key)?)?)
}

/// An instant, with its offset written with or without a colon, or as `Z`.
pub(super) fn instant(record: &Record, key: &str) -> Option<DateTime<Utc>> {
    parse_instant(scalar(record.get(key)?)?)
}

/// The trimmed text of a string or a number; blank is absent.
fn scalar(value: &Value) -> Option<&str> {
    let text = match value {
        Value::String(text) => text.trim(),
        Value::Number(number) => number.as_str(),
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}

fn parse_date(text: &str) -> Option<NaiveDate> {
    day::read(text)
}

fn parse_instant(text: &str) -> Option<DateTime<Utc>> {
    parse_date(text)?;
    let offset = match text.strip_suffix(['Z', 'z']) {
        Some(bare) => format!("{bare}+0000"),
        None => text.to_owned(),
    };
    let zoned = ["%Y-%m-%dT%H:%M:%S%.f%z", "%Y-%m-%d %H:%M:%S%.f%z"]
        .iter()
        .find_map(|format| DateTime::parse_from_str(&offset, format).ok())?;
    // Microseconds, as stored; this also folds a leap second into the next one.
    DateTime::from_timestamp_micros(zoned.timestamp_micros())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record(json: &str) -> Record {
        serde_json::from_str(json).unwrap()
    }

    fn total(json: &str) -> Option<i64> {
        amount(&record(&format!("{{\"total\":{json}}}")), "total").map(|a| a.0)
    }

    #[test]
    fn amounts_are_exact_whatever_their_form() {
        assert_eq!(total("135.0"), Some(1_350_000));
        assert_eq!(total("10000"), Some(100_000_000));
        assert_eq!(total("0.1"), Some(1000));
        assert_eq!(total("-12.3456"), Some(-123_456));
        assert_eq!(total("\" 840.50 \""), Some(8_405_000));
        assert_eq!(total("\"1,350.00\""), Some(13_500_000));
        assert_eq!(total("\"1.350,00\""), Some(13_500_000));
        assert_eq!(total("1.5e3"), Some(15_000_000));
        assert_eq!(total("15E-1"), Some(15_000));
        assert_eq!(total("922337203685477.5807"), Some(i64::MAX));
        assert_eq!(total("-922337203685477.5808"), Some(i64::MIN));
        assert_eq!(total("0.000000000000000000000000001e27"), Some(10_000));
    }

    #[test]
    fn more_than_four_decimals_are_rounded_half_to_even() {
        assert_eq!(total("0.00005"), Some(0));
        assert_eq!(total("0.00015"), Some(2));
        assert_eq!(total("0.00025"), Some(2));
        assert_eq!(total("0.000250000001"), Some(3));
        assert_eq!(total("0.00024999"), Some(2));
        assert_eq!(total("-0.00015"), Some(-2));
        assert_eq!(total("9e-5"), Some(1));
        assert_eq!(total("5e-5"), Some(0));
        assert_eq!(total("9e-6"), Some(0));
    }

    #[test]
    fn what_is_no_amount_is_absent() {
        for none in [
            "\"\"",
            "\" \"",
            "null",
            "true",
            "[]",
            "{}",
            "\"$5\"",
            "\"1.2.3\"",
            "\".\"",
            "\"-\"",
            "\"e5\"",
            "\"1e\"",
            "\"0x10\"",
            "\"--1\"",
            "\"٣\"",
            "\"NaN\"",
            "922337203685477.5808",
            "1e15",
            "1e999999999999999999999",
            "1e-99999999999999999999",
        ] {
            assert_eq!(total(none), None, "{none}");
        }
    }

    #[test]
    fn ids_come_as_text_or_number_and_stay_text() {
        let all = record(
            r#"{"a":"8754310000010306009","b":9007199254740993,"c":" 12 ","d":"","e":1.5,
                "f":"'; drop","g":null,"h":["1"]}"#,
        );
        assert_eq!(id(&all, "a").as_deref(), Some("8754310000010306009"));
        assert_eq!(id(&all, "b").as_deref(), Some("9007199254740993"));
        assert_eq!(id(&all, "c").as_deref(), Some("12"));
        for key in ["d", "e", "f", "g", "h", "missing"] {
            assert_eq!(id(&all, key), None, "{key}");
        }
        let long = record(&format!("{{\"a\":\"{}\"}}", "1".repeat(51)));
        assert_eq!(id(&long, "a"), None);
    }

    #[test]
    fn texts_lose_nul_and_excess() {
        let odd = record(r#"{"a":" A\u0000B\n ","b":"\u0000","c":"+1\u0000"}"#);
        assert_eq!(text(&odd, "a").as_deref(), Some("AB"));
        let lines = record(r#"{"a":"A\r\n\u2028Pay\tto: \u202eX"}"#);
        assert_eq!(text(&lines, "a").as_deref(), Some("A Pay to: X"));
        assert_eq!(text(&odd, "b"), None);
        assert_eq!(whole(&odd, "c", 50), None);
        let long = record(&format!("{{\"a\":\"{}\"}}", "é".repeat(900)));
        assert_eq!(text(&long, "a").unwrap().chars().count(), TEXT_CHARS);
        assert_eq!(whole(&long, "a", 320), None);
    }

    #[test]
    fn dates_and_instants_are_read_in_every_documented_form() {
        let day = NaiveDate::from_ymd_opt(2026, 9, 4);
        assert_eq!(parse_date("2026-09-04"), day);
        assert_eq!(parse_date("2026-09-04T00:00:00.000Z"), day);
        for none in [
            "2026-02-30",
            "04/09/2026",
            "2026-9-4",
            "+2026-09-0",
            "2026-09-é",
            "12",
        ] {
            assert_eq!(parse_date(none), None, "{none}");
        }
        let at = DateTime::from_timestamp(1_788_526_756, 0);
        for text in [
            "2026-09-04T13:59:16+0100",
            "2026-09-04T13:59:16+01:00",
            "2026-09-04T12:59:16Z",
            "2026-09-04T12:59:16.000Z",
            "2026-09-04 05:59:16-0700",
            "2026-09-04T12:59:16.0000004+00:00",
        ] {
            assert_eq!(parse_instant(text), at, "{text}");
        }
        let half = parse_instant("2026-09-04T12:59:16.5+0000").unwrap();
        assert_eq!(half.timestamp_subsec_millis(), 500);
        for none in [
            "2026-09-04T13:59:16",
            "2026-09-04",
            "2026-09-04T25:00:00Z",
            "nowZ",
            "éZ",
        ] {
            assert_eq!(parse_instant(none), None, "{none}");
        }
    }

    proptest! {
        #[test]
        fn every_amount_survives_its_decimal_text(units in any::<i64>(), zeros in 0_usize..5) {
            let size = units.unsigned_abs();
            let sign = if units < 0 { "-" } else { "" };
            let zeros = "0".repeat(zeros);
            let plain = format!("{sign}{}.{:04}{zeros}", size / 10_000, size % 10_000);
            prop_assert_eq!(total(&plain), Some(units));
            let quoted = format!("\"{plain}\"");
            prop_assert_eq!(total(&quoted), Some(units));
            let scientific = format!("{sign}{size}e-4");
            prop_assert_eq!(total(&scientific), Some(units));
        }

        #[test]
        fn every_instant_survives_zohos_form(
            seconds in 0_i64..200_000_000_000,
            minutes in -14 * 60..=14 * 60,
        ) {
            let at = DateTime::from_timestamp(seconds, 0).unwrap();
            let zone = chrono::FixedOffset::east_opt(minutes * 60).unwrap();
            for format in ["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S%:z", "%Y-%m-%dT%H:%M:%S%.6f%z"] {
                let text = at.with_timezone(&zone).format(format).to_string();
                prop_assert_eq!(parse_instant(&text), Some(at), "{}", text);
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,40}", tail in "[0-9eE.+-]{0,40}") {
            for text in [text.clone(), tail.clone(), format!("{tail}{text}")] {
                let _ = (Amount::parse(&text), parse_date(&text), parse_instant(&text));
            }
        }
    }
}
