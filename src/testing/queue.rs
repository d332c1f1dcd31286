//! The queue of an app under test, as `TEST_QUEUE` says: in the process, or on the Redis that
//! `tests/run` starts, in a name space of its own.

use std::sync::Arc;

use crate::config::environment as setting;
use crate::domain::clock::SharedClock;
use crate::queue::{JobQueue, MemoryQueue, RedisQueue};
use crate::redis::Redis;

/// An empty queue on the time of `clock`.
pub(crate) fn test_queue(clock: SharedClock) -> Arc<dyn JobQueue> {
    match setting("TEST_QUEUE").as_deref() {
        None | Some("memory") => Arc::new(MemoryQueue::new(clock)),
        Some("redis") => {
            let url = setting("TEST_REDIS_URL").expect("run ./tests/run: it starts a server");
            let namespace = uuid::Uuid::new_v4().simple().to_string();
            let redis = Redis::open(&url.into(), &namespace).unwrap();
            Arc::new(RedisQueue::new(redis, clock, 1))
        }
        Some(other) => panic!("TEST_QUEUE is {other}, neither memory nor redis"),
    }
}
