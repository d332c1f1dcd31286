//! One request to Zoho: a time-out over the whole of it, a limit on the body, and errors that never
//! carry the address (it can hold a token or an organisation). What the request bears of secrets is
//! taken out of the answer before anybody reads it.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{AUTHORIZATION, HeaderMap};
use reqwest::{Client, Request, StatusCode};

use crate::redact::Secrets;

/// An answer read to its end.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum TransportError {
    #[error("Zoho did not answer in time")]
    Timeout,
    #[error("Zoho cannot be reached")]
    Unreachable(#[source] Arc<reqwest::Error>),
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
}

impl From<reqwest::Error> for TransportError {
    fn from(error: reqwest::Error) -> Self {
        if error.is_timeout() {
            Self::Timeout
        } else {
            Self::Unreachable(Arc::new(error.without_url()))
        }
    }
}

/// Sends `request` once and reads at most `limit` bytes of the answer within `timeout`.
pub(super) async fn send(
    http: &Client,
    mut request: Request,
    timeout: Duration,
    limit: usize,
) -> Result<Answer, TransportError> {
    *request.timeout_mut() = Some(timeout);
    let secrets = borne(&request);
    let mut response = http.execute(request).await?;
    let too_long = |length: u64| usize::try_from(length).map_or(true, |length| length > limit);
    if response.content_length().is_some_and(too_long) {
        return Err(TransportError::TooLong(limit));
    }
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > limit {
            return Err(TransportError::TooLong(limit));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer {
        status: response.status(),
        headers: std::mem::take(response.headers_mut()),
        body: match secrets.clean(&body) {
            Cow::Borrowed(_) => body.freeze(),
            Cow::Owned(clean) => clean.into(),
        },
    })
}

/// The names under which forms and addresses of OAuth bear secrets.
const SECRET: [&str; 4] = ["client_secret", "refresh_token", "code", "token"];

/// The secrets of a request: its token, and what its form or address bears.
fn borne(request: &Request) -> Secrets {
    let header = request.headers().get(AUTHORIZATION);
    let token = header
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.split_once(' '))
        .map_or("", |(_, token)| token);
    let form = request.body().and_then(|body| body.as_bytes());
    let pairs = form_urlencoded::parse(form.unwrap_or_default());
    let pairs = pairs.chain(request.url().query_pairs());
    pairs
        .filter(|(name, _)| SECRET.contains(&name.as_ref()))
        .fold(Secrets::default().with(token), |secrets, (_, value)| {
            secrets.with(&value)
        })
}
