//! The log of a `SQLite` file does not grow without end, also while somebody always reads.

use futures::future::join_all;
use rand::RngExt as _;

use super::*;

/// In bytes, of bodies that chance has made: they do not get smaller.
const BODY: usize = 500_000;

async fn pages_in_log(house: &House) -> i64 {
    let look = "PRAGMA wal_checkpoint(NOOP)";
    let row = house.db().one(look, vec![]).await.unwrap();
    row.unwrap().get("log").unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_begins_anew_also_while_somebody_reads() {
    let house = House::open().await;
    if sql::is_postgres(house.tenant.db()) {
        return;
    }
    let tenant = house.tenant.clone();
    let reading = tokio::spawn(async move {
        loop {
            tenant.tenant().await.unwrap();
        }
    });
    let (mut most, mut now_pages) = (0, 0);
    for round in 0..40_u8 {
        let kept = (0..6).map(|n| {
            let mut event = house.event(round * 6 + n, None, now());
            event.body.bytes = noise().into();
            house.store.ingest(event)
        });
        for kept in join_all(kept).await {
            kept.unwrap();
        }
        now_pages = pages_in_log(&house).await;
        most = most.max(now_pages);
        if now_pages < most {
            break;
        }
    }
    reading.abort();
    assert!(most >= 8_192, "{most} pages: nothing had to be moved");
    assert!(
        now_pages < most,
        "the log has {now_pages} pages and goes on growing"
    );
}

fn noise() -> Vec<u8> {
    let mut bytes = vec![0; BODY];
    rand::rng().fill(&mut bytes[..]);
    bytes
}
