//! The way to Redis or Valkey, shared by the queue and the brakes. Nothing in it is the truth: whoever
//! calls must bear that it is empty, gone, or back with nothing in it.

use std::fmt;
use std::time::Duration;

use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::{AsyncConnectionConfig, Client, ErrorKind, IntoConnectionInfo as _};
use deadpool_redis::{Connection, Manager, Pool, PoolError, Runtime};
use secrecy::{ExposeSecret as _, SecretString};

pub use deadpool_redis::redis::{RedisError, Script};

/// How long an answer may take. Scripts take well under a millisecond; whoever waits longer waits
/// for a server that is gone.
const ANSWER: Duration = Duration::from_secs(2);

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(1);

/// Connections of one process; a call holds one only while its script runs.
const CONNECTIONS: usize = 8;

/// Why Redis could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// It refused, or the connection broke.
    #[error(transparent)]
    Redis(#[from] RedisError),
    /// No connection was to be had.
    #[error("no connection to Redis")]
    Pool(#[from] PoolError),
    /// The pool could not be built.
    #[error("the pool of connections to Redis cannot be built")]
    Build(#[from] deadpool_redis::BuildError),
}

/// What a server that answers will not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Let us in.
    Stranger,
    /// Write: its memory is full, its disk is, or it became a copy of another.
    Write,
    /// Something else.
    Other,
}

impl Trouble {
    /// What the server refused; `None` when it did not answer.
    pub fn refusal(&self) -> Option<Refusal> {
        let error = self.answer()?;
        match (error.kind(), error.code()) {
            (ErrorKind::AuthenticationFailed, _) | (_, Some("WRONGPASS" | "NOAUTH")) => {
                Some(Refusal::Stranger)
            }
            (_, Some("OOM" | "READONLY" | "MISCONF" | "NOREPLICAS" | "MASTERDOWN")) => {
                Some(Refusal::Write)
            }
            (_, Some(_)) => Some(Refusal::Other),
            (_, None) => None,
        }
    }

    /// What the server said, in its own words and without the place in our scripts.
    pub fn said(&self) -> Option<String> {
        let error = self.answer()?;
        let (code, detail) = (error.code()?, error.detail()?);
        let detail = detail.split(" script: ").next().unwrap_or(detail);
        Some(format!("{code} {}", detail.trim_end_matches(['.', ' '])))
    }

    const fn answer(&self) -> Option<&RedisError> {
        match self {
            Self::Redis(error) | Self::Pool(PoolError::Backend(error)) => Some(error),
            Self::Pool(_) | Self::Build(_) => None,
        }
    }
}

/// A cheap-to-clone handle to one server and one name space on it.
#[derive(Clone)]
pub struct Redis {
    pool: Pool,
    client: Client,
    namespace: String,
}

impl Redis {
    /// Prepares connections; none is made yet. `namespace` keeps installations apart that share a
    /// server.
    pub fn open(url: &SecretString, namespace: &str) -> Result<Self, Trouble> {
        let info = url.expose_secret().into_connection_info()?;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(ANSWER));
        let manager = Manager::new_with_config(info.clone(), config)?;
        let pool = Pool::builder(manager)
            .max_size(CONNECTIONS)
            .wait_timeout(Some(ANSWER))
            .create_timeout(Some(CONNECT))
            .recycle_timeout(Some(ANSWER))
            .runtime(Runtime::Tokio1)
            .build()?;
        Ok(Self {
            pool,
            client: Client::open(info)?,
            namespace: namespace.to_owned(),
        })
    }

    /// A connection from the pool, for calls that answer at once.
    pub async fn connection(&self) -> Result<Connection, Trouble> {
        Ok(self.pool.get().await?)
    }

    /// A connection of the caller's own without a time limit for answers, for blocking reads. Through
    /// the shared pool a blocking pop that timed out here would swallow the next push.
    pub async fn dedicated(&self) -> Result<MultiplexedConnection, Trouble> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(None);
        Ok(self
            .client
            .get_multiplexed_async_connection_with_config(&config)
            .await?)
    }

    /// The name of a key. Keys of one `shard` lie on one slot, so that a script may touch them all.
    pub fn key(&self, shard: &str, name: &str) -> String {
        format!("mlc:{}:{{{shard}}}:{name}", self.namespace)
    }

    /// Host and port, for people who look for what is wrong; no name, no password.
    pub fn address(&self) -> String {
        self.client.get_connection_info().addr().to_string()
    }

    /// Whether it answers.
    pub async fn ping(&self) -> Result<(), Trouble> {
        let mut connection = self.connection().await?;
        let _: String = deadpool_redis::redis::cmd("PING")
            .query_async(&mut connection)
            .await?;
        Ok(())
    }
}

/// The address may bear a password, so it is not shown.
impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis")
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}
