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
        "UPDATE fingerprints SET event_id = v.id FROM v WHERE fingerprints.fingerprint = v.fingerprint",
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
