//! What is routed, and what it is routed by: the event with its body, and the tenant with its rules.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::stored_event::StoredEvent;
use crate::app::cache::AsOf;
use crate::app::{App, AppError};
use crate::domain::address::OwnAddresses;
use crate::domain::delivery::Channel;
use crate::domain::event::EventState;
use crate::domain::ids::ReplayId;
use crate::domain::rule::{Recipient, Rule};
use crate::domain::tenant::Tenant;
use crate::store::{MessageSettings, TenantStore};

/// What the events of a tenant are routed by.
#[derive(Clone)]
pub(in crate::app) struct RoutingContext {
    pub(super) tenant: Tenant,
    pub(super) rules: Vec<Rule>,
    /// Groups, senders, brand and bank details, as far as its rules need them.
    pub(super) settings: MessageSettings,
    /// Where messages go instead, while the tenant is in rehearsal and an owner's address is known.
    pub(super) rehearsal_to: OwnAddresses,
}

impl RoutingContext {
    /// Whether a rule that is on may send over a channel.
    pub(super) fn sends_over(&self, channel: Channel) -> bool {
        let mut on = self.rules.iter().filter(|r| r.enabled);
        on.any(|r| r.definition.channel.uses(channel))
    }
}

/// What is to be routed.
pub(super) struct RoutingInput<'a> {
    pub(super) stored: &'a StoredEvent,
    /// The nil id when the event itself is routed.
    pub(super) replay: ReplayId,
    /// From when `send_within` runs.
    pub(super) wished_at: DateTime<Utc>,
}

impl RoutingInput<'_> {
    /// Whether the event is folded into its document; else the document is kept as it is, because a person
    /// decides again. One that was not understood is routed as new.
    pub(super) fn is_folded(&self) -> bool {
        let event = &self.stored.event;
        event.routed_at.is_none() || event.state == EventState::Unrecognised
    }
}

impl App {
    /// What a tenant's events are routed by.
    pub(super) async fn routing_context(
        &self,
        store: &TenantStore,
        as_of: AsOf,
    ) -> Result<Arc<RoutingContext>, AppError> {
        let read = async {
            // The tenant first: it has the number of the rule set, and rules that come in between are
            // refused with it.
            let tenant = store.tenant().await?.ok_or(AppError::NotFound("tenant"))?;
            let rules = store.rules().await?;
            Ok(RoutingContext {
                rehearsal_to: rehearsal_to(store, &tenant).await?,
                settings: settings_for(store, &rules).await?,
                rules,
                tenant,
            })
        };
        let contexts = &self.caches.routing_contexts;
        contexts.get(self, store.tenant_id(), as_of, read).await
    }
}

/// What these rules need besides themselves: a tenant that only sends SMS to contacts needs its senders.
async fn settings_for(store: &TenantStore, rules: &[Rule]) -> Result<MessageSettings, AppError> {
    let needs_all = rules.iter().any(|rule| {
        let of = &rule.definition;
        of.channel.uses(Channel::Email) || matches!(of.recipient, Recipient::Group(_))
    });
    if needs_all {
        return Ok(store.message_settings().await?);
    }
    Ok(MessageSettings {
        senders: store.senders().await?,
        ..MessageSettings::default()
    })
}

async fn rehearsal_to(store: &TenantStore, tenant: &Tenant) -> Result<OwnAddresses, AppError> {
    if tenant.is_rehearsal {
        Ok(store.rehearsal_addresses().await?)
    } else {
        Ok(OwnAddresses::default())
    }
}
