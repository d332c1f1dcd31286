//! Both back ends, told the same, lend the same.

use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::server;
use crate::domain::clock::Clock;
use crate::queue::contract;
use crate::queue::{
    Ack, Job, JobQueue, Lane, Lease, MemoryQueue, Outcome, Push, RedisQueue, TenantDepth, later,
};

const LEASE: Duration = Duration::from_secs(10);

#[derive(Debug, Clone)]
enum Move {
    Push(Vec<(u8, u8, u8)>),
    Reserve(u8),
    Ack(Vec<(usize, u8, u8)>),
    Pass(u8),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    // Half of all waits are none at all, and few differ, so that many fall together.
    let wait = || prop_oneof![Just(0_u8), 0_u8..6];
    let push = (0_u8..4, 0_u8..5, wait());
    let ack = (any::<usize>(), 0_u8..4, wait());
    let one = prop_oneof![
        4 => prop::collection::vec(push, 1..6).prop_map(Move::Push),
        3 => (1_u8..7).prop_map(Move::Reserve),
        3 => prop::collection::vec(ack, 1..4).prop_map(Move::Ack),
        2 => (0_u8..12).prop_map(Move::Pass),
    ];
    prop::collection::vec(one, 1..60)
}

type Seen = (Job, u32, Lane, chrono::DateTime<chrono::Utc>);

fn seen(leases: &[Lease]) -> Vec<Seen> {
    leases
        .iter()
        .map(|lease| (lease.job.clone(), lease.attempt, lease.lane, lease.until))
        .collect()
}

fn sorted(mut depths: Vec<TenantDepth>) -> Vec<TenantDepth> {
    depths.sort_by_key(|depth| depth.tenant);
    depths
}

#[test]
fn both_back_ends_lend_the_same_jobs_in_the_same_order() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let Some((redis, _server)) = runtime.block_on(server::space()) else {
        return;
    };
    let config = Config {
        cases: 64,
        failure_persistence: None,
        ..Config::default()
    };
    let told = TestRunner::new(config).run(&moves(), |moves| {
        runtime.block_on(async {
            let clock = contract::clock();
            let memory = MemoryQueue::new(clock.clone());
            let remote = RedisQueue::new(redis.clone(), clock.clone(), 1);
            let mut held = Vec::new();
            for made in moves {
                match made {
                    Move::Push(pushes) => {
                        let now = clock.now();
                        let batch: Vec<_> = pushes
                            .into_iter()
                            .map(|(tenant, id, after)| Push {
                                job: contract::job(tenant, id),
                                due: later(now, Duration::from_secs(after.into())),
                            })
                            .collect();
                        memory.push(batch.clone()).await.unwrap();
                        remote.push(batch).await.unwrap();
                    }
                    Move::Reserve(max) => {
                        let ours = memory.reserve(max.into(), LEASE).await.unwrap();
                        let theirs = remote.reserve(max.into(), LEASE).await.unwrap();
                        prop_assert_eq!(seen(&ours), seen(&theirs));
                        held.extend(ours.iter().zip(theirs).map(|(a, b)| (a.token, b.token)));
                    }
                    Move::Ack(ends) => {
                        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
                        for (which, how, after) in ends {
                            if held.is_empty() {
                                break;
                            }
                            let tokens = held.swap_remove(which % held.len());
                            let due = later(clock.now(), Duration::from_secs(after.into()));
                            let outcome = match how {
                                0 => Outcome::Done,
                                1 => Outcome::Cancel,
                                2 => Outcome::Retry(due),
                                _ => Outcome::Snooze(due),
                            };
                            let (token, other) = tokens;
                            ours.push(Ack { token, outcome });
                            let token = other;
                            theirs.push(Ack { token, outcome });
                        }
                        let acked = memory.ack(ours).await.unwrap();
                        prop_assert_eq!(remote.ack(theirs).await.unwrap(), acked);
                    }
                    Move::Pass(seconds) => {
                        clock.advance(chrono::TimeDelta::seconds(seconds.into()));
                    }
                }
                prop_assert_eq!(
                    sorted(memory.depths().await.unwrap()),
                    caught_up(&remote).await
                );
            }
            // What is left runs in the same order as well, and then nothing is left anywhere.
            clock.advance(chrono::TimeDelta::hours(1));
            let ours = memory.reserve(1000, LEASE).await.unwrap();
            let theirs = remote.reserve(1000, LEASE).await.unwrap();
            prop_assert_eq!(seen(&ours), seen(&theirs));
            let ends = theirs.iter().map(|lease| server::done(lease.token));
            remote.ack(ends.collect()).await.unwrap();
            let pattern = redis.key("q0", "*");
            let left: Vec<String> = server::ask(&redis, &["KEYS", &pattern]).await;
            prop_assert_eq!(left, Vec::<String>::new());
            Ok(())
        })
    });
    told.unwrap();
}

/// Depths on Redis are as of the last step; memory's are as of now.
async fn caught_up(remote: &RedisQueue) -> Vec<TenantDepth> {
    remote.ack(vec![server::done(no_token())]).await.unwrap();
    sorted(remote.depths().await.unwrap())
}

fn no_token() -> crate::queue::LeaseToken {
    crate::queue::LeaseToken(uuid::Uuid::nil())
}
