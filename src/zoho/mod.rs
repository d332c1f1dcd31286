//! Zoho Books: webhooks, payloads, OAuth, API.

pub mod client;
pub mod error;
pub mod oauth;
pub mod oauth_error;
pub mod region;
pub mod tokens;

mod transport;

#[cfg(test)]
mod test_server;
