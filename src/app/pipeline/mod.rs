//! The way of an event: it comes in, is routed, and becomes decisions and deliveries.
//!
//! ```text
//!  request ─► receive ─► event row ─► route ──► plan ──► commit ─► decisions, deliveries ─► sending
//!             (hook,                            │  ▲
//!              rejected)                 assess ┘  └ decide ─► recipients, message
//!                                     (fold, keep)
//!  person ──► replay: ask, confirm, request, carry out ─► plan, commit
//! ```
//!
//! Everything is worked out outside the transaction: a *plan* is all that routing an event would write.
//! A new event is *folded* (it changes its document and claims transitions), one that a person decides again
//! is *kept* (the document stays as it is). That is the whole difference between the two.

mod addresses;
mod approvers;
mod assess;
mod context;
mod decide;
mod evaluation_input;
mod forged;
mod hook;
mod message;
mod people;
mod plan;
mod receive;
mod recipients;
mod renew;
pub mod replay;
mod route;
mod said;
mod stored_event;

pub use crate::zoho::content::{ContentKind, is_encoded};
pub use crate::zoho::webhook::SIGNATURE_HEADER;
pub(super) use context::RoutingContext;
pub use hook::Hook;
pub(super) use hook::{HookCache, JSON};
pub use receive::{HookRequest, Received};
pub(super) use said::TemplateCache;
pub(super) use stored_event::FreshEvents;
