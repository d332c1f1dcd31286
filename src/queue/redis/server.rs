//! The server with our keys on it, and the steps that it takes for us.

use std::time::Duration;

use deadpool_redis::redis::FromRedisValue;
use tokio::time::timeout;
use uuid::Uuid;

use super::failure::{Failed, Why};
use super::text;
use crate::domain::clock::SharedClock;
use crate::redis::{Redis, Script, Trouble};

/// How many jobs one step moves at most: the server does nothing else meanwhile, a few milliseconds.
pub(super) const CHUNK: usize = 250;

/// How long a step may take, with getting a connection.
pub(super) const ANSWER: Duration = Duration::from_secs(2);

/// How long pushing one chunk may take: a webhook waits for it, and its push is one chunk. A push
/// that fails costs only time, since the database knows what is due.
pub(super) const PUSH_ANSWER: Duration = Duration::from_millis(500);

/// What is asked of Redis, by which script, and how long that may take.
pub(super) struct Step {
    pub(super) name: &'static str,
    script: Script,
    answer: Duration,
}

/// All steps.
pub(super) struct Steps {
    pub(super) push: Step,
    pub(super) reserve: Step,
    pub(super) ack: Step,
    pub(super) catch_up: Step,
    pub(super) trial: Step,
}

/// A step whose script is what all of them share and its own file.
macro_rules! step {
    ($name:literal, $file:literal, $answer:expr) => {
        Step {
            name: $name,
            script: Script::new(concat!(include_str!("common.lua"), include_str!($file))),
            answer: $answer,
        }
    };
}

impl Steps {
    fn new() -> Self {
        Self {
            push: step!("push jobs", "push.lua", PUSH_ANSWER),
            reserve: step!("reserve jobs", "reserve.lua", ANSWER),
            ack: step!("ack jobs", "ack.lua", ANSWER),
            catch_up: step!("catch up with due jobs", "catch_up.lua", ANSWER),
            trial: step!("try a step out", "trial.lua", ANSWER),
        }
    }
}

pub(super) struct Server {
    pub(super) redis: Redis,
    pub(super) clock: SharedClock,
    /// What the keys of each shard begin with.
    pub(super) shards: Vec<String>,
    pub(super) steps: Steps,
}

impl Server {
    pub(super) fn new(redis: Redis, clock: SharedClock, shards: u16) -> Self {
        let shards = (0..shards.max(1))
            .map(|n| redis.key(&format!("q{n}"), ""))
            .collect();
        Self {
            redis,
            clock,
            shards,
            steps: Steps::new(),
        }
    }

    pub(super) fn shard_of(&self, tenant: Uuid) -> usize {
        // The last bits of an id are chance. The remainder is below a 16-bit number.
        let shards = u128::try_from(self.shards.len()).unwrap_or(1);
        usize::try_from(tenant.as_u128() % shards).unwrap_or(0)
    }

    pub(super) fn failed(&self, step: &'static str, why: Why) -> Failed {
        Failed {
            step,
            address: self.redis.address(),
            why,
        }
    }

    /// Takes a step on one shard.
    pub(super) async fn ask<T: FromRedisValue>(
        &self,
        step: &Step,
        shard: &str,
        args: &[String],
    ) -> Result<T, Failed> {
        let mut call = step.script.key(shard);
        call.arg(text::of_instant(self.clock.now())).arg(args);
        let answer = async {
            let mut connection = self.redis.connection().await?;
            Ok::<T, Trouble>(call.invoke_async(&mut *connection).await?)
        };
        match timeout(step.answer, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(trouble)) => Err(self.failed(step.name, trouble.into())),
            Err(_) => Err(self.failed(step.name, Why::Late(step.answer))),
        }
    }
}
