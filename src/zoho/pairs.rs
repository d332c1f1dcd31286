//! Key/value pairs of a query string or a form body, as bytes.
//!
//! Bytes on purpose: a decoder that mends invalid UTF-8 maps different requests to one text, and
//! then one signature would be good for all of them.

use percent_encoding::percent_decode;

/// The pairs in the order of `raw`, not decoded; a pair without `=` has an empty value, and empty
/// pairs (a trailing `&`) are none.
pub(super) fn split(raw: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    raw.split(|byte| *byte == b'&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| match pair.iter().position(|byte| *byte == b'=') {
            Some(at) => (&pair[..at], &pair[at + 1..]),
            None => (pair, &[][..]),
        })
}

/// Decodes `+` and percent escapes; an escape that is none stays as it is.
pub(super) fn decode(raw: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> = raw
        .iter()
        .map(|b| if *b == b'+' { b' ' } else { *b })
        .collect();
    percent_decode(&spaced).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_pairs_are_read_without_a_panic() {
        let pairs: Vec<_> = split(b"&a=1=2&&b&=c&").collect();
        let expected: Vec<(&[u8], &[u8])> = vec![(b"a", b"1=2"), (b"b", b""), (b"", b"c")];
        assert_eq!(pairs, expected);
    }

    #[test]
    fn bad_escapes_stay_and_invalid_text_is_kept_byte_by_byte() {
        assert_eq!(decode(b"a+b%20c%2"), b"a b c%2");
        assert_eq!(decode(b"%zz%ff%FE"), b"%zz\xff\xfe");
    }
}
