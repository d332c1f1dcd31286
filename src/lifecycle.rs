//! Signals, soft and hard cancellation, the task tracker: a shutdown takes two breaths.
//!
//! The first breath (*soft*) stops intake and lets running work finish; the second (*hard*) cancels
//! it. A hard cancellation is always a soft one too, since the soft token is a child of the hard one.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::time::Duration;

use futures::{FutureExt, Stream, StreamExt};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long cancelled tasks have to put their things down after the second breath.
const LAST_BREATH: Duration = Duration::from_secs(5);

/// The life of the process, shared by everything that runs in it; clones are handles to one life.
#[derive(Debug, Clone)]
pub struct Lifecycle {
    soft: CancellationToken,
    hard: CancellationToken,
    tracker: TaskTracker,
}

impl Default for Lifecycle {
    fn default() -> Self {
        Self::new()
    }
}

/// How a shutdown went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Every task finished by itself within the grace time.
    Quiet,
    /// Some had to be cancelled, and then ended.
    Cancelled,
    /// Some did not end even when cancelled; the process leaves them behind.
    Abandoned {
        /// How many.
        tasks: usize,
    },
}

impl Lifecycle {
    /// A life that has just begun.
    pub fn new() -> Self {
        let hard = CancellationToken::new();
        Self {
            soft: hard.child_token(),
            hard,
            tracker: TaskTracker::new(),
        }
    }

    /// Cancelled when no new work may begin.
    pub const fn soft(&self) -> &CancellationToken {
        &self.soft
    }

    /// Cancelled when running work must stop where it is.
    pub const fn hard(&self) -> &CancellationToken {
        &self.hard
    }

    /// Whether the first breath has been taken.
    pub fn is_stopping(&self) -> bool {
        self.soft.is_cancelled()
    }

    /// Runs `task` where [`shutdown`](Self::shutdown) waits for it; a panic in it is logged under
    /// `name`, and `None` is what its handle yields then.
    pub fn spawn<F>(&self, name: &'static str, task: F) -> JoinHandle<Option<F::Output>>
    where
        F: Future + Send + 'static,
        F::Output: Send,
    {
        self.tracker.spawn(async move {
            let ended = AssertUnwindSafe(task).catch_unwind().await;
            if ended.is_err() {
                tracing::error!(task.name = name, "The task {name} panicked");
            }
            ended.ok()
        })
    }

    /// How many tracked tasks run at the moment.
    pub fn running(&self) -> usize {
        self.tracker.len()
    }

    /// Takes both breaths: soft at once, hard when `grace` is over or somebody cancels hard.
    pub async fn shutdown(&self, grace: Duration) -> Ending {
        self.soft.cancel();
        self.tracker.close();
        tokio::select! {
            biased;
            () = self.tracker.wait() => return Ending::Quiet,
            () = self.hard.cancelled() => {}
            () = tokio::time::sleep(grace) => {
                let tasks = self.running();
                tracing::warn!("{tasks} tasks still ran after the grace time and are cancelled");
            }
        }
        self.hard.cancel();
        match tokio::time::timeout(LAST_BREATH, self.tracker.wait()).await {
            Ok(()) => Ending::Cancelled,
            Err(_) => Ending::Abandoned {
                tasks: self.running(),
            },
        }
    }

    /// Waits for a signal, or for someone to cancel softly, and shuts down; a second signal cuts the
    /// grace short.
    pub async fn until_signal(
        &self,
        signals: impl Stream<Item = &'static str>,
        grace: Duration,
    ) -> Ending {
        let mut signals = std::pin::pin!(signals);
        tokio::select! {
            Some(name) = signals.next() => tracing::info!("Received {name}, finishing what runs"),
            () = self.soft.cancelled() => {}
        }
        let mut ending = std::pin::pin!(self.shutdown(grace));
        tokio::select! {
            ending = &mut ending => return ending,
            Some(name) = signals.next() => {
                tracing::warn!("Received {name} again, cancelling what runs");
                self.hard.cancel();
            }
        }
        ending.await
    }
}

/// Signals that end a process, by name, as they come.
pub type Signals = Pin<Box<dyn Stream<Item = &'static str> + Send>>;

/// What a start yields, or `None` when a signal comes first: nothing has begun yet that must be finished.
pub async fn unless_signalled<T>(
    signals: &mut Signals,
    start: impl Future<Output = T>,
) -> Option<T> {
    tokio::select! {
        started = start => Some(started),
        Some(name) = signals.next() => {
            tracing::info!("Received {name} before everything had started");
            None
        }
    }
}

/// SIGINT and SIGTERM. From here on they end nothing by themselves, so this comes before anybody can see
/// that the process is there. Errors when the handlers cannot be installed.
#[cfg(unix)]
pub fn signals() -> std::io::Result<Signals> {
    use tokio::signal::unix::{SignalKind, signal};

    let interrupt = signal(SignalKind::interrupt())?;
    let terminate = signal(SignalKind::terminate())?;
    Ok(Box::pin(futures::stream::unfold(
        (interrupt, terminate),
        |mut both| async move {
            let name = tokio::select! {
                Some(()) = both.0.recv() => "SIGINT",
                Some(()) = both.1.recv() => "SIGTERM",
                else => return None,
            };
            Some((name, both))
        },
    )))
}

/// Ctrl-C.
#[cfg(not(unix))]
pub fn signals() -> std::io::Result<Signals> {
    Ok(Box::pin(futures::stream::unfold((), |()| async {
        tokio::signal::ctrl_c().await.ok().map(|()| ("Ctrl-C", ()))
    })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_signal_before_everything_has_started_ends_the_start() {
        let never = std::future::pending::<()>();
        let mut signals: Signals = Box::pin(futures::stream::iter(["SIGTERM"]));
        assert_eq!(unless_signalled(&mut signals, never).await, None);
        let mut none: Signals = Box::pin(futures::stream::pending());
        assert_eq!(unless_signalled(&mut none, async { 7 }).await, Some(7));
    }

    const LONG: Duration = Duration::from_mins(1);

    #[tokio::test]
    async fn work_that_minds_the_first_breath_ends_quietly() {
        let life = Lifecycle::new();
        let soft = life.soft().clone();
        let task = life.spawn("minds", async move {
            soft.cancelled().await;
            "done"
        });
        assert_eq!(life.shutdown(LONG).await, Ending::Quiet);
        assert_eq!(task.await.unwrap(), Some("done"));
        assert!(!life.hard().is_cancelled());
    }

    #[tokio::test]
    async fn work_that_outlasts_the_grace_is_cancelled() {
        let life = Lifecycle::new();
        let hard = life.hard().clone();
        life.spawn("slow", async move { hard.cancelled().await });
        assert_eq!(
            life.shutdown(Duration::from_millis(10)).await,
            Ending::Cancelled
        );
    }

    #[tokio::test]
    async fn a_hard_cancellation_is_a_soft_one_too() {
        let life = Lifecycle::new();
        life.hard().cancel();
        assert!(life.is_stopping());
    }

    #[tokio::test]
    async fn a_panic_frees_its_place_in_the_tracker() {
        let life = Lifecycle::new();
        let task = life.spawn("clumsy", async { panic!("dropped a plate") });
        assert_eq!(task.await.unwrap(), None::<()>);
        assert_eq!(life.running(), 0);
        assert_eq!(life.shutdown(LONG).await, Ending::Quiet);
    }

    #[tokio::test]
    async fn the_second_signal_cuts_the_grace_short() {
        let life = Lifecycle::new();
        let hard = life.hard().clone();
        life.spawn("slow", async move { hard.cancelled().await });
        let (press, signals) = futures::channel::mpsc::unbounded();
        press.unbounded_send("SIGINT").unwrap();
        press.unbounded_send("SIGINT").unwrap();
        assert_eq!(life.until_signal(signals, LONG).await, Ending::Cancelled);
    }

    #[tokio::test]
    async fn one_signal_lets_running_work_finish() {
        let life = Lifecycle::new();
        let soft = life.soft().clone();
        life.spawn("minds", async move { soft.cancelled().await });
        let (press, signals) = futures::channel::mpsc::unbounded();
        press.unbounded_send("SIGTERM").unwrap();
        assert_eq!(life.until_signal(signals, LONG).await, Ending::Quiet);
        assert!(!life.hard().is_cancelled());
    }
}
