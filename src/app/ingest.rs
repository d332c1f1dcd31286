//! Receiving: verify, keep, answer. Nothing else happens in the request.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use moka::future::Cache;
use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};

use super::keys::HOOK_SECRET;
use super::{App, AppError, job};
use crate::domain::connection::Provider;
use crate::domain::event::{Body, EventSource, EventType, Ingested, NewEvent};
use crate::domain::ids::{EventId, RejectedId};
use crate::store::{HookTarget, RejectedRequest};
use crate::zoho::secret::WebhookSecret;
use crate::zoho::webhook::{self, Rejection, SignedRequest};

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

impl App {
    /// The hook behind a token; what is known may be five seconds old, what is unknown one.
    pub async fn hook(&self, token: &str) -> Result<Option<Arc<Hook>>, AppError> {
        if let Some(hook) = self.caches.hooks.known.get(token).await {
            return Ok(Some(hook));
        }
        if self.caches.hooks.unknown.contains_key(token) {
            return Ok(None);
        }
        let Some(target) = self.store().platform().hook(Provider::Zoho, token).await? else {
            self.caches.hooks.unknown.insert(token.to_owned(), ()).await;
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
        self.caches
            .hooks
            .known
            .insert(token.to_owned(), hook.clone())
            .await;
        Ok(Some(hook))
    }

    /// Checks a request's signature and keeps it; answers once it is on disk.
    pub async fn receive(&self, hook: &Hook, request: HookRequest) -> Result<Received, AppError> {
        let signed = SignedRequest {
            signature: request.signature.as_deref(),
            query: &request.query,
            content_type: request.content_type.as_deref(),
            body: &request.body,
        };
        if let Err(rejection) = webhook::verify(&signed, &hook.secrets) {
            let compared = serde_json::json!({
                "body_bytes": rejection.compared.body_bytes,
                "content_type": rejection.compared.content_type,
                "query_present": rejection.compared.had_query,
                "received": rejection.compared.received,
                "computed": rejection.compared.computed,
            });
            let path = path_text(request.path_type, &request.label);
            let reason = rejection.problem.to_string();
            self.reject(hook.target.clone(), path, request.client, reason, compared)
                .await;
            return Ok(Received::Rejected(rejection));
        }
        let now = self.now();
        let tenant = hook.target.tenant;
        let event = new_event(&hook.target, request, now);
        let kept = self.store().ingest(event).await?;
        if !kept.is_duplicate {
            self.wake(vec![job::route_event(tenant, kept.event, now)])
                .await;
        }
        Ok(Received::Kept(kept))
    }

    /// Keeps a line about a request that was refused. At most one a second per hook is written;
    /// those in between are counted, so that nobody fills the disk.
    pub async fn reject(
        &self,
        target: HookTarget,
        path: String,
        client: IpAddr,
        reason: String,
        compared: serde_json::Value,
    ) {
        metrics::counter!("hook_requests_rejected_total").increment(1);
        let now = self.now();
        let key = (target.connection.uuid(), reason.clone());
        let Some(like_it) = self.caches.rejected.admit(key, now) else {
            return;
        };
        let line = RejectedRequest {
            id: RejectedId::new(now),
            tenant: target.tenant,
            connection: target.connection,
            path,
            address: client.to_string(),
            reason,
            compared: compared.to_string(),
            like_it,
            at: now,
        };
        if let Err(error) = self.tenant(target.tenant).reject(line).await {
            tracing::warn!(%error, "A rejected request could not be written down");
        }
    }

    /// A rotated secret or hook takes effect here at once; elsewhere within five seconds.
    pub(super) fn forget_hooks(&self) {
        self.caches.hooks.known.invalidate_all();
        self.caches.hooks.unknown.invalidate_all();
    }
}

fn new_event(target: &HookTarget, request: HookRequest, now: DateTime<Utc>) -> NewEvent {
    let digest = digest(target, &request, None);
    let day_digest = request.path_type.filter(|t| t.is_reminder()).map(|_| {
        let day = now.with_timezone(&target.zone).date_naive().to_string();
        self::digest(target, &request, Some(&day))
    });
    NewEvent {
        id: EventId::new(now),
        tenant: target.tenant,
        connection: target.connection,
        source: EventSource::Webhook,
        path_type: request.path_type,
        label: request.label,
        body: Body {
            content_type: request.content_type.unwrap_or_default(),
            query: request.query,
            bytes: request.body.to_vec(),
        },
        digest,
        day_digest,
        received_at: now,
    }
}

/// Refuses repeats: over the hook, the path, and what the signature covers of query and body, so
/// that nobody makes a captured request new by adding an `&`.
fn digest(target: &HookTarget, request: &HookRequest, day: Option<&str>) -> [u8; 32] {
    let (pairs, body) = webhook::signed_parts(
        &request.query,
        request.content_type.as_deref(),
        &request.body,
    );
    let mut hash = Sha256::new();
    hash.update(target.connection.uuid().as_bytes());
    let path = path_text(request.path_type, &request.label);
    for part in [path.as_bytes(), &pairs, day.unwrap_or_default().as_bytes()] {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    hash.update(body);
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

/// Hooks for five seconds, unknown tokens for one.
pub(super) struct HookCache {
    known: Cache<String, Arc<Hook>>,
    unknown: Cache<String, ()>,
}

impl HookCache {
    pub(super) fn new() -> Self {
        Self {
            known: Cache::builder()
                .max_capacity(10_000)
                .time_to_live(Duration::from_secs(5))
                .build(),
            unknown: Cache::builder()
                .max_capacity(10_000)
                .time_to_live(Duration::from_secs(1))
                .build(),
        }
    }
}

/// Counts rejected requests between two that are written down.
#[derive(Default)]
pub(super) struct RejectedLimiter(Mutex<HashMap<RejectedKey, (DateTime<Utc>, i64)>>);

type RejectedKey = (uuid::Uuid, String);

impl RejectedLimiter {
    /// How many like it were skipped since the last one, or `None` to skip this one too.
    fn admit(&self, key: RejectedKey, now: DateTime<Utc>) -> Option<i64> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() > 10_000 {
            seen.retain(|_, (at, _)| now - *at < TimeDelta::minutes(1));
        }
        let (at, skipped) = seen.entry(key).or_insert((DateTime::UNIX_EPOCH, 0));
        if now - *at < TimeDelta::seconds(1) {
            *skipped += 1;
            return None;
        }
        *at = now;
        Some(std::mem::take(skipped))
    }
}
