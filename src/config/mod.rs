//! Everything the environment can set, parsed before the first connection.
//!
//! The only reader of the environment. All mistakes are told at once, each with what to write
//! instead; an empty variable counts as not set.

pub mod database;
pub mod log;
pub mod mail;
pub mod queue;
mod reader;
pub mod secrets;
pub mod twilio;
pub mod web;
pub mod worker;
pub mod zoho;

pub use reader::{ConfigError, Mistake};

use std::time::Duration;

use database::{DatabaseConfig, DatabaseUrl};
use log::LogConfig;
use mail::MailConfig;
use queue::QueueConfig;
use reader::Reader;
use secrets::SecretsConfig;
use twilio::TwilioConfig;
use web::WebConfig;
use worker::WorkerConfig;
use zoho::ZohoConfig;

/// The whole configuration, one section per concern.
#[derive(Debug, Clone)]
pub struct Config {
    pub web: WebConfig,
    pub database: DatabaseConfig,
    pub queue: QueueConfig,
    pub secrets: SecretsConfig,
    pub zoho: ZohoConfig,
    pub twilio: TwilioConfig,
    pub mail: MailConfig,
    pub worker: WorkerConfig,
    pub log: LogConfig,
}

impl Config {
    /// Reads the process's environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_lookup(&environment)
    }

    /// Reads variables from `lookup`, so that `demo` and tests can put others in their place.
    pub fn from_lookup(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(lookup);
        let config = Self {
            web: WebConfig::read(&mut reader),
            database: DatabaseConfig::read(&mut reader),
            queue: QueueConfig::read(&mut reader),
            secrets: SecretsConfig::read(&mut reader),
            zoho: ZohoConfig::read(&mut reader),
            twilio: TwilioConfig::read(&mut reader),
            mail: MailConfig::read(&mut reader),
            worker: WorkerConfig::default(),
            log: LogConfig::read(&mut reader),
        };
        reader.finish(config)
    }

    /// How long to go on serving after the signal while `/readyz` says 503. On a file nobody could
    /// take over meanwhile, so only PostgreSQL has a default above zero.
    pub fn stop_delay(&self) -> Duration {
        let default = match self.database.url {
            DatabaseUrl::Sqlite(_) => Duration::ZERO,
            DatabaseUrl::Postgres(_) => Duration::from_secs(5),
        };
        self.web.stop_delay.unwrap_or(default)
    }

    /// How long a process that serves may take to stop, from the first signal on.
    pub fn grace(&self) -> Duration {
        self.stop_delay() + self.worker.grace
    }

    /// Whether a provider is replaced by a sandbox; every page then bears a banner.
    pub const fn is_sandboxed(&self) -> bool {
        self.zoho.sandbox.is_some() || self.twilio.sandbox.is_some()
    }
}

/// A variable of the process. Bytes that are no UTF-8 become `U+FFFD` and are then refused by the
/// parser of that variable, with its name.
pub fn environment(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parses the given variables.
    pub(super) fn parse(set: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::from_lookup(&|name| {
            set.iter()
                .find(|(n, _)| *n == name)
                .map(|(_, value)| (*value).to_owned())
        })
    }

    /// The one mistake made by setting these variables.
    pub(super) fn mistake(set: &[(&str, &str)]) -> Mistake {
        let mut mistakes = parse(set).unwrap_err().mistakes;
        assert_eq!(mistakes.len(), 1, "{mistakes:?}");
        mistakes.remove(0)
    }

    #[test]
    fn an_empty_environment_is_enough() {
        let config = parse(&[]).unwrap();
        assert!(!config.is_sandboxed());
        assert_eq!(config.web.bind.to_string(), "127.0.0.1:8080");
    }

    #[test]
    fn an_empty_variable_is_not_set() {
        assert!(parse(&[("PORT", ""), ("REDIS_URL", " "), ("PUBLIC_URL", "")]).is_ok());
    }

    #[test]
    fn everything_wrong_is_told_at_once() {
        let error = parse(&[
            ("BIND", "localhost"),
            ("PORT", "99999"),
            ("DATABASE_URL", "mysql://x"),
            ("SIGNUP", "maybe"),
        ])
        .unwrap_err();
        let names: Vec<_> = error.mistakes.iter().map(|m| m.variable).collect();
        assert_eq!(names, ["BIND", "PORT", "SIGNUP", "DATABASE_URL"]);
        let text = error.to_string();
        assert!(text.starts_with("4 variables are wrong:\n"), "{text}");
        assert!(text.contains("\n  SIGNUP: "), "{text}");
    }

    #[test]
    fn secrets_never_reach_an_error_or_a_debug_text() {
        let set = [
            ("DATABASE_URL", "postgres://me:hush@db/x"),
            ("REDIS_URL", "redis://:hush@r"),
            ("MASTER_KEY", "hush"),
            ("ZOHO_CLIENT_ID", "1000.X"),
            ("ZOHO_CLIENT_SECRET", "hush"),
            ("SMTP_URL", "smtps://me:hush@mail"),
            ("MAIL_FROM", "sms@example.com"),
        ];
        let shown = format!("{:?}", parse(&set).unwrap());
        assert!(!shown.contains("hush"), "{shown}");
        for name in [
            "DATABASE_URL",
            "REDIS_URL",
            "SMTP_URL",
            "PUBLIC_URL",
            "TWILIO_SANDBOX_URL",
        ] {
            let text = mistake(&[(name, "ftp://me:hush@host:x/")]);
            assert!(!format!("{text:?}").contains("hush"), "{text:?}");
        }
    }
}
