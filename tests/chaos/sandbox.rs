//! The stand-in for Twilio in a process of its own, and its control endpoint.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::processes::{Launch, Process};
use crate::servers::free_address;
use crate::verdict::Message;

/// The sender of every account.
pub(crate) const NUMBER: &str = "+15005550006";

const CONTROL_TOKEN: &str = "chaos";
const STARTS_WITHIN: Duration = Duration::from_secs(10);

/// An account as registered.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Account {
    #[serde(rename = "account_sid")]
    pub(crate) sid: String,
    pub(crate) auth_token: String,
}

#[derive(Debug)]
pub(crate) struct Sandbox {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
    http: reqwest::Client,
}

impl Sandbox {
    pub(crate) async fn start(
        binary: &Path,
        http: &reqwest::Client,
        logs: &Path,
        latency_ms: u32,
    ) -> anyhow::Result<Self> {
        let address = free_address()?;
        let launch = Launch::new(binary)
            .args(["sandbox", "--control-token", CONTROL_TOKEN])
            .args(["--bind", &address.to_string()])
            .args(["--latency-ms", &latency_ms.to_string()])
            .args(["--messages", "1000000"]);
        let mut sandbox = Self {
            process: Process::new("sandbox", launch, logs),
            address,
            http: http.clone(),
        };
        sandbox.process.start()?;
        let end = Instant::now() + STARTS_WITHIN;
        while sandbox.taken().await.is_err() {
            if Instant::now() > end {
                bail!(
                    "the sandbox does not answer:\n{}",
                    sandbox.process.last_words()
                );
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(sandbox)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) async fn register(&self) -> anyhow::Result<Account> {
        let told = self
            .order("accounts", &json!({ "numbers": [NUMBER] }))
            .await?;
        Ok(serde_json::from_value(told)?)
    }

    /// Draws faults by chance until it is told otherwise; an empty list ends them.
    pub(crate) async fn fault_plan(&self, seed: u64, shares: &Value) -> anyhow::Result<()> {
        let plan = json!({ "seed": seed, "shares": shares });
        self.order("faults", &plan).await.map(drop)
    }

    /// Answers the next `count` wishes for a message with 429.
    pub(crate) async fn too_many(&self, count: u32) -> anyhow::Result<()> {
        let fault = json!({ "kind": "too_many", "retry_after": 1 });
        for on in ["create", "email"] {
            let order = json!({ "fault": fault, "count": count, "on": on });
            self.order("next", &order).await?;
        }
        Ok(())
    }

    /// How long each of its answers takes from now on.
    pub(crate) async fn latency(&self, ms: u32) -> anyhow::Result<()> {
        self.order("settings", &json!({ "latency_ms": ms }))
            .await
            .map(drop)
    }

    /// Posts no states any more; they can still be asked for.
    pub(crate) async fn mute(&self) -> anyhow::Result<()> {
        let plan = json!({ "post": false, "delay_ms": 500 });
        self.callbacks(&plan).await
    }

    /// How messages go on from here.
    pub(crate) async fn callbacks(&self, plan: &Value) -> anyhow::Result<()> {
        let order = json!({ "plan": plan });
        self.order("callbacks", &order).await.map(drop)
    }

    /// How many messages it has taken.
    pub(crate) async fn taken(&self) -> anyhow::Result<u64> {
        let told = self.read("taken").await?;
        let texts = told["taken"].as_u64().context("no count of messages")?;
        let told = self.read("emails?limit=0").await?;
        let emails = told["taken"].as_u64().context("no count of e-mails")?;
        Ok(texts + emails)
    }

    /// Every message that it has taken, whatever the channel.
    pub(crate) async fn messages(&self) -> anyhow::Result<Vec<Message>> {
        let mut all = self.texts().await?;
        all.extend(self.emails().await?);
        Ok(all)
    }

    async fn emails(&self) -> anyhow::Result<Vec<Message>> {
        #[derive(Deserialize)]
        struct Taken {
            operation_id: String,
            account_sid: String,
            to: String,
            subject: String,
            created_at: DateTime<Utc>,
        }
        let mut told = self.read("emails?limit=1000000").await?;
        let taken: Vec<Taken> = serde_json::from_value(told["emails"].take())?;
        if told["taken"].as_u64() != u64::try_from(taken.len()).ok() {
            bail!("the sandbox has forgotten e-mails");
        }
        let messages = taken.into_iter().map(|email| Message {
            sid: email.operation_id,
            account: email.account_sid,
            to: email.to,
            text: email.subject,
            at: email.created_at,
        });
        Ok(messages.collect())
    }

    async fn texts(&self) -> anyhow::Result<Vec<Message>> {
        #[derive(Deserialize)]
        struct Taken {
            sid: String,
            account_sid: String,
            to: String,
            body: String,
            date_created: DateTime<Utc>,
        }
        let mut told = self.read("messages?limit=1000000").await?;
        let taken: Vec<Taken> = serde_json::from_value(told["messages"].take())?;
        if told["taken"].as_u64() != u64::try_from(taken.len()).ok() {
            bail!("the sandbox has forgotten messages");
        }
        Ok(taken
            .into_iter()
            .map(|m| Message {
                sid: m.sid,
                account: m.account_sid,
                to: m.to,
                text: m.body,
                at: m.date_created,
            })
            .collect())
    }

    async fn order(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let call = self.http.post(self.control(path)).json(body);
        answer(call, path).await
    }

    async fn read(&self, path: &str) -> anyhow::Result<Value> {
        answer(self.http.get(self.control(path)), path).await
    }

    fn control(&self, path: &str) -> String {
        format!("{}/_sandbox/twilio/{path}", self.url())
    }
}

async fn answer(call: reqwest::RequestBuilder, path: &str) -> anyhow::Result<Value> {
    let answer = call.bearer_auth(CONTROL_TOKEN).send().await?;
    let status = answer.status();
    let text = answer.text().await?;
    if !status.is_success() {
        bail!("the sandbox answered {status} to {path}: {text}");
    }
    Ok(serde_json::from_str(&text)?)
}
