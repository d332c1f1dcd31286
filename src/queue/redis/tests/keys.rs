//! What stands in Redis: nothing when there is nothing to do, and nothing that cannot be spared.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::server::{self, done, push_of};
use crate::queue::contract::{self, job};
use crate::queue::{Ack, JobQueue, Lease, LeaseToken, Outcome, RedisQueue};

const LEASE: Duration = Duration::from_secs(30);
const AT_ONCE: Duration = Duration::ZERO;

async fn keys(redis: &crate::redis::Redis) -> Vec<String> {
    // The name of a key without its shard and name: everything of this name space.
    let pattern = redis.key("*", "*").replace(['{', '}'], "?");
    server::ask(redis, &["KEYS", &pattern]).await
}

async fn ack(queue: &RedisQueue, leases: &[Lease], outcome: Outcome) -> usize {
    let end = |lease: &Lease| Ack {
        token: lease.token,
        outcome,
    };
    queue.ack(leases.iter().map(end).collect()).await.unwrap()
}

#[tokio::test]
async fn tenants_without_jobs_leave_no_keys_behind() {
    let Some((redis, _server)) = server::space().await else {
        return;
    };
    let clock = contract::clock();
    let queue = RedisQueue::new(redis.clone(), clock.clone(), 3);
    for tenant in 0..20 {
        for id in 0..5 {
            queue
                .push(push_of(&queue, job(tenant, id), AT_ONCE))
                .await
                .unwrap();
        }
    }
    assert!(keys(&redis).await.len() > 20);
    // Some fail, some are lost, some are pushed while they run.
    let leases = queue.reserve(60, LEASE).await.unwrap();
    ack(
        &queue,
        &leases[..20],
        Outcome::Retry(queue.server.clock.now()),
    )
    .await;
    queue
        .push(push_of(&queue, leases[30].job.clone(), AT_ONCE))
        .await
        .unwrap();
    ack(&queue, &leases[30..], Outcome::Done).await;
    // Of the busiest tenant only one is left, and of the others none that is theirs for good.
    clock.advance(chrono::TimeDelta::minutes(1));
    let leases = queue.reserve(1000, LEASE).await.unwrap();
    assert_eq!(leases.len(), 100 - 30 + 1);
    let (last, others) = leases.split_last().unwrap();
    assert_eq!(ack(&queue, others, Outcome::Done).await, others.len());
    let left = keys(&redis).await;
    let tenants: BTreeSet<_> = left.iter().filter(|key| key.contains("fresh:")).collect();
    assert!(tenants.is_empty(), "{left:?}");
    assert_eq!(queue.depths().await.unwrap().len(), 1);
    ack(&queue, std::slice::from_ref(last), Outcome::Cancel).await;
    assert_eq!(keys(&redis).await, Vec::<String>::new());
    // Looking for work leaves nothing either.
    assert!(queue.reserve(9, LEASE).await.unwrap().is_empty());
    assert_eq!(queue.ack(vec![done(last.token)]).await.unwrap(), 0);
    assert_eq!(keys(&redis).await, Vec::<String>::new());
}

#[tokio::test]
async fn jobs_of_all_shards_are_found_lent_and_settled() {
    let Some((redis, _server)) = server::space().await else {
        return;
    };
    let queue = RedisQueue::new(redis, contract::clock(), 3);
    let pushes = (0..30).flat_map(|n| push_of(&queue, job(n % 10, n), AT_ONCE));
    queue.push(pushes.collect()).await.unwrap();
    assert_eq!(queue.depths().await.unwrap().len(), 10);
    let few = queue.reserve(7, LEASE).await.unwrap();
    assert_eq!(few.len(), 7);
    let rest = queue.reserve(99, LEASE).await.unwrap();
    assert_eq!(rest.len(), 23);
    let shards: BTreeSet<_> = few
        .iter()
        .chain(&rest)
        .map(|lease| super::text::shard_of(lease.token))
        .collect();
    assert_eq!(shards, BTreeSet::from([0, 1, 2]));
    assert_eq!(ack(&queue, &few, Outcome::Done).await, 7);
    assert_eq!(ack(&queue, &rest, Outcome::Done).await, 23);
    let foreign = LeaseToken(uuid::Uuid::max());
    assert_eq!(queue.ack(vec![done(foreign)]).await.unwrap(), 0);
}

#[tokio::test]
async fn whichever_key_is_lost_pushing_again_mends_it() {
    let Some((redis, _server)) = server::space().await else {
        return;
    };
    let tenant = job(1, 0).tenant.simple().to_string();
    let (fresh, retry) = (format!("fresh:{tenant}"), format!("retry:{tenant}"));
    let names = [
        "jobs", "ring", "row", "delayed", "leases", "lent", "depths", "last", "wake", &fresh,
        &retry,
    ];
    for lost in names {
        let clock = contract::clock();
        let queue = Arc::new(RedisQueue::new(redis.clone(), clock.clone(), 1));
        let push = async || {
            for (id, after) in [(1, 0), (2, 0), (3, 60), (4, 0), (5, 0)] {
                let after = Duration::from_secs(after);
                queue
                    .push(push_of(&queue, job(1, id), after))
                    .await
                    .unwrap();
            }
        };
        push().await;
        // One failed and is ready again, one is lent, one is delayed, two are fresh.
        let failed = queue.reserve(1, LEASE).await.unwrap();
        ack(&queue, &failed, Outcome::Retry(queue.server.clock.now())).await;
        queue.reserve(1, LEASE).await.unwrap();
        let key = redis.key("q0", lost);
        server::ask::<()>(&redis, &["DEL", &key]).await;
        push().await;
        clock.advance(chrono::TimeDelta::hours(1));
        let mut ran = BTreeSet::new();
        loop {
            let leases = queue.reserve(9, LEASE).await.unwrap();
            if leases.is_empty() {
                break;
            }
            ran.extend(leases.iter().map(|lease| lease.job.ids[0].as_u128()));
            ack(&queue, &leases, Outcome::Done).await;
        }
        assert_eq!(ran, BTreeSet::from([1, 2, 3, 4, 5]), "without {lost}");
        assert_eq!(keys(&redis).await, Vec::<String>::new(), "without {lost}");
    }
}

#[tokio::test]
async fn what_something_else_has_written_is_thrown_away() {
    let Some((redis, _server)) = server::space().await else {
        return;
    };
    let queue = RedisQueue::new(redis.clone(), contract::clock(), 1);
    queue
        .push(push_of(&queue, job(1, 1), AT_ONCE))
        .await
        .unwrap();
    let tenant = job(1, 0).tenant.simple().to_string();
    let lane = redis.key("q0", &format!("fresh:{tenant}"));
    let odd = format!("{tenant}?");
    server::ask::<()>(&redis, &["ZADD", &lane, "0", &odd]).await;
    let leases = queue.reserve(9, LEASE).await.unwrap();
    assert_eq!(leases.len(), 1);
    assert_eq!(ack(&queue, &leases, Outcome::Done).await, 1);
    assert_eq!(keys(&redis).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_calendar_far_behind_delays_nobody() {
    let Some((redis, _server)) = server::space().await else {
        return;
    };
    let clock = contract::clock();
    let queue = RedisQueue::new(redis, clock.clone(), 1);
    // All of one tenant's jobs fall due together, and another's one a moment later.
    let morning = Duration::from_mins(1);
    for batch in 0..20 {
        let pushes = (0..250).flat_map(|n| {
            let mut job = job(1, 0);
            job.ids.push(uuid::Uuid::from_u128(batch * 250 + n));
            push_of(&queue, job, morning)
        });
        queue.push(pushes.collect()).await.unwrap();
    }
    let later = morning + Duration::from_secs(1);
    queue.push(push_of(&queue, job(2, 7), later)).await.unwrap();
    clock.advance(chrono::TimeDelta::minutes(2));
    queue.reserve(4, LEASE).await.unwrap();
    let next = queue.reserve(2, LEASE).await.unwrap();
    assert!(next.iter().any(|lease| lease.job == job(2, 7)));
}
