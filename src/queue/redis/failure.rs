//! Why a step was not taken: what was asked, where, and what came of it.

use std::sync::Arc;
use std::time::Duration;

use crate::queue::{Degraded, QueueError};
use crate::redis::{Refusal, Trouble};

/// A step that Redis did not take, or did not confirm. The address bears no password.
#[derive(Debug, thiserror::Error)]
#[error("could not {step} at Redis on {address}: {why}")]
pub(super) struct Failed {
    pub(super) step: &'static str,
    pub(super) address: String,
    pub(super) why: Why,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum Why {
    #[error("no answer within {0:?}")]
    Late(Duration),
    #[error("{}", words(.0))]
    Trouble(#[from] Trouble),
}

impl Failed {
    /// The same in words for people.
    pub(super) fn degraded(&self) -> Degraded {
        let (what, said) = match &self.why {
            Why::Late(span) => ("does not answer", format!("nothing came within {span:?}")),
            Why::Trouble(trouble) => {
                let what = match trouble.refusal() {
                    None => "does not answer",
                    Some(Refusal::Stranger) => "refuses the name or password of REDIS_URL",
                    Some(Refusal::Write) => "refuses writes",
                    Some(Refusal::Other) => "refuses what the queue needs",
                };
                (what, trouble.said().unwrap_or_else(|| words(trouble)))
            }
        };
        Degraded {
            what: format!("Redis {what}"),
            detail: format!("{said} ({})", self.address),
        }
    }
}

/// All that the error and its causes say.
fn words(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        // Some errors repeat their cause.
        if !said.contains(&more) {
            said = format!("{said}: {more}");
        }
        cause = error.source();
    }
    said
}

/// Of a step that several had asked for.
impl From<Arc<Failed>> for QueueError {
    fn from(failed: Arc<Failed>) -> Self {
        Self(Box::new(failed))
    }
}

impl From<Failed> for QueueError {
    fn from(failed: Failed) -> Self {
        Self(Box::new(failed))
    }
}
