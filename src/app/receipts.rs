//! Receipts: what Twilio reports later, checked before it is believed.

use std::net::IpAddr;

use chrono::TimeDelta;
use secrecy::SecretString;

use super::keys::AUTH_TOKEN;
use super::pipeline::Refused;
use super::{App, AppError};
use crate::domain::delivery::{Delivery, DeliveryState};
use crate::domain::ids::{ConnectionId, DeliveryId, TenantId};
use crate::store::{CALLBACK, Change, Guard, HookTarget, NewReceipt, ReceiptResult, TenantStore};
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
    /// Takes a status callback: signature first; without an Auth Token, or with one that Twilio has never
    /// accepted, it is only a hint.
    pub async fn receive_status(
        &self,
        token: &str,
        request: StatusRequest,
    ) -> Result<StatusAnswer, AppError> {
        let reporter = self.reporter(token).await?;
        let Some(reporter) = &*reporter else {
            return Ok(StatusAnswer::UnknownHook);
        };
        let is_verified = !reporter.tokens.is_empty();
        if is_verified && !self.is_signed(&request.signed, &reporter.tokens) {
            self.reject_forged(
                reporter.target.clone(),
                &request.signed,
                "The status report",
            )
            .await;
            return Ok(StatusAnswer::Forged);
        }
        let Ok(report) = callback::parse(&request.signed.body) else {
            return Ok(StatusAnswer::Unreadable);
        };
        let store = self.tenant(reporter.target.tenant);
        let receipt = self.receipt(&store, &reporter.account, &request, &report, is_verified);
        let result = store.receive(receipt.await?).await?;
        if let ReceiptResult::Hinted(id) = result {
            self.confirm(&store, id).await?;
        }
        Ok(StatusAnswer::Kept)
    }

    /// Takes a status callback like most, a signed one of a known address without an error: nothing has
    /// to be read for it, so it may be taken on any runtime. `None`: it is not of those.
    pub async fn receive_plain_status(
        &self,
        token: &str,
        request: &StatusRequest,
    ) -> Option<Result<StatusAnswer, AppError>> {
        let reporter = self.remembered_reporter(token)?;
        let reporter = Option::as_ref(&reporter)?;
        let report = callback::parse(&request.signed.body).ok()?;
        let is_plain = request.delivery.is_some()
            && report.error_code.unwrap_or_default() == 0
            && !reporter.tokens.is_empty()
            && self.is_signed(&request.signed, &reporter.tokens);
        if !is_plain {
            return None;
        }
        let store = self.tenant(reporter.target.tenant);
        let receipt = self.receipt(&store, &reporter.account, request, &report, true);
        let kept = async {
            store.receive(receipt.await?).await?;
            Ok(StatusAnswer::Kept)
        };
        Some(kept.await)
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
        // Only a failure is told with the message that failed.
        let failed = match request.delivery {
            Some(id) if error_code != 0 => store.delivery(id).await?,
            _ => None,
        };
        let reason = match &failed {
            Some(d) => words(
                &report.status_word,
                error_code,
                report.error_message.as_deref(),
                d,
            ),
            None => plain_words(&report.status_word),
        };
        let detail = serde_json::json!({
            "error_message": report.error_message,
            "from": report.from,
            "carrier_done": report.carrier_done,
        });
        Ok(NewReceipt {
            delivery: request.delivery,
            attempt_no: request.attempt_no,
            account: account.to_owned(),
            sid: report.message_sid.to_string(),
            word: report.status_word.clone(),
            // What nobody signed changes nothing by itself.
            status: report.status.filter(|_| is_verified),
            error_code,
            reason,
            source: CALLBACK,
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
pub(super) fn words(word: &str, error_code: i64, said: Option<&str>, d: &Delivery) -> String {
    match (word, i32::try_from(error_code).unwrap_or_default()) {
        ("failed" | "undelivered" | "canceled", code) if code != 0 => {
            codes::sentence_with(code, d.to(), Some(d.reader()), said.unwrap_or_default())
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
