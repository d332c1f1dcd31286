//! Whether a statement keeps to its tenant, read from its text.
//!
//! Each table of tenants' that it reads or changes must be compared with the tenant, in a condition that
//! nothing can make void: `d.tenant_id = $1` (or `v.tenant_id`) joined by `AND` to the others of its
//! `WHERE` or `ON`, or an equality that leads there over other tables (`b.tenant_id = d.tenant_id`). Rows
//! that it adds must bear the tenant. The check knows a part of SQL and refuses what it does not know.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use super::statement::{Operand, Statement, Table};
use crate::store::engine::error::StoreError;

/// The tables with tenants' rows, which have a column `tenant_id`; and the tenants' own.
pub(super) const TABLES: [&str; 39] = [
    "account_figures",
    "api_tokens",
    "attempts",
    "audit_entries",
    "bank_details",
    "bodies",
    "brands",
    "connections",
    "consents",
    "contents",
    "decisions",
    "deliveries",
    "delivery_counts",
    "delivery_steps",
    "documents",
    "events",
    "group_members",
    "groups",
    "hooks",
    "in_flight",
    "invitations",
    "logos",
    "mails",
    "members",
    "people",
    "permissions",
    "provider_messages",
    "receipts",
    "rejected_requests",
    "replays",
    "replies",
    "rule_versions",
    "rules",
    "secrets",
    "sender_rests",
    "senders",
    "suppressions",
    "tenants",
    "unmatched_receipts",
];

fn column_of(table: &str) -> &'static str {
    if table == "tenants" {
        "id"
    } else {
        "tenant_id"
    }
}

/// What says which tenant it is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Filter {
    /// `$1`, of so many values.
    Parameter(usize),
    /// `v.tenant_id`, if the records bear it.
    Records { has_tenant: bool },
}

impl Filter {
    /// Which of the lists of what was admitted is meant.
    const fn list(self) -> usize {
        match self {
            Self::Parameter(_) => 0,
            Self::Records { has_tenant: false } => 1,
            Self::Records { has_tenant: true } => 2,
        }
    }
}

/// Statements that were found to keep to their tenant, each with the highest number of its parameters. Nearly
/// all are constants, which are found by where they stand; that the text is the same is looked at as well.
#[derive(Default)]
struct Admitted {
    by_place: BTreeMap<(usize, usize), (Arc<str>, usize)>,
    by_text: HashMap<Arc<str>, usize>,
}

/// More texts than a program has that takes none from outside.
const MOST_ADMITTED: usize = 4096;

static ADMITTED: LazyLock<[RwLock<Admitted>; 3]> = LazyLock::new(Default::default);

/// Refuses a statement that does not keep to its tenant.
pub(super) fn admit(text: &str, filter: Filter) -> Result<(), StoreError> {
    let verdict = verdict(text, filter);
    debug_assert!(verdict.is_ok(), "{verdict:?}: {text}");
    verdict.map_err(StoreError::NotOfTenant)
}

fn verdict(text: &str, filter: Filter) -> Result<(), String> {
    match (filter, parameters(text, filter)?) {
        (Filter::Parameter(values), wanted) if values != wanted => {
            Err(format!("it asks for {wanted} values and is given {values}"))
        }
        _ => Ok(()),
    }
}

fn parameters(text: &str, filter: Filter) -> Result<usize, String> {
    let Some(list) = ADMITTED.get(filter.list()) else {
        return check(text, filter);
    };
    let place = (text.as_ptr().addr(), text.len());
    let known = {
        let admitted = list.read().unwrap_or_else(PoisonError::into_inner);
        match admitted.by_place.get(&place) {
            Some((known, wanted)) if **known == *text => Some(*wanted),
            _ => admitted.by_text.get(text).copied(),
        }
    };
    if let Some(wanted) = known {
        return Ok(wanted);
    }
    let wanted = check(text, filter)?;
    let mut admitted = list.write().unwrap_or_else(PoisonError::into_inner);
    if admitted.by_text.len() >= MOST_ADMITTED {
        *admitted = Admitted::default();
    }
    let text: Arc<str> = text.into();
    admitted.by_place.insert(place, (text.clone(), wanted));
    admitted.by_text.insert(text, wanted);
    Ok(wanted)
}

/// The highest number of a parameter in it, if it keeps to its tenant; else what does not.
fn check(text: &str, filter: Filter) -> Result<usize, String> {
    let statement = Statement::read(text, &TABLES)?;
    let check = Check {
        statement: &statement,
        filter,
    };
    let filtered = check.filtered();
    for (number, table) in statement.tables.iter().enumerate() {
        if table.is_target {
            check.added_rows(table, &filtered)?;
            check.rows_in_the_way(table)?;
        } else if !filtered.contains(&number) {
            return Err(format!("{} ({}) is not filtered", table.name, table.alias));
        }
    }
    if matches!(filter, Filter::Parameter(_)) && statement.tables.is_empty() {
        return Err("it names no table of tenants'".to_owned());
    }
    Ok(statement.parameters())
}

struct Check<'s, 't> {
    statement: &'s Statement<'t>,
    filter: Filter,
}

impl Check<'_, '_> {
    /// The tables that are compared with the tenant.
    fn filtered(&self) -> HashSet<usize> {
        let (mut filtered, mut led) = (HashSet::new(), Vec::new());
        for e in self.statement.equalities() {
            for (column, other) in [(e.left, e.right), (e.right, e.left)] {
                let table = self.tenant_of(column, e.query);
                let Some(table) = table.filter(|table| e.reach.includes(*table)) else {
                    continue;
                };
                if self.is_tenant(other, e.query) {
                    filtered.insert(table);
                } else if let Some(source) = self.tenant_seen(other, e.query) {
                    led.push((table, source));
                }
            }
        }
        if matches!(self.filter, Filter::Records { has_tenant: true }) {
            for listed in self.statement.listed() {
                let tenants = listed.pairs.iter().filter(|(_, of_record)| {
                    of_record.name == "tenant_id" && matches!(of_record.of, "" | "v")
                });
                let tables = tenants.filter_map(|(own, _)| self.tenant_of(*own, listed.query));
                filtered.extend(tables.filter(|table| listed.reach.includes(*table)));
            }
        }
        loop {
            let before = filtered.len();
            for (table, source) in &led {
                if filtered.contains(source) {
                    filtered.insert(*table);
                }
            }
            if filtered.len() == before {
                return filtered;
            }
        }
    }

    fn is_tenant(&self, operand: Operand<'_>, query: usize) -> bool {
        match self.filter {
            Filter::Parameter(_) => operand.name == "$1",
            Filter::Records { has_tenant } => {
                has_tenant
                    && (operand.of, operand.name) == ("v", "tenant_id")
                    && self.statement.named("v", query).is_none()
            }
        }
    }

    /// The table of this query whose tenant a column is.
    fn tenant_of(&self, column: Operand<'_>, query: usize) -> Option<usize> {
        let tables = self.statement.tables.iter().enumerate();
        let mut own = tables.filter(|(_, table)| {
            let is_named = column.of.is_empty() || column.of == table.alias;
            is_named && table.query == query && !table.is_target
        });
        let (number, table) = own.next()?;
        (own.next().is_none() && column.name == column_of(table.name)).then_some(number)
    }

    /// The same of this query or one around it.
    fn tenant_seen(&self, column: Operand<'_>, query: usize) -> Option<usize> {
        let number = self.statement.named(column.of, query)?;
        let table = self.statement.tables.get(number)?;
        (column.name == column_of(table.name)).then_some(number)
    }

    /// Rows that are added bear the tenant.
    fn added_rows(&self, table: &Table<'_>, filtered: &HashSet<usize>) -> Result<(), String> {
        let statement = self.statement;
        let wrong = |why: &str| Err(format!("{why}: INSERT INTO {}", table.name));
        let Some(end) = statement.closer(table.after) else {
            return wrong("no columns are named");
        };
        let columns = statement.list(table.after + 1, end);
        let is_column = |part: &(usize, usize)| statement.text(part.0) == column_of(table.name);
        let Some(position) = columns.iter().position(is_column) else {
            return wrong("no column bears the tenant");
        };
        let bear = |start, end| {
            let values = statement.list(start, end);
            let value = values
                .get(position)
                .and_then(|part| statement.operand(*part));
            value.is_some_and(|value| {
                let source = self.tenant_seen(value, table.query);
                self.is_tenant(value, table.query) || source.is_some_and(|s| filtered.contains(&s))
            })
        };
        let next = end + 1;
        let all_bear = match statement.text(next) {
            "SELECT" => bear(next + 1, statement.end_of_clause(next)),
            "VALUES" => {
                let rows = statement.list(next + 1, statement.end_of_clause(next));
                rows.iter().all(|(opener, end)| bear(opener + 1, end - 1))
            }
            // The values are those of the records.
            _ => matches!(self.filter, Filter::Records { has_tenant: true }),
        };
        if all_bear {
            Ok(())
        } else {
            wrong("another value stands for the tenant")
        }
    }

    /// No row of another tenant's is changed because it stands in the way of one that is added.
    fn rows_in_the_way(&self, table: &Table<'_>) -> Result<(), String> {
        let statement = self.statement;
        let mut places = 0..statement.len();
        let Some(conflict) = places.find(|place| statement.text(*place) == "CONFLICT") else {
            return Ok(());
        };
        if !places
            .any(|place| (statement.text(place), statement.text(place + 1)) == ("DO", "UPDATE"))
        {
            return Ok(());
        }
        let column = column_of(table.name);
        let end = statement.closer(conflict + 1).unwrap_or(conflict);
        let is_in_key = (conflict..end).any(|place| statement.text(place) == column);
        let is_kept = statement.equalities().any(|e| {
            [(e.left, e.right), (e.right, e.left)]
                .iter()
                .any(|(old, new)| {
                    (old.of, new.of) == (table.name, "excluded")
                        && (old.name, new.name) == (column, column)
                })
        });
        if is_in_key || is_kept {
            Ok(())
        } else {
            Err(format!(
                "another's row may be changed: INSERT INTO {}",
                table.name
            ))
        }
    }
}

#[cfg(test)]
mod tests;
