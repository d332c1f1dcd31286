//! Connections to providers of messages: made, changed and checked, whichever provider it is.

use chrono::TimeDelta;

use crate::app::{App, AppError, FieldProblem};
use crate::crypto::token;
use crate::domain::actor::Actor;
use crate::domain::connection::{Connection, ConnectionState, Pauses, Provider};
use crate::domain::delivery::{Channel, Hold};
use crate::domain::ids::{ConnectionId, TenantId};
use crate::domain::phone::CountryCode;
use crate::domain::rule::Sender;
use crate::store::{EnteredSenders, SaveConnection};
use crate::transport::{Before, Login, Problem, ProviderKind, Secrets, Trial, Typed};

/// What a check said.
#[derive(Debug, Clone)]
pub struct CheckResult {
    pub is_good: bool,
    pub says: String,
}

impl App {
    /// Connects a provider, or changes the connection; what waited for it is released. The provider is
    /// asked first: what it refuses is not kept, and what it could not be asked about only where
    /// `save_anyway` says so ([`AppError::Untried`]).
    pub async fn connect(
        &self,
        tenant: TenantId,
        provider: Provider,
        (typed, save_anyway): (&Typed, bool),
        actor: &Actor,
    ) -> Result<Connection, AppError> {
        let kind = self.provider_kind(provider)?;
        let name = kind.words().name;
        let store = self.tenant(tenant);
        let old = store.connection(provider).await?;
        let row = store.tenant().await?.ok_or(AppError::NotFound("tenant"))?;
        let kept = match &old {
            Some(old) => self.secrets(tenant, old.id).await?,
            None => Vec::new(),
        };
        let before = Before {
            connection: old.as_ref(),
            secrets: &kept,
            country: CountryCode::parse(&row.country).ok(),
        };
        let set_up = kind.read_set_up(typed, &before).map_err(invalid)?;
        let login = Login {
            account: &set_up.account,
            settings: &set_up.settings,
            secrets: &set_up.secrets_over(&kept),
        };
        let trial = kind.try_out(&login).await;
        let now = self.now();
        let (accepted_at, checked) = match trial {
            Trial::Good(words) => (Some(now), words),
            Trial::Refused(problem) | Trial::NotTheirs(problem) => {
                return Err(invalid(vec![problem]));
            }
            Trial::Unasked(_) if save_anyway => (None, String::new()),
            Trial::Unasked(why) => return Err(AppError::Untried(kind.words(), why)),
        };
        let mut secrets = Vec::new();
        for (name, secret) in &set_up.secrets {
            secrets.push(self.seal(tenant, name, secret)?);
        }
        let connection = Connection {
            id: old
                .as_ref()
                .map_or_else(|| ConnectionId::new(now), |c| c.id),
            tenant,
            provider,
            channels: self.parts.transports.channels(provider),
            account: set_up.account,
            state: ConnectionState::Ready,
            reason: String::new(),
            settings: set_up.settings,
            pauses: Pauses::default(),
            checked_at: accepted_at,
            checked,
            // Kept only where the credentials change.
            login: ConnectionId::new(now).uuid(),
            accepted_at,
        };
        let save = SaveConnection {
            connection: connection.clone(),
            secrets,
            removed: set_up.removed,
            hook_token: token::hook(),
            senders: self.entered_senders(old.as_ref(), &connection),
            over: old.map(|old| old.login),
            actor: actor.clone(),
            now,
        };
        if !store.save_connection(save).await? {
            return Err(AppError::Conflict(format!(
                "{name} was connected anew meanwhile; look at it and try again"
            )));
        }
        for (_, brakes) in self.parts.transports.brakes(provider) {
            brakes.release(connection.id.uuid()).await;
        }
        let holds = vec![Hold::NoConnection, Hold::Broken];
        let sentence = format!("Released: {name} was connected by {actor}");
        self.release_over(&connection.channels, tenant, holds, &sentence)
            .await?;
        Ok(connection)
    }

    /// Tries what is stored of a connection without sending anything; what the provider says, in words.
    pub async fn check(
        &self,
        tenant: TenantId,
        provider: Provider,
    ) -> Result<CheckResult, AppError> {
        let kind = self.provider_kind(provider)?;
        let name = kind.words().name;
        let store = self.tenant(tenant);
        let Some(connection) = store.connection(provider).await? else {
            return Err(AppError::Conflict(format!("{name} is not connected yet")));
        };
        let secrets = self.secrets(tenant, connection.id).await?;
        let trial = kind.try_out(&login(&connection, &secrets)).await;
        let (is_accepted, result) = match trial {
            Trial::Good(says) => (
                true,
                CheckResult {
                    is_good: true,
                    says,
                },
            ),
            // The account is good, and rules may have senders of their own.
            Trial::NotTheirs(problem) => (true, bad(&problem)),
            Trial::Refused(problem) => (false, bad(&problem)),
            Trial::Unasked(why) => {
                return Err(AppError::Conflict(format!("{why}. Try again in a minute")));
            }
        };
        if !self.is_current(&store, &connection).await? {
            return Err(AppError::Conflict(format!(
                "{name} was connected anew meanwhile; try again"
            )));
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
            let sentence = format!("Released: {name} accepts the credentials again");
            self.release_over(&connection.channels, tenant, vec![Hold::Broken], &sentence)
                .await?;
            self.ask_account(&store, &connection, TimeDelta::zero())
                .await?;
        } else {
            self.tell_trouble(tenant).await;
        }
        Ok(result)
    }

    /// What a rule may choose to send from over a channel.
    pub async fn senders(
        &self,
        tenant: TenantId,
        channel: Channel,
    ) -> Result<Vec<Sender>, AppError> {
        let connection = self.connection_for(&self.tenant(tenant), channel).await?;
        Ok(connection.map_or_else(Vec::new, |connection| {
            let over = self.parts.transports.over(connection.provider, channel);
            over.map_or_else(Vec::new, |(kind, _)| kind.senders(&connection.settings))
        }))
    }

    /// What is wrong with a rule's own sender, as far as the provider says so at once. When it cannot be
    /// asked nothing is said: the rule is kept, and its first message tells.
    pub(in crate::app) async fn refuses_sender(
        &self,
        tenant: TenantId,
        sender: &Sender,
    ) -> Result<Option<String>, AppError> {
        let store = self.tenant(tenant);
        let Some(link) = self.link_for(&store, sender.channel()).await? else {
            return Ok(None);
        };
        let over = self
            .parts
            .transports
            .over(link.connection.provider, sender.channel());
        let (kind, _) = over.ok_or(AppError::NotFound("provider"))?;
        let secrets = self.secrets(tenant, link.connection.id).await?;
        let login = login(&link.connection, &secrets);
        Ok(kind.refuses_sender(&login, sender).await)
    }

    /// What was entered to send from, beside what had been.
    fn entered_senders(&self, old: Option<&Connection>, new: &Connection) -> Vec<EnteredSenders> {
        let kinds = self.parts.transports.brakes(new.provider);
        kinds
            .map(|(kind, _)| EnteredSenders {
                transport: kind.name(),
                before: old.map_or_else(Vec::new, |old| kind.senders(&old.settings)),
                now: kind.senders(&new.settings),
            })
            .collect()
    }

    fn provider_kind(&self, provider: Provider) -> Result<&dyn ProviderKind, AppError> {
        let kind = self.parts.transports.provider(provider);
        kind.ok_or(AppError::NotFound("provider"))
    }
}

/// What signs in over a stored connection.
pub(in crate::app) fn login<'a>(connection: &'a Connection, secrets: &'a Secrets) -> Login<'a> {
    Login {
        account: &connection.account,
        settings: &connection.settings,
        secrets,
    }
}

fn invalid(problems: Vec<Problem>) -> AppError {
    let problems = problems.into_iter();
    let problems = problems.map(|p| FieldProblem::new(p.field, p.message));
    AppError::Invalid(problems.collect())
}

fn bad(problem: &Problem) -> CheckResult {
    let mut letters = problem.message.chars();
    let first = letters.next().map(char::to_uppercase);
    let says = first.into_iter().flatten().chain(letters).chain(['.']);
    CheckResult {
        is_good: false,
        says: says.collect(),
    }
}
