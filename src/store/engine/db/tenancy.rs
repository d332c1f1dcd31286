//! Whether a statement keeps to its tenant, read from its text.
//!
//! Each table of tenants' that it reads or changes must be compared with the tenant, in a condition that
//! nothing can make void: `d.tenant_id = $1` (or `v.tenant_id`) joined by `AND` to the others of its
//! `WHERE` or `ON`, or an equality that leads there over other tables (`b.tenant_id = d.tenant_id`). Rows
//! that it adds must bear the tenant. The check knows a part of SQL and refuses what it does not know.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use super::statement::{Operand, Statement, Table};
use crate::store::error::StoreError;

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
mod tests {
    use super::*;
    use crate::store::{Store, UnscopedDb};
    use crate::testing::TestDatabase;

    const ONE: Filter = Filter::Parameter(1);
    const RECORDS: Filter = Filter::Records { has_tenant: true };

    #[track_caller]
    fn kept(filter: Filter, text: &str) {
        assert_eq!(check(text, filter).err(), None, "{text}");
    }

    #[track_caller]
    fn refused(filter: Filter, text: &str) {
        assert!(check(text, filter).is_err(), "{text}");
    }

    #[test]
    fn a_select_is_filtered_by_the_tenant() {
        kept(ONE, "SELECT * FROM events WHERE tenant_id = $1 AND id = $2");
        kept(
            ONE,
            "SELECT * FROM events e WHERE id = $2 AND $1 = e.tenant_id ORDER BY id",
        );
        kept(ONE, "SELECT * FROM tenants WHERE id = $1 FOR UPDATE");
        refused(ONE, "SELECT * FROM events");
        refused(ONE, "SELECT * FROM events WHERE id = $1");
        refused(ONE, "SELECT * FROM events WHERE tenant_id = $2");
        refused(ONE, "SELECT * FROM events WHERE tenant_id <> $1");
        refused(ONE, "SELECT * FROM events WHERE connection_id = $1");
        refused(ONE, "SELECT tenant_id = $1 AS is_ours FROM events");
        refused(ONE, "SELECT * FROM events ORDER BY tenant_id = $1");
        refused(ONE, "SELECT * FROM tenants WHERE tenant_id = $1");
        refused(
            ONE,
            "SELECT 'tenant_id = $1' FROM events -- WHERE tenant_id = $1",
        );
        refused(ONE, "SELECT 1 FROM users WHERE id = $1");
        refused(RECORDS, "SELECT * FROM v JOIN events e ON e.tenant_id = $1");
    }

    #[test]
    fn nothing_makes_the_filter_void() {
        kept(
            ONE,
            "SELECT * FROM events WHERE tenant_id = $1 AND (id = $2 OR state = 'x')",
        );
        kept(
            ONE,
            "SELECT * FROM events WHERE (tenant_id = $1) IS TRUE AND id = $2",
        );
        kept(
            ONE,
            "SELECT * FROM events WHERE (id = $2 AND (tenant_id = $1)) LIMIT 1",
        );
        refused(ONE, "SELECT * FROM events WHERE tenant_id = $1 OR id = $2");
        refused(
            ONE,
            "SELECT * FROM events WHERE id = $2 OR state = 'x' AND tenant_id = $1",
        );
        refused(
            ONE,
            "SELECT * FROM events WHERE (tenant_id = $1 OR id = $2) AND state = 'x'",
        );
        refused(
            ONE,
            "SELECT * FROM events WHERE (tenant_id = $1 AND id = $2) OR state = 'x'",
        );
        refused(ONE, "SELECT * FROM events WHERE NOT (tenant_id = $1)");
        refused(ONE, "SELECT * FROM events WHERE (tenant_id = $1) IS FALSE");
        refused(ONE, "SELECT * FROM events WHERE NOT tenant_id = $1");
        refused(
            ONE,
            "SELECT * FROM events WHERE COALESCE(tenant_id = $1, TRUE)",
        );
        refused(ONE, "SELECT * FROM events WHERE tenant_id = $1 IS NOT NULL");
        refused(
            ONE,
            "SELECT * FROM events WHERE CASE WHEN tenant_id = $1 THEN TRUE ELSE TRUE END",
        );
    }

    #[test]
    fn a_choice_is_no_filter() {
        let case = "SELECT * FROM events WHERE CASE WHEN TRUE";
        refused(
            ONE,
            &format!("{case} AND tenant_id = $1 AND id = $2 THEN 1 END = 1"),
        );
        refused(
            ONE,
            "SELECT * FROM events WHERE id BETWEEN $2 AND tenant_id = $1",
        );
    }

    #[test]
    fn each_table_that_is_joined_is_filtered() {
        let deliveries = "SELECT * FROM events e JOIN deliveries d ON d.event_id = e.id";
        kept(
            ONE,
            &format!("{deliveries} WHERE e.tenant_id = $1 AND d.tenant_id = $1"),
        );
        kept(
            ONE,
            &format!("{deliveries} AND d.tenant_id = e.tenant_id WHERE e.tenant_id = $1"),
        );
        refused(ONE, &format!("{deliveries} WHERE e.tenant_id = $1"));
        refused(ONE, &format!("{deliveries} WHERE tenant_id = $1"));
        refused(
            ONE,
            &format!("{deliveries} WHERE e.tenant_id = $1 AND e.tenant_id = $1"),
        );
        refused(ONE, &format!("{deliveries} AND d.tenant_id = e.tenant_id"));
        refused(
            ONE,
            &format!("{deliveries} WHERE e.tenant_id = $1 AND d.id = $1"),
        );
        refused(
            ONE,
            "SELECT * FROM events e, deliveries d WHERE e.tenant_id = $1",
        );
        kept(
            ONE,
            "SELECT * FROM members m JOIN users u ON u.id = m.user_id WHERE m.tenant_id = $1",
        );
    }

    #[test]
    fn an_outer_join_filters_what_it_adds() {
        let bodies = "SELECT * FROM events e LEFT JOIN bodies b ON b.event_id = e.id";
        kept(
            ONE,
            &format!("{bodies} AND b.tenant_id = e.tenant_id WHERE e.tenant_id = $1"),
        );
        refused(
            ONE,
            &format!("{bodies} AND e.tenant_id = $1 AND b.tenant_id = $1"),
        );
        refused(ONE, &format!("{bodies} WHERE e.tenant_id = $1"));
    }

    #[test]
    fn a_query_within_another_is_filtered_by_itself() {
        let rules = "DELETE FROM rules WHERE tenant_id = $1 AND id";
        kept(
            ONE,
            &format!("{rules} IN (SELECT id FROM rules WHERE tenant_id = $1 LIMIT $2)"),
        );
        refused(ONE, &format!("{rules} IN (SELECT id FROM rules LIMIT $2)"));
        refused(
            ONE,
            "DELETE FROM rules WHERE id IN (SELECT id FROM rules WHERE tenant_id = $1)",
        );
        kept(
            ONE,
            "SELECT * FROM rules r WHERE r.tenant_id = $1 AND EXISTS \
             (SELECT 1 FROM events e WHERE e.tenant_id = r.tenant_id)",
        );
        refused(
            ONE,
            "SELECT * FROM rules r WHERE r.tenant_id = $1 AND EXISTS \
             (SELECT 1 FROM events e WHERE r.tenant_id = $1)",
        );
        refused(
            ONE,
            "SELECT * FROM rules r WHERE EXISTS (SELECT 1 FROM events e \
             WHERE e.tenant_id = $1 AND r.tenant_id = $1)",
        );
        kept(
            ONE,
            "SELECT id FROM rules WHERE tenant_id = $1 UNION SELECT id FROM events WHERE tenant_id = $1",
        );
        refused(
            ONE,
            "SELECT id FROM rules WHERE tenant_id = $1 UNION SELECT id FROM events WHERE id = $2",
        );
        refused(
            ONE,
            "SELECT id FROM rules UNION ALL SELECT id FROM events WHERE tenant_id = $1",
        );
        kept(
            ONE,
            "SELECT * FROM (SELECT * FROM events WHERE tenant_id = $1 LIMIT 9) r WHERE id = $2",
        );
        refused(
            ONE,
            "SELECT * FROM (SELECT * FROM events LIMIT 9) r WHERE tenant_id = $1",
        );
    }

    #[test]
    fn a_change_is_filtered_by_the_tenant() {
        kept(ONE, "UPDATE rules SET enabled = $2 WHERE tenant_id = $1");
        refused(ONE, "UPDATE rules SET tenant_id = $1");
        refused(ONE, "UPDATE rules SET enabled = $2 WHERE id = $1");
        kept(ONE, "DELETE FROM rules WHERE tenant_id = $1 RETURNING *");
        refused(ONE, "DELETE FROM rules WHERE id = $1");
        kept(
            ONE,
            "UPDATE rules SET enabled = FALSE FROM events e \
             WHERE rules.tenant_id = $1 AND e.tenant_id = rules.tenant_id",
        );
        refused(
            ONE,
            "UPDATE rules SET enabled = FALSE FROM events e WHERE e.tenant_id = $1",
        );
    }

    #[test]
    fn records_are_joined_by_their_tenant() {
        kept(
            RECORDS,
            "SELECT e.* FROM v JOIN events e ON e.tenant_id = v.tenant_id AND e.id = v.id",
        );
        refused(RECORDS, "SELECT e.* FROM v JOIN events e ON e.id = v.id");
        refused(
            RECORDS,
            "SELECT e.* FROM v JOIN events e ON e.id = v.tenant_id",
        );
        kept(
            RECORDS,
            "SELECT t.* FROM v JOIN tenants t ON t.id = v.tenant_id",
        );
        let update = "UPDATE events SET state = v.state FROM v WHERE events.id = v.id";
        kept(
            RECORDS,
            &format!("{update} AND events.tenant_id = v.tenant_id"),
        );
        refused(RECORDS, update);
        refused(RECORDS, &format!("{update} AND v.tenant_id = v.tenant_id"));
        let bears_none = Filter::Records { has_tenant: false };
        let delete = "DELETE FROM in_flight WHERE (tenant_id, delivery_id) IN";
        kept(
            RECORDS,
            &format!("{delete} (SELECT tenant_id, delivery_id FROM v)"),
        );
        refused(
            RECORDS,
            &format!("{delete} (SELECT delivery_id, tenant_id FROM v)"),
        );
        refused(
            RECORDS,
            &format!("NOT {delete} (SELECT tenant_id, delivery_id FROM x)"),
        );
        refused(
            ONE,
            &format!("{delete} (SELECT tenant_id, delivery_id FROM v)"),
        );
        refused(
            RECORDS,
            "DELETE FROM in_flight WHERE delivery_id IN (SELECT delivery_id FROM v)",
        );
        refused(
            bears_none,
            &format!("{update} AND events.tenant_id = v.tenant_id"),
        );
        kept(
            bears_none,
            "UPDATE digests SET event_id = v.id FROM v WHERE digests.digest = v.digest",
        );
        refused(
            RECORDS,
            "SELECT 1 FROM events v WHERE v.tenant_id = v.tenant_id",
        );
    }

    #[test]
    fn rows_that_are_added_bear_the_tenant() {
        let insert = "INSERT INTO rules (id, tenant_id, position)";
        kept(ONE, &format!("{insert} VALUES ($2, $1, $3)"));
        refused(ONE, &format!("{insert} VALUES ($1, $2, $3)"));
        refused(ONE, &format!("{insert} VALUES ($2, $1, $3), ($2, $3, $4)"));
        kept(
            ONE,
            &format!("{insert} SELECT COALESCE($2, $3), $1, 0 WHERE NOT EXISTS (SELECT 1)"),
        );
        refused(ONE, &format!("{insert} SELECT $1, $2, 0"));
        refused(ONE, "INSERT INTO rules (id) VALUES ($1)");
        refused(ONE, "INSERT INTO rules VALUES ($1)");
        kept(
            ONE,
            &format!("{insert} SELECT e.id, e.tenant_id, 0 FROM events e WHERE e.tenant_id = $1"),
        );
        refused(
            ONE,
            &format!("{insert} SELECT e.id, e.tenant_id, 0 FROM events e"),
        );
        kept(RECORDS, insert);
        refused(Filter::Records { has_tenant: false }, insert);
    }

    #[test]
    fn a_row_that_stands_in_the_way_is_the_tenants_own() {
        let people = "INSERT INTO people (person_id, tenant_id) ON CONFLICT";
        let update = "DO UPDATE SET person = excluded.person";
        kept(RECORDS, &format!("{people} DO NOTHING"));
        kept(
            RECORDS,
            &format!("{people} (tenant_id, person_id) {update}"),
        );
        refused(RECORDS, &format!("{people} (person_id) {update}"));
        refused(
            RECORDS,
            &format!("{people} (person_id) {update} WHERE people.person_id = $1"),
        );
        kept(
            RECORDS,
            &format!("{people} (person_id) {update} WHERE people.tenant_id = excluded.tenant_id"),
        );
    }

    #[test]
    fn values_are_as_many_as_are_asked_for() {
        let text = "SELECT * FROM rules WHERE tenant_id = $1 AND id = $2";
        assert!(verdict(text, Filter::Parameter(2)).is_ok());
        assert!(verdict(text, Filter::Parameter(3)).is_err());
        assert!(verdict(text, Filter::Parameter(1)).is_err());
    }

    #[test]
    fn another_text_in_the_place_of_an_admitted_one_is_looked_at() {
        let kept = "SELECT * FROM rules WHERE tenant_id = $1";
        let stray = "SELECT * FROM rules WHERE position > $1 ";
        let mut text = kept.to_owned();
        let place = text.as_ptr();
        assert!(verdict(&text, Filter::Parameter(1)).is_ok());
        text.clear();
        text.push_str(stray);
        assert_eq!((text.as_ptr(), text.len()), (place, kept.len()));
        assert!(verdict(&text, Filter::Parameter(1)).is_err());
    }

    #[tokio::test]
    async fn every_table_with_a_tenant_is_known() {
        let database = TestDatabase::migrated().await;
        let store = Store::open(&database.url()).await.unwrap();
        let query = if database.is_file() {
            "SELECT m.name AS name FROM sqlite_master m JOIN pragma_table_info(m.name) c \
             WHERE m.type = 'table' AND c.name = 'tenant_id'"
        } else {
            "SELECT c.relname::text AS name FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid \
             WHERE a.attname = 'tenant_id' AND c.relkind IN ('r', 'p') AND NOT c.relispartition \
             AND c.relnamespace = current_schema()::regnamespace"
        };
        let db = UnscopedDb::new(&store.read, "the schema is nobody's");
        let rows = db.all(query, vec![]).await.unwrap();
        let mut known: Vec<String> = rows.iter().map(|r| r.get("name").unwrap()).collect();
        known.push("tenants".to_owned());
        known.sort();
        assert_eq!(known, TABLES);
    }
}
