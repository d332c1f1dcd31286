//! Workers. No variable sets these; tests do.

use std::time::Duration;

/// How workers run.
#[derive(Debug, Clone)]
pub struct WorkerConfig {
    /// Jobs that run at once in one process. Default 256: they wait for providers and for the disk, not
    /// for a CPU.
    pub jobs_at_once: usize,
    /// How long running jobs may take to finish after the first signal. Default 20 s, below the
    /// 30 s after which supervisors kill.
    pub grace: Duration,
}

impl Default for WorkerConfig {
    fn default() -> Self {
        Self {
            jobs_at_once: 256,
            grace: Duration::from_secs(20),
        }
    }
}
