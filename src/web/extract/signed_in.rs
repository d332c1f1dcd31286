//! Who is signed in; everybody else is sent to the sign-in page.

use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::{Method, StatusCode};
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use askama::Template;
use secrecy::{ExposeSecret as _, SecretString};

use super::csrf_form::Extracting;
use crate::app::accounts::Session;
use crate::app::{App, AppError};
use crate::domain::actor::Actor;
use crate::web::areas::cookies;
use crate::web::areas::error::PageError;
use crate::web::areas::flash::Told;
use crate::web::chrome::{AccountChrome, Place};
use crate::web::extract::client_addr::ClientAddr;
use crate::web::on_main;

/// Somebody with a live session.
#[derive(Clone)]
pub struct SignedIn {
    pub app: Data<App>,
    pub session: Arc<Session>,
    /// The cookie's text, to end the session with.
    pub token: SecretString,
}

impl SignedIn {
    /// Whoever is signed in, if anybody is.
    pub async fn find(request: &HttpRequest) -> Result<Option<Self>, PageError> {
        let app = app_of(request)?;
        let Some(token) = cookies::token(request, cookies::SESSION) else {
            return Ok(None);
        };
        let shown = token.clone();
        let session = on_main(&app, |app| async move {
            app.session(shown.expose_secret()).await
        });
        Ok(session.await?.map(|session| Self {
            app: app.clone(),
            session: Arc::new(session),
            token,
        }))
    }

    /// Whoever is signed in; else an error that leads to the sign-in page and, after a `GET`, back.
    pub async fn of(request: &HttpRequest) -> Result<Self, PageError> {
        let wanted = if request.method() == Method::GET {
            request.uri().path_and_query().map_or("", |p| p.as_str())
        } else {
            ""
        };
        let found = Self::find(request).await?;
        found.ok_or_else(|| PageError::SignIn(wanted.to_owned()))
    }

    /// Asks the app.
    pub async fn ask<T, F, Fut>(&self, work: F) -> Result<T, PageError>
    where
        T: Send + 'static,
        F: FnOnce(App) -> Fut,
        Fut: Future<Output = Result<T, AppError>> + Send + 'static,
    {
        Ok(on_main(&self.app, work).await?)
    }

    /// Who acts, as histories will name them.
    pub fn actor(&self, request: &HttpRequest) -> Actor {
        Actor::named(&self.session.user.email).at(ClientAddr::of(request))
    }

    /// What every page outside a tenant needs.
    pub fn chrome(&self, request: &HttpRequest, section: Place) -> AccountChrome {
        let user = &self.session.user;
        AccountChrome {
            user_name: user.name.clone(),
            email: user.email.clone(),
            is_operator: user.is_operator,
            csrf: self.session.csrf.clone(),
            section,
            flash: Told::of(request).map(Told::flash),
            is_sandboxed: self.app.is_sandboxed(),
            providers: self.app.providers(),
            now: self.app.now(),
        }
    }

    /// The page; what the last action did is told once.
    pub fn page(
        &self,
        request: &HttpRequest,
        status: StatusCode,
        page: &impl Template,
    ) -> Result<HttpResponse, PageError> {
        let mut answer = HttpResponse::build(status);
        if cookies::value(request, cookies::FLASH).is_some() {
            answer.cookie(cookies::end(cookies::FLASH, self.app.public_url()));
        }
        Ok(answer
            .content_type("text/html; charset=utf-8")
            .body(page.render()?))
    }
}

impl FromRequest for SignedIn {
    type Error = PageError;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move { Self::of(&request).await })
    }
}

/// The app that serves this request.
pub fn app_of(request: &HttpRequest) -> Result<Data<App>, PageError> {
    request.app_data::<Data<App>>().cloned().ok_or_else(|| {
        tracing::error!("The server was started without its app");
        PageError::App(crate::app::AppError::Busy)
    })
}
