//! Receiving: verify, keep, answer. Nothing else happens in the request.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};

use super::hook::Hook;
use super::stored_event::StoredEvent;
use crate::app::{App, AppError, job};
use crate::domain::event::{Body, EventSource, EventType, Ingested, NewEvent};
use crate::domain::ids::EventId;
use crate::store::HookTarget;
use crate::zoho::webhook::{self, Rejection, SignedRequest};

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
    /// Checks a request's signature and keeps it; answers once it is on disk. Whoever posts it, nothing but
    /// the event's source is different.
    ///
    /// An event is kept right here, on whichever runtime: going to another thread and back costs more than
    /// checking and keeping, which need no client of ours. The line about a forged request needs one.
    pub async fn receive(
        &self,
        source: EventSource,
        hook: &Arc<Hook>,
        request: HookRequest,
    ) -> Result<Received, AppError> {
        match verify(hook, &request) {
            Ok(verified) => {
                let kept = self.keep(source, hook, request, verified).await;
                kept.map(Received::Kept)
            }
            Err(rejection) => {
                let hook = hook.clone();
                self.on_runtime(|app| async move {
                    app.note_forged(&hook, &request, &rejection).await;
                    Ok(Received::Rejected(rejection))
                })
                .await
            }
        }
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
        let fresh = StoredEvent {
            event: event.as_kept(),
            body: Some(event.body.clone()),
        };
        let kept = self.store().ingest(event).await;
        self.note_intake(&kept);
        let kept = kept?;
        if !kept.is_duplicate {
            self.caches.fresh_events.keep(fresh, now);
            self.wake(vec![job::route_event(tenant, kept.event, now)])
                .await;
        }
        Ok(kept)
    }
}

/// The proof that a request's signature was checked: by which string, as a fingerprint.
#[derive(Clone, Copy)]
struct Verified {
    signed: [u8; 32],
}

/// Checks a request's signature.
fn verify(hook: &Hook, request: &HookRequest) -> Result<Verified, Rejection> {
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
