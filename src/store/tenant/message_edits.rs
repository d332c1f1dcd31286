//! What edits of senders, groups, brand and bank details have in common.

use chrono::{DateTime, Utc};
use sea_orm::Value;

use super::rules::raise_rule_set;
use crate::store::StoreError;
use crate::store::audit::{AuditLine, audit, is_full_day};
use crate::store::engine::db::TenantDb;

/// How often each of them may be changed within a day: each change is kept in the security log.
pub(in crate::store) const MOST_EDITS: i64 = 1000;

/// How a change ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageEdit {
    Done,
    /// It is not there any more.
    Gone,
    /// There are as many as there may be.
    TooMany,
    /// There were as many changes within a day as there may be.
    TooOften,
    /// Another one is already so.
    Taken,
}

/// Why an edit is not made: something else is so already, which `same` finds, or there were too many of its
/// kind within a day.
pub(in crate::store) async fn refused(
    tx: TenantDb<'_>,
    (same, bound): (&str, Vec<Value>),
    kind: &str,
    now: DateTime<Utc>,
) -> Result<Option<MessageEdit>, StoreError> {
    if tx.one(same, bound).await?.is_some() {
        return Ok(Some(MessageEdit::Taken));
    }
    let is_too_often = is_full_day(tx, kind, MOST_EDITS, now).await?;
    Ok(is_too_often.then_some(MessageEdit::TooOften))
}

/// Ends an edit that was made: what is being decided meanwhile is decided again, and the log has a line.
pub(in crate::store) async fn made(
    tx: TenantDb<'_>,
    line: AuditLine,
    now: DateTime<Utc>,
) -> Result<MessageEdit, StoreError> {
    raise_rule_set(tx).await?;
    audit(tx, line, now).await?;
    Ok(MessageEdit::Done)
}
