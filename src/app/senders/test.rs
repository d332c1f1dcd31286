//! A test from an e-mail sender: the provider takes it, or says why mail from there will never go out.

use std::time::Duration;

use chrono::TimeDelta;

use crate::app::sending::Verdict;
use crate::app::{App, AppError};
use crate::brakes::Admission;
use crate::domain::actor::Actor;
use crate::domain::connection::ConnectionState;
use crate::domain::content::Content;
use crate::domain::delivery::Channel;
use crate::domain::ids::{SenderId, TenantId};
use crate::domain::sender::{SenderAddress, SenderProfile};
use crate::mail::sender_test;
use crate::store::{TenantStore, User};
use crate::transport::{CallTime, FailureKind, Outgoing};

/// How many tests somebody may have sent within an hour.
const TESTS_AN_HOUR: i64 = 10;

/// How long a test may wait at the provider.
const VALID: Duration = Duration::from_hours(1);

impl App {
    /// Sends a test from an e-mail sender to whoever asks, outside of the pipeline. Once the provider has
    /// taken it, rules may send from there.
    pub async fn test_sender(
        &self,
        tenant: TenantId,
        id: SenderId,
        user: &User,
        actor: &Actor,
    ) -> Result<SenderProfile, AppError> {
        let sender = self.sender_profile(tenant, id).await?;
        if !matches!(sender.address, SenderAddress::Email(_)) {
            let why =
                "Only e-mail addresses are tested so; a number shows itself with its first message";
            return Err(AppError::Conflict(why.to_owned()));
        }
        let store = self.tenant(tenant);
        if let Some(why) = self.test_obstacle(&store, user).await? {
            return Err(AppError::Conflict(why));
        }
        let (platform, now) = (self.store().platform(), self.now());
        let name = format!("sender_test:{}", user.id);
        let hour_ago = now - TimeDelta::hours(1);
        if !platform
            .count_try(name, TESTS_AN_HOUR, hour_ago, now)
            .await?
        {
            let why = "You had ten tests within an hour; ask for the next one later";
            return Err(AppError::Conflict(why.to_owned()));
        }
        self.send_test(&store, &sender, user).await?;
        if !store
            .note_tested_sender(sender, actor.clone(), self.now())
            .await?
        {
            let why = "The sender was changed meanwhile; test it again";
            return Err(AppError::Conflict(why.to_owned()));
        }
        self.sender_profile(tenant, id).await
    }

    async fn test_obstacle(
        &self,
        store: &TenantStore,
        user: &User,
    ) -> Result<Option<String>, AppError> {
        let row = store.tenant().await?.ok_or(AppError::NotFound("tenant"))?;
        let why = if row.is_suspended {
            "This account is suspended, so nothing is sent".to_owned()
        } else if row.stopped.is_some() {
            "All sending is stopped. Resume it on the Overview first".to_owned()
        } else if let Some(why) = store.suppression(Channel::Email, &user.email).await? {
            format!("Your own address must not be written to: {}", why.reason)
        } else {
            return Ok(None);
        };
        Ok(Some(why))
    }

    /// Sends it. This is all that is known here of how an e-mail goes out.
    async fn send_test(
        &self,
        store: &TenantStore,
        sender: &SenderProfile,
        user: &User,
    ) -> Result<(), AppError> {
        let name = self.provider_words(Channel::Email).name;
        let busy = || AppError::Conflict(format!("{name} is busy just now; try again in a minute"));
        let link = self.link_for(store, Channel::Email).await?;
        let Some(link) = link else {
            let why = format!("Connect {name} first: the test is sent with your account");
            return Err(AppError::Conflict(why));
        };
        if link.connection.state == ConnectionState::Broken {
            let why =
                format!("{name} refused the credentials. Enter them again under Connections first");
            return Err(AppError::Conflict(why));
        }
        let Admission::Go(permit) = link.admit().await else {
            return Err(busy());
        };
        let content = sender_test(sender.address.as_str()).ok_or_else(busy)?;
        let content = Content::Email(content);
        let frozen = sender.frozen();
        let message = Outgoing {
            mark: None,
            to: &user.email,
            reader: "you",
            sender: &frozen,
            content: &content,
            hooks: None,
            within: VALID,
        };
        let time = CallTime::of(link.transport.limits().call);
        let sent = link.transport.send(&message, time).await;
        Verdict::of(&sent).tell(permit).await;
        let Err(failure) = sent else { return Ok(()) };
        match failure.kind {
            FailureKind::Credentials { .. } => Err(AppError::Conflict(format!(
                "{name} refused the credentials. Check them under Connections"
            ))),
            FailureKind::Refused { .. } | FailureKind::Unbuildable => {
                Err(AppError::Conflict(failure.sentence))
            }
            FailureKind::Ambiguous => Err(AppError::Conflict(format!(
                "{name} did not answer, so we do not know whether it took the test. Look into your \
                 mailbox, and test it once more"
            ))),
            _ => Err(busy()),
        }
    }
}
