//! `demo`: everything, on throw-away data and sandbox providers.

mod books;
mod clock;
mod company;
mod hook;
mod past;
mod player;
mod stream;

use std::collections::HashSet;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use chrono::{DateTime, Offset as _, TimeDelta, Utc};
use chrono_tz::Tz;
use clap::Args;
use secrecy::SecretString;

use self::books::Books;
use self::clock::DemoClock;
use self::hook::Hook;
use self::player::Player;
use self::stream::Stream;
use crate::advised::Advised;
use crate::app::App;
use crate::app::accounts::CreatedTenant;
use crate::config::{self, Config};
use crate::crypto::token;
use crate::domain::clock::SharedClock;
use crate::http;
use crate::lifecycle;
use crate::sandbox::twilio::{CallbackPlan, CallbackRule, Fault, FaultKind, FaultOrder};
use crate::sandbox::{Sandbox, SandboxConfig, SandboxHandle};
use crate::startup::{self, Jobs, Options, Running};
use crate::telemetry::{self, Metrics};

/// Look around: a throw-away database, sandbox providers, and a stream of sample events.
///
/// Prints the address and how to sign in. Nothing is sent to anyone and nothing is kept; the
/// databases, keys and mail of the environment are ignored. Listens on this machine only.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Where to listen on this machine; 0 takes any free port
    #[arg(long, default_value_t = 8080, value_name = "NUMBER")]
    pub port: u16,
    /// How many days of history are played before the pages open; 0 starts at once, with a few events
    #[arg(long, default_value_t = 10, value_name = "NUMBER", value_parser = clap::value_parser!(u8).range(0..=14))]
    pub days: u8,
}

/// The demo's company.
const COMPANY: &str = "Northwind Paper";
const OWNER: &str = "demo@example.com";
const OPERATOR: &str = "operator@example.com";
const ZONE: Tz = Tz::America__New_York;

/// The wait before each report of a message, while somebody looks.
const REPORTS_AFTER_MS: u64 = 900;

/// Runs the demo until a signal; its folder is removed afterwards.
pub async fn run(args: DemoArgs, machine: SharedClock) -> anyhow::Result<()> {
    let socket = listen(args.port)?;
    let folder = ThrowAway::new()?;
    let client = http::client().context("the HTTP client cannot be built")?;
    let clock = Arc::new(DemoClock::new(machine.clone()));
    let now = machine.now();
    if args.days > 0 {
        // Before anything is made: ids bear its time, and none may be later than those of the past.
        clock.set(past::beginning(now, ZONE, args.days) - TimeDelta::hours(1));
    }
    let sandbox = Sandbox::start(SandboxConfig {
        // Reports on messages of the past are made at its times.
        callbacks: CallbackPlan::of(&[]),
        ..SandboxConfig::new(clock.clone(), client.clone())
    })
    .await?;
    let config = config(&folder.0, sandbox.base_url())?;
    telemetry::init_logs(&config.log)?;
    let metrics = Some(Metrics::install()?);
    let mut signals = lifecycle::signals()?;
    let options = Options {
        jobs: Jobs::ByHand,
        metrics,
        inherited: Some(socket),
        ..Options::default()
    };
    let opening = Opening {
        client,
        clock,
        now,
        days: args.days,
    };
    let start = Box::pin(async {
        let running = startup::serve(&config, opening.clock.clone(), options).await?;
        let opened = opening.open(&running, &sandbox).await?;
        anyhow::Ok((running, opened))
    });
    let Some(started) = lifecycle::unless_signalled(&mut signals, start).await else {
        return Ok(());
    };
    let (running, (stream, announcement)) = started?;
    running.start_jobs(&config);
    super::say(&announcement)?;
    let stream = stream.run(running.app.clone(), running.life.clone());
    drop(running.life.spawn("demo", stream));
    running.life.until_signal(signals, config.grace()).await;
    sandbox.stop().await;
    Ok(())
}

/// What the demo is opened with.
struct Opening {
    client: reqwest::Client,
    clock: Arc<DemoClock>,
    /// The machine's time at the start.
    now: DateTime<Utc>,
    days: u8,
}

impl Opening {
    /// Founds the company and plays its past; what goes on afterwards, and what to print.
    async fn open(
        &self,
        running: &Running,
        sandbox: &SandboxHandle,
    ) -> anyhow::Result<(Stream, String)> {
        let credentials = sandbox.seed_demo()?.twilio;
        let passwords = [token::hook(), token::hook()];
        let [owners, operators] = passwords.clone().map(SecretString::from);
        let tenant = company::found(&running.app, &credentials, &owners, &operators).await?;
        let mut hook = Hook::of(&tenant, self.client.clone())?;
        let offset = self.now.with_timezone(&ZONE).offset().fix();
        let mut books = Books::new(self.now.timestamp().unsigned_abs() / 86_400, offset);
        let past = past::plan(&mut books, self.now, ZONE, self.days);
        if self.days > 0 {
            super::say(&format!("Playing {} of history …\n", days(self.days)))?;
            let mut player = Player {
                running,
                sandbox,
                clock: &self.clock,
                books: &mut books,
                hook: &mut hook,
                client: &self.client,
                tenant: tenant.id,
                twilio: &credentials,
                reported: HashSet::new(),
            };
            for (at, act) in &past.acts {
                self.clock.set(*at);
                player.play(act).await?;
            }
        }
        self.clock.return_to_present();
        let has_past = self.days > 0;
        plan_reports(sandbox, has_past)?;
        let text = announcement(&running.app, &tenant, &passwords);
        let stream = Stream {
            books,
            hook,
            unpaid: past.unpaid,
            has_past,
        };
        Ok((stream, text))
    }
}

/// How messages fare while somebody looks.
fn plan_reports(sandbox: &SandboxHandle, has_past: bool) -> anyhow::Result<()> {
    let live = CallbackPlan {
        delay_ms: REPORTS_AFTER_MS,
        ..CallbackPlan::default()
    };
    let mut rules = vec![(None, live.clone())];
    for (customer, code) in books::UNREACHABLE {
        let plan = CallbackPlan {
            statuses: ["sending", "undelivered"].map(str::to_owned).to_vec(),
            error_code: Some(code),
            ..live.clone()
        };
        rules.push((Some(books::mobile(customer)), plan));
    }
    for (to, plan) in rules {
        sandbox.twilio().plan(CallbackRule {
            to,
            to_ends_with: None,
            plan,
        })?;
    }
    if !has_past {
        // Its page shows how a message whose answer was lost is looked for and found.
        let mut lost = FaultOrder::once(Fault::new(FaultKind::DropAfter));
        lost.to = Some(books::mobile(books::FOUND));
        sandbox.twilio().next(lost)?;
    }
    Ok(())
}

/// Before anything is made, and with the advice that fits: the demo ignores `BIND`.
fn listen(port: u16) -> anyhow::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|source| {
        let what = format!("cannot listen on 127.0.0.1:{port}");
        let advice = "choose another port with --port, or any free one with --port 0";
        Advised::new(what, advice).because(source).into()
    })
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
fn config(folder: &Path, sandbox: &str) -> anyhow::Result<Config> {
    let database = format!("sqlite://{}", folder.join("demo.db").display());
    let lookup = |name: &str| match name {
        "DATABASE_URL" => Some(database.clone()),
        "ZOHO_SANDBOX_URL" | "TWILIO_SANDBOX_URL" => Some(sandbox.to_owned()),
        "RUST_LOG" => config::environment(name).or_else(|| Some("warn".to_owned())),
        "LOG_FORMAT" => config::environment(name),
        _ => None,
    };
    Ok(Config::from_lookup(&lookup)?)
}

fn announcement(app: &App, tenant: &CreatedTenant, [owners, operators]: &[String; 2]) -> String {
    format!(
        "The demo of ml-connector runs at {}\n\n  \
         E-mail    {OWNER}\n  \
         Password  {owners}\n\n\
         Whoever runs the service sees {}\n\n  \
         E-mail    {OPERATOR}\n  \
         Password  {operators}\n\n\
         {COMPANY} receives sample events from a stand-in for Zoho Books every few seconds and sends \
         its messages to a stand-in for Twilio. Nothing leaves this machine; all of it is gone when \
         you press Ctrl-C.\n",
        app.public_url().join(&format!("/t/{}", tenant.slug)),
        app.public_url().join("/operator"),
    )
}

fn days(number: u8) -> String {
    match number {
        1 => "a day".to_owned(),
        10 => "ten days".to_owned(),
        other => format!("{other} days"),
    }
}
