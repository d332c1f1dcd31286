//! Keyset paging: lists are read by the id of their last row, and never counted.

use sea_orm::Value;
use uuid::Uuid;

use super::db::TenantDb;
use super::error::StoreError;
use super::sql::Row;
use crate::domain::ids::time_of_v7;
use crate::domain::page::{Cursor, Page};

/// How many rows one page looks at for a filter without an index.
pub(in crate::store) const SCANNED: u64 = 2000;

/// A list ordered by id, newest first, read with one row more than asked, which tells whether there is
/// another page. Filters that an index knows come first; with others it looks at a bounded number of
/// rows and says how far back that was.
pub(in crate::store) struct Keyset<'a> {
    db: TenantDb<'a>,
    table: &'static str,
    cursor: Cursor,
    /// Which rows are looked at, and with which values.
    wheres: Vec<String>,
    bound: Vec<Value>,
    /// Which of them are kept.
    kept: Vec<String>,
    kept_bound: Vec<Value>,
}

impl<'a> Keyset<'a> {
    pub(in crate::store) fn new(db: TenantDb<'a>, table: &'static str, cursor: Cursor) -> Self {
        let mut wheres = vec!["tenant_id = $1".to_owned()];
        let mut bound = Vec::new();
        let mut from = |operator: &str, id: Uuid| {
            wheres.push(format!("id {operator} $2"));
            bound.push(id.into());
        };
        match cursor {
            Cursor::Newest => {}
            Cursor::Before(id) => from("<", id),
            Cursor::After(id) => from(">", id),
        }
        Self {
            db,
            table,
            cursor,
            wheres,
            bound,
            kept: Vec::new(),
            kept_bound: Vec::new(),
        }
    }

    /// A filter with an index that ends in the id, and what that index holds; before any without.
    pub(in crate::store) fn equals(&mut self, column: &str, value: &str, part: &str) {
        debug_assert!(self.kept.is_empty(), "values are numbered in order");
        self.bound.push(value.into());
        self.wheres
            .push(format!("{column} = ${} AND {part}", self.bound.len() + 1));
    }

    /// The number of the next value; the first is the tenant.
    pub(in crate::store) fn next(&self) -> usize {
        self.bound.len() + self.kept_bound.len() + 2
    }

    /// A condition that leads into an index, given the number of its first value; before any that does not.
    pub(in crate::store) fn within(
        &mut self,
        values: Vec<Value>,
        condition: impl FnOnce(usize) -> String,
    ) {
        debug_assert!(self.kept.is_empty(), "values are numbered in order");
        self.wheres.push(condition(self.next()));
        self.bound.extend(values);
    }

    /// A filter that no index knows: a condition on rows `r`, given the number of its first value.
    pub(in crate::store) fn keep(
        &mut self,
        values: Vec<Value>,
        condition: impl FnOnce(usize) -> String,
    ) {
        let first = self.next();
        self.kept.push(condition(first));
        self.kept_bound.extend(values);
    }

    pub(in crate::store) async fn page<T>(
        self,
        limit: u64,
        read: impl Fn(&Row) -> Result<T, StoreError>,
        id: impl Fn(&T) -> Uuid,
    ) -> Result<Page<T>, StoreError> {
        let (db, table, wheres) = (self.db, self.table, self.wheres.join(" AND "));
        let is_forward = matches!(self.cursor, Cursor::After(_));
        let order = if is_forward { "ASC" } else { "DESC" };
        let mut edge = None;
        let such = if self.kept.is_empty() {
            format!("{table} WHERE {wheres}")
        } else {
            let last = format!(
                "SELECT id FROM {table} WHERE {wheres} ORDER BY id {order} LIMIT 1 OFFSET {}",
                SCANNED - 1
            );
            let row = db.one(&last, self.bound.clone()).await?;
            edge = row.map(|r| r.get::<Uuid>("id")).transpose()?;
            format!(
                "(SELECT * FROM {table} WHERE {wheres} ORDER BY id {order} LIMIT {SCANNED}) r \
                 WHERE {}",
                self.kept.join(" AND ")
            )
        };
        let mut bound = self.bound;
        bound.extend(self.kept_bound);
        bound.push((limit + 1).into());
        let query = format!(
            "SELECT * FROM {such} ORDER BY id {order} LIMIT ${}",
            bound.len() + 1
        );
        let rows = db.all(&query, bound).await?;
        let rows = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let is_full = rows.len() as u64 > limit;
        let mut page = paged(rows, self.cursor, limit, id);
        if let Some(edge) = edge.filter(|_| !is_full) {
            if is_forward {
                page.newer = Some(Cursor::After(edge));
            } else {
                page.older = Some(Cursor::Before(edge));
                page.searched_to = Some(time_of_v7(edge));
            }
        }
        Ok(page)
    }
}

/// Turns rows, one more than asked for if there are more, into a page.
pub(in crate::store) fn paged<T>(
    mut rows: Vec<T>,
    cursor: Cursor,
    limit: u64,
    id: impl Fn(&T) -> Uuid,
) -> Page<T> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    let forward = matches!(cursor, Cursor::After(_));
    if forward {
        rows.reverse();
    }
    let (first, last) = (rows.first().map(&id), rows.last().map(&id));
    let has_newer = if forward {
        has_more
    } else {
        cursor != Cursor::Newest
    };
    let has_older = forward || has_more;
    Page {
        newer: first.filter(|_| has_newer).map(Cursor::After),
        older: last.filter(|_| has_older).map(Cursor::Before),
        searched_to: None,
        rows,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_knows_its_neighbours() {
        let ids: Vec<Uuid> = (1..=3).map(Uuid::from_u128).collect();
        let newest = paged(vec![ids[2], ids[1], ids[0]], Cursor::Newest, 2, |id| *id);
        assert_eq!(newest.newer, None);
        assert_eq!(newest.older, Some(Cursor::Before(ids[1])));
        let after = paged(vec![ids[1], ids[2]], Cursor::After(ids[0]), 2, |id| *id);
        assert_eq!(after.rows, [ids[2], ids[1]]);
        assert_eq!(
            (after.newer, after.older),
            (None, Some(Cursor::Before(ids[1])))
        );
    }
}
