//! Raw bodies, compressed with a dictionary of what Zoho's documents have in common.
//!
//! A dictionary is kept permanently: bodies written with it can be read with nothing else. So a better
//! one gets the next id (`examples/train_dictionary.rs` makes it) and stands beside the old.

use super::dictionary::{Dictionary, Kept};

/// Dictionary id of a body kept as received, because nothing was gained by compressing it.
pub const AS_RECEIVED: i16 = 0;
/// Dictionary id of new bodies.
pub const CURRENT: i16 = 1;

/// No stored body is larger: the door takes 1 MiB, and 64 KiB are slack for other sources.
pub const MAX_RAW_BYTES: usize = (1 << 20) + (1 << 16);

const DICTIONARY_1: &[u8] = include_bytes!("dictionary/1.zdict");

static DICTIONARY: Dictionary = Dictionary::new(DICTIONARY_1, &KEPT);

thread_local! {
    static KEPT: Kept = const { Kept::new() };
}

/// A body as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// Which dictionary reads it: stored beside the bytes.
    pub dictionary: i16,
    pub bytes: Vec<u8>,
}

/// Why a body cannot be stored or a stored one not be read.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    #[error("a body of {bytes} bytes is larger than {MAX_RAW_BYTES}")]
    TooLarge { bytes: usize },
    #[error("no dictionary {0}; was the body stored by a newer version?")]
    UnknownDictionary(i16),
    #[error("the stored body has {found} bytes instead of {expected}")]
    WrongSize { expected: usize, found: usize },
    #[error("zstd refused")]
    Zstd(#[from] std::io::Error),
}

/// Compresses a body; one larger than [`MAX_RAW_BYTES`] is refused, as it could not be read.
pub fn encode(body: &[u8]) -> Result<Encoded, CodecError> {
    if body.len() > MAX_RAW_BYTES {
        return Err(CodecError::TooLarge { bytes: body.len() });
    }
    let bytes = DICTIONARY.compress(body)?;
    Ok(if bytes.len() < body.len() {
        Encoded {
            dictionary: CURRENT,
            bytes,
        }
    } else {
        Encoded {
            dictionary: AS_RECEIVED,
            bytes: body.to_vec(),
        }
    })
}

/// Reads a stored body; `raw_bytes` is its size before compression, as stored beside it. Never allocates
/// more than that.
pub fn decode(dictionary: i16, bytes: &[u8], raw_bytes: usize) -> Result<Vec<u8>, CodecError> {
    if raw_bytes > MAX_RAW_BYTES {
        return Err(CodecError::TooLarge { bytes: raw_bytes });
    }
    let body = match dictionary {
        AS_RECEIVED => bytes.to_vec(),
        CURRENT => DICTIONARY.decompress(bytes, raw_bytes)?,
        unknown => return Err(CodecError::UnknownDictionary(unknown)),
    };
    if body.len() == raw_bytes {
        Ok(body)
    } else {
        Err(CodecError::WrongSize {
            expected: raw_bytes,
            found: body.len(),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::domain::document::DocumentKind;
    use crate::sandbox::samples::{Generator, Wish, to_body};

    /// A seed that the training does not use.
    fn unseen() -> Generator {
        Generator::seeded(0xDEAD_BEEF)
    }

    #[test]
    fn the_dictionary_is_the_one_that_stored_bodies_were_written_with() {
        let digest = hex::encode(Sha256::digest(DICTIONARY_1));
        assert_eq!(
            digest,
            "2379407445e8f2078e6e816b53daad5783a62163cefa3ce166b446ca55dd4a9d"
        );
    }

    #[test]
    fn documents_not_used_for_training_shrink_many_times() {
        let mut generator = unseen();
        let now = "2031-07-08T09:10:11Z".parse().unwrap();
        for &kind in DocumentKind::ALL {
            let (mut raw, mut stored, mut plain) = (0, 0, 0);
            for round in 0..40 {
                let document = generator.document(kind, &Wish::default(), now);
                let body = to_body(&document, round % 2 == 0);
                let encoded = encode(&body).unwrap();
                assert_eq!(encoded.dictionary, CURRENT);
                assert_eq!(decode(CURRENT, &encoded.bytes, body.len()).unwrap(), body);
                plain += zstd::bulk::compress(&body, super::super::dictionary::LEVEL)
                    .unwrap()
                    .len();
                raw += body.len();
                stored += encoded.bytes.len();
            }
            let (each, of, bare) = (stored / 40, raw / 40, plain / 40);
            println!("{kind}: {of} bytes become {each}, without the dictionary {bare}");
            // The small kinds consist of values rather than of structure.
            let factor = if kind == DocumentKind::Invoice { 10 } else { 4 };
            assert!(stored * factor < raw, "{kind}: {of} bytes become {each}");
        }
    }

    #[test]
    fn the_captured_samples_shrink_too() {
        let body = include_bytes!("../../../tests/samples/webhook-invoice-variant-iso-dates.json");
        let encoded = encode(body).unwrap();
        assert!(
            encoded.bytes.len() * 10 < body.len(),
            "{}",
            encoded.bytes.len()
        );
        assert_eq!(decode(CURRENT, &encoded.bytes, body.len()).unwrap(), body);
    }

    #[test]
    fn what_does_not_shrink_is_kept_as_received() {
        for body in [&b""[..], b"x", b"\x00\xff\x12"] {
            let encoded = encode(body).unwrap();
            assert_eq!(
                (encoded.dictionary, encoded.bytes.as_slice()),
                (AS_RECEIVED, body)
            );
            assert_eq!(
                decode(AS_RECEIVED, &encoded.bytes, body.len()).unwrap(),
                body
            );
        }
    }

    #[test]
    fn a_bomb_a_stranger_and_a_wrong_size_are_refused() {
        let zeros = vec![0_u8; MAX_RAW_BYTES];
        let bomb = encode(&zeros).unwrap();
        assert!(bomb.bytes.len() < 1000);
        assert!(decode(CURRENT, &bomb.bytes, 10).is_err());
        assert!(decode(CURRENT, &bomb.bytes, MAX_RAW_BYTES).is_ok());
        let too_large = decode(CURRENT, &bomb.bytes, MAX_RAW_BYTES + 1);
        assert!(matches!(too_large, Err(CodecError::TooLarge { .. })));
        assert!(matches!(
            encode(&vec![0; MAX_RAW_BYTES + 1]),
            Err(CodecError::TooLarge { .. })
        ));
        assert!(matches!(
            decode(9, b"", 0),
            Err(CodecError::UnknownDictionary(9))
        ));
        let small = encode(&[b'a'; 500]).unwrap();
        let wrong = decode(CURRENT, &small.bytes, 600);
        assert!(matches!(
            wrong,
            Err(CodecError::WrongSize {
                expected: 600,
                found: 500
            })
        ));
        assert!(decode(AS_RECEIVED, b"abc", 2).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_survive(body in prop::collection::vec(any::<u8>(), 0..3000)) {
            let encoded = encode(&body).unwrap();
            prop_assert!(encoded.bytes.len() <= body.len());
            prop_assert_eq!(decode(encoded.dictionary, &encoded.bytes, body.len()).unwrap(), body);
        }

        #[test]
        fn damage_is_noticed_and_never_a_panic(
            at in any::<prop::sample::Index>(),
            flip in 1_u8..,
            noise in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let body = b"{\"invoice\":{\"invoice_id\":\"8754310000010306009\",\"status\":\"sent\"}}";
            let mut bytes = encode(body).unwrap().bytes;
            let place = at.index(bytes.len());
            bytes[place] ^= flip;
            if let Ok(read) = decode(CURRENT, &bytes, body.len()) {
                prop_assert_eq!(read, body);
            }
            let _ = decode(CURRENT, &noise, 500);
        }
    }
}
