//! A page that could not be served: what it becomes, and the one place where it is logged.
//!
//! Handlers and extractors answer with a bare error page; the middleware [`show`] draws it once
//! more with the number of the request, which only it knows for both.

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{StatusCode, header};
use actix_web::middleware::Next;
use actix_web::{Error, HttpResponse, ResponseError};
use askama::Template as _;

use crate::app::AppError;
use crate::app::StoreError;
use crate::crypto::password::PasswordError;
use crate::web::areas::error_page::ErrorPage;
use crate::web::middleware::request_id::RequestId;

/// Why a page was not served.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// Nobody is signed in; where the visitor wanted to go.
    #[error("nobody is signed in")]
    SignIn(String),
    /// Missing, or another tenant's.
    #[error("nothing is at this address")]
    NotFound,
    /// The role does not allow it.
    #[error("the role does not allow it")]
    Role,
    /// The form's token is missing or not this session's.
    #[error("the form's token is missing or wrong")]
    Forged,
    /// The form cannot be read, or lacks what our own forms hold.
    #[error("the form cannot be read")]
    Unreadable,
    #[error("the form is too large")]
    TooLarge,
    #[error("too many attempts")]
    TooMany,
    #[error(transparent)]
    App(#[from] AppError),
    #[error("the page could not be drawn")]
    Draw(#[from] askama::Error),
}

impl PageError {
    fn status(&self) -> StatusCode {
        match self {
            Self::SignIn(_) => StatusCode::SEE_OTHER,
            Self::NotFound | Self::App(AppError::NotFound(_)) => StatusCode::NOT_FOUND,
            Self::Role | Self::Forged => StatusCode::FORBIDDEN,
            Self::Unreadable | Self::App(AppError::Invalid(_)) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Self::App(
                AppError::Conflict(_)
                | AppError::Untried(..)
                | AppError::Open(_)
                | AppError::Unconfirmed(_)
                | AppError::Suppressed(_),
            ) => StatusCode::CONFLICT,
            Self::App(
                AppError::Store(
                    StoreError::Db(_)
                    | StoreError::Refused(_)
                    | StoreError::Late
                    | StoreError::Closed,
                )
                | AppError::Busy
                | AppError::Password(PasswordError::Busy),
            ) => StatusCode::SERVICE_UNAVAILABLE,
            Self::App(
                AppError::Store(_)
                | AppError::Vault(_)
                | AppError::MasterKey(_)
                | AppError::Password(_),
            )
            | Self::Draw(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn answer(&self, request_id: String) -> HttpResponse {
        if let Self::SignIn(wanted) = self {
            return HttpResponse::SeeOther()
                .insert_header((header::LOCATION, sign_in_path(wanted)))
                .finish();
        }
        let status = self.status();
        let mut page = ErrorPage::of(status.as_u16(), request_id);
        match self {
            Self::Forged => {
                page.title = "This form is too old";
                page.sentence = "Nothing was changed. Go back, load the page again and repeat \
                                 what you did."
                    .into();
            }
            _ if self.is_busy() => {
                page = ErrorPage::busy(page.request_id);
            }
            // These words are ours, never a provider's.
            Self::App(AppError::Conflict(why) | AppError::Untried(_, why)) => {
                page.sentence = format!("{why}.").into();
            }
            Self::App(AppError::Store(StoreError::Refused(_))) => {
                page.sentence = "The database takes no writes at the moment, so nothing was \
                                 changed. Try once more in a minute."
                    .into();
            }
            Self::App(AppError::Store(StoreError::Late)) => {
                page.sentence = "The database has not answered in time, so what you did may be \
                                 stored or not. Look before you do it again."
                    .into();
            }
            _ => {}
        }
        let mut answer = HttpResponse::build(status);
        if status == StatusCode::TOO_MANY_REQUESTS {
            answer.insert_header((header::RETRY_AFTER, "60"));
        }
        if self.is_busy() {
            answer.insert_header((header::RETRY_AFTER, "5"));
        } else if status == StatusCode::SERVICE_UNAVAILABLE {
            answer.insert_header((header::RETRY_AFTER, "10"));
        }
        match page.render() {
            Ok(html) => answer.content_type("text/html; charset=utf-8").body(html),
            Err(_) => answer.finish(),
        }
    }

    /// So many ask at once that not everybody can be served; nothing is broken.
    const fn is_busy(&self) -> bool {
        matches!(self, Self::App(AppError::Password(PasswordError::Busy)))
    }

    fn log(&self) {
        let is_told_by_the_watch = matches!(self,
            Self::App(AppError::Store(error)) if error.fault().is_some());
        if is_told_by_the_watch {
            tracing::debug!(
                error = self as &dyn std::error::Error,
                "A page met a database at fault"
            );
        } else if self.is_busy() {
            tracing::warn!("A page was not served: {self}");
        } else if self.status().is_server_error() {
            tracing::error!(
                error = self as &dyn std::error::Error,
                "A page could not be served: {self}"
            );
        }
    }
}

impl ResponseError for PageError {
    fn status_code(&self) -> StatusCode {
        self.status()
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        self.answer(String::new())
    }
}

/// The sign-in page, with the way back.
fn sign_in_path(wanted: &str) -> String {
    if wanted.is_empty() {
        return "/sign-in".to_owned();
    }
    let next: String = form_urlencoded::byte_serialize(wanted.as_bytes()).collect();
    format!("/sign-in?next={next}")
}

/// The middleware around every page: logs what failed and puts the request's number on it. An address
/// below a tenant that no route knows, or one that only takes forms, gets the page of what is not found.
pub async fn show<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let answer = next.call(request).await?;
    let id = RequestId::of(answer.request()).map_or_else(String::new, |id| id.to_string());
    let failed = answer
        .response()
        .error()
        .and_then(Error::as_error::<PageError>);
    let is_bare = matches!(
        answer.status(),
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED
    ) && matches!(
        answer.response().body().size(),
        BodySize::None | BodySize::Sized(0)
    );
    let page = match failed {
        Some(error) => {
            error.log();
            Some(error.answer(id))
        }
        None => is_bare.then(|| PageError::NotFound.answer(id)),
    };
    Ok(match page {
        Some(page) => answer.into_response(page),
        None => answer.map_into_boxed_body(),
    })
}
