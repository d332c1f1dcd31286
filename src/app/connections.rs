//! Connections: entering credentials, checking them, rotating the hook's secret.

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret as _, SecretString};

use super::keys::HOOK_SECRET;
use super::twilio_trial::Trial;
use super::{App, AppError, FieldProblem};
use crate::crypto::token;
use crate::domain::actor::Actor;
use crate::domain::connection::{Connection, ConnectionState, Provider, Settings};
use crate::domain::delivery::Hold;
use crate::domain::ids::{ConnectionId, TenantId};
use crate::domain::phone::to_e164;
use crate::domain::rule::Sender;
use crate::store::TenantStore;
use crate::twilio::credentials::{
    Account, AccountSid, ApiKeySid, MessagingServiceSid, parse_secret,
};
use crate::twilio::transport::{API_KEY_SECRET, AUTH_TOKEN, logins};
use crate::zoho::secret::WebhookSecret;

/// How long a replaced hook secret stays valid.
const ROTATION: TimeDelta = TimeDelta::hours(24);

/// What is typed to connect Twilio. Blank secrets keep the stored ones while the SIDs stay the same.
#[derive(Debug, Clone, Default)]
pub struct TwilioInput {
    pub account_sid: String,
    pub auth_token: Option<SecretString>,
    pub api_key_sid: String,
    pub api_key_secret: Option<SecretString>,
    pub from: String,
    pub messaging_service_sid: String,
    /// Kept without Twilio's word, where Twilio cannot be asked; never where it refuses.
    pub save_anyway: bool,
}

/// The hook as a page shows it.
#[derive(Debug, Clone)]
pub struct HookDetails {
    pub connection: ConnectionId,
    /// The whole web address, without an event type.
    pub url: String,
    /// How many secrets are valid: two during a rotation.
    pub valid_secrets: usize,
    /// When the older one ends.
    pub old_until: Option<DateTime<Utc>>,
}

impl App {
    /// The tenant's connection to a provider, if it was made.
    pub async fn connection(
        &self,
        tenant: TenantId,
        provider: Provider,
    ) -> Result<Option<Connection>, AppError> {
        Ok(self.tenant(tenant).connection(provider).await?)
    }

    /// Connects Twilio, or changes the connection; what waited for it is released. Twilio is asked
    /// first: what it refuses is not kept, and what it could not be asked about only where that is
    /// wished ([`AppError::Untried`]).
    pub async fn connect_twilio(
        &self,
        tenant: TenantId,
        input: TwilioInput,
        actor: &Actor,
    ) -> Result<Connection, AppError> {
        let store = self.tenant(tenant);
        let old = store.connection(Provider::Twilio).await?;
        let row = store.tenant().await?.ok_or(AppError::NotFound("tenant"))?;
        let country = crate::domain::phone::CountryCode::parse(&row.country).ok();
        let kept = match &old {
            Some(old) => self.secrets(tenant, old.id).await?,
            None => Vec::new(),
        };
        let typed = TypedTwilio::read(&input, old.as_ref(), &kept, country)?;
        let sender = default_sender(&typed.settings);
        let trial = self.try_twilio(&typed.logins(&kept), sender.as_ref()).await;
        let now = self.now();
        let (accepted_at, checked) = match trial {
            Trial::Good(words) => (Some(now), words),
            Trial::Refused(problem) | Trial::NotTheirs(problem) => {
                return Err(AppError::Invalid(vec![problem]));
            }
            Trial::Unasked(_) if input.save_anyway => (None, String::new()),
            Trial::Unasked(why) => return Err(AppError::Untried(why)),
        };
        let mut secrets = Vec::new();
        for (name, secret) in &typed.new_secrets {
            secrets.push(self.seal(tenant, name, secret)?);
        }
        let connection = Connection {
            id: old
                .as_ref()
                .map_or_else(|| ConnectionId::new(now), |c| c.id),
            tenant,
            provider: Provider::Twilio,
            account: typed.account_sid.to_string(),
            state: ConnectionState::Ready,
            reason: String::new(),
            settings: typed.settings,
            paused_until: None,
            checked_at: accepted_at,
            checked,
            // Kept only where the credentials change.
            login: ConnectionId::new(now).uuid(),
            accepted_at,
        };
        let save = crate::store::SaveConnection {
            connection: connection.clone(),
            secrets,
            removed: typed.removed,
            hook_token: token::hook(),
            over: old.map(|old| old.login),
            actor: actor.clone(),
            now,
        };
        if !store.save_connection(save).await? {
            return Err(AppError::Conflict(
                "Twilio was connected anew meanwhile; look at it and try again".to_owned(),
            ));
        }
        self.parts.brakes.release(connection.id.uuid()).await;
        let holds = vec![Hold::NoConnection, Hold::Broken];
        self.release(
            tenant,
            holds,
            &format!("Released: Twilio was connected by {actor}"),
        )
        .await?;
        Ok(connection)
    }

    /// Tries the Twilio credential without sending anything; what it says, in words.
    pub async fn check_twilio(&self, tenant: TenantId) -> Result<CheckResult, AppError> {
        let store = self.tenant(tenant);
        let Some((connection, account)) = self.twilio_account(&store).await? else {
            return Err(AppError::Conflict("Twilio is not connected yet".to_owned()));
        };
        let secrets = self.secrets(tenant, connection.id).await?;
        let settings = &connection.settings;
        let logins: Vec<Account> =
            logins(&account.account_sid, &settings.api_key_sid, &secrets).collect();
        let sender = default_sender(settings);
        let trial = self.try_twilio(&logins, sender.as_ref()).await;
        let (is_accepted, result) = match trial {
            Trial::Good(says) => (
                true,
                CheckResult {
                    is_good: true,
                    says,
                },
            ),
            // The account is good, and rules may have senders of their own.
            Trial::NotTheirs(problem) => (true, CheckResult::bad(&problem)),
            Trial::Refused(problem) => (false, CheckResult::bad(&problem)),
            Trial::Unasked(why) => {
                return Err(AppError::Conflict(format!("{why}. Try again in a minute")));
            }
        };
        if !self.is_current(&store, &connection).await? {
            return Err(AppError::Conflict(
                "Twilio was connected anew meanwhile; try again".to_owned(),
            ));
        }
        let (state, reason) = if is_accepted {
            (ConnectionState::Ready, String::new())
        } else {
            (ConnectionState::Broken, result.says.clone())
        };
        let checked = Some(result.says.clone());
        store
            .set_connection_state(connection.id, state, reason, checked, self.now())
            .await?;
        if is_accepted {
            self.accept(&store, &connection).await?;
            let sentence = "Released: Twilio accepts the credentials again";
            self.release(tenant, vec![Hold::Broken], sentence).await?;
        } else {
            self.tell_trouble(tenant).await;
        }
        Ok(result)
    }

    /// The hook of the tenant's Zoho connection.
    pub async fn hook_details(&self, tenant: TenantId) -> Result<HookDetails, AppError> {
        let store = self.tenant(tenant);
        let connection = store
            .connection(Provider::Zoho)
            .await?
            .ok_or(AppError::NotFound("connection"))?;
        let token = store
            .hook_token(connection.id)
            .await?
            .ok_or(AppError::NotFound("hook"))?;
        let secrets = store.secrets(connection.id, self.now()).await?;
        let secrets: Vec<_> = secrets.iter().filter(|s| s.name == HOOK_SECRET).collect();
        Ok(HookDetails {
            connection: connection.id,
            url: self.hook_url(&token),
            valid_secrets: secrets.len(),
            old_until: secrets.iter().find_map(|s| s.expires_at),
        })
    }

    /// Makes a new hook secret, shown this once; the old one stays valid for a day.
    pub async fn rotate_hook_secret(
        &self,
        tenant: TenantId,
        actor: &Actor,
    ) -> Result<SecretString, AppError> {
        let store = self.tenant(tenant);
        let connection = store
            .connection(Provider::Zoho)
            .await?
            .ok_or(AppError::NotFound("connection"))?;
        let secret = SecretString::from(WebhookSecret::generate().expose().to_owned());
        let sealed = self.seal(tenant, HOOK_SECRET, &secret)?;
        let now = self.now();
        let until = now + ROTATION;
        store
            .rotate_secret(connection.id, sealed, until, actor.clone(), now)
            .await?;
        self.forget_hooks();
        Ok(secret)
    }

    /// Where Twilio is to post what recipients write, once it is connected.
    pub async fn inbound_url(&self, tenant: TenantId) -> Result<Option<String>, AppError> {
        let store = self.tenant(tenant);
        let Some(connection) = store.connection(Provider::Twilio).await? else {
            return Ok(None);
        };
        let token = store.hook_token(connection.id).await?;
        let path = token.map(|token| format!("/hooks/twilio/{token}/inbound"));
        Ok(path.map(|path| self.public_url().join(&path)))
    }

    /// The whole web address of a hook.
    pub fn hook_url(&self, token: &str) -> String {
        self.public_url().join(&format!("/hooks/zoho/{token}"))
    }

    /// The tenant's Twilio connection, with what signs in to its account.
    pub(super) async fn twilio_account(
        &self,
        store: &TenantStore,
    ) -> Result<Option<(Connection, Account)>, AppError> {
        let Some(connection) = store.connection(Provider::Twilio).await? else {
            return Ok(None);
        };
        let Ok(account_sid) = AccountSid::parse(&connection.account) else {
            return Ok(None);
        };
        let secrets = self.secrets(store.tenant_id(), connection.id).await?;
        let account = logins(&account_sid, &connection.settings.api_key_sid, &secrets).next();
        Ok(account.map(|account| (connection, account)))
    }
}

/// What a check said.
#[derive(Debug, Clone)]
pub struct CheckResult {
    pub is_good: bool,
    pub says: String,
}

impl CheckResult {
    fn bad(problem: &FieldProblem) -> Self {
        let mut letters = problem.message.chars();
        let first = letters.next().map(char::to_uppercase);
        let says = first.into_iter().flatten().chain(letters).chain(['.']);
        Self {
            is_good: false,
            says: says.collect(),
        }
    }
}

fn default_sender(settings: &Settings) -> Option<Sender> {
    if !settings.messaging_service_sid.is_empty() {
        Some(Sender::MessagingService(
            settings.messaging_service_sid.clone(),
        ))
    } else if !settings.from.is_empty() {
        Some(Sender::From(settings.from.clone()))
    } else {
        None
    }
}

/// Input that was understood.
struct TypedTwilio {
    account_sid: AccountSid,
    settings: Settings,
    new_secrets: Vec<(&'static str, SecretString)>,
    removed: Vec<&'static str>,
}

impl TypedTwilio {
    /// The ways to sign in with what was typed, and with what is kept of the secrets before.
    fn logins(&self, kept: &[(String, SecretString)]) -> Vec<Account> {
        let typed = self
            .new_secrets
            .iter()
            .map(|(name, secret)| (*name, secret));
        let kept = kept.iter().map(|(name, secret)| (name.as_str(), secret));
        let kept = kept.filter(|(name, _)| !self.removed.contains(name));
        let secrets = typed
            .chain(kept)
            .map(|(name, secret)| (name.to_owned(), secret.clone()));
        let secrets: Vec<_> = secrets.collect();
        logins(&self.account_sid, &self.settings.api_key_sid, &secrets).collect()
    }

    fn read(
        input: &TwilioInput,
        old: Option<&Connection>,
        kept: &[(String, SecretString)],
        country: Option<crate::domain::phone::CountryCode>,
    ) -> Result<Self, AppError> {
        let mut problems = Vec::new();
        let account_sid = AccountSid::parse(&input.account_sid)
            .map_err(|e| problems.push(FieldProblem::new("account_sid", e.to_string())))
            .ok();
        let is_same_account = old.is_some_and(|o| {
            account_sid
                .as_ref()
                .is_some_and(|a| a.as_str() == o.account)
        });
        let mut new_secrets = Vec::new();
        let mut removed = Vec::new();
        let mut take = |field: &'static str, typed: &Option<SecretString>, is_same: bool| {
            let typed = typed
                .as_ref()
                .filter(|s| !s.expose_secret().trim().is_empty());
            match typed.map(|s| parse_secret(s.expose_secret())) {
                Some(Ok(secret)) => {
                    new_secrets.push((field, secret));
                    Ok(true)
                }
                Some(Err(error)) => Err(FieldProblem::new(field, error.to_string())),
                None if is_same && kept.iter().any(|(name, _)| name == field) => Ok(true),
                None => {
                    removed.push(field);
                    Ok(false)
                }
            }
        };
        let has_token = take(AUTH_TOKEN, &input.auth_token, is_same_account);
        let key = input.api_key_sid.trim();
        let is_same_key = is_same_account && old.is_some_and(|o| o.settings.api_key_sid == key);
        let has_key_secret = take(
            API_KEY_SECRET,
            &input.api_key_secret,
            is_same_key && !key.is_empty(),
        );
        let mut has = |result: Result<bool, FieldProblem>| match result {
            Ok(has) => Some(has),
            Err(problem) => {
                problems.push(problem);
                None
            }
        };
        let (has_token, has_key_secret) = (has(has_token), has(has_key_secret));
        if key.is_empty() && has_token == Some(false) {
            let message = "type the Auth Token, or an API key with its secret";
            problems.push(FieldProblem::new(AUTH_TOKEN, message));
        }
        if !key.is_empty() {
            if let Err(error) = ApiKeySid::parse(key) {
                problems.push(FieldProblem::new("api_key_sid", error.to_string()));
            }
            if has_key_secret == Some(false) {
                problems.push(FieldProblem::new(
                    API_KEY_SECRET,
                    "type the secret of the API key",
                ));
            }
        }
        let from = sender_from(&input.from, country)
            .map_err(|message| problems.push(FieldProblem::new("from", message)))
            .unwrap_or_default();
        let service = input.messaging_service_sid.trim();
        if !service.is_empty()
            && let Err(error) = MessagingServiceSid::parse(service)
        {
            problems.push(FieldProblem::new(
                "messaging_service_sid",
                error.to_string(),
            ));
        }
        if from.is_empty() && service.is_empty() && problems.is_empty() {
            let message = "type the number to send from, or choose a Messaging Service";
            problems.push(FieldProblem::new("from", message));
        }
        match account_sid {
            Some(account_sid) if problems.is_empty() => Ok(Self {
                account_sid,
                settings: Settings {
                    api_key_sid: key.to_owned(),
                    from,
                    messaging_service_sid: service.to_owned(),
                    ..Settings::default()
                },
                new_secrets,
                removed,
            }),
            _ => Err(AppError::Invalid(problems)),
        }
    }
}

/// A number of the account, a short code, or an alphanumeric sender of at most 11 characters.
fn sender_from(
    text: &str,
    country: Option<crate::domain::phone::CountryCode>,
) -> Result<String, String> {
    let text = text.trim();
    let letters = text.chars().any(|c| c.is_ascii_alphabetic());
    let allowed = |c: char| c.is_ascii_alphanumeric() || " -+_&".contains(c);
    if text.is_empty() || (5..=6).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
    {
        return Ok(text.to_owned());
    }
    if letters {
        return if text.len() <= 11 && text.chars().all(allowed) {
            Ok(text.to_owned())
        } else {
            Err("a sender name has at most 11 letters, digits and spaces".to_owned())
        };
    }
    to_e164(text, country)
        .map(|n| n.to_string())
        .map_err(|e| e.to_string())
}
