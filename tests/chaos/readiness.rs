//! Asks each web process again and again whether it is ready, as a load balancer does.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ml_connector::domain::clock::{Clock as _, SystemClock};
use reqwest::StatusCode;
use tokio::task::AbortHandle;

use crate::promises::Readiness;

const EVERY: Duration = Duration::from_millis(500);

/// Who has not answered by then has said nothing.
const ANSWERS_WITHIN: Duration = Duration::from_secs(3);

/// Asks until it is dropped.
#[derive(Debug)]
pub(crate) struct Watch {
    seen: Arc<Mutex<Vec<Readiness>>>,
    tasks: Vec<AbortHandle>,
}

impl Watch {
    pub(crate) fn start(http: &reqwest::Client, webs: &[SocketAddr]) -> Self {
        let seen: Arc<Mutex<Vec<Readiness>>> = Arc::default();
        let ask = |web: &SocketAddr| {
            let (http, url) = (http.clone(), format!("http://{web}/readyz"));
            let seen = seen.clone();
            let task = tokio::spawn(async move {
                loop {
                    let at = SystemClock.now();
                    let asked = http.get(&url).timeout(ANSWERS_WITHIN).send().await;
                    let told = asked.ok().map(|answer| answer.status());
                    let is_ready = match told {
                        Some(StatusCode::OK) => Some(true),
                        Some(StatusCode::SERVICE_UNAVAILABLE) => Some(false),
                        _ => None,
                    };
                    if let Some(is_ready) = is_ready {
                        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                        seen.push(Readiness { at, is_ready });
                    }
                    tokio::time::sleep(EVERY).await;
                }
            });
            task.abort_handle()
        };
        let tasks = webs.iter().map(ask).collect();
        Self { seen, tasks }
    }

    /// All answers so far.
    pub(crate) fn seen(&self) -> Vec<Readiness> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.clone()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}
