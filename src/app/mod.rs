//! The use cases, one file each: the only code that combines adapters.
//!
//! A use case decides, in order, and owns its transaction; no provider is called inside one.

pub mod account_figures;
pub mod accounts;
pub mod bank_details;
pub mod brand;
mod cache;
pub mod connections;
pub mod daily_summary;
pub mod deletion;
mod error;
pub mod figures;
pub mod groups;
pub mod health_report;
pub mod history;
pub mod job;
pub mod keys;
pub mod limits;
pub mod mail;
#[cfg(test)]
mod multi_process_tests;
pub mod notices;
pub mod onboarding;
pub mod operator;
pub mod own_number;
pub mod permissions;
pub mod pipeline;
pub mod rehearsal;
mod rejected;
pub mod reminder_stops;
pub mod replies;
pub mod requeue;
pub mod resolve;
pub mod rotation;
pub mod rules;
pub mod security_log;
pub mod senders;
pub mod sending;
pub mod stop;
pub mod suppressions;
pub mod suspend;
pub mod team;
#[cfg(test)]
mod tests;
mod text;
pub mod tokens;
pub mod write_health;

pub use crate::store::StoreError;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::runtime::Handle;
use tokio::time::timeout;

pub use error::{AppError, FieldProblem};

use crate::app::cache::ReadCache;
use crate::config::web::{PublicUrl, Signup};
use crate::crypto::password::Passwords;
use crate::crypto::vault::Vault;
use crate::dns::Dns;
use crate::domain::clock::{self, Comparison, SharedClock};
use crate::domain::delivery::Channel;
use crate::domain::ids::TenantId;
use crate::mail::Mailer;
use crate::queue::{Degraded, JobQueue, Push};
use crate::store::{Store, TenantStore};
use crate::transport::Transports;
use crate::zoho::tokens::AccessTokens;

/// How long anybody waits for the queue's answer: it only wakes workers.
const QUEUE_PATIENCE: Duration = Duration::from_secs(1);

/// How long a probe or a page waits to hear how it is: right after the start that is still tried out.
const QUEUE_VERDICT: Duration = Duration::from_secs(3);

/// What the app is made of; `startup` fills it in.
pub struct Parts {
    pub store: Store,
    pub queue: Arc<dyn JobQueue>,
    pub vault: Vault,
    pub passwords: Passwords,
    pub clock: SharedClock,
    /// Everything that messages can be sent over.
    pub transports: Transports,
    pub mailer: Mailer,
    pub dns: Dns,
    pub zoho_tokens: AccessTokens,
    /// The sandbox that stands for Zoho, when there is one.
    pub zoho_sandbox: Option<url::Url>,
    pub public_url: PublicUrl,
    /// Whether strangers may open an account.
    pub signup: Signup,
    /// Providers are replaced by the sandbox: every page says so, and it takes loopback callbacks.
    pub is_sandboxed: bool,
    /// Names this process in leases.
    pub lease_owner: String,
    /// The runtime that provider, database and queue clients live on.
    pub runtime: Handle,
}

/// A cheap-to-clone handle to everything.
#[derive(Clone)]
pub struct App {
    parts: Arc<Parts>,
    caches: Arc<Caches>,
}

/// What this process remembers; losing all of it costs nothing but time.
struct Caches {
    hooks: pipeline::HookCache,
    templates: pipeline::TemplateCache,
    rejected: rejected::RejectedLimiter,
    duplicate_waiters: sending::duplicate_waiters::DuplicateWaiters,
    calls: sending::attempt::Calls,
    walk: requeue::Walk,
    keys: keys::Fetched,
    /// When this process was joined together.
    started_at: DateTime<Utc>,
    deletions: deletion::Walks,
    used_tokens: tokens::Used,
    routing_contexts: ReadCache<TenantId, pipeline::RoutingContext>,
    sending_contexts: ReadCache<(TenantId, Channel), sending::SendingContext>,
    reporters: ReadCache<String, Option<sending::receipts::Reporter>>,
    fresh_events: pipeline::FreshEvents,
    fresh_deliveries: sending::FreshDeliveries,
    write_health: write_health::WriteHealth,
    /// Whether it was said that visitors are not told apart.
    is_proxy_told: AtomicBool,
}

impl App {
    /// Joins the parts.
    pub fn new(parts: Parts) -> Self {
        let caches = Caches {
            hooks: pipeline::HookCache::new(),
            templates: pipeline::TemplateCache::new(),
            rejected: rejected::RejectedLimiter::default(),
            duplicate_waiters: sending::duplicate_waiters::DuplicateWaiters::default(),
            calls: sending::attempt::Calls::default(),
            walk: requeue::Walk::default(),
            keys: keys::Fetched::default(),
            started_at: parts.clock.now(),
            deletions: deletion::Walks::default(),
            used_tokens: tokens::Used::new(),
            routing_contexts: ReadCache::new(),
            sending_contexts: ReadCache::new(),
            reporters: ReadCache::new(),
            fresh_events: pipeline::FreshEvents::new(),
            fresh_deliveries: sending::FreshDeliveries::new(),
            write_health: write_health::WriteHealth::default(),
            is_proxy_told: AtomicBool::new(false),
        };
        Self {
            parts: Arc::new(parts),
            caches: Arc::new(caches),
        }
    }

    /// The present instant.
    pub fn now(&self) -> DateTime<Utc> {
        self.parts.clock.now()
    }

    /// The clock itself.
    pub fn clock(&self) -> &SharedClock {
        &self.parts.clock
    }

    /// What people should know about the clock of this process's machine, in a sentence; `None` while
    /// it is right, or where it is the only one.
    pub fn clock_trouble(&self) -> Option<String> {
        let comparison = self.clock().comparison().filter(Comparison::is_off)?;
        let standing = clock::standing(comparison.machine_ahead);
        Some(format!(
            "this machine's clock is {standing} the database's, by which messages go"
        ))
    }

    /// The database.
    pub fn store(&self) -> &Store {
        &self.parts.store
    }

    /// The queue.
    pub fn queue(&self) -> &Arc<dyn JobQueue> {
        &self.parts.queue
    }

    /// Where this service is reached from outside.
    pub fn public_url(&self) -> &PublicUrl {
        &self.parts.public_url
    }

    /// Whether providers are replaced by the sandbox.
    pub fn is_sandboxed(&self) -> bool {
        self.parts.is_sandboxed
    }

    /// Whether providers can reach us with status reports; else states are polled.
    pub fn takes_callbacks(&self) -> bool {
        self.parts.is_sandboxed || self.parts.public_url.is_public_https()
    }

    /// The runtime of the clients; web handlers, which live on single-thread runtimes of their own,
    /// run use cases there.
    pub fn runtime(&self) -> &Handle {
        &self.parts.runtime
    }

    /// Runs a use case on the runtime of the database and provider clients, which elsewhere would be cut off
    /// from their sockets.
    pub async fn on_runtime<T, F, Fut>(&self, work: F) -> Result<T, AppError>
    where
        T: Send + 'static,
        F: FnOnce(Self) -> Fut,
        Fut: Future<Output = Result<T, AppError>> + Send + 'static,
    {
        let task = self.parts.runtime.spawn(work(self.clone()));
        task.await.unwrap_or_else(|error| {
            tracing::error!(%error, "A request's work ended unexpectedly");
            Err(AppError::Busy)
        })
    }

    fn tenant(&self, id: TenantId) -> TenantStore {
        self.parts.store.tenant(id)
    }

    /// What is wrong with the queue, if anything is. Meanwhile events are kept all the same, and done as
    /// soon as workers find them in the database. The log is told by the queue itself, when it changes.
    pub async fn queue_answers(&self) -> Result<(), Degraded> {
        match timeout(QUEUE_VERDICT, self.parts.queue.health()).await {
            Ok(health) => health,
            Err(_) => Err(Degraded {
                what: format!("{} does not answer", self.parts.queue.name()),
                detail: String::new(),
            }),
        }
    }

    /// Wakes workers. A push that fails costs nothing but time: the rows wait in the database, and
    /// `requeue` pushes them again. So nobody waits long for a queue that hangs.
    async fn wake(&self, jobs: Vec<Push>) {
        if jobs.is_empty() {
            return;
        }
        match timeout(QUEUE_PATIENCE, self.parts.queue.push(jobs)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, "The queue took no jobs; requeue will push them");
            }
            Err(_) => tracing::warn!("The queue hangs; requeue will push its jobs"),
        }
    }
}
