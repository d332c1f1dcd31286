//! What a tenant sets up and edits.
//!
//! The statements are SQL and not sea-orm's entities: many of those of tokens and rules join, set by an
//! expression, or answer what they changed, which entities do not shorten; and on `SQLite` the statements of
//! entities number no values, by which a statement's tenant is checked (see `engine/db/tenancy.rs`). This
//! was weighed by reading, and not yet tried in code.

pub(in crate::store) mod account_figures;
pub(in crate::store) mod address_search;
pub(in crate::store) mod bank_details;
pub(in crate::store) mod brand;
pub(in crate::store) mod connections;
pub(in crate::store) mod consents;
pub(in crate::store) mod groups;
pub(in crate::store) mod message_edits;
pub(in crate::store) mod message_settings;
pub(in crate::store) mod notices;
pub(in crate::store) mod own_numbers;
pub(in crate::store) mod permissions;
pub(in crate::store) mod replies;
pub(in crate::store) mod rules;
pub(in crate::store) mod senders;
pub(in crate::store) mod settings;
pub(in crate::store) mod suppressions;
