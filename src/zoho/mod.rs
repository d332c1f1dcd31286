//! Zoho Books: webhooks, payloads, OAuth, API.

pub mod body;
pub mod client;
pub mod content;
mod envelope;
pub mod error;
pub mod message;
pub mod oauth;
pub mod oauth_error;
mod pairs;
pub mod region;
pub mod retry;
mod scalar;
pub mod secret;
pub mod settings;
pub mod tokens;
mod transport;
pub mod webhook;
pub mod wire;
mod wrapper;

#[cfg(test)]
mod test_server;

use crate::domain::connection::Provider;

/// The word for connections to it, as stored.
pub const PROVIDER: Provider = Provider::named("zoho");
