//! Idle workers: who wakes them, and what is left when they are cut off.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::server::{PATIENCE, Server, done, push_of, until};
use crate::queue::contract::job;
use crate::queue::{JobQueue, QueueError, RedisQueue};

const LEASE: Duration = Duration::from_secs(30);
const AT_ONCE: Duration = Duration::ZERO;

/// Sooner than a sleeper looks by itself: somebody must have woken it.
const SOON: Duration = Duration::from_secs(3);

type Sleeper = JoinHandle<Result<(), QueueError>>;

/// So many processes, all of them asleep.
async fn asleep(server: &Server, count: usize) -> Vec<Sleeper> {
    let sleepers: Vec<_> = (0..count)
        .map(|_| {
            let queue = server.queue();
            tokio::spawn(async move { queue.wait_ready().await })
        })
        .collect();
    blocked(server, count).await;
    sleepers
}

async fn blocked(server: &Server, count: usize) {
    let count = u64::try_from(count).unwrap();
    until(async || server.number("blocked_clients").await == count).await;
}

async fn push_one(queue: &RedisQueue, after: Duration) {
    queue.push(push_of(queue, job(1, 1), after)).await.unwrap();
}

async fn wakes(sleeper: Sleeper) {
    let woken = timeout(SOON, sleeper).await.expect("nobody woke it");
    woken.unwrap().unwrap();
}

#[tokio::test]
async fn one_push_wakes_one_and_a_batch_wakes_several() {
    let Some(server) = Server::start().await else {
        return;
    };
    let queue = server.queue();
    let mut sleepers = asleep(&server, 3).await;
    push_one(&queue, AT_ONCE).await;
    let soon = Instant::now() + SOON;
    until(async || sleepers.iter().any(JoinHandle::is_finished)).await;
    assert!(Instant::now() < soon);
    let lent = queue.reserve(9, LEASE).await.unwrap();
    queue.ack(vec![done(lent[0].token)]).await.unwrap();
    sleepers.retain(|sleeper| !sleeper.is_finished());
    assert_eq!(sleepers.len(), 2);
    let batch = (0..9).flat_map(|n| push_of(&queue, job(1, n), AT_ONCE));
    queue.push(batch.collect()).await.unwrap();
    for sleeper in sleepers {
        wakes(sleeper).await;
    }
}

#[tokio::test]
async fn who_leaves_jobs_behind_wakes_another() {
    let Some(server) = Server::start().await else {
        return;
    };
    let queue = server.queue();
    let batch = (0..9).flat_map(|n| push_of(&queue, job(1, n), AT_ONCE));
    queue.push(batch.collect()).await.unwrap();
    // All calls went to nobody.
    server.ask::<()>(&["DEL", "mlc:test:{q0}:wake"]).await;
    assert_eq!(queue.reserve(1, LEASE).await.unwrap().len(), 1);
    let calls: u64 = server.ask(&["LLEN", "mlc:test:{q0}:wake"]).await;
    assert_eq!(calls, 1);
    while !queue.reserve(5, LEASE).await.unwrap().is_empty() {}
    let calls: u64 = server.ask(&["LLEN", "mlc:test:{q0}:wake"]).await;
    assert_eq!(calls, 0, "calls for jobs that are gone wake nobody");
}

#[tokio::test]
async fn a_sleeper_learns_of_a_due_time_sooner_than_its_own() {
    let Some(server) = Server::start().await else {
        return;
    };
    let sleepers = asleep(&server, 1).await;
    let queue = server.queue();
    push_one(&queue, Duration::from_millis(300)).await;
    for sleeper in sleepers {
        wakes(sleeper).await;
    }
    assert_eq!(queue.reserve(1, LEASE).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_lost_lease_wakes_a_sleeper_by_itself() {
    let Some(server) = Server::start().await else {
        return;
    };
    let queue = server.queue();
    push_one(&queue, AT_ONCE).await;
    let lent = queue.reserve(1, Duration::from_millis(300)).await.unwrap();
    assert_eq!(lent.len(), 1);
    timeout(SOON, queue.wait_ready()).await.unwrap().unwrap();
    assert_eq!(queue.reserve(1, LEASE).await.unwrap()[0].attempt, 2);
}

#[tokio::test]
async fn a_sleeper_that_gave_up_swallows_no_push() {
    let Some(server) = Server::start().await else {
        return;
    };
    let mut sleepers = asleep(&server, 2).await;
    let other = sleepers.pop().unwrap();
    for gives_up in sleepers {
        gives_up.abort();
    }
    // The server has seen that nobody reads there any more, before the read was over by itself.
    timeout(SOON, blocked(&server, 1)).await.unwrap();
    let queue = server.queue();
    push_one(&queue, AT_ONCE).await;
    wakes(other).await;
    assert_eq!(queue.reserve(9, LEASE).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_push_whose_call_was_swallowed_runs_all_the_same() {
    let Some(server) = Server::start().await else {
        return;
    };
    // A read that was given up at its client, but not at the server, stands first in the line.
    let mut gone = server.redis("test").dedicated().await.unwrap();
    let mut read = deadpool_redis::redis::cmd("BLPOP");
    read.arg("mlc:test:{q0}:wake").arg(0);
    let given_up = Duration::from_millis(50);
    let read = timeout(given_up, read.query_async::<()>(&mut gone)).await;
    assert!(read.is_err());
    blocked(&server, 1).await;
    let queue = server.queue();
    let waiting = Arc::clone(&queue);
    let worker = tokio::spawn(async move {
        waiting.wait_ready().await.unwrap();
        waiting.reserve(1, LEASE).await.unwrap()
    });
    blocked(&server, 2).await;
    push_one(&queue, AT_ONCE).await;
    let lent = timeout(PATIENCE, worker).await.unwrap().unwrap();
    assert_eq!(lent[0].job, job(1, 1));
    blocked(&server, 0).await;
    drop(gone);
}

#[tokio::test]
async fn a_cut_connection_is_replaced_and_loses_nothing() {
    let Some(server) = Server::start().await else {
        return;
    };
    let queue = server.queue();
    // Connections in the pool, on a bed, and under a sleeper: all are cut.
    push_one(&queue, AT_ONCE).await;
    queue.wait_ready().await.unwrap();
    let lent = queue.reserve(1, LEASE).await.unwrap();
    queue.ack(vec![done(lent[0].token)]).await.unwrap();
    let sleepers = asleep(&server, 1).await;
    server
        .ask::<()>(&["CLIENT", "KILL", "TYPE", "normal"])
        .await;
    push_one(&queue, AT_ONCE).await;
    for sleeper in sleepers {
        // It says that something broke, or sleeps on elsewhere; both is well.
        drop(timeout(PATIENCE, sleeper).await.unwrap().unwrap());
    }
    timeout(SOON, queue.wait_ready()).await.unwrap().unwrap();
    assert_eq!(queue.reserve(1, LEASE).await.unwrap()[0].job, job(1, 1));
}
