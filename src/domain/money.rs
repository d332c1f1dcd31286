//! Money: exact amounts in ten-thousandths, and currencies.

use serde::{Deserialize, Serialize};

/// An amount of money in ten-thousandths of its currency's unit; the currency stands beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Amount(pub i64);
