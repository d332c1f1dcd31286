//! The HTML of an e-mail as an answer of its own, for the frames of our pages.
//!
//! Its policy lets styles stand inside the text and nothing else: no script, no form, no frame, and no
//! picture unless somebody asked. `sandbox` also holds where the address is opened by itself.

use actix_web::HttpResponse;
use actix_web::http::header;

use crate::config::web::PublicUrl;
use crate::domain::content::{Content, EmailContent};
use crate::render::email::{Scheme, shown};
use crate::web::areas::error::PageError;
use crate::web::extract::tenant::TenantContext;

/// How it is to be shown.
#[derive(Debug, Clone, Copy)]
pub(in crate::web) struct Appearance {
    pub(in crate::web) scheme: Scheme,
    pub(in crate::web) has_pictures: bool,
}

impl Appearance {
    /// Reads `look` and `pictures`.
    pub(in crate::web) fn of(request: &TenantContext) -> Self {
        Self {
            scheme: scheme(&request.asked("look")),
            has_pictures: request.asked("pictures") == "1",
        }
    }
}

/// By night where that is asked for.
pub(in crate::web) fn scheme(word: &str) -> Scheme {
    if word == "dark" {
        Scheme::Dark
    } else {
        Scheme::Light
    }
}

/// The HTML of a message that is an e-mail; what is none has no such address.
pub(in crate::web) fn of_content(
    content: &Content,
    appearance: Appearance,
    url: &PublicUrl,
) -> Result<HttpResponse, PageError> {
    match content {
        Content::Email(email) if !email.html.is_empty() => Ok(of_email(email, appearance, url)),
        _ => Err(PageError::NotFound),
    }
}

/// The HTML of an e-mail.
pub(in crate::web) fn of_email(
    email: &EmailContent,
    appearance: Appearance,
    url: &PublicUrl,
) -> HttpResponse {
    answer(
        shown(&email.html, appearance.scheme),
        appearance.has_pictures,
        url,
    )
}

/// A document that may nothing, and be framed by us alone.
pub(in crate::web) fn answer(html: String, has_pictures: bool, url: &PublicUrl) -> HttpResponse {
    // The only pictures of our e-mails are logos, which we serve.
    let pictures = if has_pictures {
        format!("img-src 'self' {}", url.origin())
    } else {
        "img-src 'none'".to_owned()
    };
    let policy = format!(
        "default-src 'none'; style-src 'unsafe-inline'; {pictures}; form-action 'none'; \
         frame-ancestors 'self'; base-uri 'none'; sandbox"
    );
    HttpResponse::Ok()
        .insert_header((header::CONTENT_SECURITY_POLICY, policy))
        .insert_header((header::X_FRAME_OPTIONS, "SAMEORIGIN"))
        .content_type("text/html; charset=utf-8")
        .body(html)
}
