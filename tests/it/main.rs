//! The integration tests: people and machines that talk to the service over HTTP.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on should say where"
)]

mod accessibility;
mod accounts;
mod architecture;
mod browser;
mod chaos_verdict;
mod consent;
mod crash;
mod deletion;
mod deploy;
mod first_hour;
mod harness;
mod hooks;
mod hostile;
mod hours;
mod mail;
mod many;
mod notices;
mod operator;
mod postgres;
mod postgres_faults;
mod postgres_roles;
mod rehearsal;
mod rotation;
mod schema;
mod secrets;
mod story;
mod suspension;
mod teams;
mod tenancy;
#[path = "../chaos/verdict.rs"]
mod verdict;
mod walk;
mod web_security;

/// What a server of a test's own has to say when it cannot be stopped.
fn say(text: &str) {
    eprintln!("{text}");
}
