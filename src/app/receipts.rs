//! Receipts: what Twilio reports later, checked before it is believed.

use std::net::IpAddr;

use chrono::TimeDelta;
use secrecy::SecretString;

use super::ingest::Refused;
use super::keys::AUTH_TOKEN;
use super::{App, AppError};
use crate::domain::connection::Provider;
use crate::domain::delivery::{Delivery, DeliveryState};
use crate::domain::ids::{ConnectionId, DeliveryId, TenantId};
use crate::store::{Change, Guard, HookTarget, NewReceipt, ReceiptResult, TenantStore};
use crate::twilio::callback::{self, StatusCallback};
use crate::twilio::codes;
use crate::twilio::signature::{self, Signed};

/// A request of Twilio's as it came.
#[derive(Debug, Clone)]
pub struct SignedRequest {
    /// Path and query exactly as received.
    pub path_and_query: String,
    pub body: bytes::Bytes,
    pub signature: Option<String>,
    pub client: IpAddr,
}

/// A status callback as it came.
#[derive(Debug, Clone)]
pub struct StatusRequest {
    pub signed: SignedRequest,
    /// Our ids in the query.
    pub delivery: Option<DeliveryId>,
    pub attempt_no: Option<i64>,
}

/// What became of a status callback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusAnswer {
    /// Kept (or known, or to be confirmed).
    Kept,
    /// No such address.
    UnknownHook,
    /// Not signed by this account.
    Forged,
    /// Not a status callback at all.
    Unreadable,
}

impl App {
    /// Takes a status callback: signature first; without an Auth Token it is only a hint.
    pub async fn receive_status(
        &self,
        token: &str,
        request: StatusRequest,
    ) -> Result<StatusAnswer, AppError> {
        let Some(target) = self
            .store()
            .platform()
            .hook(Provider::Twilio, token)
            .await?
        else {
            return Ok(StatusAnswer::UnknownHook);
        };
        let store = self.tenant(target.tenant);
        let Some(connection) = store.connection_by_id(target.connection).await? else {
            return Ok(StatusAnswer::UnknownHook);
        };
        let tokens = self
            .callback_tokens(target.tenant, target.connection)
            .await?;
        let is_verified = !tokens.is_empty();
        if is_verified && !self.is_signed(&request.signed, &tokens) {
            self.reject_forged(target, &request.signed, "The status report")
                .await;
            return Ok(StatusAnswer::Forged);
        }
        let Ok(report) = callback::parse(&request.signed.body) else {
            return Ok(StatusAnswer::Unreadable);
        };
        let receipt = self.receipt(&store, &connection.account, &request, &report, is_verified);
        let result = store.receive(receipt.await?).await?;
        if let (false, ReceiptResult::Kept(id)) = (is_verified, result) {
            self.confirm(&store, id).await?;
        }
        Ok(StatusAnswer::Kept)
    }

    /// Leaves a line under *rejected requests*.
    pub(super) async fn reject_forged(
        &self,
        target: HookTarget,
        request: &SignedRequest,
        what: &str,
    ) {
        let reason = format!(
            "{what} is not signed with this account's Auth Token. If the token was rotated, enter \
             the new one under Connections"
        );
        let compared = serde_json::json!({
            "body_bytes": request.body.len(),
            "signature_present": request.signature.is_some(),
        });
        let refused = Refused {
            path: "twilio".to_owned(),
            client: request.client,
            reason,
            compared,
            is_forged: true,
        };
        self.note_refused(target, refused).await;
    }

    /// The Auth Tokens with which requests of a tenant's account may be signed.
    pub(super) async fn callback_tokens(
        &self,
        tenant: TenantId,
        connection: ConnectionId,
    ) -> Result<Vec<SecretString>, AppError> {
        let secrets = self.secrets(tenant, connection).await?;
        Ok(secrets
            .into_iter()
            .filter(|(name, _)| name == AUTH_TOKEN)
            .map(|(_, s)| s)
            .collect())
    }

    /// Whether one of these tokens signed it; none at all signs nothing.
    pub(super) fn is_signed(&self, request: &SignedRequest, tokens: &[SecretString]) -> bool {
        let url = signature::full_url(&self.public_url().origin(), &request.path_and_query);
        let signed = Signed::Form(&request.body);
        signature::verify(&url, signed, request.signature.as_deref(), tokens).is_ok()
    }

    async fn receipt(
        &self,
        store: &TenantStore,
        account: &str,
        request: &StatusRequest,
        report: &StatusCallback,
        is_verified: bool,
    ) -> Result<NewReceipt, AppError> {
        let now = self.now();
        let error_code = report.error_code.map_or(0, i64::from);
        let delivery = match request.delivery {
            Some(id) => store.delivery(id).await?,
            None => None,
        };
        let reason = match &delivery {
            Some(d) => words(&report.status_word, error_code, d),
            None => plain_words(&report.status_word),
        };
        let detail = serde_json::json!({
            "error_message": report.error_message,
            "from": report.from,
            "carrier_done": report.carrier_done,
        });
        Ok(NewReceipt {
            delivery: delivery.map(|d| d.id),
            attempt_no: request.attempt_no,
            account: account.to_owned(),
            sid: report.message_sid.to_string(),
            word: report.status_word.clone(),
            // What nobody signed changes nothing by itself.
            status: report.status.filter(|_| is_verified),
            error_code,
            reason,
            source: "callback",
            is_verified,
            detail: detail.to_string(),
            due_at: Some(now + super::poll::first(true)),
            now,
        })
    }

    /// An unsigned report is a hint: ask Twilio itself, now.
    async fn confirm(&self, store: &TenantStore, id: DeliveryId) -> Result<(), AppError> {
        let Some(d) = store.delivery(id).await? else {
            return Ok(());
        };
        let now = self.now();
        // What is unknown is looked for at times of its own, which nobody's word may bring closer.
        if !matches!(d.state, DeliveryState::Accepted | DeliveryState::Sent) {
            return Ok(());
        }
        let change = Change {
            reason: d.reason.clone(),
            due_at: Some(now - TimeDelta::milliseconds(1)),
            ..Change::to(d.state, id, Guard::unmoved(&d), now)
        };
        if store.change(change).await? {
            self.wake_deliveries(d.tenant, &[id]).await;
        }
        Ok(())
    }
}

/// A status in a clerk's words; failures with the cause and what to do.
pub(super) fn words(word: &str, error_code: i64, d: &Delivery) -> String {
    match (word, i32::try_from(error_code).unwrap_or_default()) {
        ("failed" | "undelivered" | "canceled", code) if code != 0 => {
            codes::sentence(code, d.to(), Some(d.reader()))
        }
        _ => plain_words(word),
    }
}

fn plain_words(word: &str) -> String {
    let says = match word {
        "accepted" | "queued" | "sending" | "scheduled" => "Twilio has it and is sending it",
        "sent" => "Handed to the carrier",
        "delivered" => "The carrier confirmed the delivery",
        "read" => "The recipient opened it",
        "failed" => "Twilio could not send it and gave no reason",
        "undelivered" => "The carrier could not deliver it and gave no reason",
        "canceled" => "It was canceled at Twilio",
        _ => "Twilio reported a status that we do not know",
    };
    says.to_owned()
}
