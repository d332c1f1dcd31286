//! Connecting Zoho Books' API: reading access for one organisation.
//!
//! The tenant's Zoho connection also owns the webhook's address and secret. Those are never touched
//! here, and intake never asks how the API stands: a broken access does not stop a webhook.

mod access;
pub mod consent;

use std::fmt;

pub use crate::zoho::oauth::SCOPES;
pub use crate::zoho::region::Region;
pub use crate::zoho::settings::BooksSettings;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};

pub(in crate::app) use crate::app::connections::zoho_connection::access::Probe;

use crate::app::connections::CheckResult;
use crate::app::connections::zoho_connection::access::{
    find, is_lasting, not_exchanged, not_listed, read_organisations, zoho,
};
use crate::app::keys::{CLIENT_SECRET, REFRESH_TOKEN};
use crate::app::{App, AppError, FieldProblem};
use crate::crypto::token;
use crate::domain::actor::Actor;
use crate::domain::connection::{Connection, ConnectionState, Settings};
use crate::domain::ids::TenantId;
use crate::store::{SaveConnection, StoredSecret, TenantStore};
use crate::zoho::oauth::{ClientCredentials, Grant};
use crate::zoho::tokens::Login;

/// The most characters of a client's id, secret or code.
const LONGEST: usize = 255;

/// What is typed to connect through a self client. A blank secret keeps the stored one while data
/// centre and client stay the same.
#[derive(Debug, Clone)]
pub struct BooksInput {
    /// The data centre's `location`: `us`, `eu` …
    pub region: String,
    pub client_id: String,
    pub client_secret: Option<SecretString>,
    /// The code from Zoho's API console; it lives a few minutes.
    pub code: SecretString,
    /// The organisation wished for, when it is known already.
    pub organization_id: Option<String>,
}

/// An organisation of the connected Zoho user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organisation {
    pub id: String,
    pub name: String,
}

/// How connecting ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BooksConnected {
    /// Ready to be used.
    Ready(Organisation),
    /// The grant is kept, sealed; a person chooses one of these.
    Choose(Vec<Organisation>),
}

/// A registered client at a data centre.
#[derive(Debug, Clone)]
pub(in crate::app) struct BooksClient {
    pub(in crate::app) region: Region,
    pub(in crate::app) credentials: ClientCredentials,
}

impl App {
    /// Connects with a self client's code. The first organisation that fits is taken: the one wished
    /// for, the one connected before, the only one; else a person chooses.
    pub async fn connect_books_self_client(
        &self,
        tenant: TenantId,
        input: BooksInput,
        actor: &Actor,
    ) -> Result<BooksConnected, AppError> {
        let mut problems = Vec::new();
        let secret = input.client_secret.as_ref();
        let client = self
            .read_client(
                tenant,
                &input.region,
                &input.client_id,
                secret,
                &mut problems,
            )
            .await?;
        let code = plain(input.code.expose_secret());
        if code.is_none() {
            let message = "paste the code that Zoho's API console generated";
            problems.push(FieldProblem::new("code", message));
        }
        let (Some(client), Some(code), true) = (client, code, problems.is_empty()) else {
            return Err(AppError::Invalid(problems));
        };
        let endpoints = self.books_endpoints(client.region);
        let oauth = self.parts.zoho_tokens.oauth();
        // A self client's code was made without a redirect, and is exchanged without one.
        let grant = oauth
            .exchange(&endpoints, &client.credentials, &code.into(), None)
            .await
            .map_err(|error| not_exchanged(&error))?;
        self.adopt_grant(tenant, client, grant, input.organization_id, actor)
            .await
    }

    /// The organisations that the connected user may see.
    pub async fn books_organisations(
        &self,
        tenant: TenantId,
    ) -> Result<Vec<Organisation>, AppError> {
        let (_, login) = self.needed_books(&self.tenant(tenant)).await?;
        self.list_organisations(&login)
            .await
            .map_err(|e| not_listed(&e))
    }

    /// Takes one of the connected user's organisations; also changes a choice made earlier.
    pub async fn choose_organisation(
        &self,
        tenant: TenantId,
        organization_id: &str,
        actor: &Actor,
    ) -> Result<Organisation, AppError> {
        let store = self.tenant(tenant);
        let (_, login) = self.needed_books(&store).await?;
        let listed = self
            .list_organisations(&login)
            .await
            .map_err(|e| not_listed(&e))?;
        let chosen = find(&listed, organization_id).ok_or_else(|| {
            AppError::field(
                "organization",
                "the user who connected Zoho Books does not belong to this organisation",
            )
        })?;
        let connection = self.unchanged_books(&store, &login).await?;
        let settings = BooksSettings::of(&connection.settings);
        let changed = ready(&connection, settings, &chosen, self.now());
        self.save_books(&store, changed, Vec::new(), Vec::new(), actor)
            .await?;
        Ok(chosen)
    }

    /// Tries the access: a fresh token, then the organisation chosen. What it says, in words.
    ///
    /// A broken access marks the connection for pages and reminders only. Webhooks are taken and
    /// routed as before: they need the hook's secret, not this.
    pub async fn check_books(&self, tenant: TenantId) -> Result<CheckResult, AppError> {
        let store = self.tenant(tenant);
        let (connection, login) = self.needed_books(&store).await?;
        if connection.account.is_empty() {
            return Err(AppError::Conflict(
                "Choose the organisation of Zoho Books first".to_owned(),
            ));
        }
        let (state, result) = match self.probe_books(&connection, &login).await {
            Probe::Good(says) => (
                ConnectionState::Ready,
                CheckResult {
                    is_good: true,
                    says,
                },
            ),
            Probe::Broken(says) => (
                ConnectionState::Broken,
                CheckResult {
                    is_good: false,
                    says,
                },
            ),
            Probe::Unknown(says) => return Err(AppError::Conflict(says)),
        };
        let connection = self.unchanged_books(&store, &login).await?;
        let reason = if result.is_good {
            String::new()
        } else {
            result.says.clone()
        };
        let checked = Some(result.says.clone());
        store
            .set_connection_state(connection.id, state, reason, checked, self.now())
            .await?;
        if !result.is_good {
            self.tell_trouble(tenant).await;
        }
        Ok(result)
    }

    /// Forgets the access and takes it back at Zoho; the hook stays as it is. Not good when Zoho
    /// could not be told.
    pub async fn disconnect_books(
        &self,
        tenant: TenantId,
        actor: &Actor,
    ) -> Result<CheckResult, AppError> {
        let store = self.tenant(tenant);
        let connection = zoho(&store).await?;
        // What no longer opens (another master key) cannot be revoked, but can be forgotten.
        let login = self.books_login(&store, &connection).await.unwrap_or(None);
        let id = connection.id;
        let settings = BooksSettings {
            organisation: String::new(),
            missing_scopes: Vec::new(),
            ..BooksSettings::of(&connection.settings)
        };
        let forgotten = Connection {
            account: String::new(),
            state: ConnectionState::New,
            reason: String::new(),
            checked_at: None,
            checked: String::new(),
            settings: Settings::of(&settings),
            ..connection
        };
        let removed = vec![CLIENT_SECRET, REFRESH_TOKEN];
        self.save_books(&store, forgotten, Vec::new(), removed, actor)
            .await?;
        self.parts.zoho_tokens.forget(id);
        let is_good = match login {
            Some(login) => self.revoke(&login).await,
            None => true,
        };
        let says = if is_good {
            "Zoho Books is disconnected. Webhooks go on as before."
        } else {
            "Our access is forgotten here, but Zoho could not be told. Remove it at Zoho too: My \
             Account, Sessions, Connected Apps."
        };
        Ok(CheckResult {
            is_good,
            says: says.to_owned(),
        })
    }

    /// The access that is to be given back when its tenant goes, if there is one that opens.
    pub(in crate::app) async fn books_to_give_back(&self, tenant: TenantId) -> Option<Login> {
        let store = self.tenant(tenant);
        let connection = zoho(&store).await.ok()?;
        self.books_login(&store, &connection).await.ok().flatten()
    }

    /// Takes an access back at Zoho whose tenant is gone; whether Zoho confirmed it.
    pub(in crate::app) async fn give_back_books(&self, login: &Login) -> bool {
        self.parts.zoho_tokens.forget(login.connection);
        self.revoke(login).await
    }

    /// Reads data centre and client, adding a problem for each field that must be changed.
    pub(in crate::app) async fn read_client(
        &self,
        tenant: TenantId,
        region: &str,
        client_id: &str,
        client_secret: Option<&SecretString>,
        problems: &mut Vec<FieldProblem>,
    ) -> Result<Option<BooksClient>, AppError> {
        let store = self.tenant(tenant);
        let old = zoho(&store).await?;
        let mut refuse = |field, message| problems.push(FieldProblem::new(field, message));
        let region = Region::from_location(region.trim());
        if region.is_none() {
            refuse("region", "choose the data centre of your organisation");
        }
        let client_id = plain(client_id);
        if client_id.is_none() {
            refuse("client_id", "paste the client ID from Zoho's API console");
        }
        let typed = client_secret
            .map(ExposeSecret::expose_secret)
            .filter(|secret| !secret.trim().is_empty());
        let before = BooksSettings::of(&old.settings);
        let is_same = region.is_some_and(|r| r.location() == before.region)
            && client_id.is_some_and(|id| id == before.client_id);
        let client_secret = match typed {
            Some(typed) => plain(typed).map(SecretString::from),
            None if is_same => self.books_secret(tenant, &old, CLIENT_SECRET).await?,
            None => None,
        };
        if client_secret.is_none() {
            let message = "paste the client secret from Zoho's API console";
            refuse("client_secret", message);
        }
        Ok(match (region, client_id, client_secret) {
            (Some(region), Some(client_id), Some(client_secret)) => Some(BooksClient {
                region,
                credentials: ClientCredentials {
                    client_id: client_id.to_owned(),
                    client_secret,
                },
            }),
            _ => None,
        })
    }

    /// Keeps a new grant and settles which organisation it is for. What was connected before stays
    /// unless the new grant is of use.
    pub(in crate::app) async fn adopt_grant(
        &self,
        tenant: TenantId,
        client: BooksClient,
        grant: Grant,
        wished: Option<String>,
        actor: &Actor,
    ) -> Result<BooksConnected, AppError> {
        let store = self.tenant(tenant);
        let old = zoho(&store).await?;
        let login = Login {
            connection: old.id,
            endpoints: self.books_endpoints(client.region),
            credentials: client.credentials,
            refresh_token: grant.refresh_token,
        };
        let oauth = self.parts.zoho_tokens.oauth();
        let books = oauth.books(grant.access.clone(), "");
        let listed = match books.organizations().await {
            Ok(answered) => Ok(read_organisations(&answered.value)),
            // The code is used up, but the grant is good: a person chooses in a minute.
            Err(error) if !is_lasting(&error) => Err(error),
            Err(error) => {
                self.revoke(&login).await;
                return Err(AppError::Conflict(error.sentence()));
            }
        };
        if listed.as_ref().is_ok_and(Vec::is_empty) {
            self.revoke(&login).await;
            return Err(AppError::Conflict(format!(
                "This Zoho user belongs to no organisation of Zoho Books in the data centre {}. \
                 Nothing was connected",
                login.endpoints.region(),
            )));
        }
        let known = listed.as_deref().unwrap_or_default();
        let chosen = match wished.filter(|id| !id.trim().is_empty()) {
            Some(wished) => find(known, &wished),
            None => find(known, &old.account).or(match known {
                [only] => Some(only.clone()),
                _ => None,
            }),
        };
        let settings = BooksSettings {
            region: login.endpoints.region().location().to_owned(),
            client_id: login.credentials.client_id.clone(),
            organisation: String::new(),
            missing_scopes: grant
                .missing_scopes
                .into_iter()
                .map(str::to_owned)
                .collect(),
        };
        let secrets = vec![
            self.seal(tenant, CLIENT_SECRET, &login.credentials.client_secret)?,
            self.seal(tenant, REFRESH_TOKEN, &login.refresh_token)?,
        ];
        let before = self.books_login(&store, &old).await.unwrap_or(None);
        let connection = match &chosen {
            Some(chosen) => ready(&old, settings, chosen, self.now()),
            None => Connection {
                account: String::new(),
                state: ConnectionState::New,
                reason: "Choose the organisation of Zoho Books".to_owned(),
                checked_at: None,
                checked: String::new(),
                settings: Settings::of(&settings),
                ..old
            },
        };
        self.save_books(&store, connection, secrets, Vec::new(), actor)
            .await?;
        self.parts.zoho_tokens.insert(&login, grant.access).await;
        // Zoho lets a user have 20 refresh tokens and then silently ends the oldest.
        let is_other = |before: &Login| {
            before.refresh_token.expose_secret() != login.refresh_token.expose_secret()
        };
        if let Some(before) = before.filter(is_other) {
            self.revoke(&before).await;
        }
        match (chosen, listed) {
            (Some(chosen), _) => Ok(BooksConnected::Ready(chosen)),
            (None, Ok(listed)) => Ok(BooksConnected::Choose(listed)),
            (None, Err(error)) => Err(AppError::Conflict(format!(
                "Zoho gave us access, but its organisations could not be listed: {error}. Choose \
                 the organisation in a minute"
            ))),
        }
    }

    async fn books_secret(
        &self,
        tenant: TenantId,
        connection: &Connection,
        name: &str,
    ) -> Result<Option<SecretString>, AppError> {
        let secrets = self.secrets(tenant, connection.id).await?;
        Ok(secrets.into_iter().find(|(n, _)| n == name).map(|(_, s)| s))
    }

    async fn save_books(
        &self,
        store: &TenantStore,
        connection: Connection,
        secrets: Vec<StoredSecret>,
        removed: Vec<&'static str>,
        actor: &Actor,
    ) -> Result<(), AppError> {
        let over = Some(connection.login);
        let save = SaveConnection {
            connection,
            secrets,
            removed,
            hook_token: token::hook(),
            senders: Vec::new(),
            over,
            actor: actor.clone(),
            now: self.now(),
        };
        if store.save_connection(save).await? {
            Ok(())
        } else {
            let why = "Zoho Books was connected anew meanwhile; look at it and try again";
            Err(AppError::Conflict(why.to_owned()))
        }
    }
}

impl fmt::Display for Organisation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "“{}”", self.name)
    }
}

fn ready(
    old: &Connection,
    settings: BooksSettings,
    chosen: &Organisation,
    now: DateTime<Utc>,
) -> Connection {
    let settings = BooksSettings {
        organisation: chosen.name.clone(),
        ..settings
    };
    Connection {
        account: chosen.id.clone(),
        state: ConnectionState::Ready,
        reason: String::new(),
        checked_at: Some(now),
        checked: words(chosen, &settings),
        settings: Settings::of(&settings),
        ..old.clone()
    }
}

/// What a good check says.
fn words(organisation: &Organisation, settings: &BooksSettings) -> String {
    let mut says = format!("Zoho Books lets us read the organisation {organisation}.");
    if !settings.missing_scopes.is_empty() {
        let missing = settings.missing_scopes.join(", ");
        says = format!("{says} Not granted: {missing}.");
    }
    says
}

/// Pasted text without the blanks around it; `None` when nothing usable is left.
fn plain(text: &str) -> Option<&str> {
    let text = text.trim();
    let is_plain =
        (1..=LONGEST).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    is_plain.then_some(text)
}

#[cfg(test)]
pub(in crate::app) mod tests;
