//! `demo`: everything, on throw-away data and sandbox providers.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use clap::Args;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use crate::app::App;
use crate::app::accounts::{Beginning, CreatedTenant, TenantInput};
use crate::app::connections::TwilioInput;
use crate::app::rules::RuleSwitches;
use crate::config::{self, Config};
use crate::crypto::token;
use crate::domain::actor::Actor;
use crate::domain::clock::SharedClock;
use crate::domain::document::DocumentKind;
use crate::http;
use crate::lifecycle::{self, Lifecycle};
use crate::sandbox::samples::{self, Generator, Standing, Wish};
use crate::sandbox::twilio::{CallbackPlan, CallbackRule, Fault, FaultKind, FaultOrder};
use crate::sandbox::{DEMO_NUMBER, Sandbox, SandboxConfig, SandboxHandle};
use crate::startup::{self, Options};
use crate::telemetry::{self, Metrics};
use crate::zoho::secret::WebhookSecret;
use crate::zoho::webhook;

/// Look around: a throw-away database, sandbox providers, and a stream of sample events.
///
/// Prints the address and how to sign in. Nothing is sent to anyone and nothing is kept; the
/// databases, keys and mail of the environment are ignored. Listens on this machine only.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Where to listen on this machine; 0 takes any free port
    #[arg(long, default_value_t = 8080, value_name = "NUMBER")]
    pub port: u16,
}

/// The demo's company.
const COMPANY: &str = "Northwind Paper";
const OWNER: &str = "demo@example.com";

/// The answer to the first message to this customer is lost on the way, after Twilio took it: its page
/// shows how such a message is looked for and found.
const LOST_ANSWER: &str = "+447700900003";

/// The wait between two events afterwards.
const BETWEEN: Duration = Duration::from_secs(5);

/// Recipients whose number ends so cannot be reached: a landline, a filter, a phone without signal.
const UNREACHABLE: [(&str, u32); 3] = [("5550107", 30006), ("23", 30007), ("41", 30003)];

/// Runs the demo until told to stop; its folder is removed afterwards.
pub async fn run(args: DemoArgs, clock: SharedClock) -> anyhow::Result<()> {
    let folder = ThrowAway::new()?;
    let client = http::client().context("the HTTP client cannot be built")?;
    let mut sandbox_config = SandboxConfig::new(clock.clone(), client.clone());
    sandbox_config.callbacks = CallbackPlan {
        delay_ms: 900,
        ..CallbackPlan::default()
    };
    let sandbox = Sandbox::start(sandbox_config).await?;
    let config = config(&folder.0, args.port, sandbox.base_url())?;
    telemetry::init_logs(&config.log)?;
    let metrics = Some(Metrics::install()?);
    let mut signals = lifecycle::signals()?;
    let options = Options {
        metrics,
        ..Options::default()
    };
    let start = Box::pin(startup::serve(&config, clock, options));
    let Some(running) = lifecycle::unless_signalled(&mut signals, start).await else {
        return Ok(());
    };
    let running = running?;
    let password = token::hook();
    let tenant = furnish(&running.app, &sandbox, &password).await?;
    super::say(&announcement(&running.app, &tenant, &password))?;
    let stream = stream(running.app.clone(), client, tenant, running.life.clone());
    drop(running.life.spawn("demo", stream));
    running.life.until_signal(signals, config.grace()).await;
    sandbox.stop().await;
    Ok(())
}

/// A folder that is gone when the demo ends.
struct ThrowAway(PathBuf);

impl ThrowAway {
    fn new() -> anyhow::Result<Self> {
        let name = format!("ml-connector-demo-{}", token::hook());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder).context("a folder for the demo cannot be made")?;
        Ok(Self(folder))
    }
}

impl Drop for ThrowAway {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(%error, "The demo's folder {} could not be removed", self.0.display());
        }
    }
}

/// Nothing of the environment but the wish for logs: the demo must not touch real data.
fn config(folder: &Path, port: u16, sandbox: &str) -> anyhow::Result<Config> {
    let database = format!("sqlite://{}", folder.join("demo.db").display());
    let lookup = |name: &str| match name {
        "DATABASE_URL" => Some(database.clone()),
        "BIND" => Some(format!("127.0.0.1:{port}")),
        "ZOHO_SANDBOX_URL" | "TWILIO_SANDBOX_URL" => Some(sandbox.to_owned()),
        "RUST_LOG" => config::environment(name).or_else(|| Some("warn".to_owned())),
        "LOG_FORMAT" => config::environment(name),
        _ => None,
    };
    Ok(Config::from_lookup(&lookup)?)
}

/// A company with rules, connected to the sandbox.
async fn furnish(
    app: &App,
    sandbox: &SandboxHandle,
    password: &str,
) -> anyhow::Result<CreatedTenant> {
    let demo = sandbox.seed_demo()?;
    for (ending, code) in UNREACHABLE {
        let plan = CallbackPlan {
            statuses: ["sending", "undelivered"].map(str::to_owned).to_vec(),
            delay_ms: 900,
            error_code: Some(code),
            ..CallbackPlan::default()
        };
        let rule = CallbackRule {
            to: None,
            to_ends_with: Some(ending.to_owned()),
            plan,
        };
        sandbox.twilio().plan(rule)?;
    }
    let mut lost = FaultOrder::once(Fault::new(FaultKind::DropAfter));
    lost.to = Some(LOST_ANSWER.to_owned());
    sandbox.twilio().next(lost)?;
    let tenant = app
        .create_tenant(TenantInput {
            name: COMPANY.to_owned(),
            owner_email: OWNER.to_owned(),
            password: SecretString::from(password.to_owned()),
            country: "US".to_owned(),
            zone: "America/New_York".to_owned(),
            currency: "USD".to_owned(),
            beginning: Beginning::LiveAtAnyHour,
        })
        .await?;
    let twilio = TwilioInput {
        account_sid: demo.twilio.account_sid,
        auth_token: Some(SecretString::from(demo.twilio.auth_token)),
        from: DEMO_NUMBER.to_owned(),
        ..TwilioInput::default()
    };
    app.connect_twilio(tenant.id, twilio, &Actor::named(OWNER))
        .await?;
    for rule in rules() {
        app.create_rule(
            tenant.id,
            &rule,
            RuleSwitches::default(),
            &Actor::named(OWNER),
        )
        .await?;
    }
    Ok(tenant)
}

fn rules() -> [Value; 7] {
    let contact = json!({ "kind": "contact" });
    let fixed = json!({ "kind": "fixed", "address": "+12025550199" });
    [
        json!({
            "name": "Invoice sent", "event_type": "invoice.sent", "channel": "sms",
            "recipient": contact,
            "template": { "body": "Hello {{ contact.first_name }}, invoice {{ invoice_number }} over \
                {{ total|money }} is due on {{ due_date|date }}. See and pay it here: {{ payment_link }}" },
        }),
        json!({
            "name": "Overdue for a week", "event_type": "invoice.overdue", "channel": "sms",
            "conditions": { "all": [{ "field": "balance", "op": "gt", "value": "0" }] },
            "recipient": contact,
            "template": { "body": "Hello {{ contact.first_name }}, invoice {{ invoice_number }} was due on \
                {{ due_date|date }} and {{ balance|money }} are still open. Did we miss your payment?" },
        }),
        json!({
            "name": "Big invoices to sales", "event_type": "invoice.sent", "channel": "sms",
            "conditions": { "all": [{ "field": "total", "op": "gte", "value": "1000" }] },
            "recipient": fixed,
            "template": { "body": "{{ customer_name }} was sent {{ invoice_number }} over {{ total|money }}." },
        }),
        json!({
            "name": "Thank you for the payment", "event_type": "payment.received", "channel": "sms",
            "recipient": contact,
            "template": { "body": "Thank you, {{ customer_name }}: we received {{ amount|money }}." },
        }),
        json!({
            "name": "Paid invoices to sales", "event_type": "invoice.paid", "channel": "sms",
            "recipient": fixed,
            "template": { "body": "{{ customer_name }} paid {{ invoice_number }} ({{ total|money }})." },
        }),
        json!({
            "name": "Purchase orders to the vendor", "event_type": "purchase_order.issued",
            "channel": "sms", "recipient": contact,
            "template": { "body": "New order {{ purchaseorder_number }} from Northwind Paper, \
                delivery wished for {{ delivery_date|date }}." },
        }),
        json!({
            "name": "Large bills to the controller", "event_type": "bill.created", "channel": "sms",
            "conditions": { "all": [{ "field": "total", "op": "gte", "value": "500" }] },
            "recipient": fixed,
            "template": { "body": "Bill {{ bill_number }} of {{ vendor_name }}: {{ total|money }}, due {{ due_date|date }}." },
        }),
    ]
}

/// Signed sample webhooks, over HTTP like Zoho's own, until the demo stops. The first round comes at
/// once, so that the pages are not empty.
async fn stream(app: App, client: reqwest::Client, tenant: CreatedTenant, life: Lifecycle) {
    let Ok(secret) = WebhookSecret::parse(tenant.hook_secret.expose_secret()) else {
        return;
    };
    let mut samples = Generator::seeded(app.now().timestamp().unsigned_abs());
    // One that is not from Zoho Books, for the page of rejected requests.
    let forged = client
        .post(&tenant.hook_url)
        .header("content-type", "application/json")
        .header(webhook::SIGNATURE_HEADER, "0".repeat(64))
        .body("{}")
        .send()
        .await;
    if let Err(error) = forged {
        tracing::warn!(%error, "The forged webhook could not be posted");
    }
    for number in 0_usize.. {
        let happening = &ROUND[number % ROUND.len()];
        let document = sample(&mut samples, happening, number / ROUND.len(), app.now());
        let body = samples::to_body(&document, number % 2 == 0);
        let signature = webhook::sign(&secret, "", Some("application/json"), &body);
        let sent = client
            .post(format!("{}{}", tenant.hook_url, happening.path))
            .header("content-type", "application/json")
            .header(webhook::SIGNATURE_HEADER, signature)
            .body(body)
            .send()
            .await;
        if let Err(error) = sent {
            tracing::warn!(%error, "A sample webhook could not be posted");
        }
        let wait = if number < ROUND.len() {
            Duration::from_millis(120)
        } else {
            BETWEEN
        };
        tokio::select! {
            () = life.soft().cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// One thing that happens in the demo's books.
struct Happening {
    kind: DocumentKind,
    standing: Standing,
    /// Which customer or vendor, in the first round.
    trader: usize,
    /// Below the hook: an event type and a label where Zoho would be told to say them.
    path: &'static str,
}

const fn happens(kind: DocumentKind, standing: Standing, trader: usize) -> Happening {
    Happening {
        kind,
        standing,
        trader,
        path: "",
    }
}

/// A round of happenings. Payments and bills name nobody: they are told to the people whom an earlier
/// document of the same trader named, so most of them follow one. Customer 6 has a landline.
const ROUND: [Happening; 14] = {
    use DocumentKind::{Bill, CustomerPayment, Expense, Invoice, PurchaseOrder, VendorPayment};
    [
        happens(Invoice, Standing::Sent, 0),
        happens(PurchaseOrder, Standing::Sent, 0),
        happens(Invoice, Standing::Sent, 1),
        happens(Expense, Standing::Sent, 2),
        happens(CustomerPayment, Standing::Paid, 0),
        happens(Invoice, Standing::Sent, 6),
        happens(Invoice, Standing::Paid, 2),
        happens(Bill, Standing::Sent, 0),
        Happening {
            path: "/invoice.overdue/7d",
            ..happens(Invoice, Standing::Overdue, 4)
        },
        happens(CustomerPayment, Standing::Paid, 5),
        happens(Invoice, Standing::Draft, 5),
        happens(VendorPayment, Standing::Paid, 0),
        happens(Invoice, Standing::Sent, 3),
        happens(CustomerPayment, Standing::Paid, 1),
    ]
};

/// A dozen traders take turns over the rounds, backwards: those that have been written to come where
/// they only pay.
fn sample(samples: &mut Generator, of: &Happening, round: usize, now: DateTime<Utc>) -> Value {
    let wish = Wish {
        standing: Some(of.standing),
        trader: Some((of.trader + 10 * round) % 12),
        due_in_days: (of.standing == Standing::Overdue).then_some(-7),
        ..Wish::default()
    };
    samples.document(of.kind, &wish, now)
}

fn announcement(app: &App, tenant: &CreatedTenant, password: &str) -> String {
    format!(
        "The demo of ml-connector runs at {}\n\n  \
         E-mail    {OWNER}\n  \
         Password  {password}\n\n\
         {COMPANY} receives sample events from a stand-in for Zoho Books every few seconds and sends \
         its messages to a stand-in for Twilio. Nothing leaves this machine; all of it is gone when \
         you press Ctrl-C.\n",
        app.public_url().join(&format!("/t/{}", tenant.slug)),
    )
}
