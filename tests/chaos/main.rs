//! The chaos harness: the real service on real servers, under load, while things break.
//!
//! `tests/chaos/run` builds and starts it. For each scenario everything is set up afresh; signed
//! webhooks are posted while faults happen on a schedule; when all has come to rest, what Twilio's
//! stand-in really got is held against what the harness itself reckons should have been sent.
//!
//! The suite never runs it: it takes minutes. The suite does prove, with made-up figures, that its
//! verdict can be bad (`tests/it/chaos_verdict.rs`).

mod api;
mod args;
mod backlog;
mod faults;
mod line;
mod load;
mod plan;
mod processes;
mod promises;
mod readiness;
mod relay;
mod rest;
mod run;
mod sandbox;
mod scenarios;
#[expect(dead_code, reason = "benches/load uses all of it")]
mod servers;
mod slow_line;
mod small_disk;
mod stage;
mod table;
mod tenants;
mod verdict;
mod writer_lock;

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::bail;
use clap::Parser as _;
use tokio::signal::unix::{SignalKind, signal};

use crate::args::Args;
use crate::scenarios::{ALL, Needs, Scenario, Staging};
use crate::table::{Line, Report};

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    if args.list {
        for scenario in &ALL {
            print(&format!("{:<20} {}\n", scenario.name, scenario.about));
        }
        return ExitCode::SUCCESS;
    }
    let ended = tokio::select! {
        ended = all(&args) => ended,
        () = told_to_end() => Err(anyhow::anyhow!("ended by a signal")),
    };
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("{error:#}"));
            ExitCode::from(2)
        }
    }
}

/// Runs what was asked for; whether all was good.
async fn all(args: &Args) -> anyhow::Result<bool> {
    if let Some(deliveries) = args.backlog {
        say("== backlog: one tenant has many messages waiting, another sends one now and then");
        return backlog::run(args, deliveries).await;
    }
    let mut reports: Vec<Report> = Vec::new();
    for scenario in chosen(args)? {
        say(&format!("== {}: {}", scenario.name, scenario.about));
        let report = run::scenario(args, scenario).await?;
        if args.json {
            print(&format!("{}\n", report.json()));
        } else {
            print(&format!("{}\n", report.text()));
        }
        reports.push(report);
    }
    if !args.json && reports.len() > 1 {
        let lines: Vec<Line> = reports
            .iter()
            .map(|report| {
                let mark = if report.is_good() { "" } else { " BAD" };
                let name = format!("{}{mark}", report.scenario);
                Line {
                    name,
                    ..report.summary()
                }
            })
            .collect();
        print(&table::lines(&lines));
    }
    Ok(reports.iter().all(Report::is_good))
}

/// The scenarios asked for, or all that this set-up can do.
fn chosen(args: &Args) -> anyhow::Result<Vec<&'static Scenario>> {
    let chosen = asked_for(args)?;
    for scenario in &chosen {
        if matches!(scenario.staging, Staging::Clocks(_)) && args.servers.faketime.is_none() {
            let name = scenario.name;
            bail!(
                "{name} gives workers clocks of their own by libfaketime.so.1, which was not found: \
                 install the package faketime, or name the library with --faketime"
            );
        }
    }
    Ok(chosen)
}

fn asked_for(args: &Args) -> anyhow::Result<Vec<&'static Scenario>> {
    let can = |scenario: &Scenario| match scenario.needs {
        Needs::Nothing => true,
        Needs::Embedded => args.servers.embedded,
        Needs::Processes => !args.servers.embedded,
        Needs::Redis => args.has_redis(),
    };
    if args.scenarios.is_empty() {
        return Ok(ALL.iter().filter(|scenario| can(scenario)).collect());
    }
    let mut chosen = Vec::new();
    for name in &args.scenarios {
        match ALL.iter().find(|scenario| scenario.name == name) {
            Some(scenario) if can(scenario) => chosen.push(scenario),
            Some(scenario) => match scenario.needs {
                Needs::Embedded => bail!("{name} is about SQLite: give --embedded"),
                _ => bail!("{name} needs servers that --embedded or --no-redis leave out"),
            },
            None => bail!("no scenario {name}; --list shows them"),
        }
    }
    Ok(chosen)
}

async fn told_to_end() {
    let (interrupt, terminate) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    );
    let (Ok(mut interrupt), Ok(mut terminate)) = (interrupt, terminate) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

/// Progress, for people: standard output is for the figures.
fn say(text: &str) {
    // Nobody may be reading any more.
    drop(writeln!(std::io::stderr(), "{text}"));
}

fn print(text: &str) {
    let mut out = std::io::stdout();
    drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
}
