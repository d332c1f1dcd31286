//! What a job is: a kind, a tenant and ids, so that the same wish pushed twice is one job.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The stable name of what a job does; to rename one, keep the old name as an alias.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Kind(Cow<'static, str>);

impl Kind {
    /// A kind known at compile time.
    pub const fn new(name: &'static str) -> Self {
        Self(Cow::Borrowed(name))
    }

    /// Its text, as it stands in a back end.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for Kind {
    fn from(name: String) -> Self {
        Self(Cow::Owned(name))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One thing to be done; equal jobs are one job. It holds ids only: the database is the truth.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Job {
    /// What is done.
    pub kind: Kind,
    /// Whose turn it uses up; the nil id for the service's own work.
    pub tenant: Uuid,
    /// To what, in an order that belongs to the kind.
    pub ids: Vec<Uuid>,
}

impl Job {
    /// A job of `kind` for `tenant`.
    pub fn new(kind: Kind, tenant: Uuid, ids: impl Into<Vec<Uuid>>) -> Self {
        Self {
            kind,
            tenant,
            ids: ids.into(),
        }
    }
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.kind, self.tenant.simple())?;
        for id in &self.ids {
            write!(f, " {}", id.simple())?;
        }
        Ok(())
    }
}

/// Where a ready job stands: retries have a lane of their own and delay nobody's first try.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    /// Not failed so far.
    Fresh,
    /// Failed, or lost by a worker, before.
    Retry,
}

/// How a handler says that a job is not done.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// It failed and may go better later.
    #[error("it failed and is tried again")]
    Retry {
        /// Why it failed.
        source: Box<dyn Error + Send + Sync>,
        /// Not before this span, as the other side asked (`Retry-After`).
        after: Option<Duration>,
    },
    /// It is not its turn yet; no failure.
    #[error("it waits {0:?} for its turn")]
    Snooze(Duration),
    /// It is pointless for good, for this reason.
    #[error("it is pointless: {0}")]
    Cancel(Cow<'static, str>),
}

impl JobError {
    /// Failed with `source`; the retry policy says when to try again.
    pub fn retry(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Retry {
            source: source.into(),
            after: None,
        }
    }

    /// Failed with `source`, and must not be tried again before `after` is over.
    pub fn retry_after(source: impl Into<Box<dyn Error + Send + Sync>>, after: Duration) -> Self {
        Self::Retry {
            source: source.into(),
            after: Some(after),
        }
    }

    /// Pointless for the reason `why`.
    pub fn cancel(why: impl Into<Cow<'static, str>>) -> Self {
        Self::Cancel(why.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_equal_to_itself_after_a_journey() {
        let job = Job::new(
            Kind::new("deliver"),
            Uuid::max(),
            [Uuid::nil(), Uuid::max()],
        );
        let text = serde_json::to_string(&job).unwrap();
        assert_eq!(serde_json::from_str::<Job>(&text).unwrap(), job);
        assert_eq!(Kind::from("deliver".to_owned()), job.kind);
    }

    #[test]
    fn the_order_of_ids_belongs_to_the_job() {
        let kind = Kind::new("deliver");
        let one = Job::new(kind.clone(), Uuid::nil(), [Uuid::nil(), Uuid::max()]);
        let other = Job::new(kind, Uuid::nil(), [Uuid::max(), Uuid::nil()]);
        assert_ne!(one, other);
    }

    #[test]
    fn a_job_reads_well_in_a_log() {
        let job = Job::new(Kind::new("sweep"), Uuid::nil(), [Uuid::max()]);
        assert_eq!(
            job.to_string(),
            "sweep of 00000000000000000000000000000000 ffffffffffffffffffffffffffffffff"
        );
    }
}
