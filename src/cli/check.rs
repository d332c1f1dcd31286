//! `check`: what is wrong with the set-up, and how to mend it.

use std::fmt::Write as _;

use clap::Args;

use crate::advised::Advised;
use crate::app::health_report::Finding;
use crate::config::Config;
use crate::config::web::{PublicUrl, TrustedProxies};
use crate::crypto::master_key::KeyOrigin;
use crate::domain::clock::SharedClock;
use crate::queue::Degraded;
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
    let proxies = proxies_finding(&public_url, &config.web.trusted_proxies);
    let built = startup::build(&config, public_url, clock, Jobs::Elsewhere).await?;
    let mut findings = built.app.report().await;
    findings.insert(0, key_finding(&built.key_origin));
    findings.extend(proxies);
    if config.queue.redis_url.is_some() {
        findings.push(redis_finding(built.app.queue().health().await));
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

/// TLS always ends at a proxy, and one that nobody named hides who visits.
fn proxies_finding(public_url: &PublicUrl, proxies: &TrustedProxies) -> Option<Finding> {
    let is_hidden = public_url.is_https() && proxies.is_empty();
    is_hidden.then(|| Finding {
        subject: "Proxy".to_owned(),
        is_good: true,
        says: "TRUSTED_PROXIES is not set, so visitors are not told apart: tries to sign in are \
               limited by account only, and the security log shows the proxy's address."
            .to_owned(),
        advice: "Set TRUSTED_PROXIES to the address of the proxy, or to fly on Fly.io".to_owned(),
    })
}

fn redis_finding(health: Result<(), Degraded>) -> Finding {
    let (is_good, says, advice) = match health {
        Ok(()) => (true, "It takes what the queue asks of it.".to_owned(), ""),
        Err(degraded) => (
            false,
            format!("{degraded}; workers look into the database themselves."),
            "Messages go out all the same, up to some seconds later. See that the server of REDIS_URL \
             runs near by, takes its password and writes: no replica, and maxmemory above what it holds",
        ),
    };
    Finding {
        subject: "Redis".to_owned(),
        is_good,
        says,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_that_nobody_named_is_told() {
        let finding = |url: &str, proxies: &str| {
            let proxies = TrustedProxies::parse(proxies).unwrap();
            proxies_finding(&PublicUrl::parse(url).unwrap(), &proxies)
        };
        let told = finding("https://sms.example.com", "").unwrap();
        assert!(told.is_good && told.advice.contains("TRUSTED_PROXIES"));
        assert_eq!(finding("https://sms.example.com", "127.0.0.1"), None);
        assert_eq!(finding("https://sms.example.com", "fly"), None);
        assert_eq!(finding("http://127.0.0.1:8080", ""), None);
    }
}
