//! What processes use, as `/proc` tells it.

use std::time::Duration;

/// Ticks of a second in which Linux counts the time of processes (`USER_HZ`, the same everywhere).
const TICKS: u64 = 100;

/// What some processes have used.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    /// Of all cores together, since they were started.
    pub(crate) cpu: Duration,
    /// The most memory that each had at any time, together.
    pub(crate) peak_kib: u64,
    /// The memory that they have now.
    pub(crate) now_kib: u64,
}

impl Usage {
    /// The time of all cores that was used after `before`.
    pub(crate) fn cpu_since(self, before: Self) -> Duration {
        self.cpu.saturating_sub(before.cpu)
    }
}

/// Of these processes and all that come from them.
pub(crate) fn of(ids: &[u32]) -> Usage {
    let mut all = ids.to_vec();
    for id in ids {
        all.extend(children(*id));
    }
    all.iter().fold(Usage::default(), |sum, id| Usage {
        cpu: sum.cpu + cpu(*id).unwrap_or_default(),
        peak_kib: sum.peak_kib + memory_kib(*id, "VmHWM:").unwrap_or_default(),
        now_kib: sum.now_kib + memory_kib(*id, "VmRSS:").unwrap_or_default(),
    })
}

/// Begins to look for the most memory anew.
pub(crate) fn forget_peaks(ids: &[u32]) {
    for id in ids {
        drop(std::fs::write(format!("/proc/{id}/clear_refs"), "5"));
    }
}

fn cpu(id: u32) -> Option<Duration> {
    let text = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name, in brackets, may hold blanks.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: u64 = [fields.get(11)?, fields.get(12)?]
        .iter()
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    Some(Duration::from_millis(ticks * 1000 / TICKS))
}

fn memory_kib(id: u32, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

fn children(id: u32) -> Vec<u32> {
    let told = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
    let told = told.unwrap_or_default();
    told.split_whitespace()
        .filter_map(|child| child.parse().ok())
        .collect()
}
