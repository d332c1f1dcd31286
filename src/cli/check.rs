//! `check`: what is wrong with the set-up, and how to mend it.

use std::fmt::Write as _;

use clap::Args;

use super::report::Advised;
use crate::app::health_report::Finding;
use crate::config::Config;
use crate::config::web::PublicUrl;
use crate::crypto::master_key::KeyOrigin;
use crate::domain::clock::SharedClock;
use crate::startup::{self, Jobs};

/// Say what is wrong with the set-up and how to mend it.
///
/// Changes nothing, and a role that may only read is enough; may run beside `serve`. Exits with 1 when
/// something is wrong.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Print the findings as JSON
    #[arg(long)]
    pub json: bool,
}

/// Looks at everything and says what is wrong, in the order in which to mend it.
pub async fn run(args: CheckArgs, clock: SharedClock) -> anyhow::Result<()> {
    let config = Config::from_env()?;
    let public_url = config
        .web
        .public_url
        .clone()
        .unwrap_or_else(|| PublicUrl::of_bound(config.web.bind));
    let built = startup::build(&config, public_url, clock, Jobs::Elsewhere).await?;
    let mut findings = built.app.report().await;
    findings.insert(0, key_finding(&built.key_origin));
    if config.queue.redis_url.is_some() {
        findings.push(redis_finding(built.app.queue_answers().await));
    }
    let is_good = findings.iter().all(|f| f.is_good);
    super::say(&if args.json {
        json(&findings)
    } else {
        words(&findings)
    })?;
    if is_good {
        return Ok(());
    }
    Err(Advised::new(
        "something is wrong with the set-up",
        "follow the lines above",
    )
    .into())
}

fn key_finding(origin: &KeyOrigin) -> Finding {
    let (says, advice) = match origin {
        KeyOrigin::Given => ("Given by the environment.".to_owned(), String::new()),
        KeyOrigin::FoundBeside(path) | KeyOrigin::Generated(path) => (
            format!("Beside the database: {}.", path.display()),
            "Whoever copies that folder can read the credentials: move the key elsewhere and name \
             it in MASTER_KEY_FILE"
                .to_owned(),
        ),
    };
    Finding {
        subject: "Place of the master key".to_owned(),
        is_good: true,
        says,
        advice,
    }
}

fn redis_finding(answers: bool) -> Finding {
    let (says, advice) = if answers {
        ("It answers.", "")
    } else {
        (
            "It does not answer. Events are still kept, and sent once it does.",
            "See that the server of REDIS_URL runs and can be reached from here",
        )
    };
    Finding {
        subject: "Redis".to_owned(),
        is_good: answers,
        says: says.to_owned(),
        advice: advice.to_owned(),
    }
}

fn json(findings: &[Finding]) -> String {
    let rows: Vec<_> = findings
        .iter()
        .map(|f| {
            serde_json::json!({
                "subject": f.subject, "good": f.is_good, "says": f.says, "advice": f.advice,
            })
        })
        .collect();
    format!("{}\n", serde_json::Value::from(rows))
}

fn words(findings: &[Finding]) -> String {
    let mut text = String::new();
    for f in findings {
        let mark = if f.is_good { "ok   " } else { "WRONG" };
        let _ = writeln!(text, "{mark}  {}: {}", f.subject, f.says);
        if !f.advice.is_empty() {
            let _ = writeln!(text, "       {}", f.advice);
        }
    }
    text
}
