//! What every back end must do, as tests: `contract_suite!(subject())` in its test module.
//!
//! The suite moves the clock instead of sleeping, so a back end takes its time from the subject's.

pub(crate) mod lending;
pub(crate) mod running;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta};
use uuid::Uuid;

use super::{Ack, Job, JobQueue, Kind, Lease, Outcome, Push, TenantDepth, later};
use crate::domain::clock::{Clock, FixedClock};

const KIND: Kind = Kind::new("test");
const LEASE: Duration = Duration::from_secs(30);

/// An empty back end and the clock that it runs on.
pub(crate) struct Subject {
    pub(crate) queue: Arc<dyn JobQueue>,
    pub(crate) clock: Arc<FixedClock>,
}

pub(crate) fn clock() -> Arc<FixedClock> {
    Arc::new(FixedClock::at(
        DateTime::from_timestamp(1_795_000_000, 0).unwrap(),
    ))
}

pub(crate) fn job(tenant: u8, id: u8) -> Job {
    numbered(tenant, id.into())
}

fn numbered(tenant: u8, id: u128) -> Job {
    Job::new(
        KIND,
        Uuid::from_u128(u128::from(tenant) + 1),
        [Uuid::from_u128(id)],
    )
}

/// The number of a job, for short expectations.
fn number(job: &Job) -> u128 {
    job.ids[0].as_u128()
}

impl Subject {
    async fn push(&self, job: Job) {
        self.push_in(job, 0).await;
    }

    async fn push_in(&self, job: Job, seconds: u64) {
        let due = later(self.clock.now(), Duration::from_secs(seconds));
        self.queue.push(vec![Push { job, due }]).await.unwrap();
    }

    async fn reserve(&self, max: usize) -> Vec<Lease> {
        self.queue.reserve(max, LEASE).await.unwrap()
    }

    async fn reserve_one(&self) -> Lease {
        self.reserve(1).await.pop().expect("a job is ready")
    }

    async fn ack(&self, lease: &Lease, outcome: Outcome) -> usize {
        self.queue
            .ack(vec![Ack {
                token: lease.token,
                outcome,
            }])
            .await
            .unwrap()
    }

    async fn total(&self) -> usize {
        self.queue
            .depths()
            .await
            .unwrap()
            .iter()
            .map(TenantDepth::total)
            .sum()
    }

    fn in_seconds(&self, seconds: u64) -> DateTime<chrono::Utc> {
        later(self.clock.now(), Duration::from_secs(seconds))
    }

    fn pass(&self, seconds: i64) {
        self.clock.advance(TimeDelta::seconds(seconds));
    }
}

/// The whole suite; the argument makes a fresh [`Subject`] for each test and may await.
macro_rules! contract_suite {
    ($subject:expr) => {
        $crate::queue::contract::contract_suite! { @each $subject =>
            lending::an_acknowledged_job_is_gone
            lending::batches_are_lent_and_settled_together
            lending::a_tenants_jobs_keep_their_order
            lending::a_delayed_job_waits_for_its_time
            lending::the_same_job_is_one_job_and_keeps_the_earlier_time
            lending::a_push_during_the_run_is_a_run_afterwards
            lending::a_retry_comes_back_in_its_own_lane
            lending::a_snooze_counts_no_attempt
            lending::a_canceled_job_is_gone
            lending::a_crashed_workers_job_comes_back
            lending::a_backlog_of_100_000_delays_nobody_elses_message
            lending::tenants_take_turns
            lending::depths_say_what_stands_where
            lending::a_push_wakes_an_idle_worker
            running::a_failed_run_is_tried_again_after_the_policys_wait
            running::a_panic_and_a_time_out_are_tried_again
            running::a_handlers_snooze_and_cancel_reach_the_queue
            running::draining_follows_what_jobs_push
            running::a_kind_that_nobody_knows_is_kept
            running::a_runner_works_off_what_comes_and_stops_quietly
            running::the_second_breath_gives_running_jobs_back
        }
    };
    (@each $subject:expr => $($module:ident::$name:ident)*) => {
        $(
            #[tokio::test]
            async fn $name() {
                $crate::queue::contract::$module::$name($subject).await;
            }
        )*
    };
}
pub(crate) use contract_suite;
