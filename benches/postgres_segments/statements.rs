//! The statements of the ingest, as the store writes them, with made-up rows.

use anyhow::Result;
use rand::rngs::StdRng;
use rand::{Rng as _, RngExt as _};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, Statement, Value};
use uuid::Uuid;

/// One event: its id, fingerprint and compressed body.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    id: Uuid,
    fingerprint: Vec<u8>,
    body: Vec<u8>,
}

impl Row {
    /// A row with a body of this many bytes, which do not compress.
    pub(crate) fn new(chance: &mut StdRng, body_bytes: usize) -> Self {
        let mut bytes = |count: usize| {
            let mut bytes = vec![0; count];
            chance.fill_bytes(&mut bytes);
            bytes
        };
        Self {
            id: Uuid::now_v7(),
            fingerprint: bytes(32),
            body: bytes(body_bytes),
        }
    }
}

/// Rows with bodies of 0.2 to 3 KB.
pub(crate) fn rows(chance: &mut StdRng, count: usize) -> Vec<Row> {
    (0..count)
        .map(|_| {
            let bytes = chance.random_range(200..3_000);
            Row::new(chance, bytes)
        })
        .collect()
}

/// Which of the three tables of the ingest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Table {
    Fingerprints,
    Events,
    Bodies,
}

pub(crate) const TABLES: [Table; 3] = [Table::Fingerprints, Table::Events, Table::Bodies];

impl Table {
    /// Bytes on the wire of one row: the values, four bytes of length each, and what Bind adds.
    pub(crate) fn wire_bytes(self, row: &Row) -> usize {
        match self {
            Self::Fingerprints => 68,
            Self::Events => 230,
            Self::Bodies => 100 + row.body.len(),
        }
    }

    const fn head(self) -> &'static str {
        match self {
            Self::Fingerprints => "fingerprints (fingerprint, event_id, received_at)",
            Self::Events => {
                "events (id, tenant_id, connection_id, source, path_type, label, event_type, \
                 state, document_kind, document_id, document_number, party_id, party_name, amount, \
                 currency, rules_not_asked, received_at, routed_at)"
            }
            Self::Bodies => {
                "bodies (event_id, tenant_id, content_type, query, dictionary, raw_size, body)"
            }
        }
    }

    fn values(self, row: &Row) -> Vec<Value> {
        let at = 1_795_000_000_000_000_i64;
        match self {
            Self::Fingerprints => vec![row.fingerprint.clone().into(), row.id.into(), at.into()],
            Self::Events => {
                let mut values: Vec<Value> = vec![row.id.into(), row.id.into(), row.id.into()];
                values.extend(
                    ["webhook", "", "", "", "received", "", "", "", "", ""].map(Value::from),
                );
                values.extend([Option::<i64>::None.into(), "".into(), 0_i64.into()]);
                values.extend([at.into(), Option::<i64>::None.into()]);
                values
            }
            Self::Bodies => vec![
                row.id.into(),
                row.id.into(),
                "application/json".into(),
                "".into(),
                1_i16.into(),
                16_000_i64.into(),
                row.body.clone().into(),
            ],
        }
    }
}

/// Inserts these rows into one table with one statement.
pub(crate) async fn insert(tx: &DatabaseTransaction, table: Table, rows: &[Row]) -> Result<()> {
    let values: Vec<Value> = rows.iter().flat_map(|row| table.values(row)).collect();
    let columns = values.len() / rows.len();
    let tuples: Vec<String> = (0..rows.len())
        .map(|row| {
            let places: Vec<_> = (1..=columns)
                .map(|c| format!("${}", row * columns + c))
                .collect();
            format!("({})", places.join(", "))
        })
        .collect();
    let sql = format!("INSERT INTO {} VALUES {}", table.head(), tuples.join(", "));
    tx.execute_raw(Statement::from_sql_and_values(
        DbBackend::Postgres,
        sql,
        values,
    ))
    .await?;
    Ok(())
}
