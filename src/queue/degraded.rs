//! What is wrong with a back end, in words.

use std::fmt;
use std::time::Duration;

/// A back end that does not do what the queue needs of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}{}", Colon(.detail))]
pub struct Degraded {
    /// For everybody: "Redis refuses writes".
    pub what: String,
    /// For whoever runs the service: what the server said, and which. May be empty.
    pub detail: String,
}

impl Degraded {
    /// It takes its steps, but so slowly that looking into the database is quicker.
    pub(super) fn slow(name: &str, took: Duration) -> Self {
        Self {
            what: format!("{name} is slow"),
            detail: format!("a step took {} ms", took.as_millis()),
        }
    }

    /// It did not take a step for so long.
    pub(super) fn silent(name: &str, waited: Duration) -> Self {
        Self {
            what: format!("{name} does not answer"),
            detail: format!("nothing came for {} ms", waited.as_millis()),
        }
    }
}

/// `: detail`, unless there is none.
struct Colon<'a>(&'a str);

impl fmt::Display for Colon<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            Ok(())
        } else {
            write!(f, ": {}", self.0)
        }
    }
}
