//! How the database is spoken to: generic, knows no table's meaning.

pub mod codec;
pub(in crate::store) mod database_clock;
pub(in crate::store) mod db;
pub(in crate::store) mod dictionary;
pub(in crate::store) mod error;
pub(in crate::store) mod faults;
pub(in crate::store) mod files;
pub(in crate::store) mod keyset;
pub mod lock;
pub(in crate::store) mod look_ups;
pub(in crate::store) mod packed;
pub(in crate::store) mod partitions;
pub(in crate::store) mod schema;
pub(in crate::store) mod server;
pub(in crate::store) mod server_trouble;
pub(in crate::store) mod sql;
pub(in crate::store) mod unreachable;
pub(in crate::store) mod write_fault;
pub(in crate::store) mod writer;
