//! Raw bodies, compressed with a dictionary of what Zoho's documents have in common.
//!
//! A dictionary is kept for ever: bodies written with it can be read with nothing else. So a better
//! one gets the next id (`examples/train_dictionary.rs` makes it) and stands beside the old.

use std::cell::RefCell;
use std::sync::OnceLock;

use zstd::bulk::{Compressor, Decompressor};
use zstd::dict::{DecoderDictionary, EncoderDictionary};
use zstd::zstd_safe::CParameter;

/// Dictionary id of a body kept as received, because nothing was gained by compressing it.
pub const AS_RECEIVED: i16 = 0;
/// Dictionary id of new bodies.
pub const CURRENT: i16 = 1;

/// No stored body is larger: the door takes 1 MiB, and 64 KiB are slack for other sources.
pub const MAX_RAW_BYTES: usize = (1 << 20) + (1 << 16);

const DICTIONARY_1: &[u8] = include_bytes!("dictionary/1.zdict");

/// Measured on indented invoices of 16 KB not used for training: level 3 makes 1.4 KB in 50 µs,
/// level 6 1.1 KB in 130 µs, level 9 0.9 KB in 220 µs. Every webhook waits for it, so speed wins.
const LEVEL: i32 = 3;

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

/// Compresses and decompresses bodies; cheap to clone. Both block for up to a few milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct BodyCodec(());

struct Prepared {
    encoder: EncoderDictionary<'static>,
    decoder: DecoderDictionary<'static>,
}

static PREPARED: OnceLock<Prepared> = OnceLock::new();

thread_local! {
    /// What a compressor works in is larger than most bodies, so each thread keeps one.
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
}

impl BodyCodec {
    /// Prepares the dictionaries, once per process.
    pub fn new() -> Result<Self, CodecError> {
        if PREPARED.get().is_none() {
            // Who comes second finds the same dictionaries.
            drop(PREPARED.set(Prepared {
                encoder: EncoderDictionary::try_copy(DICTIONARY_1, LEVEL)?,
                decoder: DecoderDictionary::try_copy(DICTIONARY_1)?,
            }));
        }
        Ok(Self(()))
    }

    /// Compresses a body; one larger than [`MAX_RAW_BYTES`] is refused, as it could not be read.
    pub fn encode(&self, body: &[u8]) -> Result<Encoded, CodecError> {
        if body.len() > MAX_RAW_BYTES {
            return Err(CodecError::TooLarge { bytes: body.len() });
        }
        let bytes = COMPRESSOR.with_borrow_mut(|kept| compress(kept, body))?;
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

    /// Reads a stored body; `raw_bytes` is its size before compression, as stored beside it. Never
    /// allocates more than that.
    pub fn decode(
        &self,
        dictionary: i16,
        bytes: &[u8],
        raw_bytes: usize,
    ) -> Result<Vec<u8>, CodecError> {
        if raw_bytes > MAX_RAW_BYTES {
            return Err(CodecError::TooLarge { bytes: raw_bytes });
        }
        let body = match dictionary {
            AS_RECEIVED => bytes.to_vec(),
            CURRENT => Decompressor::with_prepared_dictionary(&prepared()?.decoder)?
                .decompress(bytes, raw_bytes)?,
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
}

fn prepared() -> std::io::Result<&'static Prepared> {
    PREPARED
        .get()
        .ok_or_else(|| std::io::Error::other("no dictionary was prepared"))
}

fn compress(kept: &mut Option<Compressor<'static>>, body: &[u8]) -> std::io::Result<Vec<u8>> {
    let compressor = match kept {
        Some(compressor) => compressor,
        None => {
            let mut new = Compressor::with_prepared_dictionary(&prepared()?.encoder)?;
            new.set_parameter(CParameter::ChecksumFlag(true))?;
            kept.insert(new)
        }
    };
    compressor.compress(body)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::domain::document::DocumentKind;
    use crate::sandbox::samples::{Generator, Wish, to_body};

    fn codec() -> BodyCodec {
        BodyCodec::new().unwrap()
    }

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
        let (codec, mut generator) = (codec(), unseen());
        let now = "2031-07-08T09:10:11Z".parse().unwrap();
        for kind in DocumentKind::ALL {
            let (mut raw, mut stored, mut plain) = (0, 0, 0);
            for round in 0..40 {
                let document = generator.document(kind, &Wish::default(), now);
                let body = to_body(&document, round % 2 == 0);
                let encoded = codec.encode(&body).unwrap();
                assert_eq!(encoded.dictionary, CURRENT);
                assert_eq!(
                    codec.decode(CURRENT, &encoded.bytes, body.len()).unwrap(),
                    body
                );
                plain += zstd::bulk::compress(&body, LEVEL).unwrap().len();
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
        let codec = codec();
        let body = include_bytes!("../../tests/samples/webhook-invoice-variant-iso-dates.json");
        let encoded = codec.encode(body).unwrap();
        assert!(
            encoded.bytes.len() * 10 < body.len(),
            "{}",
            encoded.bytes.len()
        );
        assert_eq!(
            codec.decode(CURRENT, &encoded.bytes, body.len()).unwrap(),
            body
        );
    }

    #[test]
    fn what_does_not_shrink_is_kept_as_received() {
        let codec = codec();
        for body in [&b""[..], b"x", b"\x00\xff\x12"] {
            let encoded = codec.encode(body).unwrap();
            assert_eq!(
                (encoded.dictionary, encoded.bytes.as_slice()),
                (AS_RECEIVED, body)
            );
            assert_eq!(
                codec
                    .decode(AS_RECEIVED, &encoded.bytes, body.len())
                    .unwrap(),
                body
            );
        }
    }

    #[test]
    fn a_bomb_a_stranger_and_a_wrong_size_are_refused() {
        let codec = codec();
        let zeros = vec![0_u8; MAX_RAW_BYTES];
        let bomb = codec.encode(&zeros).unwrap();
        assert!(bomb.bytes.len() < 1000);
        assert!(codec.decode(CURRENT, &bomb.bytes, 10).is_err());
        assert!(codec.decode(CURRENT, &bomb.bytes, MAX_RAW_BYTES).is_ok());
        let too_large = codec.decode(CURRENT, &bomb.bytes, MAX_RAW_BYTES + 1);
        assert!(matches!(too_large, Err(CodecError::TooLarge { .. })));
        assert!(matches!(
            codec.encode(&vec![0; MAX_RAW_BYTES + 1]),
            Err(CodecError::TooLarge { .. })
        ));
        assert!(matches!(
            codec.decode(9, b"", 0),
            Err(CodecError::UnknownDictionary(9))
        ));
        let small = codec.encode(&[b'a'; 500]).unwrap();
        let wrong = codec.decode(CURRENT, &small.bytes, 600);
        assert!(matches!(
            wrong,
            Err(CodecError::WrongSize {
                expected: 600,
                found: 500
            })
        ));
        assert!(codec.decode(AS_RECEIVED, b"abc", 2).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_survive(body in prop::collection::vec(any::<u8>(), 0..3000)) {
            let codec = codec();
            let encoded = codec.encode(&body).unwrap();
            prop_assert!(encoded.bytes.len() <= body.len());
            prop_assert_eq!(codec.decode(encoded.dictionary, &encoded.bytes, body.len()).unwrap(), body);
        }

        #[test]
        fn damage_is_noticed_and_never_a_panic(
            at in any::<prop::sample::Index>(),
            flip in 1_u8..,
            noise in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let codec = codec();
            let body = b"{\"invoice\":{\"invoice_id\":\"8754310000010306009\",\"status\":\"sent\"}}";
            let mut bytes = codec.encode(body).unwrap().bytes;
            let place = at.index(bytes.len());
            bytes[place] ^= flip;
            if let Ok(read) = codec.decode(CURRENT, &bytes, body.len()) {
                prop_assert_eq!(read, body);
            }
            let _ = codec.decode(CURRENT, &noise, 500);
        }
    }
}
