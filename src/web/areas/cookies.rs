//! The five cookies: the session, the visit of somebody who is not signed in yet, a second step
//! that is under way, what the last action did, and the mark of a browser in which somebody has
//! signed in before.
//!
//! The visit's only purpose is a CSRF token for the sign-in and set-up forms, which have no session.

use std::borrow::Cow;

use actix_web::HttpRequest;
use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::web::Data;
use secrecy::{ExposeSecret as _, SecretString};

use crate::app::App;
use crate::config::web::PublicUrl;

/// The name of a cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Name(&'static str);

/// Bears the session's token.
pub const SESSION: Name = Name("mlc_session");
/// Bears the token of a visit.
pub const VISIT: Name = Name("mlc_visit");
/// Bears the token of a second step.
pub const STEP: Name = Name("mlc_step");
/// Bears the mark of a known browser. It opens nothing.
pub const KNOWN: Name = Name("mlc_known");
/// Bears a key of [`super::flash::Told`].
pub const FLASH: Name = Name("mlc_flash");

/// No token of ours is longer, in bytes.
const LONGEST: usize = 128;

impl Name {
    /// How it is called at an address. What is called `__Host-…`, browsers take only from this very
    /// host and over https: another host of the same domain cannot put its own in place of ours.
    pub fn at(self, url: &PublicUrl) -> Cow<'static, str> {
        if url.is_loopback() {
            Cow::from(self.0)
        } else {
            Cow::from(format!("__Host-{}", self.0))
        }
    }
}

/// Over plain http only on loopback.
fn is_secure(url: &PublicUrl) -> bool {
    url.is_https() || !url.is_loopback()
}

/// A cookie that scripts cannot read; over plain http only on loopback.
pub fn make(name: Name, value: &str, lasts: Duration, url: &PublicUrl) -> Cookie<'static> {
    Cookie::build(name.at(url), value.to_owned())
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(is_secure(url))
        .max_age(lasts)
        .finish()
}

/// Ends a cookie.
pub fn end(name: Name, url: &PublicUrl) -> Cookie<'static> {
    make(name, "", Duration::ZERO, url)
}

/// The cookie that keeps somebody signed in, as long as the session lasts.
pub fn session(token: &SecretString, url: &PublicUrl) -> Cookie<'static> {
    make(SESSION, token.expose_secret(), Duration::days(14), url)
}

/// The cookie of somebody whose password was right, until their code is.
pub fn step(token: &SecretString, url: &PublicUrl) -> Cookie<'static> {
    make(STEP, token.expose_secret(), Duration::minutes(5), url)
}

/// The cookie by which a browser is known for a year.
pub fn known(mark: &SecretString, url: &PublicUrl) -> Cookie<'static> {
    make(KNOWN, mark.expose_secret(), Duration::days(365), url)
}

/// What the browser shows under a name.
pub fn value(request: &HttpRequest, name: Name) -> Option<String> {
    let app = request.app_data::<Data<App>>()?;
    let cookie = request.cookie(&name.at(app.public_url()))?;
    Some(cookie.value().to_owned())
}

/// A token that the browser shows; one that is too long to be ours is none.
pub fn token(request: &HttpRequest, name: Name) -> Option<SecretString> {
    let value = value(request, name)?;
    let is_ours = (1..=LONGEST).contains(&value.len());
    is_ours.then(|| SecretString::from(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made_at(url: &str) -> String {
        let url = PublicUrl::parse(url).unwrap();
        make(SESSION, "token", Duration::days(14), &url).to_string()
    }

    #[test]
    fn outside_of_localhost_browsers_hold_a_cookie_to_this_host_and_to_https() {
        for url in ["https://sms.example.com", "http://sms.example.com"] {
            let made = made_at(url);
            assert!(made.starts_with("__Host-mlc_session=token; "), "{made}");
            assert!(made.contains("; Secure") && made.contains("; Path=/"));
            assert!(!made.contains("Domain"), "{made}");
        }
    }

    #[test]
    fn on_loopback_names_are_plain() {
        for url in ["http://127.0.0.1:8080", "http://localhost:8080"] {
            let made = made_at(url);
            assert!(made.starts_with("mlc_session=token; "), "{made}");
            assert!(!made.contains("Secure"), "{made}");
        }
        let over_https = made_at("https://localhost");
        assert!(over_https.starts_with("mlc_session=") && over_https.contains("Secure"));
    }
}
