//! The integration tests: people and machines that talk to the service over HTTP.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on should say where"
)]

mod architecture;
mod browser;
mod crash;
mod deploy;
mod harness;
mod hooks;
mod hostile;
mod many;
mod schema;
mod secrets;
mod story;
mod suspension;
