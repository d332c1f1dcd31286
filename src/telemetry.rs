//! Tracing and metrics.
//!
//! Log lines go to standard error: what a command prints (`--json`) must stay readable by
//! machines. Control characters in logged texts are escaped by the subscriber.

use std::io::IsTerminal;

use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer};

use crate::config::log::{LogConfig, LogFormat};

/// Upper bounds of histogram buckets, in seconds: from one commit to the slowest provider call.
const SECONDS: [f64; 14] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

/// Why logs or metrics could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("RUST_LOG cannot be read as a filter")]
    Filter(#[source] tracing_subscriber::filter::ParseError),
    #[error("logging is already set up in this process")]
    Logs(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("metrics are already set up in this process")]
    Metrics(#[source] BuildError),
}

/// Sends log lines to standard error for the rest of the process.
pub fn init_logs(config: &LogConfig) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(&config.filter).map_err(TelemetryError::Filter)?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    match config.format {
        LogFormat::Text => lines
            .with_target(false)
            .finish()
            .with(VisitorsFaults)
            .try_init(),
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .finish()
            .with(VisitorsFaults)
            .try_init(),
    }
    .map_err(|error| TelemetryError::Logs(error.into()))
}

/// Leaves out what the web server calls an error and is a fault of whoever connects: requests that
/// are none, and lines that break. It was answered or hung up on; here it is counted.
struct VisitorsFaults;

/// How these lines begin. Others of the same module tell of faults of ours.
const VISITORS_FAULTS: [&str; 6] = [
    "stream error: request parse error",
    "stream error: I/O error",
    "stream error: request did not complete",
    "stream error: connection shutdown timeout",
    "stream error: handler dropped payload",
    "MAX_BUFFER_SIZE unprocessed data",
];

impl<S: Subscriber> Layer<S> for VisitorsFaults {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        if !event.metadata().target().starts_with("actix_http::") {
            return true;
        }
        let mut message = Message::default();
        event.record(&mut message);
        let is_theirs = VISITORS_FAULTS.iter().any(|f| message.0.starts_with(f));
        if is_theirs {
            metrics::counter!("http_connections_faulty_total").increment(1);
        }
        !is_theirs
    }
}

/// The words of an event.
#[derive(Default)]
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

/// The recorder behind the `metrics` macros. Cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    handle: PrometheusHandle,
}

impl Metrics {
    /// Records the process's metrics from now on. Possible once per process.
    pub fn install() -> Result<Self, TelemetryError> {
        let handle = builder()?
            .install_recorder()
            .map_err(TelemetryError::Metrics)?;
        Ok(Self { handle })
    }

    /// Everything recorded so far, as Prometheus text.
    pub fn render(&self) -> String {
        self.handle.render()
    }

    /// Folds recorded values into their buckets. Call it every few seconds: between two scrapes
    /// that never come, histograms would otherwise keep every single value.
    pub fn run_upkeep(&self) {
        self.handle.run_upkeep();
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

fn builder() -> Result<PrometheusBuilder, TelemetryError> {
    PrometheusBuilder::new()
        .set_buckets(&SECONDS)
        .map_err(TelemetryError::Metrics)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_and_timed_is_rendered() {
        let recorder = builder().unwrap().build_recorder();
        let metrics = Metrics {
            handle: recorder.handle(),
        };
        metrics::with_local_recorder(&recorder, || {
            metrics::counter!("hooks_received_total", "result" => "stored").increment(2);
            metrics::histogram!("commit_seconds").record(0.003);
        });
        metrics.run_upkeep();
        let text = metrics.render();
        assert!(
            text.contains("hooks_received_total{result=\"stored\"} 2"),
            "{text}"
        );
        assert!(
            text.contains("commit_seconds_bucket{le=\"0.005\"} 1"),
            "{text}"
        );
        assert!(
            text.contains("commit_seconds_bucket{le=\"0.0025\"} 0"),
            "{text}"
        );
    }
}
