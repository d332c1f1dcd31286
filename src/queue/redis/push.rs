//! Pushing. Each webhook and each message is a push of one job, so those that come at the same time go
//! to the server in one step.

use std::sync::Arc;

use tokio::time::timeout;

use super::failure::{Failed, Why};
use super::server::{CHUNK, PUSH_ANSWER, Server};
use super::text;
use crate::batcher::{Batcher, Call};
use crate::queue::Push;

/// Pushes of more jobs go alone, since nobody with one should wait for them.
const FEW: usize = 8;

/// How many batches are on their way at the same time.
const SIDE_BY_SIDE: usize = 2;

type Answer = Result<(), Arc<Failed>>;

pub(super) struct Pushes {
    server: Arc<Server>,
    few: Batcher<Vec<Push>, Answer>,
}

impl Pushes {
    pub(super) fn new(server: Arc<Server>) -> Self {
        let to = server.clone();
        let few = Batcher::start(SIDE_BY_SIDE, move |calls| {
            let server = to.clone();
            async move { push_together(&server, calls).await }
        });
        Self { server, few }
    }

    pub(super) async fn push(&self, batch: Vec<Push>) -> Answer {
        if batch.len() > FEW {
            return push(&self.server, &batch).await.map_err(Arc::new);
        }
        let answer = timeout(PUSH_ANSWER, self.few.ask(batch)).await;
        answer.ok().flatten().unwrap_or_else(|| {
            let step = self.server.steps.push.name;
            Err(Arc::new(self.server.failed(step, Why::Late(PUSH_ANSWER))))
        })
    }
}

async fn push_together(server: &Server, calls: Vec<Call<Vec<Push>, Answer>>) {
    let batch = calls.iter().flat_map(|call| &call.question);
    let answer = push(server, batch).await.map_err(Arc::new);
    for call in calls {
        call.answer(answer.clone());
    }
}

async fn push(server: &Server, batch: impl IntoIterator<Item = &Push>) -> Result<(), Failed> {
    let mut args = vec![Vec::new(); server.shards.len()];
    for push in batch {
        let shard = &mut args[server.shard_of(push.job.tenant)];
        shard.push(text::of_job(&push.job));
        shard.push(text::of_instant(push.due).to_string());
    }
    for (shard, args) in server.shards.iter().zip(args) {
        for chunk in args.chunks(2 * CHUNK) {
            server.ask::<()>(&server.steps.push, shard, chunk).await?;
        }
    }
    Ok(())
}
