//! Door one: HTTP.
//!
//! Pages are askama structs under `pages`, components are maud functions under `ui`, and one
//! typed filter joins them.

pub mod assets;
pub mod chrome;
pub mod form;
pub mod pages;
pub mod ui;
