use super::*;

const MOST: Most = Most {
    bytes: 15_000,
    rows: 64,
};

fn lengths(rows: &[usize]) -> Vec<usize> {
    chunks(rows, MOST).map(<[_]>::len).collect()
}

#[test]
fn statements_are_small() {
    assert_eq!(lengths(&[]), [0; 0]);
    assert_eq!(lengths(&[100; 7]), [7]);
    assert_eq!(lengths(&[1; 200]), [64, 64, 64, 8]);
    assert_eq!(lengths(&[5000; 5]), [3, 2]);
    assert_eq!(lengths(&[90_000, 10, 90_000]), [1, 1, 1]);
}

#[test]
fn padded_statements_have_few_texts_and_few_empty_rows() {
    let sizes: std::collections::BTreeSet<usize> = (1..=64).map(padded).collect();
    assert_eq!(
        Vec::from_iter(sizes),
        [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64]
    );
    for rows in 1..=64 {
        assert!(
            padded(rows) >= rows && padded(rows) * 2 <= rows * 3,
            "{rows}"
        );
    }
    assert_eq!(unnamed(2, 3), "(?,?,?),(?,?,?)");
}

const INSERT: Bulk<'static> = Bulk::Insert {
    into: "t",
    constants: &[("c", "''")],
    after: " RETURNING a",
};

fn records(number: i64) -> Vec<Record> {
    let record = |n| record![a: n, b: format!("row {n}")];
    (0..number).map(record).collect()
}

fn only(bulk: Bulk<'_>, backend: DbBackend, records: Vec<Record>) -> (String, Vec<Value>) {
    let mut statements = bulk.statements(backend, records).unwrap();
    assert_eq!(statements.len(), 1);
    statements.remove(0)
}

#[test]
fn on_postgresql_one_text_does_for_any_number_of_records() {
    let of = |number| only(INSERT, DbBackend::Postgres, records(number));
    let (text, bound) = of(1);
    assert_eq!(
        text,
        "INSERT INTO t (a, b, c) SELECT a, b, '' FROM \
         UNNEST($1::bigint[], $2::text[]) AS u (a, b) RETURNING a"
    );
    assert_eq!(bound.len(), 2);
    assert_eq!(of(50).0, text);
}

#[test]
fn on_postgresql_a_column_with_nulls_is_two_arrays() {
    let records = vec![
        record![a: 1_i64, b: "one"],
        record![a: None::<i64>, b: "none"],
    ];
    let update = Bulk::Joined("UPDATE t SET a = v.a FROM v WHERE t.b = v.b");
    let (text, bound) = only(update, DbBackend::Postgres, records);
    assert_eq!(
        text,
        "WITH v AS (SELECT CASE WHEN a_is_null THEN NULL ELSE a END AS a, b FROM \
         UNNEST($1::bigint[], $2::boolean[], $3::text[]) AS u (a, a_is_null, b)) \
         UPDATE t SET a = v.a FROM v WHERE t.b = v.b"
    );
    assert_eq!(
        bound,
        [
            sql::array(sql::values![1_i64, 0_i64]).unwrap(),
            sql::array(sql::values![false, true]).unwrap(),
            sql::array(sql::values!["one", "none"]).unwrap(),
        ]
    );
}

#[test]
fn on_sqlite_records_are_padded_and_each_is_looked_up() {
    let of = |bulk, number| only(bulk, DbBackend::Sqlite, records(number));
    let (text, bound) = of(INSERT, 2);
    assert_eq!(
        text,
        "INSERT OR FAIL INTO t (a, b, c) SELECT *, '' FROM (VALUES (?,?),(?,?)) \
         WHERE column1 IS NOT NULL RETURNING a"
    );
    assert_eq!(bound.len(), 4);
    let select = Bulk::Joined("SELECT t.* FROM v JOIN t ON t.a = v.a JOIN w ON w.a = t.a");
    assert_eq!(
        of(select, 1).0,
        "WITH v (a, b) AS (VALUES (?,?)) \
         SELECT t.* FROM v CROSS JOIN t ON t.a = v.a JOIN w ON w.a = t.a"
    );
    let update = Bulk::Joined("UPDATE t SET b = v.b FROM v WHERE t.a = v.a");
    assert!(
        of(update, 1)
            .0
            .ends_with(") UPDATE OR FAIL t SET b = v.b FROM v WHERE t.a = v.a")
    );
    assert_eq!(of(update, 5).1.len(), 12);
}

#[test]
fn records_of_another_tenant_are_refused() {
    let tenant = TenantId::from_uuid(uuid::Uuid::from_u128(1));
    let of = |tenant: u128| vec![record![id: 1_i64, tenant_id: uuid::Uuid::from_u128(tenant)]];
    assert!(refuse_others(&of(1), tenant).is_ok());
    assert!(refuse_others(&of(2), tenant).is_err());
}

/// A refusal panics in a build that looks for mistakes.
fn is_admitted(bulk: Bulk<'_>, record: &Record) -> bool {
    std::panic::catch_unwind(|| bulk.admit(record.columns)).is_ok_and(|r| r.is_ok())
}

#[test]
fn an_insert_is_known_again_by_all_of_its_parts() {
    let tenant = uuid::Uuid::nil();
    let with_tenant = record![id: tenant, tenant_id: tenant];
    let without = record![id: tenant];
    let take = " ON CONFLICT (id) DO UPDATE SET id = excluded.id";
    for _ in 0..2 {
        assert!(is_admitted(Bulk::insert("rules", ""), &with_tenant));
        assert!(!is_admitted(Bulk::insert("rules", ""), &without));
        assert!(!is_admitted(Bulk::insert("rules", take), &with_tenant));
        assert!(is_admitted(Bulk::insert("fingerprints", ""), &without));
    }
}

#[test]
fn records_with_other_columns_are_refused() {
    for backend in [DbBackend::Postgres, DbBackend::Sqlite] {
        let records = vec![record![a: 1_i64, b: 2_i64], record![b: 2_i64, a: 1_i64]];
        assert!(INSERT.statements(backend, records).is_err());
        assert!(INSERT.statements(backend, vec![]).unwrap().is_empty());
    }
}

proptest::proptest! {
    #[test]
    fn every_row_is_in_one_statement(rows in proptest::collection::vec(0_usize..40_000, 0..300)) {
        let all: Vec<usize> = chunks(&rows, MOST).flatten().copied().collect();
        proptest::prop_assert_eq!(&all, &rows);
        for chunk in chunks(&rows, MOST) {
            proptest::prop_assert!(chunk.len() == 1 || chunk.iter().sum::<usize>() <= MOST.bytes);
        }
    }
}
