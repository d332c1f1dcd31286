//! Door two: jobs. Each handler is shallow and calls one `app` function.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use crate::app::operator::BEAT_EVERY;
use crate::app::pipeline::replay::ReplayOutcome;
use crate::app::requeue;
use crate::app::rotation::KEYS_EVERY;
use crate::app::sending::Next;
use crate::app::{App, AppError, job};
use crate::domain::ids::{DeliveryId, EventId, ReplayId, TenantId};
use crate::lifecycle::Lifecycle;
use crate::queue::{Degraded, Handler, Handlers, Job, JobContext, JobError};

/// Which handler does which kind of job.
pub fn handlers(app: &App) -> Handlers {
    Handlers::new()
        .with(job::ROUTE_EVENT, Arc::new(RouteEvent(app.clone())))
        .with(job::RUN_REPLAY, Arc::new(RunReplay(app.clone())))
        .with(job::DELIVER, Arc::new(Deliver(app.clone())))
        .with(job::SEND_MAIL, Arc::new(SendMail(app.clone())))
}

/// Pushes again what waits in the database, until the process stops: every so often, more often while the
/// queue hears of nothing that others push, and at once when that changes.
pub async fn requeue_for_ever(app: App, life: Lifecycle, every: Duration) {
    let mut degradations = app.queue().degradations();
    loop {
        // Asked first: what is pushed while it changes may have gone the way that is over.
        let changes = degradations.as_ref();
        let is_alone = changes.is_some_and(|changes| changes.borrow().is_some());
        if let Err(error) = app.requeue().await {
            tracing::warn!(%error, "What waits could not be read; trying again");
        }
        let every = if is_alone {
            requeue::EVERY_ALONE
        } else {
            every
        };
        tokio::select! {
            () = life.soft().cancelled() => return,
            () = tokio::time::sleep(every) => {}
            () = changed(degradations.as_mut(), is_alone) => {}
        }
    }
}

/// Returns when the queue no longer is, or is not, alone as it was.
async fn changed(changes: Option<&mut watch::Receiver<Option<Degraded>>>, was_alone: bool) {
    let Some(changes) = changes else {
        return std::future::pending().await;
    };
    let has_turned = |now: &Option<Degraded>| now.is_some() != was_alone;
    if changes.wait_for(has_turned).await.is_err() {
        // Nobody can change it any more.
        std::future::pending::<()>().await;
    }
}

/// Makes the next months of the history in time, until the process stops; several processes may.
pub async fn keep_months(app: App, life: Lifecycle) {
    loop {
        match app.store().make_partitions(app.now()).await {
            Ok(0) => {}
            Ok(made) => tracing::info!("Made {made} partitions for the next months"),
            Err(error) => {
                tracing::warn!(%error, "The next months cannot be made; trying again in an hour");
            }
        }
        tokio::select! {
            () = life.soft().cancelled() => return,
            () = tokio::time::sleep(Duration::from_hours(1)) => {}
        }
    }
}

/// Takes up a new data key, and the master key that wraps it, while they are changed; until the
/// process stops.
pub async fn keep_keys(app: App, life: Lifecycle) {
    loop {
        tokio::select! {
            () = life.soft().cancelled() => return,
            () = tokio::time::sleep(KEYS_EVERY) => {}
        }
        if let Err(error) = app.refresh_keys().await {
            tracing::warn!(%error, "New data keys could not be taken up; trying again");
        }
    }
}

/// Shows that this process is alive, until it stops; `does` is the command it runs.
pub async fn beat_for_ever(app: App, life: Lifecycle, does: &'static str) {
    app.watch_writes();
    loop {
        // How it went is noted, and told by the log and `/readyz`.
        drop(app.beat(does).await);
        tokio::select! {
            () = life.soft().cancelled() => return,
            () = tokio::time::sleep(BEAT_EVERY) => {}
        }
    }
}

/// How often what is over is swept out.
const SWEEP_EVERY: Duration = Duration::from_mins(1);

/// Sweeps out what is over and would otherwise lie there until somebody begins another, until the
/// process stops.
pub async fn sweep_for_ever(app: App, life: Lifecycle) {
    loop {
        if let Err(error) = app.sweep_consents().await {
            tracing::warn!(%error, "What is over could not be swept out; trying again");
        }
        if let Err(error) = app.sweep_accounts().await {
            tracing::warn!(%error, "Sessions and links that are over could not be swept out; trying again");
        }
        if let Err(error) = app.tell_owners().await {
            tracing::warn!(%error, "Owners could not be told of everything; trying again");
        }
        if let Err(error) = app.prune_mails().await {
            tracing::warn!(%error, "Old e-mails could not be forgotten; trying again");
        }
        if let Err(error) = app.release_forgotten().await {
            tracing::warn!(%error, "What waits for nothing could not be released; trying again");
        }
        if let Err(error) = app.close_questions().await {
            tracing::warn!(%error, "Unclear replies could not be closed; trying again");
        }
        tokio::select! {
            () = life.soft().cancelled() => return,
            () = tokio::time::sleep(SWEEP_EVERY) => {}
        }
    }
}

/// Asks providers what their accounts have left, until the process stops. It has a task of its own, since they
/// may be slow; and nothing is lost where it is broken off, so the process does not wait for their answers.
pub async fn ask_accounts_for_ever(app: App, life: Lifecycle) {
    let asking = async {
        loop {
            if let Err(error) = app.ask_accounts().await {
                tracing::warn!(%error, "What is left on accounts could not be asked; trying again");
            }
            tokio::time::sleep(SWEEP_EVERY).await;
        }
    };
    tokio::select! {
        () = life.soft().cancelled() => {}
        () = asking => {}
    }
}

/// Removes what deleted tenants had, until the process stops. It has a task of its own, since that may
/// be much.
pub async fn sweep_deleted_for_ever(app: App, life: Lifecycle) {
    loop {
        loop {
            match app.sweep_deleted().await {
                Ok(true) if !life.soft().is_cancelled() => {}
                Ok(_) => break,
                Err(error) => {
                    tracing::warn!(%error, "A deleted tenant is not gone yet; trying again");
                    break;
                }
            }
        }
        tokio::select! {
            () = life.soft().cancelled() => return,
            () = tokio::time::sleep(SWEEP_EVERY) => {}
        }
    }
}

struct RouteEvent(App);

#[async_trait]
impl Handler for RouteEvent {
    async fn run(&self, job: &Job, _: &JobContext) -> Result<(), JobError> {
        let [event] = ids(job)?;
        into_job_result(
            self.0
                .route_event(tenant(job), EventId::from_uuid(event))
                .await,
        )
    }
}

struct RunReplay(App);

#[async_trait]
impl Handler for RunReplay {
    async fn run(&self, job: &Job, _: &JobContext) -> Result<(), JobError> {
        let [replay] = ids(job)?;
        match into_job_result(
            self.0
                .run_replay(tenant(job), ReplayId::from_uuid(replay))
                .await,
        )? {
            ReplayOutcome::Done | ReplayOutcome::Changed => Ok(()),
            ReplayOutcome::EventWaits => Err(JobError::Snooze(Duration::from_secs(1))),
        }
    }
}

struct Deliver(App);

#[async_trait]
impl Handler for Deliver {
    async fn run(&self, job: &Job, _: &JobContext) -> Result<(), JobError> {
        let [event, own] = ids(job)?;
        let id = DeliveryId {
            event: EventId::from_uuid(event),
            own,
        };
        match into_job_result(self.0.advance(tenant(job), id).await)? {
            Next::Done => Ok(()),
            Next::In(span) => Err(JobError::Snooze(span)),
        }
    }
}

struct SendMail(App);

#[async_trait]
impl Handler for SendMail {
    async fn run(&self, job: &Job, _: &JobContext) -> Result<(), JobError> {
        let [mail] = ids(job)?;
        into_job_result(self.0.send_mail(mail).await)
    }
}

fn tenant(job: &Job) -> TenantId {
    TenantId::from_uuid(job.tenant)
}

fn ids<const N: usize>(job: &Job) -> Result<[uuid::Uuid; N], JobError> {
    job.ids
        .clone()
        .try_into()
        .map_err(|_| JobError::cancel("the job names other things than its kind"))
}

/// What is gone needs no work; everything else is tried again.
fn into_job_result<T>(done: Result<T, AppError>) -> Result<T, JobError> {
    done.map_err(|error| match error {
        AppError::NotFound(_) => JobError::cancel("it is gone"),
        error => JobError::retry(error),
    })
}
