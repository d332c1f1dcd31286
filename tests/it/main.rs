//! The integration tests: people and machines that talk to the service over HTTP.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on should say where"
)]

mod architecture;
mod browser;
mod chaos_verdict;
mod crash;
mod deploy;
mod harness;
mod hooks;
mod hostile;
mod hours;
mod mail;
mod many;
mod notices;
mod operator;
mod postgres;
mod rehearsal;
mod rotation;
mod schema;
mod secrets;
mod story;
mod suspension;
#[path = "../chaos/verdict.rs"]
mod verdict;
