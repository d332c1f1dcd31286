//! The hook behind a token, with the secrets that its requests are checked against; remembered for a moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::ExposeSecret as _;

use crate::app::cache::TtlCache;
use crate::app::keys::HOOK_SECRET;
use crate::app::{App, AppError};
use crate::domain::connection::Provider;
use crate::store::HookTarget;
use crate::zoho;
use crate::zoho::secret::WebhookSecret;
use crate::zoho::webhook;

/// The content type of Zoho's default payload.
pub(in crate::app) const JSON: &str = "application/json";

/// A hook and the secrets that its requests are checked against.
#[derive(Debug)]
pub struct Hook {
    pub target: HookTarget,
    pub(super) secrets: Vec<WebhookSecret>,
}

impl Hook {
    /// The signature that Zoho Books would put on a JSON body; none without a secret.
    pub(in crate::app) fn signature(&self, body: &[u8]) -> Option<String> {
        let secret = self.secrets.first()?;
        Some(webhook::sign(secret, "", Some(JSON), body))
    }
}

impl App {
    /// The hook behind a token, if it is remembered: without waiting for anything.
    pub fn remembered_hook(&self, token: &str) -> Option<Arc<Hook>> {
        match self.caches.hooks.get(token, self.now()) {
            Remembered::Hook(hook) => Some(hook),
            Remembered::Nobodys | Remembered::Nothing => None,
        }
    }

    /// The hook behind a token; what is known may be five seconds old, what is unknown one.
    pub async fn hook(&self, token: &str) -> Result<Option<Arc<Hook>>, AppError> {
        let cache = &self.caches.hooks;
        // Before the first look: an entry is as old as what was read for it.
        let (since, change) = (self.now(), cache.change());
        match cache.get(token, since) {
            Remembered::Hook(hook) => return Ok(Some(hook)),
            Remembered::Nobodys => return Ok(None),
            Remembered::Nothing => {}
        }
        let Some(target) = self.store().platform().hook(zoho::PROVIDER, token).await? else {
            cache.keep(token, None, since, change);
            return Ok(None);
        };
        let secrets = self
            .secrets(target.tenant, target.connection)
            .await?
            .into_iter()
            .filter(|(name, _)| name == HOOK_SECRET)
            .filter_map(|(_, secret)| WebhookSecret::parse(secret.expose_secret()).ok())
            .collect();
        let hook = Arc::new(Hook { target, secrets });
        cache.keep(token, Some(hook.clone()), since, change);
        Ok(Some(hook))
    }

    /// Whose address this is, if it is anybody's.
    pub async fn hook_target(
        &self,
        provider: Provider,
        token: &str,
    ) -> Result<Option<HookTarget>, AppError> {
        Ok(self.store().platform().hook(provider, token).await?)
    }

    /// A rotated secret or hook takes effect here at once; elsewhere within five seconds.
    pub(in crate::app) fn forget_hooks(&self) {
        self.caches.hooks.forget();
    }
}

/// How long a hook, its secrets and its tenant's status are used without reading them again: what another
/// process changes takes effect here that much later at most.
const KNOWN_FOR: Duration = Duration::from_secs(5);

/// How long a token is taken to be nobody's.
const UNKNOWN_FOR: Duration = Duration::from_secs(1);

/// Tokens that are remembered of each sort.
const TOKENS: u64 = 10_000;

/// What was read of a token.
pub(in crate::app) struct HookCache {
    known: TtlCache<String, Arc<Hook>>,
    unknown: TtlCache<String, ()>,
    /// How many changes were made in this process: what was read before one is not kept after it.
    changes: AtomicU64,
}

/// What is known of a token without a look.
enum Remembered {
    Hook(Arc<Hook>),
    /// There is no such hook.
    Nobodys,
    Nothing,
}

impl HookCache {
    pub(in crate::app) fn new() -> Self {
        Self {
            known: TtlCache::of_values(TOKENS, KNOWN_FOR),
            unknown: TtlCache::of_values(TOKENS, UNKNOWN_FOR),
            changes: AtomicU64::new(0),
        }
    }

    fn get(&self, token: &str, now: DateTime<Utc>) -> Remembered {
        if let Some(hook) = self.known.get(token, now) {
            return Remembered::Hook(hook);
        }
        match self.unknown.get(token, now) {
            Some(()) => Remembered::Nobodys,
            None => Remembered::Nothing,
        }
    }

    /// Keeps what was read at `since`, unless something was changed here after `change` was noted.
    fn keep(&self, token: &str, hook: Option<Arc<Hook>>, since: DateTime<Utc>, change: u64) {
        let key = token.to_owned();
        match hook {
            Some(hook) => self.known.insert(key, hook, since),
            None => self.unknown.insert(key, (), since),
        }
        // Only now: a change that comes later than this look forgets the entry itself.
        if self.change() != change {
            self.known.forget(token);
            self.unknown.forget(token);
        }
    }

    fn change(&self) -> u64 {
        self.changes.load(Ordering::SeqCst)
    }

    fn forget(&self) {
        self.changes.fetch_add(1, Ordering::SeqCst);
        self.known.clear();
        self.unknown.clear();
    }
}
