//! Asking Zoho on behalf of a tenant, and what its answers mean.
//!
//! Only a new access token proves that the refresh token still works; one at hand outlives it.

use chrono::TimeDelta;
use secrecy::ExposeSecret as _;
use serde_json::Value;

use super::{Organisation, words};
use crate::app::keys::{CLIENT_SECRET, REFRESH_TOKEN};
use crate::app::{App, AppError};
use crate::domain::connection::Connection;
use crate::store::TenantStore;
use crate::zoho;
use crate::zoho::error::ZohoError;
use crate::zoho::message::Message;
use crate::zoho::oauth::ClientCredentials;
use crate::zoho::oauth_error::OAuthError;
use crate::zoho::region::{Endpoints, Region};
use crate::zoho::retry::Retry;
use crate::zoho::settings::BooksSettings;
use crate::zoho::tokens::Login;

/// Within this time after a check, the next one makes do with the access token at hand: Zoho gives
/// ten per ten minutes, and the workers need them too. (Zoho Accounts, *OAuth token limits*.)
const RECENT: TimeDelta = TimeDelta::minutes(2);

/// What a probe of the access found.
pub(in crate::app) enum Probe {
    Good(String),
    /// Only a person can mend it.
    Broken(String),
    /// Zoho could not be asked, which says nothing about the access.
    Unknown(String),
}

impl App {
    /// The Zoho connection, and what a call needs when access was granted.
    pub(in crate::app) async fn books_of(
        &self,
        store: &TenantStore,
    ) -> Result<(Connection, Option<Login>), AppError> {
        let connection = zoho(store).await?;
        let login = self.books_login(store, &connection).await?;
        Ok((connection, login))
    }

    /// Asks Zoho whether the access still works and reaches the organisation; changes nothing here.
    pub(in crate::app) async fn probe_books(
        &self,
        connection: &Connection,
        login: &Login,
    ) -> Probe {
        let is_recent = connection
            .checked_at
            .is_some_and(|at| self.now() - at < RECENT);
        let listed = match is_recent.then(|| self.list_organisations(login)) {
            // A young token that is refused: a refresh tells whether the whole access is gone.
            Some(listing) => match listing.await {
                Err(ZohoError::Unauthorised { .. }) => self.list_afresh(login).await,
                listed => listed,
            },
            None => self.list_afresh(login).await,
        };
        match listed {
            Ok(listed) => match find(&listed, &connection.account) {
                Some(organisation) => {
                    let settings = BooksSettings::of(&connection.settings);
                    Probe::Good(words(&organisation, &settings))
                }
                None => Probe::Broken(ZohoError::WrongOrganisation.sentence()),
            },
            Err(error) if is_lasting(&error) => Probe::Broken(error.sentence()),
            Err(error) => Probe::Unknown(later(&error)),
        }
    }

    pub(super) fn books_endpoints(&self, region: Region) -> Endpoints {
        Endpoints::new(region, self.parts.zoho_sandbox.as_ref())
    }

    pub(super) async fn needed_books(
        &self,
        store: &TenantStore,
    ) -> Result<(Connection, Login), AppError> {
        match self.books_of(store).await? {
            (connection, Some(login)) => Ok((connection, login)),
            (_, None) => Err(AppError::Conflict(
                "Zoho Books is not connected yet".to_owned(),
            )),
        }
    }

    pub(super) async fn books_login(
        &self,
        store: &TenantStore,
        connection: &Connection,
    ) -> Result<Option<Login>, AppError> {
        let secrets = self.secrets(store.tenant_id(), connection.id).await?;
        let secret = |name| {
            secrets
                .iter()
                .find(|(n, _)| n == name)
                .map(|(_, s)| s.clone())
        };
        let settings = BooksSettings::of(&connection.settings);
        let (Some(region), Some(client_secret), Some(refresh_token)) = (
            Region::from_location(&settings.region),
            secret(CLIENT_SECRET),
            secret(REFRESH_TOKEN),
        ) else {
            return Ok(None);
        };
        Ok(Some(Login {
            connection: connection.id,
            endpoints: self.books_endpoints(region),
            credentials: ClientCredentials {
                client_id: settings.client_id,
                client_secret,
            },
            refresh_token,
        }))
    }

    /// The connection as it is now, unless another access was put in while Zoho was asked: what Zoho
    /// said is then about something that is gone.
    pub(super) async fn unchanged_books(
        &self,
        store: &TenantStore,
        asked_with: &Login,
    ) -> Result<Connection, AppError> {
        let (connection, login) = self.books_of(store).await?;
        let asked_with = asked_with.refresh_token.expose_secret();
        match login {
            Some(login) if login.refresh_token.expose_secret() == asked_with => Ok(connection),
            _ => Err(AppError::Conflict(
                "Zoho Books was connected anew meanwhile; try again".to_owned(),
            )),
        }
    }

    pub(super) async fn list_organisations(
        &self,
        login: &Login,
    ) -> Result<Vec<Organisation>, ZohoError> {
        let tokens = &self.parts.zoho_tokens;
        let answered = tokens
            .call(login, |access| {
                let books = tokens.oauth().books(access, "");
                async move { books.organizations().await }
            })
            .await?;
        Ok(read_organisations(&answered.value))
    }

    /// The same with a new access token, which alone proves that the refresh token still works.
    async fn list_afresh(&self, login: &Login) -> Result<Vec<Organisation>, ZohoError> {
        let tokens = &self.parts.zoho_tokens;
        let access = tokens
            .oauth()
            .refresh(&login.endpoints, &login.credentials, &login.refresh_token)
            .await?;
        tokens.insert(login, access.clone()).await;
        let answered = tokens.oauth().books(access, "").organizations().await?;
        Ok(read_organisations(&answered.value))
    }

    /// Takes an access back at Zoho; whether Zoho confirmed it.
    pub(super) async fn revoke(&self, login: &Login) -> bool {
        let oauth = self.parts.zoho_tokens.oauth();
        match oauth.revoke(&login.endpoints, &login.refresh_token).await {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(connection.id = %login.connection, %error,
                    "Zoho could not be told to revoke our access");
                false
            }
        }
    }
}

/// The tenant's Zoho connection: made with the tenant, for its hook.
pub(super) async fn zoho(store: &TenantStore) -> Result<Connection, AppError> {
    let connection = store.connection(zoho::PROVIDER).await?;
    connection.ok_or(AppError::NotFound("connection"))
}

pub(super) fn find(listed: &[Organisation], id: &str) -> Option<Organisation> {
    listed.iter().find(|o| o.id == id.trim()).cloned()
}

/// Zoho's organisations; one without a usable id is left out. Ids are texts, in old answers numbers.
pub(super) fn read_organisations(listed: &[Value]) -> Vec<Organisation> {
    let id = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let is_id =
        |id: &String| (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric());
    listed
        .iter()
        .filter_map(|value| {
            let id = id(&value["organization_id"]).filter(is_id)?;
            let name = Message::new(value["name"].as_str().unwrap_or_default().trim());
            let name = match name.as_str() {
                "" => id.clone(),
                name => name.to_owned(),
            };
            Some(Organisation { id, name })
        })
        .collect()
}

/// Whether only a person can help.
pub(super) fn is_lasting(error: &ZohoError) -> bool {
    matches!(error.retry(), Retry::Never | Retry::FreshToken)
}

pub(super) fn not_listed(error: &ZohoError) -> AppError {
    AppError::Conflict(if is_lasting(error) {
        error.sentence()
    } else {
        later(error)
    })
}

/// A code that brought no grant, at the field which can mend it.
pub(super) fn not_exchanged(error: &OAuthError) -> AppError {
    let field = match error {
        OAuthError::CodeExpired => "code",
        OAuthError::WrongRegion(_) => "region",
        OAuthError::WrongSecret(_) => "client_secret",
        _ => return AppError::Conflict(consent_failed(error)),
    };
    AppError::field(field, error.sentence())
}

/// Why consent led nowhere, in words. Nobody tries again by itself here, so passing troubles have
/// other words than the adapter's.
pub(super) fn consent_failed(error: &OAuthError) -> String {
    if error.needs_person() {
        error.sentence()
    } else {
        later(&ZohoError::Token(error.clone()))
    }
}

fn later(error: &ZohoError) -> String {
    let when = match error.retry() {
        Retry::After(pause) if pause.as_secs() > 60 => {
            format!("in {} minutes", pause.as_secs().div_ceil(60))
        }
        Retry::Tomorrow => "tomorrow".to_owned(),
        _ => "in a minute".to_owned(),
    };
    format!("Zoho Books could not be asked: {error}. Try again {when}")
}
