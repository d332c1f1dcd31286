//! The only way for a posted form to come in: bounded, decoded tolerantly, and with the token of
//! the session (or, before there is one, of the visit).
//!
//! A form that was tampered with is refused with 403, one that cannot be read with 422; nothing a
//! browser sends makes a 500.

use std::future::ready;
use std::pin::Pin;
use std::time::Duration;

use actix_multipart::Multipart;
use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::web::Bytes;
use actix_web::{FromRequest, HttpRequest, web};
use futures::{StreamExt as _, stream};
use secrecy::SecretString;

use super::signed_in::SignedIn;
use crate::crypto::token;
use crate::web::areas::cookies;
use crate::web::areas::error::PageError;
use crate::web::form::FormState;

/// The largest form, in bytes: a template of 16 KB triples when it is encoded.
const LARGEST: usize = 128 * 1024;
/// The most fields.
const MOST_FIELDS: usize = 400;
/// The largest file, in bytes; what is read of it decides itself what is too much.
const LARGEST_FILE: usize = 1024 * 1024;
/// How long a form may take to arrive.
const ARRIVES_WITHIN: Duration = Duration::from_secs(10);

/// What an extractor promises.
pub type Extracting<T> = Pin<Box<dyn Future<Output = Result<T, PageError>>>>;

/// The fields of a form whose token was right.
#[derive(Debug, Clone, Default)]
pub struct Form(Vec<(String, String)>);

impl Form {
    /// A form as tests type it.
    #[cfg(test)]
    pub fn from_pairs(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(pairs.into_iter().collect())
    }

    /// The names of all fields.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// The first value of a name, without blanks around it; empty when there is none.
    pub fn get(&self, name: &str) -> &str {
        self.raw(name).trim()
    }

    /// Every value of a name, without blanks around them.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.0.iter().filter(move |(n, _)| n == name);
        named.map(|(_, value)| value.trim())
    }

    /// The first value of a name as typed, lines ended as Unix does.
    pub fn text(&self, name: &str) -> String {
        self.raw(name).replace("\r\n", "\n")
    }

    /// A secret; `None` when it was left empty.
    pub fn secret(&self, name: &str) -> Option<SecretString> {
        let typed = self.raw(name);
        (!typed.is_empty()).then(|| SecretString::from(typed.to_owned()))
    }

    /// What makes a second click the same wish.
    pub fn nonce(&self) -> Result<&str, PageError> {
        let nonce = self.get("nonce");
        if nonce.is_empty() || nonce.len() > 255 {
            return Err(PageError::Unreadable);
        }
        Ok(nonce)
    }

    /// The form to show again, without the named secrets.
    pub fn state(&self, secrets: &[&str]) -> FormState {
        let pairs = self.0.iter().map(|(n, v)| (n.as_str(), v.as_str()));
        FormState::typed(pairs.filter(|(name, _)| *name != "csrf"), secrets)
    }

    fn raw(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(n, _)| n == name);
        found.map_or("", |(_, value)| value.as_str())
    }
}

/// A form of somebody who is signed in.
pub struct CsrfForm {
    pub who: SignedIn,
    pub form: Form,
}

impl FromRequest for CsrfForm {
    type Error = PageError;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let who = SignedIn::of(&request).await?;
            let form = of_session(&request, payload, &who).await?;
            Ok(Self { who, form })
        })
    }
}

/// Reads a form and checks it against the session.
pub async fn of_session(
    request: &HttpRequest,
    payload: Payload,
    who: &SignedIn,
) -> Result<Form, PageError> {
    let form = read(request, payload).await?;
    if token::equal(form.get("csrf"), &who.session.csrf) {
        Ok(form)
    } else {
        Err(PageError::Forged)
    }
}

/// A form of somebody who is not signed in yet.
pub struct VisitForm(pub Form);

impl FromRequest for VisitForm {
    type Error = PageError;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let form = read(&request, payload).await?;
            let visit = cookies::token(&request, cookies::VISIT).ok_or(PageError::Forged)?;
            if token::csrf_matches(&visit, form.get("csrf")) {
                Ok(Self(form))
            } else {
                Err(PageError::Forged)
            }
        })
    }
}

/// The same of a form with a file in the field `file`, and the bytes of that; a form of another kind has none.
pub async fn file_of_session(
    request: &HttpRequest,
    payload: Payload,
    who: &SignedIn,
) -> Result<(Form, Vec<u8>), PageError> {
    if !is_of_type(request, "multipart/form-data") {
        return Ok((of_session(request, payload, who).await?, Vec::new()));
    }
    let body = body(request, payload, LARGEST_FILE).await?;
    let (form, file) = parts(request, body).await.ok_or(PageError::Unreadable)?;
    if token::equal(form.get("csrf"), &who.session.csrf) {
        Ok((form, file))
    } else {
        Err(PageError::Forged)
    }
}

/// The parts of a form that is here already; none where they are no form.
async fn parts(request: &HttpRequest, body: Bytes) -> Option<(Form, Vec<u8>)> {
    let whole = stream::once(ready(Ok(body)));
    let mut parts = Multipart::new(request.headers(), whole);
    let (mut fields, mut file) = (Vec::new(), Vec::new());
    while let Some(part) = parts.next().await {
        let mut part = part.ok()?;
        let name = part.name()?.to_owned();
        let mut bytes = Vec::new();
        while let Some(chunk) = part.next().await {
            bytes.extend_from_slice(&chunk.ok()?);
        }
        if name == "file" {
            file = bytes;
        } else if fields.len() < MOST_FIELDS {
            let text = String::from_utf8_lossy(&bytes).replace('\0', "");
            fields.push((name, text));
        }
    }
    Some((Form(fields), file))
}

async fn read(request: &HttpRequest, payload: Payload) -> Result<Form, PageError> {
    if !is_of_type(request, "application/x-www-form-urlencoded") {
        return Err(PageError::Unreadable);
    }
    Ok(decode(&body(request, payload, LARGEST).await?))
}

fn is_of_type(request: &HttpRequest, wanted: &str) -> bool {
    let sent = request.headers().get(header::CONTENT_TYPE);
    sent.and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case(wanted))
}

async fn body(
    request: &HttpRequest,
    mut payload: Payload,
    largest: usize,
) -> Result<Bytes, PageError> {
    let body = web::Payload::from_request(request, &mut payload)
        .await
        .map_err(|_| PageError::Unreadable)?;
    tokio::time::timeout(ARRIVES_WITHIN, body.to_bytes_limited(largest))
        .await
        .map_err(|_| PageError::Unreadable)?
        .map_err(|_| PageError::TooLarge)?
        .map_err(|_| PageError::Unreadable)
}

/// Bytes that are no UTF-8 become the replacement character; NUL, which PostgreSQL cannot keep, goes.
fn decode(body: &[u8]) -> Form {
    let pairs = form_urlencoded::parse(body).take(MOST_FIELDS);
    Form(
        pairs
            .map(|(name, value)| (name.into_owned(), value.replace('\0', "")))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_form_is_read_tolerantly() {
        let form = decode(b"name=+Ann%00+&text=a%0D%0Ab&odd=%ff%zz&name=second&secret=+x+");
        assert_eq!(form.get("name"), "Ann");
        assert_eq!(form.text("text"), "a\nb");
        assert_eq!(form.get("odd"), "\u{fffd}%zz");
        assert_eq!(form.get("missing"), "");
        assert!(form.secret("secret").is_some() && form.secret("none").is_none());
    }

    #[test]
    fn neither_secrets_nor_the_token_are_shown_again() {
        let form = decode(b"csrf=hush&password=hush&email=ann");
        let state = form.state(&["password"]);
        assert_eq!(state.value("email"), "ann");
        assert!(!format!("{state:?}").contains("hush"));
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_decoder(body in proptest::collection::vec(any::<u8>(), 0..600)) {
            let form = decode(&body);
            prop_assert!(form.0.iter().all(|(_, value)| !value.contains('\0')));
        }
    }
}
