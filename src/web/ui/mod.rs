//! Components: small maud functions of data, used by several pages or sent alone.
//!
//! They take values and return `Markup`; only this folder may call a text markup already
//! (`PreEscaped`), and `filters::markup` is the only way from here into a page.

pub mod address;
pub mod badge;
pub mod bars;
pub mod chips;
pub mod confirm;
pub mod content;
pub mod copy;
pub mod empty;
pub mod field;
pub mod figure;
pub mod filters;
pub mod icon;
pub mod money;
pub mod notice;
pub mod pager;
pub mod phone;
pub mod qr;
pub mod requests;
pub mod rule_sentence;
pub mod time;
pub mod timeline;
pub mod tone;
