//! The tenants: made with `admin`, connected and given their rules over the API.

use anyhow::{Context as _, bail};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use ml_connector::zoho::secret::WebhookSecret;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use crate::api::Api;
use crate::processes::Launch;
use crate::sandbox::{Account, NUMBER, Sandbox};

/// How many are made at once: each hashes a password.
const AT_ONCE: usize = 2;

/// Of every owner.
pub(crate) const PASSWORD: &str = "a long enough password";

/// Accounts that the second half of the tenants share.
const SHARED: usize = 2;

#[derive(Debug, Clone)]
pub(crate) struct Tenant {
    pub(crate) name: String,
    pub(crate) account: String,
    pub(crate) hook_url: String,
    pub(crate) hook_secret: WebhookSecret,
    pub(crate) api: Api,
}

/// Where tenants are made.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    /// The binary with the service's environment.
    pub(crate) admin: &'a Launch,
    pub(crate) sandbox: &'a Sandbox,
    pub(crate) http: &'a reqwest::Client,
    /// The service's address.
    pub(crate) base: &'a str,
}

/// Makes them all, each with these rules.
pub(crate) async fn make(
    count: usize,
    rules: &[Value],
    place: Place<'_>,
) -> anyhow::Result<Vec<Tenant>> {
    let owners = count.div_ceil(2);
    let mut accounts = Vec::new();
    for _ in 0..(owners + SHARED).min(count) {
        accounts.push(place.sandbox.register().await?);
    }
    let account_of = |tenant: usize| {
        let shared = owners + tenant % SHARED;
        let own = if tenant < owners { tenant } else { shared };
        accounts[own.min(accounts.len() - 1)].clone()
    };
    stream::iter(0..count)
        .map(|number| {
            let account = account_of(number);
            async move {
                let name = format!("t{number:02}");
                let tenant = one(&name, &account, rules, place).await;
                tenant.with_context(|| format!("tenant {name}"))
            }
        })
        .buffered(AT_ONCE)
        .try_collect()
        .await
}

async fn one(
    name: &str,
    account: &Account,
    rules: &[Value],
    place: Place<'_>,
) -> anyhow::Result<Tenant> {
    let admin = place.admin;
    let email = format!("owner@{name}.example");
    let made = run(
        admin,
        &[
            "create-tenant",
            "--name",
            name,
            "--owner-email",
            &email,
            "--password-stdin",
            "--live",
            "--any-hour",
        ],
    )
    .await?;
    let id = text(&made, "tenant_id")?;
    let token = run(admin, &["create-token", "--tenant", &id, "--role", "owner"]).await?;
    let api = Api {
        http: place.http.clone(),
        base: place.base.to_owned(),
        token: text(&token, "token")?,
    };
    let connection = json!({
        "account_sid": account.sid, "auth_token": account.auth_token, "from": NUMBER,
    });
    api.call(Method::PUT, "/connections/twilio", Some(&connection))
        .await?;
    let sender = json!({
        "transport": "twilio_email", "name": name, "address": format!("billing@{name}.example"),
    });
    api.call(Method::POST, "/senders", Some(&sender)).await?;
    for rule in rules {
        api.call(Method::POST, "/rules", Some(rule)).await?;
    }
    Ok(Tenant {
        name: name.to_owned(),
        account: account.sid.clone(),
        hook_url: text(&made, "hook_url")?,
        hook_secret: WebhookSecret::parse(&text(&made, "hook_secret")?)?,
        api,
    })
}

/// Runs `admin …` and reads its JSON.
async fn run(admin: &Launch, args: &[&str]) -> anyhow::Result<Value> {
    let launch = admin.clone().args(["admin"]).args(args).args(["--json"]);
    let mut command = launch.command();
    command
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let mut child = command.spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // `create-token` asks for nothing and may be gone before this is written.
        drop(stdin.write_all(format!("{PASSWORD}\n").as_bytes()).await);
    }
    let output = child.wait_with_output().await?;
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr);
        bail!("admin {}: {told}", args.join(" "));
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn text(told: &Value, field: &str) -> anyhow::Result<String> {
    let value = told[field].as_str();
    Ok(value.with_context(|| format!("no {field}"))?.to_owned())
}
