//! The four cookies: the session, the visit of somebody who is not signed in yet, a second step
//! that is under way, and what the last action did.
//!
//! The visit's only purpose is a CSRF token for the sign-in and set-up forms, which have no session.

use actix_web::HttpRequest;
use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use secrecy::{ExposeSecret as _, SecretString};

use crate::config::web::PublicUrl;

/// Bears the session's token.
pub const SESSION: &str = "mlc_session";
/// Bears the token of a visit.
pub const VISIT: &str = "mlc_visit";
/// Bears the token of a second step.
pub const STEP: &str = "mlc_step";
/// Bears a key of [`super::flash::Told`].
pub const FLASH: &str = "mlc_flash";

/// No token of ours is longer, in bytes.
const LONGEST: usize = 128;

/// A cookie that scripts cannot read; over plain http only on loopback.
pub fn make(name: &'static str, value: &str, lasts: Duration, url: &PublicUrl) -> Cookie<'static> {
    Cookie::build(name, value.to_owned())
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(url.is_https() || !url.is_loopback())
        .max_age(lasts)
        .finish()
}

/// Ends a cookie.
pub fn end(name: &'static str, url: &PublicUrl) -> Cookie<'static> {
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

/// A token that the browser shows; one that is too long to be ours is none.
pub fn token(request: &HttpRequest, name: &str) -> Option<SecretString> {
    let cookie = request.cookie(name)?;
    let is_ours = (1..=LONGEST).contains(&cookie.value().len());
    is_ours.then(|| SecretString::from(cookie.value().to_owned()))
}
