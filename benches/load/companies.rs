//! Companies by the thousand. Those of the harness are made over the command line and the API, a process
//! and a dozen requests each; these by the same calls of `app` in one process, beside the service.

use std::io::BufRead as _;
use std::process::Stdio;
use std::sync::Arc;

use anyhow::Context as _;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use ml_connector::app::App;
use ml_connector::app::accounts::{Beginning, TenantInput};
use ml_connector::app::rules::RuleSwitches;
use ml_connector::config::Config;
use ml_connector::domain::actor::Actor;
use ml_connector::domain::clock::SystemClock;
use ml_connector::startup::{self, Jobs};
use ml_connector::twilio;
use ml_connector::twilio::set_up::TwilioInput;
use ml_connector::zoho::secret::WebhookSecret;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt as _;

use crate::args::Args;
use crate::processes::Launch;
use crate::sandbox::{NUMBER, Sandbox};
use crate::stage;
use crate::tenants::{PASSWORD, Tenant};

/// How many are made at once: their passwords take the cores, everything else waits for the disk.
const AT_ONCE: usize = 8;

/// What this process is told of each company to make …
#[derive(Debug, Serialize, Deserialize)]
struct Wanted {
    name: String,
    account_sid: String,
    auth_token: String,
}

/// … and what it tells of one that is made.
#[derive(Debug, Serialize, Deserialize)]
struct Made {
    name: String,
    account: String,
    hook_url: String,
    hook_secret: String,
}

/// Makes `count` companies more, each with a Twilio account of its own. They have the token of
/// `like`, since nobody reads their pages.
pub(crate) async fn make(
    count: usize,
    args: &Args,
    service: &Launch,
    sandbox: &Sandbox,
    like: &Tenant,
) -> anyhow::Result<Vec<Tenant>> {
    let mut wanted = Vec::new();
    for number in 0..count {
        let account = sandbox.register().await?;
        let company = Wanted {
            name: format!("c{number:05}"),
            account_sid: account.sid,
            auth_token: account.auth_token,
        };
        wanted.extend(serde_json::to_vec(&company)?);
        wanted.push(b'\n');
    }
    let itself = Launch {
        program: std::env::current_exe()?,
        ..service.clone()
    };
    let rules = args.rules.to_string();
    let mut command = itself.args(["companies", "--rules", &rules]).command();
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn()?;
    let mut input = child.stdin.take().context("no way in")?;
    let telling = async move { input.write_all(&wanted).await };
    let (told, output) = tokio::join!(telling, child.wait_with_output());
    told?;
    let output = output?;
    anyhow::ensure!(output.status.success(), "the companies were not made");
    output
        .stdout
        .lines()
        .map(|line| {
            let made: Made = serde_json::from_str(&line?)?;
            Ok(Tenant {
                name: made.name,
                account: made.account,
                hook_url: made.hook_url,
                hook_secret: WebhookSecret::parse(&made.hook_secret)?,
                api: like.api.clone(),
            })
        })
        .collect()
}

/// The process that makes them.
pub(crate) async fn run(args: &Args) -> anyhow::Result<()> {
    let config = Config::from_env()?;
    let public_url = config.web.public_url.clone().context("no public URL")?;
    let clock = Arc::new(SystemClock);
    let app = startup::build(&config, public_url, clock, Jobs::Elsewhere)
        .await?
        .app;
    let rules = stage::rules(args.rules);
    let wanted = std::io::stdin()
        .lock()
        .lines()
        .map(|line| Ok(serde_json::from_str(&line?)?))
        .collect::<anyhow::Result<Vec<Wanted>>>()?;
    let made: Vec<Made> = stream::iter(wanted)
        .map(|company| one(&app, company, &rules))
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    for company in made {
        println!("{}", serde_json::to_string(&company)?);
    }
    Ok(())
}

async fn one(app: &App, company: Wanted, rules: &[serde_json::Value]) -> anyhow::Result<Made> {
    let actor = Actor::operator();
    let made = app
        .create_tenant(TenantInput {
            name: company.name.clone(),
            owner_email: format!("owner@{}.example", company.name),
            password: SecretString::from(PASSWORD),
            country: "US".to_owned(),
            zone: "UTC".to_owned(),
            currency: "USD".to_owned(),
            beginning: Beginning::LiveAtAnyHour,
        })
        .await?;
    let twilio = TwilioInput {
        account_sid: company.account_sid.clone(),
        auth_token: Some(SecretString::from(company.auth_token)),
        from: NUMBER.to_owned(),
        ..TwilioInput::default()
    };
    app.connect(made.id, twilio::PROVIDER, (&twilio.into(), false), &actor)
        .await?;
    for rule in rules {
        app.create_rule(made.id, rule, RuleSwitches::default(), &actor)
            .await?;
    }
    Ok(Made {
        name: company.name,
        account: company.account_sid,
        hook_url: made.hook_url,
        hook_secret: made.hook_secret.expose_secret().to_owned(),
    })
}
