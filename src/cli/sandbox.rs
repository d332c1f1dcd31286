//! `sandbox`: only the stand-ins for Zoho Books and Twilio, until a signal.
//!
//! Its output is meant to be copied: the address for `ZOHO_SANDBOX_URL` and
//! `TWILIO_SANDBOX_URL`, the control token, and credentials that work at once.

use std::io::Write as _;
use std::net::SocketAddr;

use anyhow::Context as _;

use crate::advised::Advised;
use crate::domain::clock::SharedClock;
use crate::sandbox::twilio::CallbackPlan;
use crate::sandbox::{DEMO_NUMBER, DEMO_ORGANIZATION, Sandbox, SandboxConfig, SandboxHandle};

/// Arguments of `sandbox`.
#[derive(Debug, clap::Args)]
pub struct SandboxArgs {
    /// Where to listen; loopback only
    #[arg(long, default_value = "127.0.0.1:8090")]
    bind: SocketAddr,
    /// The control endpoint's bearer token; random unless given
    #[arg(long)]
    control_token: Option<String>,
    /// Messages kept in memory; the oldest are forgotten
    #[arg(long, default_value_t = 200_000)]
    messages: usize,
    /// How long each answer of Twilio's takes, in milliseconds
    #[arg(long, default_value_t = 0)]
    latency_ms: u64,
    /// The wait before each state of a message, in milliseconds
    #[arg(long, default_value_t = 500)]
    callback_delay_ms: u64,
}

/// Runs the sandbox until Ctrl-C or SIGTERM.
///
/// # Errors
/// When the address is not loopback or is taken.
pub async fn run(
    args: SandboxArgs,
    clock: SharedClock,
    http: reqwest::Client,
) -> anyhow::Result<()> {
    let mut config = SandboxConfig::new(clock, http);
    config.bind = args.bind;
    config.control_token = args.control_token;
    config.message_cap = args.messages;
    config.twilio.latency_ms = args.latency_ms;
    config.callbacks = CallbackPlan {
        delay_ms: args.callback_delay_ms,
        ..config.callbacks
    };
    let sandbox = Sandbox::start(config).await.map_err(|error| {
        let advice = "name a free port of this machine with --bind, like 127.0.0.1:8091";
        Advised::new(error.to_string(), advice).because(error)
    })?;
    let text = announcement(&sandbox)?;
    let mut out = std::io::stdout();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .context("cannot write to stdout")?;
    asked_to_stop().await?;
    sandbox.stop().await;
    Ok(())
}

fn announcement(sandbox: &SandboxHandle) -> anyhow::Result<String> {
    let demo = sandbox.seed_demo()?;
    let first = |values: &[String]| values.first().cloned().unwrap_or_default();
    let (key_sid, key_secret) = demo.twilio.api_keys.first().cloned().unwrap_or_default();
    let base = sandbox.base_url();
    Ok(format!(
        "The sandbox listens on {base}. Nothing leaves this machine.\n\
         \n\
         ZOHO_SANDBOX_URL={base}\n\
         TWILIO_SANDBOX_URL={base}\n\
         \n\
         Twilio account    {account}\n\
         Auth Token        {auth_token}\n\
         API key           {key_sid} {key_secret}\n\
         Messaging Service {service}\n\
         Number            {DEMO_NUMBER}\n\
         \n\
         Zoho client       {client} {client_secret}\n\
         Refresh token     {refresh}\n\
         Organisation      {DEMO_ORGANIZATION}\n\
         \n\
         Control           {base}/_sandbox/… with Authorization: Bearer {token}\n\
         Stop with Ctrl-C.\n",
        account = demo.twilio.account_sid,
        auth_token = demo.twilio.auth_token,
        service = first(&demo.twilio.services),
        client = demo.zoho.client_id,
        client_secret = demo.zoho.client_secret,
        refresh = first(&demo.zoho.refresh_tokens),
        token = sandbox.control_token(),
    ))
}

#[cfg(unix)]
async fn asked_to_stop() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminated = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted.context("cannot wait for Ctrl-C"),
        _ = terminated.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn asked_to_stop() -> anyhow::Result<()> {
    tokio::signal::ctrl_c()
        .await
        .context("cannot wait for Ctrl-C")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::clock::SystemClock;

    #[tokio::test]
    async fn what_is_printed_works_at_once() {
        // Another test may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().build().unwrap();
        let config = SandboxConfig::new(Arc::new(SystemClock), http.clone());
        let sandbox = Sandbox::start(config).await.unwrap();
        let text = announcement(&sandbox).unwrap();
        let value = |label: &str| -> String {
            let line = text.lines().find(|line| line.starts_with(label)).unwrap();
            line[label.len()..].trim().to_owned()
        };
        let (account, base) = (value("Twilio account"), value("TWILIO_SANDBOX_URL="));
        let answer = http
            .get(format!("{base}/2010-04-01/Accounts/{account}.json"))
            .basic_auth(account, Some(value("Auth Token")))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200);
        assert!(text.contains(sandbox.control_token()));
    }
}
