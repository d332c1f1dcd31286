//! The company's hook, as Zoho Books posts to it.

use anyhow::{Context as _, ensure};
use secrecy::ExposeSecret as _;

use super::books::Webhook;
use crate::app::accounts::CreatedTenant;
use crate::sandbox::samples;
use crate::zoho::secret::WebhookSecret;
use crate::zoho::webhook;

const JSON: &str = "application/json";

/// Where webhooks are posted, and how they are signed.
pub(super) struct Hook {
    client: reqwest::Client,
    url: String,
    secret: WebhookSecret,
    posted: usize,
}

impl Hook {
    pub(super) fn of(tenant: &CreatedTenant, client: reqwest::Client) -> anyhow::Result<Self> {
        let secret = WebhookSecret::parse(tenant.hook_secret.expose_secret())
            .context("the hook's secret cannot be read")?;
        Ok(Self {
            client,
            url: tenant.hook_url.clone(),
            secret,
            posted: 0,
        })
    }

    /// Posts a signed webhook over HTTP, as Zoho Books does.
    pub(super) async fn post(&mut self, webhook: &Webhook) -> anyhow::Result<()> {
        self.posted += 1;
        let is_indented = self.posted.is_multiple_of(2);
        let body = samples::to_body(&webhook.document, is_indented);
        let signature = webhook::sign(&self.secret, "", Some(JSON), &body);
        let sent = self
            .client
            .post(format!("{}{}", self.url, webhook.path))
            .header("content-type", JSON)
            .header(webhook::SIGNATURE_HEADER, signature)
            .body(body)
            .send()
            .await
            .context("a sample webhook could not be posted")?;
        let status = sent.status();
        // Read to the end, so that the connection can be used again.
        let _ = sent.bytes().await;
        ensure!(
            status.is_success(),
            "a sample webhook was answered {status}"
        );
        Ok(())
    }

    /// Posts what is not from Zoho Books, for the page of rejected requests.
    pub(super) async fn forge(&self) -> anyhow::Result<()> {
        self.client
            .post(&self.url)
            .header("content-type", JSON)
            .header(webhook::SIGNATURE_HEADER, "0".repeat(64))
            .body("{}")
            .send()
            .await
            .context("the forged webhook could not be posted")?;
        Ok(())
    }
}
