//! A real server that is gone, refuses or is slow, and jobs that go on.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio::time::{Instant, timeout};

use super::server::{self, Server, ask, at_port, done, until};
use crate::domain::clock::{Clock, SharedClock, SystemClock};
use crate::queue::contract::{self, Subject, job};
use crate::queue::failover::Yardstick;
use crate::queue::{Degraded, FailoverQueue, JobQueue, Lease, Push, RedisQueue};
use crate::redis::Redis;
use crate::testing::slow_relay::SlowRelay;

const LEASE: Duration = Duration::from_secs(30);

/// What workers are promised, both ways.
const SOON: Duration = Duration::from_secs(10);

fn over(redis: Redis, clock: SharedClock, yardstick: Yardstick) -> FailoverQueue {
    let redis = Arc::new(RedisQueue::new(redis, clock.clone(), 1));
    FailoverQueue::start(redis, clock, true, yardstick)
}

/// In real time, beside a database that answers at once.
fn beside_a_quick_database(redis: Redis) -> FailoverQueue {
    let at_once: Yardstick = Arc::new(|| Box::pin(async {}));
    over(redis, Arc::new(SystemClock), at_once)
}

/// For the contract: beside a database that is never quicker, so that a busy machine is no reason.
pub(super) async fn subject() -> Option<Subject> {
    let (redis, _) = server::space().await.filter(|(_, own)| own.is_none())?;
    let clock = contract::clock();
    let never: Yardstick = Arc::new(|| Box::pin(std::future::pending()));
    let queue = Arc::new(over(redis, clock.clone(), never));
    Some(Subject { queue, clock })
}

/// Waits until Redis is done without; why.
async fn left(queue: &FailoverQueue) -> Degraded {
    let mut changes = queue.degradations().unwrap();
    let left = timeout(SOON, changes.wait_for(Option::is_some)).await;
    let degraded = left.expect("it is left").unwrap().clone().unwrap();
    assert_eq!(queue.health().await, Err(degraded.clone()));
    degraded
}

/// Waits until Redis is gone back to.
async fn back(queue: &FailoverQueue) {
    let mut changes = queue.degradations().unwrap();
    let back = timeout(SOON, changes.wait_for(Option::is_none)).await;
    drop(back.expect("it is gone back to").unwrap());
    assert_eq!(queue.health().await, Ok(()));
}

async fn push(queue: &FailoverQueue, id: u8) {
    let due = SystemClock.now();
    let job = job(1, id);
    queue.push(vec![Push { job, due }]).await.unwrap();
}

async fn reserve(queue: &FailoverQueue) -> Lease {
    timeout(SOON, queue.wait_ready()).await.unwrap().unwrap();
    queue.reserve(1, LEASE).await.unwrap().pop().unwrap()
}

/// Does so many jobs one after the other; how long that took.
async fn works(queue: &FailoverQueue, jobs: u8) -> Duration {
    let began = Instant::now();
    for id in 100..100 + jobs {
        push(queue, id).await;
        let lease = reserve(queue).await;
        assert_eq!(lease.job, job(1, id));
        assert_eq!(queue.settle(vec![done(lease.token)]).await.unwrap(), 1);
    }
    began.elapsed()
}

/// Whether jobs stand in Redis.
async fn holds_jobs(server: &Server) -> bool {
    server.ask(&["EXISTS", "mlc:test:{q0}:jobs"]).await
}

#[tokio::test]
async fn a_killed_server_is_done_without_and_gone_back_to() {
    let Some(mut server) = Server::start().await else {
        return;
    };
    let queue = beside_a_quick_database(server.redis("test"));
    works(&queue, 3).await;
    push(&queue, 1).await;
    let lease = reserve(&queue).await;
    // A worker who sleeps is woken by the change.
    let sleeping = queue.wait_ready();
    server.kill();
    let (woken, degraded) = tokio::join!(timeout(SOON, sleeping), left(&queue));
    drop(woken.expect("it is woken"));
    assert_eq!(degraded.what, "Redis does not answer");
    assert!(works(&queue, 20).await < Duration::from_secs(1));
    // What runs goes on, and its end is no trouble.
    assert_eq!(queue.settle(vec![done(lease.token)]).await.unwrap(), 1);
    push(&queue, 2).await;
    assert_eq!(queue.depths().await.unwrap()[0].fresh.ready, 1);

    server.begin().await;
    back(&queue).await;
    assert!(
        queue.depths().await.unwrap().is_empty(),
        "the database knows"
    );
    push(&queue, 3).await;
    assert!(holds_jobs(&server).await);
    let lease = reserve(&queue).await;
    assert_eq!(queue.settle(vec![done(lease.token)]).await.unwrap(), 1);
    assert!(!holds_jobs(&server).await);
}

#[tokio::test]
async fn a_server_whose_memory_is_full_is_done_without() {
    let Some(server) = Server::start().await else {
        return;
    };
    let queue = beside_a_quick_database(server.redis("test"));
    works(&queue, 3).await;
    server.ask::<()>(&["CONFIG", "SET", "maxmemory", "1"]).await;
    let degraded = left(&queue).await;
    assert_eq!(degraded.what, "Redis refuses writes");
    assert!(degraded.detail.contains("OOM"), "{degraded}");
    assert!(server.redis("test").ping().await.is_ok(), "as ever");
    assert!(works(&queue, 20).await < Duration::from_secs(1));
    server.ask::<()>(&["CONFIG", "SET", "maxmemory", "0"]).await;
    back(&queue).await;
    works(&queue, 3).await;
    assert!(!holds_jobs(&server).await);
}

#[tokio::test]
async fn a_server_that_became_a_copy_is_done_without_and_hears_what_ended_meanwhile() {
    let Some(server) = Server::start().await else {
        return;
    };
    let queue = beside_a_quick_database(server.redis("test"));
    push(&queue, 1).await;
    let lease = reserve(&queue).await;
    server.ask::<()>(&["REPLICAOF", "127.0.0.1", "1"]).await;
    let degraded = left(&queue).await;
    assert_eq!(degraded.what, "Redis refuses writes");
    assert!(degraded.detail.contains("READONLY"), "{degraded}");
    assert!(works(&queue, 20).await < Duration::from_secs(1));
    assert_eq!(queue.settle(vec![done(lease.token)]).await.unwrap(), 1);
    assert!(holds_jobs(&server).await, "the lease is there still");
    server.ask::<()>(&["REPLICAOF", "NO", "ONE"]).await;
    back(&queue).await;
    assert!(!holds_jobs(&server).await, "and does not run out");
}

#[tokio::test]
async fn a_server_with_another_password_is_done_without() {
    let Some(server) = Server::start().await else {
        return;
    };
    let queue = beside_a_quick_database(server.redis("test"));
    works(&queue, 1).await;
    let set = ["CONFIG", "SET", "requirepass", "hush"];
    server.ask::<()>(&set).await;
    let url = format!("redis://:hush@127.0.0.1:{}", server.port());
    let knows = Redis::open(&SecretString::from(url), "test").unwrap();
    ask::<u64>(&knows, &["CLIENT", "KILL", "TYPE", "normal"]).await;
    let degraded = left(&queue).await;
    assert_eq!(
        degraded.what,
        "Redis refuses the name or password of REDIS_URL"
    );
    assert!(works(&queue, 20).await < Duration::from_secs(1));
    ask::<()>(&knows, &["CONFIG", "SET", "requirepass", ""]).await;
    back(&queue).await;
    works(&queue, 1).await;
}

#[tokio::test]
async fn a_slow_server_is_done_without_until_it_is_quick() {
    let Some(server) = Server::start().await else {
        return;
    };
    let relay = SlowRelay::to(server.port()).await;
    let queue = beside_a_quick_database(at_port(relay.port, "test"));
    works(&queue, 3).await;
    relay.delay(Duration::from_millis(200));
    let degraded = left(&queue).await;
    assert_eq!(degraded.what, "Redis is slow");
    assert!(degraded.detail.contains(" ms"), "{degraded}");
    assert!(works(&queue, 20).await < Duration::from_secs(1));
    relay.delay(Duration::ZERO);
    back(&queue).await;
    works(&queue, 3).await;
}

#[tokio::test]
async fn a_frozen_server_holds_nobody_up() {
    let Some(server) = Server::start().await else {
        return;
    };
    let queue = beside_a_quick_database(server.redis("test"));
    works(&queue, 1).await;
    let pid = server.pid().await.to_string();
    server::send("-STOP", &pid);
    let degraded = left(&queue).await;
    assert_eq!(degraded.what, "Redis does not answer");
    assert!(works(&queue, 20).await < Duration::from_secs(1));
    server::send("-CONT", &pid);
    back(&queue).await;
    works(&queue, 3).await;
}

#[tokio::test]
async fn what_trials_do_not_see_is_seen_by_what_fails() {
    let Some(server) = Server::start().await else {
        return;
    };
    let queue = beside_a_quick_database(server.redis("test"));
    works(&queue, 1).await;
    server
        .ask::<()>(&["ACL", "SETUSER", "default", "-blpop"])
        .await;
    let fails = async {
        loop {
            if queue.wait_ready().await.is_ok() {
                tokio::task::yield_now().await;
            } else {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    };
    let degraded = tokio::select! {
        () = fails => unreachable!(),
        degraded = left(&queue) => degraded,
    };
    assert_eq!(degraded.what, "Redis refuses what the queue needs");
    assert!(degraded.detail.contains("blpop"), "{degraded}");
    assert!(works(&queue, 20).await < Duration::from_secs(1));
}

#[tokio::test]
async fn a_trial_leaves_nothing_behind() {
    let Some(server) = Server::start().await else {
        return;
    };
    let queue = server.queue();
    for _ in 0..3 {
        assert_eq!(queue.health().await, Ok(()));
    }
    until(async || server.ask::<u64>(&["DBSIZE"]).await == 0).await;
}
