//! The database. sea-orm lives here and nowhere else.

pub mod codec;
