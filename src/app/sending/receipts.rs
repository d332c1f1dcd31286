//! Receipts: what the provider reports later, checked before it is believed.

use std::sync::Arc;

use chrono::TimeDelta;
use secrecy::SecretString;

use crate::app::cache::AsOf;
use crate::app::rejected::Refused;
use crate::app::{App, AppError};
use crate::domain::connection::Provider;
use crate::domain::delivery::DeliveryState;
use crate::domain::ids::DeliveryId;
use crate::store::{CALLBACK, Change, Guard, HookTarget, NewReceipt, ReceiptResult, TenantStore};
use crate::transport::{ProviderKind, ProviderReport, SignedRequest, Trust};

/// What became of reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportAnswer {
    /// Kept (or known, or to be confirmed).
    Kept,
    /// No such address.
    UnknownHook,
    /// Not signed by this account.
    Forged,
    /// No report at all.
    Unreadable,
}

/// Whoever reports to one address of ours: an account at a provider.
pub(in crate::app) struct Reporter {
    target: HookTarget,
    provider: Provider,
    account: String,
    /// What its reports may be signed with.
    secrets: Vec<(String, SecretString)>,
}

impl App {
    /// Takes reports: their signature first. What nothing can be checked with is only a hint.
    pub async fn receive_reports(
        &self,
        provider: Provider,
        token: &str,
        request: SignedRequest,
    ) -> Result<ReportAnswer, AppError> {
        let reporter = self.reporter(provider, token).await?;
        let Some(reporter) = &*reporter else {
            return Ok(ReportAnswer::UnknownHook);
        };
        let Some(kind) = self.parts.transports.provider(provider) else {
            return Ok(ReportAnswer::UnknownHook);
        };
        let trust = self.trust_in(kind, &request, &reporter.secrets);
        if trust == Trust::Forged {
            let target = reporter.target.clone();
            self.reject_forged(kind, target, &request, "The status report")
                .await;
            return Ok(ReportAnswer::Forged);
        }
        let Some(reports) = kind.read_reports(&request) else {
            return Ok(ReportAnswer::Unreadable);
        };
        let store = self.tenant(reporter.target.tenant);
        for report in reports {
            let receipt = self.receipt(&store, reporter, report, trust == Trust::Signed);
            let result = store.receive(receipt.await?).await?;
            if let ReceiptResult::Hinted(id) = result {
                self.confirm(&store, id).await?;
            }
        }
        Ok(ReportAnswer::Kept)
    }

    /// Takes a report like most, a signed one to a known address without an error: nothing has to be read
    /// for it, so it may be taken on any runtime. `None`: it is not of those.
    pub async fn receive_plain_report(
        &self,
        provider: Provider,
        token: &str,
        request: &SignedRequest,
    ) -> Option<Result<ReportAnswer, AppError>> {
        let reporter = self.remembered_reporter(token)?;
        let reporter = Option::as_ref(&reporter).filter(|r| r.provider == provider)?;
        let kind = self.parts.transports.provider(provider)?;
        let mut reports = kind.read_reports(request)?;
        let (Some(told), true) = (reports.pop(), reports.is_empty()) else {
            return None;
        };
        let is_plain = told.delivery.is_some()
            && told.report.error_code == 0
            && self.trust_in(kind, request, &reporter.secrets) == Trust::Signed;
        if !is_plain {
            return None;
        }
        let store = self.tenant(reporter.target.tenant);
        let receipt = self.receipt(&store, reporter, told, true);
        let kept = async {
            store.receive(receipt.await?).await?;
            Ok(ReportAnswer::Kept)
        };
        Some(kept.await)
    }

    /// What a request to one of our addresses can be believed.
    pub(in crate::app) fn trust_in(
        &self,
        kind: &dyn ProviderKind,
        request: &SignedRequest,
        secrets: &[(String, SecretString)],
    ) -> Trust {
        kind.trust(request, &self.public_url().origin(), secrets)
    }

    /// Leaves a line under *rejected requests*.
    pub(in crate::app) async fn reject_forged(
        &self,
        kind: &dyn ProviderKind,
        target: HookTarget,
        request: &SignedRequest,
        what: &str,
    ) {
        let reason = format!("{what} {}", kind.words().forged);
        let compared = serde_json::json!({
            "body_bytes": request.body.len(),
            "signature_present": request.signature.is_some(),
        });
        let refused = Refused {
            path: kind.words().provider.as_str().to_owned(),
            client: request.client,
            reason,
            compared,
            is_forged: true,
        };
        self.note_refused(target, refused).await;
    }

    /// Who reports to an address, as far as that is remembered.
    fn remembered_reporter(&self, token: &str) -> Option<Arc<Option<Reporter>>> {
        let reporters = &self.caches.reporters;
        reporters.remembered(self, &token.to_owned())
    }

    /// Who reports to an address; nobody, where there is no such address.
    async fn reporter(
        &self,
        provider: Provider,
        token: &str,
    ) -> Result<Arc<Option<Reporter>>, AppError> {
        let read = async {
            let platform = self.store().platform();
            let Some(target) = platform.hook(provider, token).await? else {
                return Ok(None);
            };
            let store = self.tenant(target.tenant);
            let Some(connection) = store.connection_by_id(target.connection).await? else {
                return Ok(None);
            };
            Ok(Some(Reporter {
                provider,
                account: connection.account,
                secrets: self.secrets(target.tenant, target.connection).await?,
                target,
            }))
        };
        let reporters = &self.caches.reporters;
        reporters
            .get(self, token.to_owned(), AsOf::Lately, read)
            .await
    }

    async fn receipt(
        &self,
        store: &TenantStore,
        reporter: &Reporter,
        told: ProviderReport,
        is_verified: bool,
    ) -> Result<NewReceipt, AppError> {
        let now = self.now();
        let report = told.report;
        // Only a failure is told with the message that failed.
        let failed = match told.delivery {
            Some(id) if report.error_code != 0 => store.delivery(id).await?,
            _ => None,
        };
        let (to, reader) = failed.as_ref().map_or(("", ""), |d| (d.to(), d.reader()));
        let hit = match &failed {
            Some(d) => {
                let of = (d, reporter.target.connection);
                // In a box: few reports need its room.
                Box::pin(self.limit_hit(store, of, &report)).await?
            }
            None => None,
        };
        let kind = self.parts.transports.named(told.transport);
        let kind = kind.ok_or(AppError::NotFound("transport"))?;
        let polls = kind.limits().polls_beside_reports;
        let wait = polls.first().copied().unwrap_or(900);
        Ok(NewReceipt {
            delivery: told.delivery,
            attempt_no: told.attempt_no,
            provider: kind.words().name.to_owned(),
            account: reporter.account.clone(),
            sid: told.id,
            reason: (kind.words().explain)(&report, to, reader),
            word: report.word,
            // What nobody signed changes nothing by itself.
            status: report.status.filter(|_| is_verified),
            error_code: report.error_code,
            is_opt_out: report.is_opt_out,
            hit,
            source: CALLBACK,
            is_verified,
            detail: report.detail,
            due_at: Some(now + TimeDelta::seconds(wait)),
            now,
        })
    }

    /// An unsigned report is a hint: ask the provider itself, now.
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
