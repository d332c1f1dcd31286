//! Pages: one askama struct per page, beside the plain values it shows.
//!
//! Handlers fill a page's `…View` and answer with the struct. `samples` fills every page with
//! made-up values, so that tests and designers see each of them empty, full and under attack.

pub mod account;
pub mod books;
pub mod brand;
pub mod connections;
pub mod entrance;
pub mod error;
pub mod event;
pub mod event_story;
pub mod groups;
pub mod history;
pub mod limits;
pub mod operator;
pub mod overview;
pub mod permissions;
pub mod profile;
pub mod rehearsal;
pub mod reminder_stops;
pub mod replay;
pub mod rules;
pub mod samples;
pub mod security;
pub mod security_words;
pub mod senders;
pub mod settings;
pub mod suppressions;
pub mod team;
pub mod webhook_guide;
pub mod words;
