//! The part of the contract that shows without a runner: pushing, lending, acking, turns.

use std::sync::Arc;

use super::{LEASE, Subject, job, number, numbered};
use crate::domain::clock::Clock;
use crate::queue::{Ack, Lane, Lease, Outcome, Push, TenantDepth};

pub(crate) async fn an_acknowledged_job_is_gone(s: Subject) {
    s.push(job(1, 1)).await;
    let lease = s.reserve_one().await;
    assert_eq!(
        (lease.job.clone(), lease.attempt, lease.lane),
        (job(1, 1), 1, Lane::Fresh)
    );
    assert_eq!(s.ack(&lease, Outcome::Done).await, 1);
    assert_eq!(s.ack(&lease, Outcome::Done).await, 0);
    s.pass(3600);
    assert!(s.reserve(9).await.is_empty());
    assert_eq!(s.total().await, 0);
}

pub(crate) async fn batches_are_lent_and_settled_together(s: Subject) {
    let due = s.clock.now();
    s.queue
        .push(
            (0..10)
                .map(|n| Push {
                    job: job(1, n),
                    due,
                })
                .collect(),
        )
        .await
        .unwrap();
    let leases = s.reserve(7).await;
    assert_eq!(leases.len(), 7);
    assert_eq!(s.reserve(7).await.len(), 3);
    let done = |lease: &Lease| Ack {
        token: lease.token,
        outcome: Outcome::Done,
    };
    assert_eq!(
        s.queue
            .ack(leases.iter().map(done).collect())
            .await
            .unwrap(),
        7
    );
    assert_eq!(s.total().await, 3);
}

pub(crate) async fn a_tenants_jobs_keep_their_order(s: Subject) {
    for n in [3, 1, 2] {
        s.push(job(1, n)).await;
    }
    s.push_in(job(1, 5), 20).await;
    s.push_in(job(1, 4), 10).await;
    s.pass(30);
    s.push(job(1, 6)).await;
    let order: Vec<_> = s
        .reserve(9)
        .await
        .iter()
        .map(|lease| number(&lease.job))
        .collect();
    assert_eq!(order, [3, 1, 2, 4, 5, 6]);
}

pub(crate) async fn a_delayed_job_waits_for_its_time(s: Subject) {
    s.push_in(job(1, 1), 60).await;
    s.pass(59);
    assert!(s.reserve(1).await.is_empty());
    s.pass(1);
    assert_eq!(s.reserve_one().await.attempt, 1);
}

pub(crate) async fn the_same_job_is_one_job_and_keeps_the_earlier_time(s: Subject) {
    s.push_in(job(1, 1), 60).await;
    s.push_in(job(1, 1), 10).await;
    s.push_in(job(1, 1), 90).await;
    assert_eq!(s.total().await, 1);
    s.pass(10);
    s.push(job(1, 1)).await;
    assert_eq!(s.reserve(9).await.len(), 1);
}

pub(crate) async fn a_push_during_the_run_is_a_run_afterwards(s: Subject) {
    s.push(job(1, 1)).await;
    let lease = s.reserve_one().await;
    s.push_in(job(1, 1), 60).await;
    s.push(job(1, 1)).await;
    assert!(s.reserve(9).await.is_empty(), "never twice at once");
    s.ack(&lease, Outcome::Done).await;
    let again = s.reserve_one().await;
    assert_eq!((again.attempt, again.lane), (1, Lane::Fresh));
    // A pointless run, and one to be retried late, do not swallow a wake-up either.
    s.push(job(1, 1)).await;
    s.ack(&again, Outcome::Cancel).await;
    let again = s.reserve_one().await;
    s.push(job(1, 1)).await;
    s.ack(&again, Outcome::Retry(s.in_seconds(600))).await;
    let again = s.reserve_one().await;
    s.ack(&again, Outcome::Done).await;
    assert_eq!(s.total().await, 0);
}

pub(crate) async fn a_retry_comes_back_in_its_own_lane(s: Subject) {
    s.push(job(1, 1)).await;
    let lease = s.reserve_one().await;
    s.ack(&lease, Outcome::Retry(s.in_seconds(10))).await;
    assert!(s.reserve(1).await.is_empty());
    s.pass(10);
    for n in 10..20 {
        s.push(job(1, n)).await;
    }
    let leases = s.reserve(99).await;
    let place = leases.iter().position(|lease| lease.lane == Lane::Retry);
    assert_eq!(place, Some(3), "after fresh ones, but not starved");
    assert_eq!((number(&leases[3].job), leases[3].attempt), (1, 2));
}

pub(crate) async fn a_snooze_counts_no_attempt(s: Subject) {
    s.push(job(1, 1)).await;
    for _ in 0..3 {
        let lease = s.reserve_one().await;
        assert_eq!((lease.attempt, lease.lane), (1, Lane::Fresh));
        s.ack(&lease, Outcome::Snooze(s.in_seconds(5))).await;
        assert!(s.reserve(1).await.is_empty());
        s.pass(5);
    }
}

pub(crate) async fn a_canceled_job_is_gone(s: Subject) {
    s.push(job(1, 1)).await;
    let lease = s.reserve_one().await;
    assert_eq!(s.ack(&lease, Outcome::Cancel).await, 1);
    assert_eq!(s.total().await, 0);
}

pub(crate) async fn a_crashed_workers_job_comes_back(s: Subject) {
    s.push(job(1, 1)).await;
    let lost = s.reserve_one().await;
    s.pass(29);
    assert!(s.reserve(1).await.is_empty());
    s.pass(1);
    let again = s.reserve_one().await;
    assert_eq!((again.attempt, again.lane), (2, Lane::Retry));
    // The first worker was only slow; its word no longer counts.
    assert_eq!(s.ack(&lost, Outcome::Done).await, 0);
    assert_eq!(s.ack(&again, Outcome::Done).await, 1);
    assert_eq!(s.total().await, 0);
}

pub(crate) async fn a_backlog_of_100_000_delays_nobody_elses_message(s: Subject) {
    let due = s.clock.now();
    for thousand in 0..100 {
        let ids = thousand * 1000..(thousand + 1) * 1000;
        let batch = ids
            .map(|n| Push {
                job: numbered(1, n),
                due,
            })
            .collect();
        s.queue.push(batch).await.unwrap();
    }
    s.reserve(10).await;
    s.push(job(2, 7)).await;
    s.push(job(3, 8)).await;
    let next: Vec<_> = s
        .reserve(4)
        .await
        .into_iter()
        .map(|lease| lease.job.tenant)
        .collect();
    assert!(
        next.contains(&job(2, 7).tenant) && next.contains(&job(3, 8).tenant),
        "{next:?}"
    );
    let busy = s.queue.depths().await.unwrap();
    let busy = busy
        .iter()
        .find(|depth| depth.tenant == job(1, 0).tenant)
        .unwrap();
    assert_eq!((busy.fresh.ready, busy.fresh.leased), (99_988, 12));
}

pub(crate) async fn tenants_take_turns(s: Subject) {
    for tenant in 1..=3 {
        for n in 0..4 {
            s.push(job(tenant, n)).await;
        }
    }
    let tenants: Vec<_> = s
        .reserve(12)
        .await
        .into_iter()
        .map(|lease| lease.job.tenant)
        .collect();
    for round in tenants.chunks(3) {
        let mut round = round.to_vec();
        round.sort();
        round.dedup();
        assert_eq!(round.len(), 3, "each once in every round");
    }
}

pub(crate) async fn depths_say_what_stands_where(s: Subject) {
    s.push_in(job(1, 1), 60).await;
    for n in 2..6 {
        s.push(job(1, n)).await;
    }
    let lease = s.reserve_one().await;
    s.ack(&lease, Outcome::Retry(s.in_seconds(60))).await;
    let lease = s.reserve_one().await;
    s.ack(&lease, Outcome::Retry(s.clock.now())).await;
    s.reserve_one().await;
    let depths = s.queue.depths().await.unwrap();
    assert_eq!(depths.len(), 1);
    let TenantDepth { fresh, retry, .. } = depths[0];
    assert_eq!((fresh.ready, fresh.delayed, fresh.leased), (1, 1, 1));
    assert_eq!((retry.ready, retry.delayed, retry.leased), (1, 1, 0));
}

pub(crate) async fn a_push_wakes_an_idle_worker(s: Subject) {
    let waiting = tokio::spawn({
        let queue = Arc::clone(&s.queue);
        async move { queue.wait_ready().await }
    });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    s.push(job(1, 1)).await;
    tokio::time::timeout(LEASE, waiting)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    // What is ready already wakes at once, as often as one asks.
    tokio::time::timeout(LEASE, s.queue.wait_ready())
        .await
        .unwrap()
        .unwrap();
}
