//! Zoho Books: webhooks, payloads, OAuth, API.

pub mod body;
mod pairs;
mod scalar;
pub mod webhook;
pub mod wire;
