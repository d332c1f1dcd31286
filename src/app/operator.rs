//! What the operator looks at: tenants, the queue, the processes that work.

pub use crate::brakes::{BreakerState, Status as BrakeStatus};
pub use crate::queue::{Degraded, Depth, TenantDepth};
pub use crate::store::{BrakedConnection, Process, TenantSummary};

use chrono::{DateTime, TimeDelta, Utc};

use super::{App, AppError};
use crate::brakes::Status;
use crate::domain::clock::OFF;
use crate::domain::delivery::Channel;
use crate::domain::ids::TenantId;
use crate::domain::page::{Cursor, Page};
use crate::domain::tenant::Tenant;
use crate::store::{Backlog, StoreError, WriteFault};

/// How often a process shows that it is alive, and finds out whether writes come back.
pub const BEAT_EVERY: std::time::Duration = std::time::Duration::from_secs(2);

/// A process that was not seen for so long is gone, or cut off.
pub const GONE_AFTER: TimeDelta = TimeDelta::minutes(1);

/// How long it is shown afterwards.
const SHOWN_FOR: TimeDelta = TimeDelta::hours(24);

/// The figures of a tenant are those of so long.
const FIGURES: TimeDelta = TimeDelta::hours(24);

/// Connections whose brakes are asked for at once.
const BRAKES: u64 = 200;

/// Tenants with the most jobs that are named.
const BUSIEST: usize = 20;

/// How the queue stands.
#[derive(Debug, Clone)]
pub struct QueueReport {
    /// What holds the jobs.
    pub back_end: &'static str,
    /// The numbers of all tenants together; `None` when the queue does not answer.
    pub total: Option<TenantDepth>,
    /// Tenants with the most jobs, and their names; the service's own work has none.
    pub busiest: Vec<(TenantDepth, Option<String>)>,
    pub backlogs: Vec<Backlog>,
}

/// Who works, on what.
#[derive(Debug, Clone)]
pub struct WorkersReport {
    pub processes: Vec<Process>,
    /// The name of the one that answers.
    pub own: String,
    /// Messages in the hands of nobody known: they are looked up when their lease ends.
    pub orphaned: u64,
    pub database: (&'static str, String),
    pub back_end: &'static str,
    /// What is wrong with the queue, while workers look into the database.
    pub queue_trouble: Option<Degraded>,
    /// Connections that are slowed down or shut, of those that were looked at.
    pub braked: Vec<(BrakedConnection, Channel, Status)>,
    pub connections: usize,
}

impl App {
    /// Notes that this process is alive, and looks whether the note can be read.
    pub(super) async fn write_beat(&self, does: &str) -> Result<(), StoreError> {
        let now = self.now();
        let process = Process {
            name: self.parts.lease_owner.clone(),
            does: does.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: self.caches.started_at,
            seen_at: now,
            clock_ahead: self
                .clock()
                .comparison()
                .map_or_else(TimeDelta::zero, |c| c.machine_ahead),
            in_hand: 0,
        };
        let platform = self.store().platform();
        let name = process.name.clone();
        platform.beat(process, now - SHOWN_FOR).await?;
        match platform.last_seen(&name).await? {
            Some(seen) if seen.timestamp_micros() >= now.timestamp_micros() => Ok(()),
            _ => Err(StoreError::Refused(WriteFault::Unseen)),
        }
    }

    /// The clock of a living process that is furthest off, if one is off: how far it is ahead of the
    /// database's.
    pub(super) async fn clock_off(&self) -> Result<Option<TimeDelta>, AppError> {
        let platform = self.store().platform();
        Ok(platform.clock_off(self.now() - GONE_AFTER, OFF).await?)
    }

    /// A page of tenants whose name, slug or owner's address contains `search`.
    pub async fn tenant_summaries(
        &self,
        search: &str,
        cursor: Cursor,
        limit: u64,
    ) -> Result<Page<TenantSummary>, AppError> {
        let since = self.now() - FIGURES;
        let platform = self.store().platform();
        Ok(platform
            .tenant_summaries(search, since, cursor, limit)
            .await?)
    }

    /// The tenant with this short name.
    pub async fn tenant_by_slug(&self, slug: &str) -> Result<Option<Tenant>, AppError> {
        Ok(self.store().platform().tenant_by_slug(slug).await?)
    }

    /// One tenant with its figures.
    pub async fn tenant_summary(&self, of: TenantId) -> Result<TenantSummary, AppError> {
        let since = self.now() - FIGURES;
        let found = self.store().platform().tenant_summary(of, since).await?;
        found.ok_or(AppError::NotFound("tenant"))
    }

    /// How the queue stands, in its back end and in the database.
    pub async fn queue_report(&self) -> Result<QueueReport, AppError> {
        let (platform, queue) = (self.store().platform(), self.queue());
        let backlogs = platform.backlogs(self.now()).await?;
        let asked = tokio::time::timeout(super::QUEUE_PATIENCE, queue.depths()).await;
        let Ok(Ok(mut depths)) = asked else {
            return Ok(QueueReport {
                back_end: queue.name(),
                total: None,
                busiest: Vec::new(),
                backlogs,
            });
        };
        let mut total = TenantDepth::none(uuid::Uuid::nil());
        for depth in &depths {
            total.add(depth);
        }
        depths.sort_by_key(|d| std::cmp::Reverse(d.total()));
        depths.truncate(BUSIEST);
        let ids: Vec<_> = depths.iter().map(|d| d.tenant).collect();
        let names = platform.tenant_names(&ids).await?;
        let with_name = |depth: TenantDepth| {
            let name = names.iter().find(|(id, _)| *id == depth.tenant);
            (depth, name.map(|(_, name)| name.clone()))
        };
        Ok(QueueReport {
            back_end: queue.name(),
            total: Some(total),
            busiest: depths.into_iter().map(with_name).collect(),
            backlogs,
        })
    }

    /// Who works, and whether anything holds them up.
    pub async fn workers_report(&self) -> Result<WorkersReport, AppError> {
        let platform = self.store().platform();
        let connections = platform.transport_connections(BRAKES).await?;
        let (now, looked_at) = (self.now(), connections.len());
        let mut braked = Vec::new();
        for connection in connections {
            for (kind, brakes) in self.parts.transports.brakes(connection.provider) {
                let status = brakes.status(connection.id.uuid()).await;
                if is_braked(&connection, kind.channel(), &status, now) {
                    braked.push((connection.clone(), kind.channel(), status));
                }
            }
        }
        Ok(WorkersReport {
            processes: platform.processes().await?,
            own: self.parts.lease_owner.clone(),
            orphaned: platform.orphaned_leases().await?,
            database: platform.engine().await?,
            back_end: self.queue().name(),
            queue_trouble: self.queue_answers().await.err(),
            braked,
            connections: looked_at,
        })
    }
}

fn is_braked(
    connection: &BrakedConnection,
    channel: Channel,
    status: &Status,
    now: DateTime<Utc>,
) -> bool {
    let until = status.paused_until.max(connection.pauses.of(channel));
    connection.is_broken || status.breaker.is_open() || until.is_some_and(|until| until > now)
}
