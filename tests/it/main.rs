//! The integration tests: people and machines that talk to the service over HTTP.

mod architecture;
mod crash;
mod harness;
mod hooks;
mod schema;
mod secrets;
mod story;
