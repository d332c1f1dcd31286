//! Where a sealed value stands, as the cipher authenticates it.

use std::fmt;

use uuid::Uuid;

use crate::domain::ids::{TenantId, UserId};

const SEAL_LABEL: &str = "ml-connector sealed value";

/// Where a sealed value stands. It opens nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    owner_kind: &'static str,
    owner: Uuid,
    table: &'a str,
    column: &'a str,
    row: Uuid,
}

impl<'a> Place<'a> {
    /// A cell of a tenant's row.
    pub const fn tenant(owner: TenantId, table: &'a str, column: &'a str, row: Uuid) -> Self {
        Self {
            owner_kind: "tenant",
            owner: owner.uuid(),
            table,
            column,
            row,
        }
    }

    /// A cell of a user's row.
    pub const fn user(owner: UserId, table: &'a str, column: &'a str, row: Uuid) -> Self {
        Self {
            owner_kind: "user",
            owner: owner.uuid(),
            table,
            column,
            row,
        }
    }

    /// A cell that belongs to the instance as a whole.
    pub const fn platform(table: &'a str, column: &'a str, row: Uuid) -> Self {
        Self {
            owner_kind: "platform",
            owner: Uuid::nil(),
            table,
            column,
            row,
        }
    }

    /// Each part after its length, so that no two places share an encoding.
    pub(super) fn associated_data(&self, prefix: &[u8]) -> Vec<u8> {
        length_prefixed(&[
            SEAL_LABEL.as_bytes(),
            prefix,
            self.owner_kind.as_bytes(),
            self.owner.as_bytes(),
            self.table.as_bytes(),
            self.column.as_bytes(),
            self.row.as_bytes(),
        ])
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}.{} of row {} ({} {})",
            self.table, self.column, self.row, self.owner_kind, self.owner
        )
    }
}

pub(super) fn length_prefixed(parts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    for part in parts {
        out.extend_from_slice(&(part.len() as u64).to_be_bytes());
        out.extend_from_slice(part);
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn two_lists_of_parts_never_share_an_encoding(
            a in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..4), 0..4),
            b in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..4), 0..4),
        ) {
            let parts = |v: &[Vec<u8>]| length_prefixed(&v.iter().map(Vec::as_slice).collect::<Vec<_>>());
            prop_assert_eq!(a == b, parts(&a) == parts(&b));
        }
    }
}
