//! What messages need besides rules: senders, groups, brand and bank details, read together for each event.
//!
//! Whatever changes one of them raises the number of the rule set, as an edit of a rule does: what is being
//! decided meanwhile is decided again.

use std::collections::{BTreeMap, BTreeSet};

use futures::FutureExt as _;
use sea_orm::DatabaseConnection;
use uuid::Uuid;

use super::{bank_details, brand, groups, senders};
use crate::domain::bank_details::BankDetails;
use crate::domain::brand_settings::BrandSettings;
use crate::domain::group::Group;
use crate::domain::sender::SenderProfile;
use crate::store::engine::db::BatchDb;
use crate::store::engine::db::bulk::{Record, record};
use crate::store::engine::look_ups::LookUps;
use crate::store::{StoreError, TenantStore};

/// What a tenant keeps for its messages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MessageSettings {
    /// The oldest first.
    pub senders: Vec<SenderProfile>,
    /// The oldest first.
    pub groups: Vec<Group>,
    pub brand: BrandSettings,
    /// Of each currency what is in force, and what waits to come into force.
    pub bank_details: Vec<BankDetails>,
}

/// The settings of a tenant.
pub(in crate::store) type AllMessageSettings = LookUps<Uuid, MessageSettings>;

pub(in crate::store) fn look_ups(db: &DatabaseConnection) -> AllMessageSettings {
    LookUps::start(db, |db, tenants| read(db, tenants).boxed())
}

async fn read(
    db: BatchDb<'_>,
    tenants: &BTreeSet<&Uuid>,
) -> Result<BTreeMap<Uuid, MessageSettings>, StoreError> {
    let tenants = || of_tenants(tenants.iter().map(|id| **id));
    let mut found: BTreeMap<Uuid, MessageSettings> = BTreeMap::new();
    for (tenant, sender) in senders::read(db, tenants()).await? {
        found.entry(tenant).or_default().senders.push(sender);
    }
    for (tenant, group) in groups::read(db, tenants()).await? {
        found.entry(tenant).or_default().groups.push(group);
    }
    for (tenant, brand) in brand::read(db, tenants()).await? {
        found.entry(tenant).or_default().brand = brand;
    }
    for (tenant, details) in bank_details::read(db, tenants()).await? {
        found.entry(tenant).or_default().bank_details.push(details);
    }
    Ok(found)
}

fn of_tenants(ids: impl Iterator<Item = Uuid>) -> Vec<Record> {
    ids.map(|id| record![tenant_id: id]).collect()
}

impl TenantStore {
    /// What the tenant keeps for its messages.
    pub async fn message_settings(&self) -> Result<MessageSettings, StoreError> {
        let found = self.store.look_ups.message_settings.ask(self.id.uuid());
        Ok(found.await?.unwrap_or_default())
    }

    /// The tenant alone, as what is read of many tenants wants it.
    pub(in crate::store) fn alone(&self) -> Vec<Record> {
        of_tenants(std::iter::once(self.id.uuid()))
    }
}
