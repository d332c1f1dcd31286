//! Receiving: verify, keep, answer. Nothing else happens in the request.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use moka::sync::Cache;
use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::app::keys::HOOK_SECRET;
use crate::app::recent::KeptEvent;
use crate::app::{App, AppError, job};
use crate::domain::connection::Provider;
use crate::domain::event::{Body, EventSource, EventType, Ingested, NewEvent};
use crate::domain::ids::{EventId, RejectedId};
use crate::store::{HookTarget, RejectedRequest};
use crate::zoho::secret::WebhookSecret;
use crate::zoho::webhook::{self, Rejection, SignedRequest};

/// The content type of Zoho's default payload.
pub(in crate::app) const JSON: &str = "application/json";

/// A hook and the secrets that its requests are checked against.
#[derive(Debug)]
pub struct Hook {
    pub target: HookTarget,
    secrets: Vec<WebhookSecret>,
}

/// A request to a hook, as it came.
#[derive(Debug, Clone)]
pub struct HookRequest {
    /// The event type in the path.
    pub path_type: Option<EventType>,
    /// The label in the path, or empty.
    pub label: String,
    /// Without the `?`.
    pub query: String,
    pub content_type: Option<String>,
    pub signature: Option<Vec<u8>>,
    pub body: Bytes,
    /// The client's address, for *rejected requests*.
    pub client: IpAddr,
}

/// What became of a request.
#[derive(Debug)]
pub enum Received {
    Kept(Ingested),
    Rejected(Rejection),
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
        let Some(target) = self.store().platform().hook(Provider::Zoho, token).await? else {
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

    /// Checks a request's signature and keeps it; answers once it is on disk.
    pub async fn receive(&self, hook: &Hook, request: HookRequest) -> Result<Received, AppError> {
        self.receive_from(EventSource::Webhook, hook, request).await
    }

    /// The same, whoever posts it: nothing but the event's source is different.
    pub(in crate::app) async fn receive_from(
        &self,
        source: EventSource,
        hook: &Hook,
        request: HookRequest,
    ) -> Result<Received, AppError> {
        match verify(hook, &request) {
            Ok(verified) => {
                let kept = self.keep(source, hook, request, verified).await;
                kept.map(Received::Kept)
            }
            Err(rejection) => {
                self.note_forged(hook, request, &rejection).await;
                Ok(Received::Rejected(rejection))
            }
        }
    }

    /// Keeps a webhook whose signature was checked ([`verify`]); answers once it is on disk. It needs no
    /// client of ours, so it may run on any runtime.
    pub async fn keep_webhook(
        &self,
        hook: &Hook,
        request: HookRequest,
        verified: Verified,
    ) -> Result<Ingested, AppError> {
        self.keep(EventSource::Webhook, hook, request, verified)
            .await
    }

    async fn keep(
        &self,
        source: EventSource,
        hook: &Hook,
        request: HookRequest,
        verified: Verified,
    ) -> Result<Ingested, AppError> {
        let now = self.now();
        let tenant = hook.target.tenant;
        let event = new_event(source, &hook.target, request, verified, now);
        let fresh = KeptEvent {
            event: event.as_kept(),
            body: Some(event.body.clone()),
        };
        let kept = self.store().ingest(event).await;
        self.note_intake(&kept);
        let kept = kept?;
        if !kept.is_duplicate {
            self.caches.recent.keep_event(fresh);
            self.wake(vec![job::route_event(tenant, kept.event, now)])
                .await;
        }
        Ok(kept)
    }

    /// Leaves a line about a request whose signature is missing or wrong.
    pub async fn note_forged(&self, hook: &Hook, request: HookRequest, rejection: &Rejection) {
        let compared = serde_json::json!({
            "body_bytes": rejection.compared.body_bytes,
            "content_type": rejection.compared.content_type,
            "query_present": rejection.compared.had_query,
            "received": rejection.compared.received,
            "computed": rejection.compared.computed,
        });
        let refused = Refused {
            path: path_text(request.path_type, &request.label),
            client: request.client,
            reason: rejection.problem.to_string(),
            compared,
            is_forged: true,
        };
        self.note_refused(hook.target.clone(), refused).await;
    }

    /// Whose address this is, if it is anybody's.
    pub async fn hook_target(
        &self,
        provider: Provider,
        token: &str,
    ) -> Result<Option<HookTarget>, AppError> {
        Ok(self.store().platform().hook(provider, token).await?)
    }

    /// Keeps a line about a request that was refused for what it holds.
    pub async fn reject(
        &self,
        target: HookTarget,
        path: String,
        client: IpAddr,
        reason: String,
        compared: serde_json::Value,
    ) {
        let refused = Refused {
            path,
            client,
            reason,
            compared,
            is_forged: false,
        };
        self.note_refused(target, refused).await;
    }

    /// Of each reason at most one line a second per hook is written, and one more for the fifth within it;
    /// of all reasons together four. Those in between are counted, so that nobody fills the disk or keeps
    /// the writer busy. Owners are told when a burst of forged requests begins.
    pub(in crate::app) async fn note_refused(&self, target: HookTarget, refused: Refused) {
        metrics::counter!("hook_requests_rejected_total").increment(1);
        let now = self.now();
        let key = (target.connection.uuid(), refused.reason.clone());
        let Some(like_it) = self.caches.rejected.admit(key, now) else {
            return;
        };
        let line = RejectedRequest {
            id: RejectedId::new(now),
            tenant: target.tenant,
            connection: target.connection,
            path: refused.path,
            address: refused.client.to_string(),
            reason: refused.reason,
            compared: refused.compared.to_string(),
            is_forged: refused.is_forged,
            like_it,
            at: now,
        };
        match self.tenant(target.tenant).reject(line).await {
            Ok(false) => {}
            Ok(true) => self.tell_trouble(target.tenant).await,
            Err(error) => {
                tracing::warn!(%error, "A rejected request could not be written down");
            }
        }
    }

    /// A rotated secret or hook takes effect here at once; elsewhere within five seconds.
    pub(in crate::app) fn forget_hooks(&self) {
        self.caches.hooks.forget();
    }
}

/// The proof that a request's signature was checked: by which string, as a fingerprint.
#[derive(Debug, Clone, Copy)]
pub struct Verified {
    signed: [u8; 32],
}

/// Checks a request's signature.
pub fn verify(hook: &Hook, request: &HookRequest) -> Result<Verified, Rejection> {
    let signed = SignedRequest {
        signature: request.signature.as_deref(),
        query: &request.query,
        content_type: request.content_type.as_deref(),
        body: &request.body,
    };
    let signed = webhook::verify(&signed, &hook.secrets)?;
    Ok(Verified {
        signed: signed.fingerprint(),
    })
}

fn new_event(
    source: EventSource,
    target: &HookTarget,
    request: HookRequest,
    verified: Verified,
    now: DateTime<Utc>,
) -> NewEvent {
    let path_type = request.path_type;
    let fingerprint = |day: &str| fingerprint(target, path_type, verified, day);
    let day_digest = path_type.filter(|t| t.is_reminder()).map(|_| {
        let day = now.with_timezone(&target.zone).date_naive().to_string();
        fingerprint(&day)
    });
    NewEvent {
        id: EventId::new(now),
        tenant: target.tenant,
        connection: target.connection,
        source,
        path_type,
        label: request.label,
        body: Body {
            content_type: request.content_type.unwrap_or_default(),
            query: request.query,
            bytes: request.body,
        },
        digest: fingerprint(""),
        day_digest,
        received_at: now,
    }
}

/// Refuses repeats: over the hook, the event type in the path, and the string whose signature was
/// checked. Nothing else of a request is vouched for, so nothing else makes a captured one new: not its
/// label, nor where its query ends.
fn fingerprint(
    target: &HookTarget,
    path_type: Option<EventType>,
    verified: Verified,
    day: &str,
) -> [u8; 32] {
    let path_type = path_type.map_or("", EventType::as_str);
    let mut hash = Sha256::new();
    for part in [
        target.connection.uuid().as_bytes(),
        path_type.as_bytes(),
        &verified.signed,
        day.as_bytes(),
    ] {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// `invoice.overdue/14d`, as it stands behind the token.
fn path_text(path_type: Option<EventType>, label: &str) -> String {
    match path_type {
        None => String::new(),
        Some(event_type) if label.is_empty() => event_type.to_string(),
        Some(event_type) => format!("{event_type}/{label}"),
    }
}

/// How long a hook, its secrets and its tenant's status are believed: what another process changes
/// takes effect here that much later at most.
const BELIEVED: TimeDelta = TimeDelta::seconds(5);

/// How long a token is believed to be nobody's.
const DISBELIEVED: TimeDelta = TimeDelta::seconds(1);

/// What was read of a token, and when. The age is told by the app's clock; should that be set back,
/// the cache's own time to live, by the machine's, is the bound.
pub(in crate::app) struct HookCache {
    known: Cache<String, (DateTime<Utc>, Arc<Hook>)>,
    unknown: Cache<String, DateTime<Utc>>,
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
        let life = |span: TimeDelta| span.to_std().unwrap_or_default();
        Self {
            known: Cache::builder()
                .max_capacity(10_000)
                .time_to_live(life(BELIEVED))
                .build(),
            unknown: Cache::builder()
                .max_capacity(10_000)
                .time_to_live(life(DISBELIEVED))
                .build(),
            changes: AtomicU64::new(0),
        }
    }

    fn get(&self, token: &str, now: DateTime<Utc>) -> Remembered {
        let is_young = |since: DateTime<Utc>, most| now - since < most;
        if let Some((since, hook)) = self.known.get(token)
            && is_young(since, BELIEVED)
        {
            return Remembered::Hook(hook);
        }
        match self.unknown.get(token) {
            Some(since) if is_young(since, DISBELIEVED) => Remembered::Nobodys,
            _ => Remembered::Nothing,
        }
    }

    /// Keeps what was read at `since`, unless something was changed here after `change` was noted.
    fn keep(&self, token: &str, hook: Option<Arc<Hook>>, since: DateTime<Utc>, change: u64) {
        let key = token.to_owned();
        match hook {
            Some(hook) => self.known.insert(key, (since, hook)),
            None => self.unknown.insert(key, since),
        }
        // Only now: a change that comes later than this look forgets the entry itself.
        if self.change() != change {
            self.known.invalidate(token);
            self.unknown.invalidate(token);
        }
    }

    fn change(&self) -> u64 {
        self.changes.load(Ordering::SeqCst)
    }

    fn forget(&self) {
        self.changes.fetch_add(1, Ordering::SeqCst);
        self.known.invalidate_all();
        self.unknown.invalidate_all();
    }
}

/// A request that was refused.
pub(in crate::app) struct Refused {
    pub(in crate::app) path: String,
    pub(in crate::app) client: IpAddr,
    pub(in crate::app) reason: String,
    pub(in crate::app) compared: serde_json::Value,
    /// Its signature was missing or wrong.
    pub(in crate::app) is_forged: bool,
}

/// Counts rejected requests between two that are written down.
#[derive(Default)]
pub(in crate::app) struct RejectedLimiter(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    alike: HashMap<RejectedKey, Skipped>,
    /// Since when, and how many lines were written of one hook since.
    of_hook: HashMap<Uuid, (DateTime<Utc>, u32)>,
}

type RejectedKey = (Uuid, String);

/// How many lines of one hook are written in a second, whatever their reasons: who varies what is wrong
/// with a request must not keep the writer busier than who repeats it.
const LINES_A_SECOND: u32 = 4;

/// So many counts are kept before those of the last minute only are.
const MOST_COUNTS: usize = 10_000;

struct Skipped {
    /// When a line was last written.
    since: DateTime<Utc>,
    number: i64,
    /// Whether a second line was written already: so many at once may be a burst.
    is_told: bool,
}

/// The fifth request within a second is written down, with the three before it.
const TOLD_AT: i64 = 4;

impl RejectedLimiter {
    /// How many like it were skipped since the last one, or `None` to skip this one too.
    fn admit(&self, key: RejectedKey, now: DateTime<Utc>) -> Option<i64> {
        let seen = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.alike.len() > MOST_COUNTS {
            seen.alike
                .retain(|_, s| now - s.since < TimeDelta::minutes(1));
        }
        if seen.of_hook.len() > MOST_COUNTS {
            seen.of_hook
                .retain(|_, (since, _)| now - *since < TimeDelta::minutes(1));
        }
        let of_hook = seen
            .of_hook
            .entry(key.0)
            .or_insert((DateTime::UNIX_EPOCH, 0));
        if now - of_hook.0 >= TimeDelta::seconds(1) {
            *of_hook = (now, 0);
        }
        let skipped = seen.alike.entry(key).or_insert(Skipped {
            since: DateTime::UNIX_EPOCH,
            number: 0,
            is_told: false,
        });
        let is_news = now - skipped.since >= TimeDelta::seconds(1);
        let is_burst = !skipped.is_told && skipped.number + 1 >= TOLD_AT;
        if of_hook.1 >= LINES_A_SECOND || !(is_news || is_burst) {
            skipped.number += 1;
            return None;
        }
        of_hook.1 += 1;
        if is_news {
            skipped.since = now;
        }
        skipped.is_told = !is_news;
        Some(std::mem::take(&mut skipped.number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_requests_are_varied_few_lines_are_written_of_one_hook() {
        let limiter = RejectedLimiter::default();
        let (hook, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let start = DateTime::UNIX_EPOCH + TimeDelta::days(1);
        let mut written = 0;
        let mut skipped = 0;
        for millis in 0..10_000 {
            let now = start + TimeDelta::milliseconds(millis);
            for reason in ["a", "b", "c", "d", "e", "f", "g"] {
                if let Some(number) = limiter.admit((hook, reason.to_owned()), now) {
                    written += 1;
                    skipped += number;
                }
            }
        }
        assert!((10..=44).contains(&written), "{written}");
        assert!(skipped > 1000, "the others are counted: {skipped}");
        let now = start + TimeDelta::milliseconds(9_999);
        assert_eq!(limiter.admit((other, "a".to_owned()), now), Some(0));
    }
}
