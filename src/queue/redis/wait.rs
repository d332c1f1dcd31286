//! Sleeping until a job may be ready: a look, then a blocking read on a connection of its own.
//!
//! A blocking read that is given up must close its connection, or the server would hand the next
//! call to nobody. Dropping the connection does that; only one that is not reading is kept.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::{RedisError, cmd, pipe};
use tokio::time::{Instant, timeout};

use super::failure::{Failed, Why};
use super::server::ANSWER;
use super::{RedisQueue, text};
use crate::redis::Trouble;

/// However quiet it is, a sleeper looks again after this long: a lost call delays a job by no more.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// The server takes zero for "without end".
const SHORTEST_SLEEP: Duration = Duration::from_millis(1);

/// A connection that breaks sooner than this was never good.
const GOOD: Duration = Duration::from_secs(1);

/// As many connections are kept for the next sleep.
const KEPT: usize = 4;

/// The first of a sorted set, if there is one, and its score.
type First = Vec<(String, f64)>;

/// Connections on which nobody sleeps at the moment.
#[derive(Default)]
pub(super) struct Beds(Mutex<Vec<MultiplexedConnection>>);

impl Beds {
    fn take(&self) -> Option<MultiplexedConnection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn put(&self, connection: MultiplexedConnection) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT {
            kept.push(connection);
        }
    }
}

impl RedisQueue {
    pub(super) async fn sleep(&self) -> Result<(), Failed> {
        while let Some(mut kept) = self.beds.take() {
            let began = Instant::now();
            match self.sleep_on(&mut kept).await {
                Ok(()) => {
                    self.beds.put(kept);
                    return Ok(());
                }
                // It was good until now, and the caller's own look will show what is the matter.
                Err(Why::Trouble(_)) if began.elapsed() >= GOOD => return Ok(()),
                // It may have died long ago, unnoticed.
                Err(_) => {}
            }
        }
        let mut fresh = match timeout(ANSWER, self.server.redis.dedicated()).await {
            Ok(connected) => {
                connected.map_err(|trouble| self.server.failed("wait for jobs", trouble.into()))?
            }
            Err(_) => return Err(self.server.failed("wait for jobs", Why::Late(ANSWER))),
        };
        let began = Instant::now();
        match self.sleep_on(&mut fresh).await {
            Ok(()) => {
                self.beds.put(fresh);
                Ok(())
            }
            Err(Why::Trouble(_)) if began.elapsed() >= GOOD => Ok(()),
            Err(why) => Err(self.server.failed("wait for jobs", why)),
        }
    }

    /// Looks and sleeps until there is something to reserve.
    async fn sleep_on(&self, connection: &mut MultiplexedConnection) -> Result<(), Why> {
        let calls: Vec<_> = self
            .server
            .shards
            .iter()
            .map(|shard| format!("{shard}wake"))
            .collect();
        loop {
            let next = match timeout(ANSWER, self.next_change(connection)).await {
                Ok(next) => next.map_err(Trouble::from)?,
                Err(_) => return Err(Why::Late(ANSWER)),
            };
            let Some(wait) = next else {
                return Ok(());
            };
            let wait = wait.clamp(SHORTEST_SLEEP, LOOK_AGAIN);
            let mut read = cmd("BLPOP");
            read.arg(&calls).arg(format!("{:.3}", wait.as_secs_f64()));
            let read = read.query_async::<Option<(String, String)>>(connection);
            // The server ends the wait; if it does not, it is gone without a word.
            match timeout(wait + ANSWER, read).await {
                Ok(called) => called.map_err(Trouble::from)?,
                Err(_) => return Err(Why::Late(wait + ANSWER)),
            };
        }
    }

    /// How long until waiting alone makes a job ready; none when one is.
    async fn next_change(
        &self,
        connection: &mut MultiplexedConnection,
    ) -> Result<Option<Duration>, RedisError> {
        let mut next = LOOK_AGAIN;
        for shard in &self.server.shards {
            let mut look = pipe();
            look.cmd("EXISTS").arg(format!("{shard}ring"));
            for times in ["delayed", "leases"] {
                let key = format!("{shard}{times}");
                look.cmd("ZRANGE").arg(key).arg(0).arg(0).arg("WITHSCORES");
            }
            let (is_ready, due, over): (bool, First, First) = look.query_async(connection).await?;
            if is_ready {
                return Ok(None);
            }
            let now = self.server.clock.now();
            for (_, score) in due.into_iter().chain(over) {
                match (text::of_score(score) - now).to_std() {
                    Ok(left) if !left.is_zero() => next = next.min(left),
                    _ => return Ok(None),
                }
            }
        }
        Ok(Some(next))
    }
}
