//! Rules: the list, the editor and what is ready made.

pub(in crate::web) mod choices;
pub(in crate::web) mod form;
pub(in crate::web) mod handlers;
pub mod page;
pub(in crate::web) mod preview;
pub(in crate::web) mod ready;
pub(in crate::web) mod sample;
pub mod words;
