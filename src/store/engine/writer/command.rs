//! A command that waits with others of its kind, and how they are carried out.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use futures::FutureExt as _;
use tokio::sync::oneshot;

use super::{BatchCommand, Tx};
use crate::store::engine::db::BatchDb;
use crate::store::engine::error::StoreError;

/// One of many.
pub(super) struct Command<C: BatchCommand> {
    pub(super) what: Arc<C>,
    /// Since when somebody waits for it.
    pub(super) asked: Instant,
    pub(super) reply: oneshot::Sender<Result<C::Answer, StoreError>>,
}

impl<C: BatchCommand> Command<C> {
    pub(super) fn is_abandoned(&self) -> bool {
        C::SKIP_IF_ABANDONED && self.reply.is_closed()
    }
}

/// The answer to a command that was carried out alone.
pub(super) fn only<A>(answers: Vec<A>) -> Result<A, StoreError> {
    answers.into_iter().next().ok_or(StoreError::Closed)
}

/// Carries out a batch. A panic in one command must not take the writer down with it.
pub(super) async fn carry_out<C: BatchCommand>(
    tx: &Tx,
    commands: &[Command<C>],
) -> Result<Vec<C::Answer>, StoreError> {
    if commands.is_empty() {
        return Ok(Vec::new());
    }
    let all: Vec<&C> = commands.iter().map(|c| &*c.what).collect();
    let done = AssertUnwindSafe(C::carry_out(BatchDb::new(tx), &all))
        .catch_unwind()
        .await;
    let answers = done.unwrap_or(Err(StoreError::Panicked))?;
    if answers.len() == commands.len() {
        Ok(answers)
    } else {
        Err(StoreError::Panicked)
    }
}
