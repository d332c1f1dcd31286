//! The use cases, one file each: the only code that combines adapters.
//!
//! A use case decides, in order, and owns its transaction; no provider is called inside one.

pub mod accounts;
pub mod books;
pub mod connections;
pub mod decide;
pub mod deletion;
pub mod deliver;
mod equals;
mod error;
pub mod first_hour;
pub mod health_report;
pub mod history;
pub mod ingest;
pub mod job;
pub mod keys;
pub mod look;
pub mod mail;
pub mod morning;
#[cfg(test)]
mod neighbour_tests;
pub mod notices;
pub mod operator;
mod outcome;
pub mod own_number;
pub mod poll;
pub mod receipts;
mod recent;
pub mod rehearsal;
pub mod replay;
pub mod replies;
pub mod requeue;
pub mod resolve;
pub mod rotation;
pub mod route;
pub mod rules;
pub mod security_log;
pub mod stop;
pub mod suppressions;
pub mod suspend;
pub mod team;
#[cfg(test)]
mod test_house;
#[cfg(test)]
mod tests;
pub mod tokens;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::runtime::Handle;
use tokio::time::timeout;

pub use error::{AppError, FieldProblem};

use crate::brakes::Brakes;
use crate::config::web::{PublicUrl, Signup};
use crate::crypto::password::Passwords;
use crate::crypto::vault::Vault;
use crate::domain::clock::SharedClock;
use crate::domain::ids::TenantId;
use crate::mail::Mailer;
use crate::queue::{JobQueue, Push};
use crate::store::{Store, TenantStore};
use crate::twilio::Twilio;
use crate::zoho::tokens::AccessTokens;

/// How long anybody waits for the queue's answer: it only wakes workers.
const QUEUE_PATIENCE: Duration = Duration::from_secs(1);

/// What the app is made of; `startup` fills it in.
pub struct Parts {
    pub store: Store,
    pub queue: Arc<dyn JobQueue>,
    pub vault: Vault,
    pub passwords: Passwords,
    pub clock: SharedClock,
    pub twilio: Twilio,
    pub brakes: Brakes,
    pub mailer: Mailer,
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
    hooks: ingest::HookCache,
    templates: decide::TemplateCache,
    rejected: ingest::RejectedLimiter,
    equals: equals::Equals,
    walk: requeue::Walk,
    keys: keys::Fetched,
    /// When this process was joined together.
    started_at: DateTime<Utc>,
    deletions: deletion::Walks,
    used_tokens: tokens::Used,
    recent: recent::Recent,
    /// Whether it was said that visitors are not told apart.
    is_proxy_told: AtomicBool,
}

impl App {
    /// Joins the parts.
    pub fn new(parts: Parts) -> Self {
        let caches = Caches {
            hooks: ingest::HookCache::new(),
            templates: decide::TemplateCache::new(),
            rejected: ingest::RejectedLimiter::default(),
            equals: equals::Equals::default(),
            walk: requeue::Walk::default(),
            keys: keys::Fetched::default(),
            started_at: parts.clock.now(),
            deletions: deletion::Walks::default(),
            used_tokens: tokens::Used::default(),
            recent: recent::Recent::new(),
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

    /// Whether Twilio can reach us with status reports; else states are polled.
    pub fn takes_callbacks(&self) -> bool {
        self.parts.is_sandboxed || self.parts.public_url.is_public_https()
    }

    /// The runtime of the clients; web handlers, which live on single-thread runtimes of their own,
    /// run use cases there.
    pub fn runtime(&self) -> &Handle {
        &self.parts.runtime
    }

    fn tenant(&self, id: TenantId) -> TenantStore {
        self.parts.store.tenant(id)
    }

    /// Whether the queue answers within a second. While it does not, events are kept all the same,
    /// and what they ask for is done once it is back.
    pub async fn queue_answers(&self) -> bool {
        match timeout(QUEUE_PATIENCE, self.parts.queue.ping()).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::warn!(%error, "The queue does not answer");
                false
            }
            Err(_) => {
                tracing::warn!("The queue has not answered within a second");
                false
            }
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
