//! Zoho Books: webhooks, payloads, OAuth, API.

pub mod body;
pub mod content;
mod envelope;
mod pairs;
mod scalar;
pub mod secret;
pub mod webhook;
pub mod wire;
