//! Secrets at rest, passwords and tokens.
//!
//! Nothing here reads the database: the vault is handed its wrapped keys, and hands back rows to
//! be stored.

pub mod key_ring;
pub mod master_key;
pub mod password;
mod place;
pub mod token;
pub mod totp;
pub mod vault;
