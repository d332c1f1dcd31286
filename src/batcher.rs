//! Asked one by one, answered together: each way to a server costs more than a few more things that go
//! along.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt as _;
use tokio::sync::{Mutex, mpsc, oneshot};

/// How many calls may wait before callers do.
const WAITING: usize = 4096;

/// How many calls are answered together.
const TOGETHER: usize = 64;

/// Calls that are made at the same time, answered together; clones share them. Nobody waits for others
/// to come: what has come while others were answered is the next batch.
#[derive(Debug)]
pub(crate) struct Batcher<Q, A>(mpsc::Sender<Call<Q, A>>);

/// One call of many.
#[derive(Debug)]
pub(crate) struct Call<Q, A> {
    pub(crate) question: Q,
    reply: oneshot::Sender<A>,
}

impl<Q, A> Call<Q, A> {
    /// Whether nobody waits for the answer any more.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    pub(crate) fn answer(self, answer: A) {
        drop(self.reply.send(answer));
    }
}

impl<Q: Send + 'static, A: Send + 'static> Batcher<Q, A> {
    /// `answer` is given one batch after the other, `side_by_side` of them at the same time. A call that
    /// it drops is not answered.
    ///
    /// # Panics
    ///
    /// When it is called outside a runtime: calls are answered on this one, whoever makes them.
    pub(crate) fn start<F, T>(side_by_side: usize, answer: F) -> Self
    where
        F: Fn(Vec<Call<Q, A>>) -> T + Clone + Send + Sync + 'static,
        T: Future<Output = ()> + Send + 'static,
    {
        let (calls, inbox) = mpsc::channel(WAITING);
        let inbox = Arc::new(Mutex::new(inbox));
        for _ in 0..side_by_side {
            drop(tokio::spawn(serve(inbox.clone(), answer.clone())));
        }
        Self(calls)
    }

    /// The answer; `None` when there is nobody to give one.
    pub(crate) async fn ask(&self, question: Q) -> Option<A> {
        let (reply, answer) = oneshot::channel();
        self.0.send(Call { question, reply }).await.ok()?;
        answer.await.ok()
    }
}

impl<Q, A> Clone for Batcher<Q, A> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

async fn serve<Q, A, F, T>(inbox: Arc<Mutex<mpsc::Receiver<Call<Q, A>>>>, answer: F)
where
    F: Fn(Vec<Call<Q, A>>) -> T,
    T: Future<Output = ()>,
{
    loop {
        let mut batch = Vec::with_capacity(TOGETHER);
        if inbox.lock().await.recv_many(&mut batch, TOGETHER).await == 0 {
            return;
        }
        batch.retain(|call| !call.is_abandoned());
        // A panic must not leave all later callers without an answer.
        if AssertUnwindSafe(answer(batch))
            .catch_unwind()
            .await
            .is_err()
        {
            tracing::error!("Panicked over a batch of calls, which have no answer");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::future::join_all;

    use super::*;

    #[tokio::test]
    async fn who_asks_at_the_same_time_is_answered_together() {
        let batches = Arc::new(AtomicUsize::new(0));
        let counted = batches.clone();
        let doubled = Batcher::start(1, move |calls: Vec<Call<u32, u32>>| {
            counted.fetch_add(1, Ordering::SeqCst);
            async move {
                for call in calls {
                    let answer = call.question * 2;
                    call.answer(answer);
                }
            }
        });
        let answers = join_all((0..100).map(|n| doubled.ask(n))).await;
        let wanted: Vec<_> = (0..100).map(|n| Some(n * 2)).collect();
        assert_eq!(answers, wanted);
        assert!(batches.load(Ordering::SeqCst) <= 4);
    }

    #[tokio::test]
    async fn a_panic_leaves_no_answer_and_the_next_call_has_one() {
        let halves = Batcher::start(1, |calls: Vec<Call<u32, u32>>| async move {
            for call in calls {
                assert!(call.question % 2 == 0, "odd");
                let answer = call.question / 2;
                call.answer(answer);
            }
        });
        assert_eq!(halves.ask(3).await, None);
        assert_eq!(halves.ask(4).await, Some(2));
    }
}
