//! A company with a long history: one message in ten events or so.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use chrono::{DateTime, Utc};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use ml_connector::app::App;
use ml_connector::app::accounts::{Beginning, CreatedTenant, TenantInput};
use ml_connector::app::rules::RuleSwitches;
use ml_connector::domain::actor::Actor;
use ml_connector::domain::clock::Clock;
use ml_connector::domain::document::DocumentKind;
use ml_connector::sandbox::SandboxHandle;
use ml_connector::sandbox::samples::{self, Generator, Wish};
use ml_connector::sandbox::twilio::NewAccount;
use ml_connector::twilio;
use ml_connector::twilio::set_up::TwilioInput;
use ml_connector::zoho::secret::WebhookSecret;
use ml_connector::zoho::webhook;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

pub(crate) const EMAIL: &str = "owner@pages.example";
pub(crate) const PASSWORD: &str = "seven quiet otters 42 knit";

const NUMBER: &str = "+15005550006";

/// Webhooks under way at once.
const AT_ONCE: usize = 32;

/// How long everything may take to be told.
const PATIENCE: Duration = Duration::from_mins(30);

/// How many documents are generated, which takes long; the rest differ from them in id and number alone.
const GENERATED: usize = 1200;

/// What stands for id and number in a generated document, as long as what takes its place.
const ID: &str = "9990000000000000";
const NUMBER_OF_IT: &str = "L-00000000";

/// Of twelve documents, so many are of each kind.
const KINDS: [(DocumentKind, usize); 6] = [
    (DocumentKind::Invoice, 6),
    (DocumentKind::CustomerPayment, 2),
    (DocumentKind::Bill, 1),
    (DocumentKind::PurchaseOrder, 1),
    (DocumentKind::VendorPayment, 1),
    (DocumentKind::Expense, 1),
];

pub(crate) struct Company {
    pub(crate) made: CreatedTenant,
    secret: WebhookSecret,
}

impl Company {
    pub(crate) async fn found(app: &App, sandbox: &SandboxHandle) -> Result<Self> {
        let made = app
            .create_tenant(TenantInput {
                name: "Pages Ltd".to_owned(),
                owner_email: EMAIL.to_owned(),
                password: SecretString::from(PASSWORD),
                country: "US".to_owned(),
                zone: "America/New_York".to_owned(),
                currency: "USD".to_owned(),
                beginning: Beginning::LiveAtAnyHour,
            })
            .await?;
        let account = NewAccount {
            numbers: vec![NUMBER.to_owned()],
            ..NewAccount::default()
        };
        let account = sandbox.twilio().register(account)?;
        let actor = Actor::operator();
        let twilio = TwilioInput {
            account_sid: account.account_sid,
            auth_token: Some(SecretString::from(account.auth_token)),
            from: NUMBER.to_owned(),
            ..TwilioInput::default()
        };
        app.connect(made.id, twilio::PROVIDER, (&twilio.into(), false), &actor)
            .await?;
        for (name, event_type, least) in [
            ("Big invoices", "invoice.sent", "8000"),
            ("Big payments", "payment.received", "5000"),
        ] {
            let rule = json!({
                "name": name, "event_type": event_type, "channel": "sms",
                "conditions": { "all": [{
                    "field": if event_type == "invoice.sent" { "total" } else { "amount" },
                    "op": "gte", "value": least,
                }] },
                "recipient": { "kind": "fixed", "address": "+12025550199" },
                "template": { "body": "{{ customer_name }}: {{ date|date }}" },
            });
            app.create_rule(made.id, &rule, RuleSwitches::default(), &actor)
                .await?;
        }
        let secret = WebhookSecret::parse(made.hook_secret.expose_secret())
            .map_err(|e| anyhow::anyhow!("{e}"))?;
        Ok(Self { made, secret })
    }

    /// Signed webhooks over HTTP, made as they go out.
    pub(crate) async fn live_through(
        &self,
        events: usize,
        client: &reqwest::Client,
        clock: &dyn Clock,
    ) -> Result<()> {
        let documents = documents(clock.now());
        let bodies = (0..events).map(|number| {
            documents[number % GENERATED]
                .replace(ID, &format!("777{number:013}"))
                .replace(NUMBER_OF_IT, &format!("L-{number:08}"))
        });
        stream::iter(bodies)
            .map(|body| async move {
                let kind = "application/json";
                let signature = webhook::sign(&self.secret, "", Some(kind), body.as_bytes());
                let answer = client
                    .post(&self.made.hook_url)
                    .header("content-type", kind)
                    .header(webhook::SIGNATURE_HEADER, signature)
                    .body(body)
                    .send()
                    .await
                    .context("a webhook was not answered")?;
                if !answer.status().is_success() {
                    bail!("a webhook was refused: {}", answer.status());
                }
                Ok(())
            })
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await
    }

    /// Waits until nothing is due.
    pub(crate) async fn settle(&self, app: &App) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        while app.requeue().await? > 0 {
            if Instant::now() > end {
                bail!("the history does not settle");
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        Ok(())
    }
}

fn documents(now: DateTime<Utc>) -> Vec<String> {
    let mut generator = Generator::seeded(7);
    let wish = Wish {
        id: Some(ID.to_owned()),
        number: Some(NUMBER_OF_IT.to_owned()),
        ..Wish::default()
    };
    let kinds = KINDS.iter().flat_map(|(kind, many)| vec![*kind; *many]);
    kinds
        .cycle()
        .take(GENERATED)
        .map(|kind| {
            let document = generator.document(kind, &wish, now);
            let body = samples::to_body(&document, false);
            String::from_utf8_lossy(&body).into_owned()
        })
        .collect()
}
