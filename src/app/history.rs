//! What people look at: read-only, each function one page's worth of rows.

pub use crate::store::{
    DeliveryFilter, EventFilter, EventSearch, HourTally, RejectedRequest, Timeline,
};

use chrono::{DateTime, Days, TimeDelta, Utc};

use super::figures::{Figures, figures, midnight};
use super::onboarding::{Begun, FirstHour, TransportStep};
use super::{App, AppError};
use crate::domain::account_figures::Sum;
use crate::domain::actor::Actor;
use crate::domain::connection::Connection;
use crate::domain::content::Content;
use crate::domain::delivery::{Channel, Delivery, DeliveryState};
use crate::domain::event::{Body, Event};
use crate::domain::ids::{DeliveryId, EventId, TenantId};
use crate::domain::page::{Cursor, Page};
use crate::domain::reply::Reply;
use crate::domain::rule::Rule;
use crate::domain::sender::SenderAddress;
use crate::store::{Member, TenantStore, User};

/// Where a count that nobody reads to the end stops.
pub(super) const COUNTED: u64 = 1000;
/// A message that the provider took, whatever became of it later.
const TAKEN: [DeliveryState; 4] = [
    DeliveryState::Accepted,
    DeliveryState::Sent,
    DeliveryState::Delivered,
    DeliveryState::Read,
];
/// What the frame around every page shows.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Messages and requests that wait for a person, at most a thousand.
    pub needs_you: u64,
    /// Whether the person may go to another tenant.
    pub can_switch: bool,
    /// The person's own tenants, by name, a bounded number.
    pub companies: Vec<Member>,
}

/// How many tenants the switcher offers; the picker has them all.
const OFFERED: usize = 12;

/// How sending stands.
#[derive(Debug, Clone)]
pub struct Overview {
    /// The last fourteen days and a bit, oldest first.
    pub hours: Vec<HourTally>,
    /// Since the tenant's midnight.
    pub today: Figures,
    /// The last seven days, today among them.
    pub week: Figures,
    /// The seven days before those; none where the company was not there for all of them.
    pub week_before: Option<Figures>,
    /// When Zoho Books was last heard from.
    pub last_event_at: Option<DateTime<Utc>>,
    /// Queued and held.
    pub waiting: u64,
    /// Newest first, at most two hundred.
    pub needing_person: Vec<Delivery>,
    /// Requests that were not understood, newest first, at most fifty.
    pub unrecognised: Vec<Event>,
    /// What recipients wrote and nobody has read off the list, newest first.
    pub replies: Vec<Reply>,
    /// Requests refused in the last 24 hours.
    pub rejected: u64,
    /// What messages go through.
    pub sender: Option<Connection>,
    /// What is left on its account, where that is little.
    pub low: Option<Sum>,
    /// Whether the provider ever took a message.
    pub has_sent: bool,
    pub has_rules: bool,
    /// How far the first hour has come; none once it is over.
    pub first_hour: Option<FirstHour>,
    /// What is wrong with the queue, in a few words: messages may be late.
    pub queue_trouble: Option<String>,
    /// How far the clock of one of the machines is ahead of the database's, if one is off.
    pub clock_off: Option<TimeDelta>,
}

/// A page of the history.
#[derive(Debug, Clone)]
pub struct History {
    pub events: Page<Event>,
    /// The deliveries of these events.
    pub deliveries: Vec<Delivery>,
    pub has_events: bool,
    pub rejected: u64,
}

impl App {
    /// What the frame around every page shows.
    pub async fn frame(&self, user: &User, tenant: TenantId) -> Result<Frame, AppError> {
        let mut own = self.store().platform().memberships(user.id).await?;
        let needs_you = self.tenant(tenant).count_needing(COUNTED).await?;
        let can_switch = user.is_operator || own.len() > 1;
        own.truncate(OFFERED);
        Ok(Frame {
            needs_you,
            can_switch,
            companies: own,
        })
    }

    /// Where a person may go, each with how much waits there for somebody.
    pub async fn tenants_in_need(&self, user: &User) -> Result<Vec<(Member, u64)>, AppError> {
        let mut list = Vec::new();
        for (at, member) in self.tenants_of(user).await?.into_iter().enumerate() {
            // An operator of a thousand tenants looks for a name, not for figures.
            let needs = if at < 50 {
                let store = self.tenant(member.tenant.id);
                store.count_needing(COUNTED).await?
            } else {
                0
            };
            list.push((member, needs));
        }
        Ok(list)
    }

    /// How sending stands.
    pub async fn overview(&self, tenant: TenantId) -> Result<Overview, AppError> {
        let (store, now) = (self.tenant(tenant), self.now());
        let waits = [DeliveryState::Queued, DeliveryState::Held];
        let last_event_at = store.last_event_at().await?;
        let sender = self.connection_for(&store, Channel::Sms).await?;
        let rules = store.rules().await?;
        let has_rules = !rules.is_empty();
        let begun = Begun {
            transport: TransportStep::of(sender.as_ref()),
            is_heard: last_event_at.is_some(),
            has_rules,
            has_email_sender: self.has_email_sender(&store, &rules).await?,
        };
        let row = store.tenant().await?.ok_or(AppError::NotFound("tenant"))?;
        let hours = store.tally(now - TimeDelta::days(15)).await?;
        let today = now.with_timezone(&row.zone).date_naive();
        let ago = |days| midnight(today - Days::new(days), row.zone);
        let over = midnight(today + Days::new(1), row.zone);
        Ok(Overview {
            first_hour: self.first_hour(tenant, begun).await?,
            today: figures(&store, &hours, ago(0), over).await?,
            week: figures(&store, &hours, ago(6), over).await?,
            week_before: if row.created_at <= ago(13) {
                Some(figures(&store, &hours, ago(13), ago(6)).await?)
            } else {
                None
            },
            hours,
            last_event_at,
            waiting: store.count_deliveries(&waits, 100_000).await?,
            needing_person: store.needing_person(200).await?,
            unrecognised: store.unrecognised(50).await?,
            replies: store.unseen_replies(super::replies::SHOWN).await?,
            rejected: store.count_rejected(now - TimeDelta::days(1)).await?,
            low: self.low_balance(&store, sender.as_ref()).await?,
            sender,
            has_sent: store.count_deliveries(&TAKEN, 1).await? > 0,
            has_rules,
            queue_trouble: self.queue_answers().await.err().map(|d| d.what),
            clock_off: self.clock_off().await?,
        })
    }

    async fn low_balance(
        &self,
        store: &TenantStore,
        of: Option<&Connection>,
    ) -> Result<Option<Sum>, AppError> {
        let Some(of) = of else { return Ok(None) };
        let found = store.account_figures(of).await?;
        let found = found.filter(|f| f.low_at.is_some());
        Ok(found.and_then(|f| f.figures.balance))
    }

    /// Whether e-mails can go out; none where no rule that is on sends any.
    async fn has_email_sender(
        &self,
        store: &TenantStore,
        rules: &[Rule],
    ) -> Result<Option<bool>, AppError> {
        let sends = |r: &Rule| r.enabled && r.definition.channel.uses(Channel::Email);
        if !rules.iter().any(sends) {
            return Ok(None);
        }
        let kept = store.message_settings().await?.senders;
        let is_there = kept.iter().any(|s| {
            matches!(s.address, SenderAddress::Email(_)) && s.is_usable(self.is_sandboxed())
        });
        Ok(Some(is_there))
    }

    /// Whether the provider ever took a message of this tenant.
    pub async fn has_sent(&self, tenant: TenantId) -> Result<bool, AppError> {
        Ok(self.tenant(tenant).count_deliveries(&TAKEN, 1).await? > 0)
    }

    /// A page of events with the states of their deliveries.
    pub async fn history(
        &self,
        tenant: TenantId,
        search: &EventSearch,
        cursor: Cursor,
        limit: u64,
    ) -> Result<History, AppError> {
        let store = self.tenant(tenant);
        let events = store.search_events(search, cursor, limit).await?;
        let ids: Vec<EventId> = events.rows.iter().map(|e| e.id).collect();
        Ok(History {
            deliveries: store.deliveries_of_events(&ids).await?,
            has_events: !events.rows.is_empty()
                || store.last_event_at().await?.is_some()
                || store.has_test_event().await?,
            rejected: store
                .count_rejected(self.now() - TimeDelta::days(1))
                .await?,
            events,
        })
    }

    /// All that is known of one event, with its body while that is kept.
    pub async fn story(
        &self,
        tenant: TenantId,
        event: EventId,
    ) -> Result<(Timeline, Option<Body>), AppError> {
        let rows = self.tenant(tenant);
        let story = rows.timeline(event).await?;
        let story = story.ok_or(AppError::NotFound("event"))?;
        Ok((story, rows.body(event).await?))
    }

    /// What a message says, as it goes out; nothing once that is no longer kept.
    pub async fn content_of(&self, tenant: TenantId, id: DeliveryId) -> Result<Content, AppError> {
        let store = self.tenant(tenant);
        let delivery = store.delivery(id).await?;
        let delivery = delivery.ok_or(AppError::NotFound("delivery"))?;
        let content = store.content(id).await?;
        Ok(content.unwrap_or_else(|| Content::nothing(delivery.channel)))
    }

    /// When Zoho Books was last heard from, and how many requests were refused in 24 hours.
    pub async fn heard(&self, tenant: TenantId) -> Result<(Option<DateTime<Utc>>, u64), AppError> {
        let store = self.tenant(tenant);
        let rejected = store
            .count_rejected(self.now() - TimeDelta::days(1))
            .await?;
        Ok((store.last_event_at().await?, rejected))
    }

    /// The newest requests that could not be verified.
    pub async fn rejected_requests(
        &self,
        tenant: TenantId,
    ) -> Result<Vec<RejectedRequest>, AppError> {
        Ok(self.tenant(tenant).rejected(200).await?)
    }

    /// Notes that a person has dealt with what failed of some events, and with what was not understood.
    pub async fn deal(
        &self,
        tenant: TenantId,
        events: Vec<EventId>,
        actor: &Actor,
    ) -> Result<u64, AppError> {
        let store = self.tenant(tenant);
        Ok(store.deal(events, actor.clone(), self.now()).await?)
    }

    /// Why a delivery's address must not be written to, if so.
    pub async fn suppressed(&self, of: &Delivery) -> Result<Option<String>, AppError> {
        let store = self.tenant(of.tenant);
        Ok(store.suppression_of(of).await?.map(|s| s.reason))
    }
}
