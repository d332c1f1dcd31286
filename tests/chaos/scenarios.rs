//! What breaks, and when: each scenario is a list of faults with their seconds from the first webhook.

use crate::servers::postgres::Shutdown;

/// Which processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Web,
    Work,
}

/// One thing that breaks, or is mended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Fault {
    /// `kill -9` of the process of that number.
    Kill(Role, usize),
    /// Starts what was killed.
    Start(Role, usize),
    /// SIGSTOP: it stands still with all that it holds.
    Freeze(Role, usize),
    /// SIGCONT: it goes on as if no time had passed.
    Thaw(Role, usize),
    /// Each process in turn: SIGTERM, wait for its end, start it again.
    RollAll,
    /// `kill -9` of Redis.
    KillRedis,
    /// Starts Redis, empty.
    StartRedis,
    FlushRedis,
    RestartPostgres(Shutdown),
    /// Twilio's stand-in takes 5 % of the messages without answering, and refuses 2 % with 503.
    ProviderBad,
    /// Twilio's stand-in answers as it should again.
    ProviderGood,
    /// It answers the next so many wishes with 429.
    TooMany(u32),
}

/// What a scenario cannot do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Runs also with one `serve` on `SQLite`.
    Nothing,
    /// Web and worker processes, on PostgreSQL.
    Processes,
    /// The same with Redis.
    Redis,
}

#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) needs: Needs,
    /// Whether every post must be taken wherever anybody listens: nothing crashes.
    pub(crate) is_smooth: bool,
    timeline: fn(Vec<At>) -> Vec<At>,
}

/// A fault and its second.
pub(crate) type At = (u64, Fault);

impl Scenario {
    /// The faults by their seconds.
    pub(crate) fn faults(&self) -> Vec<At> {
        let mut faults = (self.timeline)(Vec::new());
        faults.sort_by_key(|(second, _)| *second);
        faults
    }
}

use Fault::{
    FlushRedis, Freeze, Kill, KillRedis, ProviderBad, ProviderGood, RestartPostgres, RollAll,
    Start, StartRedis, Thaw, TooMany,
};
use Role::{Web, Work};

/// All of them, in the order in which they run.
pub(crate) const ALL: [Scenario; 11] = [
    Scenario {
        name: "calm",
        about: "nothing breaks: what the figures of the others are compared with",
        needs: Needs::Nothing,
        is_smooth: true,
        timeline: |faults| faults,
    },
    Scenario {
        name: "kill-worker",
        about: "kill -9 of a worker every six seconds, each started again two seconds later",
        needs: Needs::Processes,
        is_smooth: true,
        timeline: |faults| kills(faults, Work, (5..60).step_by(6)),
    },
    Scenario {
        name: "kill-web",
        about: "kill -9 of a web process every four seconds, each started again two seconds later",
        needs: Needs::Nothing,
        is_smooth: false,
        timeline: |faults| kills(faults, Web, (5..60).step_by(4)),
    },
    Scenario {
        name: "redis-restart-empty",
        about: "kill -9 of Redis, three times, each started again empty after a second",
        needs: Needs::Redis,
        is_smooth: true,
        timeline: |mut faults| {
            for second in [10, 25, 40] {
                faults.extend([(second, KillRedis), (second + 1, StartRedis)]);
            }
            faults
        },
    },
    Scenario {
        name: "flushall",
        about: "FLUSHALL every five seconds",
        needs: Needs::Redis,
        is_smooth: true,
        timeline: |faults| flushes(faults, 5, 60),
    },
    Scenario {
        name: "redis-down",
        about: "no Redis for thirty seconds in the middle of the load",
        needs: Needs::Redis,
        is_smooth: true,
        timeline: |mut faults| {
            faults.extend([(15, KillRedis), (45, StartRedis)]);
            faults
        },
    },
    Scenario {
        name: "freeze-worker",
        about: "a worker stands still for 45 seconds, longer than its leases, and goes on",
        needs: Needs::Nothing,
        is_smooth: false,
        timeline: |mut faults| {
            faults.extend([(10, Freeze(Work, 0)), (55, Thaw(Work, 0))]);
            faults
        },
    },
    Scenario {
        name: "postgres-restart",
        about: "PostgreSQL is restarted, politely and as after a crash, twice each",
        needs: Needs::Processes,
        is_smooth: false,
        timeline: |mut faults| {
            let (fast, crash) = (Shutdown::Fast, Shutdown::Immediate);
            for (second, how) in [(10, fast), (22, crash), (34, fast), (46, crash)] {
                faults.push((second, RestartPostgres(how)));
            }
            faults
        },
    },
    Scenario {
        name: "provider",
        about: "5 % of the answers are lost after the message was taken, 2 % are 503, and 429 in bursts",
        needs: Needs::Nothing,
        is_smooth: true,
        timeline: |faults| provider(faults, 60),
    },
    Scenario {
        name: "rolling-restart",
        about: "every process in turn: SIGTERM, wait for its end, start it again; twice",
        needs: Needs::Nothing,
        is_smooth: true,
        timeline: |mut faults| {
            faults.extend([(8, RollAll), (35, RollAll)]);
            faults
        },
    },
    Scenario {
        name: "storm",
        about: "kills of web and workers, FLUSHALL, an empty Redis, a crash of PostgreSQL, a bad Twilio",
        needs: Needs::Redis,
        is_smooth: false,
        timeline: |faults| {
            let mut faults = provider(faults, 55);
            faults = kills(faults, Work, [7, 27, 47]);
            faults = kills(faults, Web, [12, 41]);
            faults = flushes(faults, 9, 54);
            let crash = RestartPostgres(Shutdown::Immediate);
            faults.extend([(22, KillRedis), (24, StartRedis), (33, crash)]);
            faults
        },
    },
];

/// Kills of the processes in turn, each started again two seconds later.
fn kills(mut faults: Vec<At>, role: Role, seconds: impl IntoIterator<Item = u64>) -> Vec<At> {
    for (number, second) in seconds.into_iter().enumerate() {
        faults.extend([
            (second, Kill(role, number)),
            (second + 2, Start(role, number)),
        ]);
    }
    faults
}

fn flushes(mut faults: Vec<At>, every: usize, until: u64) -> Vec<At> {
    faults.extend(
        (5..=until)
            .step_by(every)
            .map(|second| (second, FlushRedis)),
    );
    faults
}

fn provider(mut faults: Vec<At>, until: u64) -> Vec<At> {
    faults.extend([(0, ProviderBad), (until, ProviderGood)]);
    faults.extend((6..until).step_by(8).map(|second| (second, TooMany(60))));
    faults
}
