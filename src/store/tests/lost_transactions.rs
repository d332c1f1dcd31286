//! What is answered as stored is stored, whatever ended the transaction before it.

use std::time::{Duration, Instant};

use futures::future::join_all;
use sea_orm::{ConnectionTrait as _, Database};

use super::*;

/// So many events at once, each of its own kind.
async fn ingest_many(house: &House, from: u8, count: u8) -> Vec<Result<Ingested, StoreError>> {
    let all = (from..from + count).map(|n| house.store.ingest(house.event(n, None, now())));
    join_all(all).await
}

async fn stored(house: &House) -> i64 {
    house.database.count("events").await
}

/// A full disk, as `SQLite` sees it: the file must not grow any more. It holds for the writer's present
/// connection.
async fn fill(house: &House) {
    let limited = house.writer().record(work!(async |tx| {
        let pages = tx.one("PRAGMA page_count", vec![]).await?;
        let pages: i64 = pages.unwrap().get("page_count")?;
        let limit = format!("PRAGMA max_page_count = {}", pages + 2);
        tx.one(&limit, vec![]).await.map(drop)
    }));
    limited.await.unwrap();
}

/// Of so many bytes that they do not fit into what the file still has.
fn large(house: &House, fingerprint: u8) -> NewEvent {
    let mut event = house.event(fingerprint, None, now());
    let mut chance = u64::from(fingerprint) + 1;
    let bytes: Vec<u8> = std::iter::repeat_with(|| {
        chance = chance
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        chance.to_be_bytes()[0]
    })
    .take(200_000)
    .collect();
    event.body.bytes = bytes.into();
    event
}

#[tokio::test]
async fn after_a_full_disk_everything_acknowledged_is_stored() {
    let house = House::open().await;
    if !house.database.is_file() {
        return;
    }
    for round in 0..3 {
        fill(&house).await;
        let refused = house.store.ingest(large(&house, 200 + round)).await;
        let error = refused.unwrap_err();
        assert_eq!(error.fault(), Some(WriteFault::DiskFull), "{error:?}");
        let before = stored(&house).await;
        let first = round * 60;
        let answers = ingest_many(&house, first, 50).await;
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        assert_eq!(stored(&house).await, before + 50);
    }
}

#[tokio::test]
async fn a_full_disk_under_a_batch_refuses_or_keeps_each_of_it() {
    let house = House::open().await;
    if !house.database.is_file() {
        return;
    }
    fill(&house).await;
    let all = (0..40).map(|n| {
        let event = if n % 4 == 3 {
            large(&house, n)
        } else {
            house.event(n, None, now())
        };
        house.store.ingest(event)
    });
    let answers = join_all(all).await;
    let kept = answers.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!(stored(&house).await, i64::try_from(kept).unwrap());
}

/// `SQLite` may end a transaction by itself within a command; the others of its batch go with it.
#[tokio::test]
async fn a_transaction_that_ended_by_itself_acknowledges_nothing() {
    let house = House::open().await;
    if !house.database.is_file() {
        return;
    }
    let ended = house.writer().record(work!(async |tx| {
        tx.exec("ROLLBACK", vec![]).await.map(drop)
    }));
    let (ended, answers) = tokio::join!(ended, ingest_many(&house, 0, 20));
    assert!(ended.is_err());
    let kept = answers.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!(stored(&house).await, i64::try_from(kept).unwrap());
    let answers = ingest_many(&house, 100, 20).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(stored(&house).await, i64::try_from(kept + 20).unwrap());
}

/// Another program holds the lock: whoever waits hears within 10 s, and what a call came to is kept.
#[tokio::test]
async fn a_writer_that_is_held_up_says_so_in_time() {
    let house = House::open().await;
    if !house.database.is_file() {
        return;
    }
    let other = Database::connect(house.database.url()).await.unwrap();
    other
        .execute_unprepared("PRAGMA busy_timeout = 0")
        .await
        .unwrap();
    other.execute_unprepared("BEGIN IMMEDIATE").await.unwrap();
    let began = Instant::now();
    let edit = house.writer().edit(work!(async |tx| {
        tx.exec("UPDATE tenants SET name = 'new'", vec![]).await
    }));
    let (edit, event) = tokio::join!(edit, house.store.ingest(house.event(1, None, now())));
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(event.unwrap_err().fault(), Some(WriteFault::Locked));
    assert!(matches!(edit, Err(StoreError::Late)), "{edit:?}");
    other.execute_unprepared("ROLLBACK").await.unwrap();
    house.ingest(2, now()).await;
    assert_eq!(house.database.count("tenants WHERE name = 'new'").await, 0);
}
