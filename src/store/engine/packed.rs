//! JSON that the history keeps and no query looks into: what was asked of a provider and what it answered,
//! what the rules said, which transitions are claimed. A short text is kept as it is, a longer one compressed
//! with the words that nearly all of them have in common.
//!
//! The words are kept permanently, as a packed text can be read with nothing else; better ones get the next
//! number.

use sea_orm::Value;
use serde::Serialize;
use uuid::Uuid;
use zstd::zstd_safe::get_frame_content_size;

use super::dictionary::{Dictionary, Kept};
use super::sql::Row;
use crate::store::engine::error::StoreError;

/// The first byte of a packed text: kept as it is, or packed with which words.
const AS_IT_IS: u8 = 0;
const WORDS_1: u8 = 1;

const WORDS: &[u8] = include_bytes!("dictionary/words-1.raw");

static DICTIONARY: Dictionary = Dictionary::new(WORDS, &KEPT);

thread_local! {
    static KEPT: Kept = const { Kept::new() };
}

/// Shorter texts are kept as they are.
const PACKED_FROM: usize = 120;

/// A longer one is kept as it is: what providers answer is cut at a few KB, and what two hundred rules say
/// is shorter too.
const LONGEST: usize = 1 << 20;

/// A text on its way into its column.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::store) struct Packed(Vec<u8>);

impl Packed {
    /// Packs a text if that makes it shorter; takes some ten microseconds.
    pub(in crate::store) fn of(text: &str) -> Self {
        if text.len() >= PACKED_FROM
            && text.len() <= LONGEST
            && let Ok(packed) = DICTIONARY.compress(text.as_bytes())
            && packed.len() < text.len()
        {
            return Self::marked(WORDS_1, &packed);
        }
        Self::as_it_is(text)
    }

    fn marked(mark: u8, bytes: &[u8]) -> Self {
        Self([&[mark], bytes].concat())
    }

    /// Keeps a text as it is: packing would gain less than it takes.
    pub(in crate::store) fn as_it_is(text: &str) -> Self {
        Self::marked(AS_IT_IS, text.as_bytes())
    }

    /// Packs what is written as JSON.
    pub(in crate::store) fn json(of: &impl Serialize) -> Self {
        // Lists and texts can always be written.
        Self::of(&serde_json::to_string(of).unwrap_or_default())
    }

    #[cfg(test)]
    pub(in crate::store) fn len(&self) -> usize {
        self.0.len()
    }

    pub(in crate::store) fn value(&self) -> Value {
        self.0.clone().into()
    }
}

/// A packed column whose text must be one of ours; `table` and `id` name the row if it is not.
pub(in crate::store) fn word<T>(
    row: &Row,
    (table, column): (&'static str, &'static str),
    id: Uuid,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<T, StoreError> {
    let text = text_of(row, column)?;
    parse(&text).ok_or(StoreError::BadRow {
        table,
        column,
        row: id,
    })
}

/// The text of a row's packed column.
pub(in crate::store) fn text_of(row: &Row, column: &str) -> Result<String, StoreError> {
    unpack(&row.get::<Vec<u8>>(column)?)
}

fn unpack(packed: &[u8]) -> Result<String, StoreError> {
    let damaged = |why: &str| StoreError::Codec(std::io::Error::other(why.to_owned()).into());
    let bytes = match packed {
        [] => Vec::new(),
        [AS_IT_IS, text @ ..] => text.to_vec(),
        [WORDS_1, frame @ ..] => {
            let size = get_frame_content_size(frame).ok().flatten();
            let size = size.and_then(|size| usize::try_from(size).ok());
            let size = size.filter(|size| *size <= LONGEST);
            let size = size.ok_or_else(|| damaged("a packed text does not say its size"))?;
            let bytes = DICTIONARY.decompress(frame, size);
            bytes.map_err(|e| StoreError::Codec(e.into()))?
        }
        _ => return Err(damaged("packed by a newer version")),
    };
    String::from_utf8(bytes).map_err(|_| damaged("a packed text is no text"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sha2::{Digest as _, Sha256};

    use super::*;

    #[test]
    fn the_words_are_those_that_texts_were_packed_with() {
        assert_eq!(
            hex::encode(Sha256::digest(WORDS)),
            "5739c7abfbe084a43055c3b09ce2caf3542e5e8b2ebfb004cca6327e742833c5"
        );
    }

    #[test]
    fn an_answer_of_twilio_becomes_a_quarter_of_itself() {
        let sid = "0123456789abcdef0123456789abcdef";
        let account = "fedcba9876543210fedcba9876543210";
        let body = serde_json::json!({
            "account_sid": format!("AC{account}"), "api_version": "2010-04-01",
            "body": "Bill 27 of Bowman & Co over 1,200.00 EUR is due tomorrow",
            "date_created": "Thu, 24 Aug 2023 05:01:45 +0000", "date_sent": null,
            "date_updated": "Thu, 24 Aug 2023 05:01:45 +0000", "direction": "outbound-api",
            "error_code": null, "error_message": null, "from": "+14155552345",
            "messaging_service_sid": null, "num_media": "0", "num_segments": "1", "price": null,
            "price_unit": null, "sid": format!("SM{sid}"), "status": "queued",
            "subresource_uris": {
                "media": format!("/2010-04-01/Accounts/AC{account}/Messages/SM{sid}/Media.json"),
            },
            "to": "+14155552345",
            "uri": format!("/2010-04-01/Accounts/AC{account}/Messages/SM{sid}.json"),
        });
        let text = serde_json::json!({ "response": {
            "http": 201, "date": "2023-08-24T05:01:45Z", "request_id": format!("RQ{sid}"),
            "body": body.to_string(),
        }});
        let text = text.to_string();
        let Packed(packed) = Packed::of(&text);
        assert!(
            packed.len() * 4 < text.len(),
            "{} of {}",
            packed.len(),
            text.len()
        );
        assert_eq!(unpack(&packed).unwrap(), text);
    }

    #[test]
    fn what_is_short_or_grows_is_kept_as_it_is() {
        for text in ["", "{}", "a short remark"] {
            assert_eq!(Packed::of(text).0[1..], *text.as_bytes());
        }
    }

    proptest! {
        #[test]
        fn any_text_survives(text in "\\PC{0,600}") {
            prop_assert_eq!(unpack(&Packed::of(&text).0).unwrap(), text);
        }

        #[test]
        fn damage_is_an_error_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            drop(unpack(&bytes));
        }
    }
}
