//! Edits: single pieces of work, each of another kind.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};

use super::{PAUSE, TenantLock, Tx};
use crate::store::engine::error::StoreError;
use crate::store::engine::write_fault::WriteFault;

/// What an edit is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// It takes something for a worker, who would do nothing with it after giving up.
    Claim,
    /// It keeps what became of a call, which is expensive to find out again; keeping it twice changes nothing.
    Outcome,
    /// It keeps what happened.
    Record,
    /// Somebody changes what others go by.
    Edit,
}

pub(super) type Answer = Result<Box<dyn Any + Send>, StoreError>;
type Work = Arc<dyn for<'t> Fn(&'t Tx) -> BoxFuture<'t, Answer> + Send + Sync>;

pub(super) struct Edit {
    purpose: Purpose,
    pub(super) lock: TenantLock,
    work: Work,
    reply: oneshot::Sender<Answer>,
    count: Arc<AtomicU64>,
}

impl Edit {
    /// Whether it would claim something for a worker that has given up waiting, and would not call; or
    /// change something for a person who has heard that it may not have come to that.
    pub(super) fn is_abandoned(&self) -> bool {
        matches!(self.purpose, Purpose::Claim | Purpose::Edit) && self.reply.is_closed()
    }

    /// Carried out once more when nobody knows whether its commit was lost or only the answer to it.
    pub(super) fn is_retried(&self) -> bool {
        self.purpose == Purpose::Outcome
    }

    /// A panic in one command must not take the writer down with it.
    pub(super) async fn carry_out(&self, tx: &Tx) -> Answer {
        AssertUnwindSafe((self.work)(tx))
            .catch_unwind()
            .await
            .unwrap_or(Err(StoreError::Panicked))
    }

    /// What people change is counted before they hear of it, so that nothing goes by the old word then.
    pub(super) fn answer(self, answer: Answer) {
        if self.purpose == Purpose::Edit {
            self.count.fetch_add(1, Ordering::SeqCst);
        }
        drop(self.reply.send(answer));
    }
}

/// Where edits are handed over.
#[derive(Clone)]
pub(super) struct EditLane {
    /// Edits that wait for nobody, apart from those that may: a lock that somebody holds for long must
    /// not keep the outcomes of calls from being written.
    unlocked: mpsc::Sender<Edit>,
    locked: mpsc::Sender<Edit>,
    /// How many edits there were.
    count: Arc<AtomicU64>,
}

/// The other ends.
pub(super) struct EditInbox {
    pub(super) unlocked: mpsc::Receiver<Edit>,
    pub(super) locked: mpsc::Receiver<Edit>,
}

impl EditLane {
    pub(super) fn new(waiting: usize) -> (Self, EditInbox) {
        let (unlocked, in_unlocked) = mpsc::channel(waiting);
        let (locked, in_locked) = mpsc::channel(waiting);
        let lane = Self {
            unlocked,
            locked,
            count: Arc::default(),
        };
        let inbox = EditInbox {
            unlocked: in_unlocked,
            locked: in_locked,
        };
        (lane, inbox)
    }

    pub(super) fn count(&self) -> u64 {
        self.count.load(Ordering::SeqCst)
    }

    /// Runs `work` and answers once it is committed.
    pub(super) async fn write<T, F>(
        &self,
        purpose: Purpose,
        lock: TenantLock,
        work: F,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'t> Fn(&'t Tx) -> BoxFuture<'t, Result<T, StoreError>> + Send + Sync + 'static,
    {
        let work: Work = Arc::new(move |tx| {
            let done = work(tx);
            async move { Ok(Box::new(done.await?) as Box<dyn Any + Send>) }.boxed()
        });
        let value = self.hand_over(purpose, lock, work).await?;
        value.downcast().map(|v| *v).map_err(|_| StoreError::Closed)
    }

    /// Hands an edit over, again as long as another program holds the lock.
    async fn hand_over(&self, purpose: Purpose, lock: TenantLock, work: Work) -> Answer {
        let lane = if lock == TenantLock::None {
            &self.unlocked
        } else {
            &self.locked
        };
        loop {
            let (reply, answer) = oneshot::channel();
            let edit = Edit {
                purpose,
                lock,
                work: work.clone(),
                reply,
                count: self.count.clone(),
            };
            lane.send(edit).await.map_err(|_| StoreError::Closed)?;
            match answer.await.map_err(|_| StoreError::Closed)? {
                Err(StoreError::Refused(WriteFault::Locked)) if purpose == Purpose::Edit => {
                    tokio::time::sleep(PAUSE).await;
                }
                answer => return answer,
            }
        }
    }
}
