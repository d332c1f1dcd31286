//! The commands of the binary, one file each.
//!
//! Standard output is for results, standard error for log lines and complaints, so that `--json`
//! can be piped.

pub mod admin;
pub mod check;
pub mod demo;
pub mod migrate;
pub mod sandbox;
pub mod serve;
pub mod work;

use std::io::Write as _;
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Parser, Subcommand};

use crate::domain::clock::{SharedClock, SystemClock};

/// Tells the right person by SMS what just happened in Zoho Books: once, on time, with proof.
///
/// Settings come from the environment; `.env.example` explains each variable.
#[derive(Debug, Parser)]
#[command(name = "ml-connector", version, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    Serve(serve::ServeArgs),
    Work(work::WorkArgs),
    Migrate(migrate::MigrateArgs),
    Demo(demo::DemoArgs),
    /// Run only the stand-ins for Zoho Books and Twilio, for development and load tests.
    Sandbox(sandbox::SandboxArgs),
    Check(check::CheckArgs),
    #[command(subcommand)]
    Admin(admin::AdminCommand),
}

/// Runs one command to its end.
pub fn run(cli: Cli) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the runtime cannot be started")?;
    let clock: SharedClock = Arc::new(SystemClock);
    runtime.block_on(async {
        match cli.command {
            Command::Serve(args) => serve::run(args, clock).await,
            Command::Work(args) => work::run(args, clock).await,
            Command::Migrate(args) => migrate::run(args, clock).await,
            Command::Demo(args) => demo::run(args, clock).await,
            Command::Sandbox(args) => {
                let client = crate::http::client().context("the HTTP client cannot be built")?;
                sandbox::run(args, clock, client).await
            }
            Command::Check(args) => check::run(args, clock).await,
            Command::Admin(command) => admin::run(command, clock).await,
        }
    })
}

/// Writes results to standard output.
fn say(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .context("cannot write to stdout")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Command, clap::Error> {
        Cli::try_parse_from(line.split_whitespace()).map(|cli| cli.command)
    }

    #[test]
    fn the_command_line_is_consistent_and_explained() {
        Cli::command().debug_assert();
        let mut todo = vec![Cli::command()];
        while let Some(command) = todo.pop() {
            assert!(
                command.get_about().is_some(),
                "{} has no help",
                command.get_name()
            );
            for arg in command.get_arguments() {
                assert!(arg.get_help().is_some(), "{} has no help", arg.get_id());
            }
            todo.extend(command.get_subcommands().cloned());
        }
    }

    #[test]
    fn a_tenant_is_made_in_one_line() {
        let line = "ml-connector admin create-tenant --name Acme --owner-email a@b.example \
                    --password-stdin --zone Europe/Berlin --json";
        let Command::Admin(admin::AdminCommand::CreateTenant(args)) = parse(line).unwrap() else {
            panic!("another command");
        };
        assert_eq!(
            (args.name.as_str(), args.zone.as_str()),
            ("Acme", "Europe/Berlin")
        );
        assert!(args.json && args.country == "US" && args.currency == "USD");
        let begins = &args.beginning;
        assert!(!begins.live && !begins.any_hour, "nobody is written to yet");
        for told in ["--live", "--live --any-hour"] {
            assert!(parse(&format!("{line} {told}")).is_ok(), "{told}");
        }
        // By day only is decided when going live, on a page that says so.
        assert!(parse(&format!("{line} --any-hour")).is_err());
    }

    #[test]
    fn a_tenant_is_suspended_for_a_reason() {
        let line = format!(
            "ml-connector admin suspend-tenant --tenant ten_{}",
            "0".repeat(32)
        );
        assert!(parse(&line).is_err(), "a reason is missing");
        assert!(parse(&format!("{line} --reason Unpaid --json")).is_ok());
        let back = line.replace("suspend", "reinstate");
        assert!(parse(&format!("{back} --json")).is_ok());
    }

    #[test]
    fn passwords_are_never_arguments() {
        for line in [
            "ml-connector admin create-operator --email a@b.example",
            "ml-connector admin create-operator --email a@b.example --password hush",
            "ml-connector admin create-tenant --name Acme --owner-email a@b.example",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn a_token_has_one_of_the_four_roles() {
        let token = |role: &str| {
            parse(&format!(
                "ml-connector admin create-token --tenant ten_{} --role {role}",
                "0".repeat(32)
            ))
        };
        assert!(token("editor").is_ok());
        assert!(token("root").is_err());
        assert!(parse("ml-connector admin create-token --tenant acme --role owner").is_err());
    }
}
