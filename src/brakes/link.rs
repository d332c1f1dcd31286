//! Whether Redis can be asked, and how long it is waited for.
//!
//! One connection carries all calls of this process at the same time, since a script answers at once.
//! It is made when the first call asks, and again when one asks after a failure; nothing runs on a
//! timer.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::{FromRedisValue, ScriptInvocation, cmd};
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::later;
use crate::domain::clock::SharedClock;
use crate::domain::transport::TransportName;
use crate::redis::{Redis, RedisError, Trouble};

/// How long a call waits for Redis, connecting included.
const ANSWER: Duration = Duration::from_millis(250);

/// How long Redis is not asked again after it failed, and how long connecting anew may take.
const REST: Duration = Duration::from_secs(1);

/// Why Redis did not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Silence {
    /// It was not asked: it failed a moment ago.
    Unasked,
    /// It was asked; whether it did as told is not known.
    Unheard,
}

pub(super) struct Link {
    redis: Redis,
    /// For the log.
    transport: TransportName,
    clock: SharedClock,
    /// What connections are driven by.
    runtime: Handle,
    standing: Mutex<Standing>,
}

#[derive(Default)]
struct Standing {
    connection: Option<Numbered>,
    /// How many connections there were.
    made: u64,
    /// When a connection was tried for, or failed, last.
    tried: Option<DateTime<Utc>>,
    /// Whether the log says that it is gone.
    is_told: bool,
}

/// An old connection's failure says nothing about the one after it: hence the number.
#[derive(Clone)]
struct Numbered(u64, MultiplexedConnection);

impl Link {
    pub(super) fn new(
        redis: Redis,
        transport: TransportName,
        clock: SharedClock,
        runtime: Handle,
    ) -> Self {
        Self {
            redis,
            transport,
            clock,
            runtime,
            standing: Mutex::default(),
        }
    }

    pub(super) const fn redis(&self) -> &Redis {
        &self.redis
    }

    pub(super) const fn runtime(&self) -> &Handle {
        &self.runtime
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Runs a script, or says within [`ANSWER`] that it cannot.
    pub(super) async fn run<T: FromRedisValue>(
        self: &Arc<Self>,
        call: &ScriptInvocation<'_>,
    ) -> Result<T, Silence> {
        let mut number = None;
        let asked = async {
            let Numbered(made, mut connection) = self.connection().await?;
            number = Some(made);
            call.invoke_async(&mut connection)
                .await
                .map_err(Fault::from)
        };
        let fault = match timeout(ANSWER, asked).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(fault)) => fault,
            Err(_) => Fault::Slow,
        };
        let Some(number) = number else {
            return Err(Silence::Unasked);
        };
        self.lost(Some(number), &fault);
        Err(Silence::Unheard)
    }

    /// The connection. One caller in a while tries to make one when there is none; the others do
    /// without.
    async fn connection(self: &Arc<Self>) -> Result<Numbered, Fault> {
        {
            let now = self.now();
            let mut standing = self.lock();
            if let Some(connection) = &standing.connection {
                return Ok(connection.clone());
            }
            // A clock that was set back must not lengthen the rest.
            let rests = |tried| tried <= now && now < later(tried, REST);
            if standing.tried.is_some_and(rests) {
                return Err(Fault::Resting);
            }
            standing.tried = Some(now);
        }
        // A task of its own: it goes on when this caller has waited long enough.
        let link = Arc::clone(self);
        let made = self.runtime.spawn(async move { link.connect().await });
        made.await.ok().flatten().ok_or(Fault::Resting)
    }

    async fn connect(&self) -> Option<Numbered> {
        let opened = match timeout(REST, self.open()).await {
            Ok(opened) => opened,
            Err(_) => Err(Fault::Slow),
        };
        match opened {
            Ok(connection) => Some(self.found(connection)),
            Err(fault) => {
                self.lost(None, &fault);
                None
            }
        }
    }

    /// A connection over which something could be written, and in time: a server that is loading, or a mere
    /// copy, answers but is of no use.
    async fn open(&self) -> Result<MultiplexedConnection, Fault> {
        let mut connection = self.redis.dedicated().await?;
        let mut set = cmd("SET");
        set.arg(self.redis.key("brakes", self.transport.as_str()))
            .arg(1)
            .arg("PX")
            .arg(1000);
        let written = set.query_async::<()>(&mut connection);
        // As quickly as calls need it, or each would find it slow again.
        match timeout(ANSWER, written).await {
            Ok(written) => written?,
            Err(_) => return Err(Fault::Slow),
        }
        Ok(connection)
    }

    fn found(&self, connection: MultiplexedConnection) -> Numbered {
        let mut standing = self.lock();
        standing.made += 1;
        let numbered = Numbered(standing.made, connection);
        standing.connection = Some(numbered.clone());
        if std::mem::take(&mut standing.is_told) {
            let transport = self.transport;
            tracing::info!("The brakes of {transport} are shared through Redis again");
        }
        numbered
    }

    /// Redis failed; over connection `number`, or when one was tried for.
    fn lost(&self, number: Option<u64>, fault: &Fault) {
        let now = self.now();
        let mut standing = self.lock();
        if standing.connection.as_ref().map(|numbered| numbered.0) != number {
            return;
        }
        standing.connection = None;
        standing.tried = Some(now);
        if !std::mem::replace(&mut standing.is_told, true) {
            let transport = self.transport;
            tracing::warn!(
                error = %fault,
                "The brakes of {transport} cannot ask Redis: this process keeps to its share of the limits"
            );
        }
    }

    fn lock(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("redis", &self.redis)
            .field("transport", &self.transport)
            .finish_non_exhaustive()
    }
}

/// What went wrong, for the log.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Redis(#[from] RedisError),
    #[error(transparent)]
    Trouble(#[from] Trouble),
    #[error("no answer in time")]
    Slow,
    #[error("it failed a moment ago")]
    Resting,
}
