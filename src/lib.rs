//! ml-connector tells the right person by SMS, WhatsApp or e-mail what just happened in a
//! company's Zoho Books: once, on time, with proof.
//!
//! The house, from the street inwards. Imports point down only:
//!
//! ```text
//!    web/  worker/                             doors: translate the outside into one `app` call
//!         |
//!        app/                                  use cases: decide, in order, and own the transaction
//!         |                                     (`transport` is all that they know of a provider)
//!  store/ queue/ zoho/ twilio/ crypto/ ...     adapters: strangers to each other
//!         |
//!       domain/                                values and rules: no I/O, no framework
//! ```
//!
//! `startup` is the only place where the parts are joined; `cli` holds one file per command.

/// Lets the unit tests share files with `tests/it`.
#[cfg(test)]
extern crate self as ml_connector;

pub mod advised;
pub mod app;
mod batcher;
pub mod brakes;
pub mod cli;
pub mod config;
pub mod crypto;
pub mod dns;
pub mod domain;
pub mod http;
pub mod lifecycle;
pub mod mail;
pub mod queue;
pub mod redact;
pub mod redis;
pub mod render;
pub mod sandbox;
pub mod startup;
pub mod store;
pub mod telemetry;
#[cfg(test)]
mod testing;
pub mod transport;
pub mod twilio;
pub mod web;
pub mod worker;
pub mod zoho;
