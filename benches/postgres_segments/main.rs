//! How long the batched statements of the ingest take over a Unix socket, over TCP, and over TCP
//! through a relay that sets `TCP_NODELAY`.
//!
//! `benches/postgres-segments` starts the server and the networks and calls this; `README.md`
//! beside it has the method and what came out. Each argument is `name=postgres://…`; with `relay:`
//! before the address a relay is put in between.

#![expect(clippy::print_stdout, reason = "the figures are the result")]

mod relay;
mod statements;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use migrations::Migrator;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use sea_orm::{
    ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, TransactionTrait as _,
};
use sea_orm_migration::MigratorTrait as _;

use relay::Relay;
use statements::{Row, TABLES, Table, insert, rows};

/// Bodies that grow from less than one segment to many.
const BODY_BYTES: [usize; 12] = [
    500, 1_300, 2_500, 5_000, 10_000, 15_000, 17_000, 32_000, 64_000, 100_000, 200_000, 300_000,
];

/// Statements for each size of body.
const EACH: usize = 40;

/// Events that are kept in one transaction.
const BATCH: usize = 256;

/// Transactions for each way of cutting a batch.
const BATCHES: usize = 8;

/// How a batch is cut into statements.
#[derive(Debug, Clone, Copy)]
struct Cut {
    rows: usize,
    bytes: usize,
    /// Only 1, 2, 4, … rows: few texts of statements, so that each is prepared once.
    in_powers: bool,
}

const ANY: usize = usize::MAX;

const fn cut(rows: usize, bytes: usize, in_powers: bool) -> Cut {
    Cut {
        rows,
        bytes,
        in_powers,
    }
}

const CUTS: [Cut; 9] = [
    cut(1, ANY, false),
    cut(16, ANY, false),
    cut(64, ANY, false),
    cut(256, ANY, false),
    cut(256, 4_000, true),
    cut(256, 15_000, false),
    cut(256, 15_000, true),
    cut(256, 32_000, true),
    cut(256, 60_000, true),
];

#[tokio::main]
async fn main() -> Result<()> {
    // `cargo bench` adds a flag of its own.
    let ways = std::env::args().skip(1).filter(|a| !a.starts_with("--"));
    for way in ways {
        let (name, address) = way.split_once('=').context("write name=postgres://…")?;
        let (url, _relay) = match address.strip_prefix("relay:") {
            Some(tcp) => relay::start(tcp).map(|r| (r.url.clone(), Some::<Relay>(r)))?,
            None => (address.to_owned(), None),
        };
        let db = connect(&url).await?;
        Migrator::up(&db, None).await?;
        single_rows(name, &db).await?;
        batches(name, &db).await?;
    }
    Ok(())
}

async fn connect(url: &str) -> Result<DatabaseConnection> {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    Ok(Database::connect(options).await?)
}

/// One statement with one row, again and again, for each size of body.
async fn single_rows(name: &str, db: &DatabaseConnection) -> Result<()> {
    let mut chance = StdRng::seed_from_u64(7);
    println!("\n{name}: one row in one statement\n  body KB   p50 ms   p99 ms  stalled");
    for body_bytes in BODY_BYTES {
        let mut times = Vec::with_capacity(EACH);
        for _ in 0..=EACH {
            let row = [Row::new(&mut chance, body_bytes)];
            let tx = db.begin().await?;
            let start = Instant::now();
            insert(&tx, Table::Bodies, &row).await?;
            times.push(start.elapsed());
            tx.rollback().await?;
        }
        // The first one also prepares.
        times.remove(0);
        let times = Times::of(times);
        println!(
            "  {:>7.1} {:>8.2} {:>8.2} {:>7.0}%",
            kilo(body_bytes),
            times.p50,
            times.p99,
            times.stalled
        );
    }
    empty(db).await
}

/// Whole batches as the writer keeps them, cut in several ways.
async fn batches(name: &str, db: &DatabaseConnection) -> Result<()> {
    println!(
        "\n{name}: {BATCH} events with bodies of 0.2 to 3 KB in one transaction\n  \
         max rows  max KB  powers  statements   p50 ms   p99 ms  stalled  batch ms  events/s"
    );
    for cut in CUTS {
        let mut chance = StdRng::seed_from_u64(11);
        let (mut statements, mut whole) = (Vec::new(), Vec::new());
        for round in 0..=BATCHES {
            let rows = rows(&mut chance, BATCH);
            let tx = db.begin().await?;
            let begun = Instant::now();
            let mut each = Vec::new();
            for table in TABLES {
                for chunk in cut.chunks(table, &rows) {
                    let start = Instant::now();
                    insert(&tx, table, chunk).await?;
                    each.push(start.elapsed());
                }
            }
            tx.commit().await?;
            // The first round prepares and warms up.
            if round > 0 {
                statements.append(&mut each);
                whole.push(begun.elapsed());
            }
        }
        let count = statements.len() / BATCHES;
        let (each, whole) = (Times::of(statements), Times::of(whole));
        let shown = |limit: usize, text: String| if limit == ANY { "-".to_owned() } else { text };
        println!(
            "  {:>8} {:>7} {:>7} {:>11} {:>8.2} {:>8.2} {:>7.0}% {:>9.1} {:>9.0}",
            cut.rows,
            shown(cut.bytes, format!("{:.1}", kilo(cut.bytes))),
            if cut.in_powers { "of 2" } else { "-" },
            count,
            each.p50,
            each.p99,
            each.stalled,
            whole.p50,
            f64::from(u32::try_from(BATCH)?) * 1_000.0 / whole.p50
        );
        empty(db).await?;
    }
    Ok(())
}

/// Every round begins with empty tables, so that no way pays for the one before.
async fn empty(db: &DatabaseConnection) -> Result<()> {
    db.execute_unprepared("TRUNCATE fingerprints, events, bodies")
        .await?;
    Ok(())
}

impl Cut {
    /// The rows in turn, as many in a statement as both limits allow, one at least.
    fn chunks(self, table: Table, rows: &[Row]) -> Vec<&[Row]> {
        let mut chunks = Vec::new();
        let mut rest = rows;
        while !rest.is_empty() {
            let mut bytes = 0;
            let fitting = rest.iter().take(self.rows).take_while(|row| {
                bytes += table.wire_bytes(row);
                bytes <= self.bytes
            });
            let fitting = fitting.count().max(1);
            let count = if self.in_powers {
                1 << fitting.ilog2()
            } else {
                fitting
            };
            let (chunk, after) = rest.split_at(count);
            chunks.push(chunk);
            rest = after;
        }
        chunks
    }
}

/// Milliseconds, and how many of a hundred took as long as a delayed acknowledgement.
struct Times {
    p50: f64,
    p99: f64,
    stalled: f64,
}

impl Times {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |hundredth: usize| {
            let time = times.get((times.len() * hundredth / 100).min(times.len() - 1));
            time.map_or(0.0, |t| t.as_secs_f64() * 1_000.0)
        };
        let stalled = times
            .iter()
            .filter(|t| **t >= Duration::from_millis(35))
            .count();
        let share = |n: usize| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
        Self {
            p50: at(50),
            p99: at(99),
            stalled: 100.0 * share(stalled) / share(times.len()),
        }
    }
}

fn kilo(bytes: usize) -> f64 {
    f64::from(u32::try_from(bytes).unwrap_or(u32::MAX)) / 1_000.0
}
