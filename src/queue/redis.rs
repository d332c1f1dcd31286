//! The back end on Redis or Valkey, for any number of processes.
//!
//! Every step is one script, so nothing is ever half done; `README.md` draws the keys. Nothing here
//! is the truth: the server may forget everything between any two steps, and only wakes less well.

mod failure;
mod push;
mod server;
mod text;
mod wait;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use deadpool_redis::redis::cmd;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use self::failure::{Failed, Why};
use self::push::Pushes;
use self::server::{ANSWER, CHUNK, Server};
use self::wait::Beds;
use super::{
    Ack, Degraded, Depth, JobQueue, Lane, Lease, LeaseToken, Outcome, Push, QueueError,
    TenantDepth, later,
};
use crate::domain::clock::SharedClock;
use crate::redis::{Redis, Trouble};

/// How many further steps one reservation spends on a calendar that is far behind.
const CATCH_UPS: usize = 20;

/// How many reservations without an answer are remembered.
const UNHEARD: usize = 16;

/// How many numbers of depths are read at once.
const SCAN: usize = 1000;

/// The queue on Redis. Share it in an `Arc`.
pub struct RedisQueue {
    server: Arc<Server>,
    pushes: Pushes,
    /// Which shard is reserved from first, so that none is always the last.
    turn: AtomicUsize,
    beds: Beds,
    unheard: Mutex<Vec<Unheard>>,
}

/// A reservation whose answer never came: Redis may have lent the jobs to nobody.
struct Unheard {
    salt: String,
    count: usize,
}

/// A lease as the script says it: token, job, attempt, lane.
type Lent = (String, String, u32, String);

impl RedisQueue {
    /// The queue in the name space of `redis`, on the time of `clock`. Tenants are spread over
    /// `shards`, at least one; all processes must be given the same number, or they would not see
    /// each other's jobs until somebody pushes them again.
    ///
    /// # Panics
    ///
    /// When it is called outside a runtime: what is pushed goes to Redis from this one.
    pub fn new(redis: Redis, clock: SharedClock, shards: u16) -> Self {
        let server = Arc::new(Server::new(redis, clock, shards));
        Self {
            pushes: Pushes::new(server.clone()),
            server,
            turn: AtomicUsize::new(0),
            beds: Beds::default(),
            unheard: Mutex::default(),
        }
    }

    /// Lends from one shard until `leases` are `max`, or nothing more is ready.
    async fn lend(
        &self,
        shard: usize,
        max: usize,
        lease: Duration,
        leases: &mut Vec<Lease>,
    ) -> Result<(), Failed> {
        let step = &self.server.steps.reserve;
        while leases.len() < max {
            let want = (max - leases.len()).min(CHUNK);
            let over = text::of_instant(later(self.server.clock.now(), lease));
            let salt = text::new_salt(u16::try_from(shard).unwrap_or_default());
            let args = [want.to_string(), over.to_string(), salt.clone()];
            let answer = self
                .server
                .ask(step, &self.server.shards[shard], &args)
                .await;
            let (is_behind, lent): (bool, Vec<Lent>) = match answer {
                Ok(answer) => answer,
                Err(failed) => {
                    self.remember(Unheard { salt, count: want });
                    return Err(failed);
                }
            };
            let served = lent.len();
            for lent in lent {
                match to_lease(&lent, over) {
                    Some(lease) => leases.push(lease),
                    None => self.throw_away(&lent).await?,
                }
            }
            if is_behind {
                self.catch_up(shard).await?;
            }
            if served < want {
                break;
            }
        }
        Ok(())
    }

    /// Catches up with a calendar of which one step can do only a part, or a tenant with 100,000
    /// jobs due at once would keep another's, due after them, from its turn.
    async fn catch_up(&self, shard: usize) -> Result<(), Failed> {
        let step = &self.server.steps.catch_up;
        // On a slow server, what is ready waits for us meanwhile.
        let until = Instant::now() + ANSWER;
        for _ in 0..CATCH_UPS {
            if Instant::now() > until {
                break;
            }
            if !self
                .server
                .ask(step, &self.server.shards[shard], &[])
                .await?
            {
                break;
            }
        }
        Ok(())
    }

    /// Something else has written this job; it would come back endlessly.
    async fn throw_away(&self, (token, job, ..): &Lent) -> Result<(), Failed> {
        tracing::error!("Threw a job away that cannot be read: {job:?}");
        let Some(token) = text::to_token(token) else {
            return Ok(());
        };
        let end = Ack {
            token,
            outcome: Outcome::Cancel,
        };
        self.end(&[end]).await.map(drop)
    }

    fn remember(&self, unheard: Unheard) {
        let mut all = self.unheard.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() < UNHEARD {
            all.push(unheard);
        }
    }

    /// Gives back what may have been lent without our hearing of it; else it would wait for the end
    /// of its lease. Tokens that were never made ack nothing.
    async fn give_back(&self) -> Result<(), Failed> {
        loop {
            let last = {
                let mut all = self.unheard.lock().unwrap_or_else(PoisonError::into_inner);
                all.pop()
            };
            let Some(unheard) = last else {
                return Ok(());
            };
            let outcome = Outcome::Snooze(self.server.clock.now());
            let ends: Vec<_> = text::tokens(&unheard.salt, unheard.count)
                .map(|token| Ack { token, outcome })
                .collect();
            if let Err(failed) = self.end(&ends).await {
                self.remember(unheard);
                return Err(failed);
            }
        }
    }

    /// Ends leases, wherever they are.
    async fn end(&self, batch: &[Ack]) -> Result<usize, Failed> {
        let step = &self.server.steps.ack;
        let mut args = vec![Vec::new(); self.server.shards.len()];
        for end in batch {
            // A token of no shard of ours proves nothing.
            if let Some(args) = args.get_mut(text::shard_of(end.token)) {
                args.extend(ack_args(end.token, end.outcome));
            }
        }
        let mut acked = 0;
        for (shard, args) in self.server.shards.iter().zip(args) {
            for chunk in args.chunks(3 * CHUNK) {
                acked += self.server.ask::<usize>(step, shard, chunk).await?;
            }
        }
        Ok(acked)
    }

    /// Reads the depths of one shard into `tenants`.
    async fn scan(
        &self,
        shard: &str,
        tenants: &mut HashMap<Uuid, TenantDepth>,
    ) -> Result<(), Trouble> {
        let mut connection = self.server.redis.connection().await?;
        let mut cursor = 0_u64;
        loop {
            let mut scan = cmd("HSCAN");
            scan.arg(format!("{shard}depths")).arg(cursor);
            scan.arg("COUNT").arg(SCAN);
            let (next, found): (u64, Vec<(String, usize)>) =
                scan.query_async(&mut *connection).await?;
            for (field, count) in found {
                note_depth(&field, count, tenants);
            }
            if next == 0 {
                return Ok(());
            }
            cursor = next;
        }
    }
}

#[async_trait]
impl JobQueue for RedisQueue {
    fn name(&self) -> &'static str {
        "Redis"
    }

    async fn push(&self, batch: Vec<Push>) -> Result<(), QueueError> {
        Ok(self.pushes.push(batch).await?)
    }

    async fn reserve(&self, max: usize, lease: Duration) -> Result<Vec<Lease>, QueueError> {
        self.give_back().await?;
        let first = self.turn.fetch_add(1, Ordering::Relaxed);
        let mut leases = Vec::new();
        for n in 0..self.server.shards.len() {
            let shard = first.wrapping_add(n) % self.server.shards.len();
            if let Err(failed) = self.lend(shard, max, lease, &mut leases).await {
                if leases.is_empty() {
                    return Err(failed.into());
                }
                // What is lent is to be run; the next call will say it again.
                tracing::warn!("Reserved only a part: {failed}");
                break;
            }
        }
        Ok(leases)
    }

    async fn ack(&self, batch: Vec<Ack>) -> Result<usize, QueueError> {
        Ok(self.end(&batch).await?)
    }

    async fn wait_ready(&self) -> Result<(), QueueError> {
        Ok(self.sleep().await?)
    }

    async fn depths(&self) -> Result<Vec<TenantDepth>, QueueError> {
        const NAME: &str = "read depths";
        let mut tenants = HashMap::new();
        for shard in &self.server.shards {
            let scanned = match timeout(ANSWER, self.scan(shard, &mut tenants)).await {
                Ok(scanned) => scanned.map_err(Why::Trouble),
                Err(_) => Err(Why::Late(ANSWER)),
            };
            scanned.map_err(|why| self.server.failed(NAME, why))?;
        }
        Ok(tenants.into_values().collect())
    }

    /// Not by `PING`: a server whose memory is full, or that became a copy, answers that as ever.
    async fn health(&self) -> Result<(), Degraded> {
        let step = &self.server.steps.trial;
        for shard in &self.server.shards {
            let corner = format!("{shard}trial:");
            let answer = self.server.ask::<bool>(step, &corner, &[]).await;
            if !answer.map_err(|failed| failed.degraded())? {
                return Err(Degraded {
                    what: "Redis does not keep what it is told".to_owned(),
                    detail: self.server.redis.address(),
                });
            }
        }
        Ok(())
    }
}

impl std::fmt::Debug for RedisQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisQueue")
            .field("redis", &self.server.redis)
            .field("shards", &self.server.shards.len())
            .finish_non_exhaustive()
    }
}

fn to_lease((token, job, attempt, lane): &Lent, over: i64) -> Option<Lease> {
    Some(Lease {
        token: text::to_token(token)?,
        job: text::to_job(job)?,
        attempt: *attempt,
        lane: if lane == "r" {
            Lane::Retry
        } else {
            Lane::Fresh
        },
        until: text::to_instant(over),
    })
}

fn ack_args(token: LeaseToken, outcome: Outcome) -> [String; 3] {
    let (how, due) = match outcome {
        Outcome::Done | Outcome::Cancel => ("done", 0),
        Outcome::Retry(due) => ("retry", text::of_instant(due)),
        Outcome::Snooze(due) => ("snooze", text::of_instant(due)),
    };
    [text::of_token(token), how.to_owned(), due.to_string()]
}

/// One number: its field is the tenant's digits, the lane and the place.
fn note_depth(field: &str, count: usize, tenants: &mut HashMap<Uuid, TenantDepth>) {
    let Some((tenant, place)) = field.split_at_checked(32) else {
        return;
    };
    let Ok(tenant) = Uuid::try_parse(tenant) else {
        return;
    };
    let depth = tenants
        .entry(tenant)
        .or_insert_with(|| TenantDepth::none(tenant));
    let depth_of = |lane: &mut Depth, place: &str| match place {
        "r" => lane.ready = count,
        "d" => lane.delayed = count,
        _ => lane.leased = count,
    };
    match place.split_at_checked(1) {
        Some(("f", place)) => depth_of(&mut depth.fresh, place),
        Some((_, place)) => depth_of(&mut depth.retry, place),
        None => {}
    }
}

#[cfg(test)]
mod tests;
