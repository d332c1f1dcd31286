//! What a request's headers say about its body, and how far they are believed.

/// What a content type means to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentKind {
    /// `application/x-www-form-urlencoded`: the pairs are signed.
    Form,
    /// `multipart/…`: Zoho documents no signature for it, so the door answers 415.
    Multipart,
    /// JSON, anything else, or nothing said: the raw bytes are signed.
    Raw,
}

impl ContentKind {
    /// Reads a `Content-Type` header.
    pub fn of(content_type: Option<&str>) -> Self {
        let media = content_type
            .unwrap_or_default()
            .split(';')
            .next()
            .unwrap_or_default()
            .trim();
        let is_multipart = |prefix: &str| prefix.eq_ignore_ascii_case("multipart/");
        if media.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            Self::Form
        } else if media.get(..10).is_some_and(is_multipart) {
            Self::Multipart
        } else {
            Self::Raw
        }
    }

    /// Like [`ContentKind::of`], but believes the bytes first: some Zoho products say "form" over a
    /// plain JSON body, and no form encoder leaves a `{` bare. Signing such a body byte by byte
    /// also keeps anyone from re-encoding parts of a captured one under the same signature.
    pub fn of_body(content_type: Option<&str>, body: &[u8]) -> Self {
        match Self::of(content_type) {
            Self::Form if first_byte(body) == Some(b'{') => Self::Raw,
            kind => kind,
        }
    }
}

/// The first byte after a byte order mark and blanks.
fn first_byte(body: &[u8]) -> Option<u8> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    body.iter().copied().find(|b| !b.is_ascii_whitespace())
}

/// Whether a `Content-Encoding` header says that the body is packed; the door answers 415.
pub fn is_encoded(content_encoding: Option<&str>) -> bool {
    content_encoding
        .is_some_and(|e| !e.trim().is_empty() && !e.trim().eq_ignore_ascii_case("identity"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types_are_told_apart_whatever_their_case_and_parameters() {
        let of = |text| ContentKind::of(Some(text));
        assert_eq!(
            of("Application/X-WWW-form-urlencoded; charset=UTF-8"),
            ContentKind::Form
        );
        assert_eq!(
            of("multipart/form-data; boundary=x"),
            ContentKind::Multipart
        );
        assert_eq!(of("application/json"), ContentKind::Raw);
        assert_eq!(of("täxt/plain😀"), ContentKind::Raw);
        assert_eq!(ContentKind::of(None), ContentKind::Raw);
        assert!(is_encoded(Some("gzip")) && is_encoded(Some("identity, gzip")));
        assert!(!is_encoded(None) && !is_encoded(Some(" Identity ")) && !is_encoded(Some("")));
    }
}
