//! What breaks, and when: each scenario is a list of faults with their seconds from the first webhook,
//! and what it promises all the same.

use std::time::Duration;

use crate::faults::{Fault, Role};
use crate::promises::Promises;
use crate::servers::postgres::Shutdown;

/// What stands otherwise than usual, from the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Staging {
    Usual,
    /// The data lie on a small file system of their own.
    SmallDisk,
    /// The way to Redis can be made slow.
    SlowRedis,
    /// The clocks of the workers in turn are off by so many seconds; there are at least so many.
    Clocks(&'static [i64]),
}

/// What a scenario cannot do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Runs also with one `serve` on `SQLite`.
    Nothing,
    /// One `serve` on `SQLite`.
    Embedded,
    /// Web and worker processes, on PostgreSQL.
    Processes,
    /// The same with Redis.
    Redis,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) needs: Needs,
    /// Whether every post must be taken wherever anybody listens: nothing crashes.
    pub(crate) is_smooth: bool,
    pub(crate) staging: Staging,
    pub(crate) promises: Promises,
    /// The faults of a load of so many seconds; those that come again and again end before.
    timeline: fn(u64) -> Vec<At>,
}

/// A fault and its second.
pub(crate) type At = (u64, Fault);

/// How long faults come again and again, in seconds.
const LOAD: u64 = 60;

/// The same when it has to be quick. A fault that takes longer still takes its time.
const QUICK_LOAD: u64 = 30;

impl Scenario {
    /// The faults by their seconds.
    pub(crate) fn faults(&self, is_quick: bool) -> Vec<At> {
        let mut faults = (self.timeline)(if is_quick { QUICK_LOAD } else { LOAD });
        faults.sort_by_key(|(second, _)| *second);
        faults
    }

    /// How long its load lasts when it has to be quick, in seconds: hardly longer than its faults.
    pub(crate) fn quick_load(&self) -> u64 {
        let last = self.faults(true).last().map_or(0, |(second, _)| *second);
        (last + 4).max(QUICK_LOAD / 2)
    }
}

use Fault::{
    CommitDurably, CommitLazily, DemoteRedis, FillDisk, FillRedis, FlushRedis, FreeDisk, FreeRedis,
    Freeze, FreezePostgres, FreezeRedis, HoldWriter, Kill, KillRedis, Mute, PromoteRedis, Promoted,
    ProviderBad, ProviderGood, ProviderSlow, QuickRedis, ReadOnly, ReleaseWriter, RestartPostgres,
    RollAll, SlowRedis, StandBy, Start, StartRedis, Thaw, ThawPostgres, ThawRedis, TooMany,
    Writable,
};
use Role::{Web, Work};

/// Nothing breaks, and posts are answered.
const CALM: Scenario = Scenario {
    name: "calm",
    about: "nothing breaks: what the figures of the others are compared with",
    needs: Needs::Nothing,
    is_smooth: true,
    staging: Staging::Usual,
    promises: ANSWERS,
    timeline: |_| Vec::new(),
};

const ANSWERS: Promises = Promises {
    answers: true,
    recovers: false,
    tells: false,
    on_time: None,
};

const RECOVERS: Promises = Promises {
    recovers: true,
    ..ANSWERS
};

/// While nothing can be taken, `/readyz` says so.
const TELLS: Promises = Promises {
    tells: true,
    ..RECOVERS
};

/// Without Redis work goes on: after 10 s by the database, and then there is some to catch up with.
const GOES_ON: Promises = Promises {
    on_time: Some((99, Duration::from_secs(15))),
    ..RECOVERS
};

/// What kills leave in doubt takes longer than this, and is a few of a hundred.
const ON_TIME: Promises = Promises {
    on_time: Some((90, Duration::from_secs(10))),
    ..ANSWERS
};

/// A process that stands still answers nobody, whatever it does.
const NONE: Promises = Promises {
    answers: false,
    ..ANSWERS
};

/// All of them, in the order in which they run.
pub(crate) const ALL: [Scenario; 22] = [
    CALM,
    Scenario {
        name: "kill-worker",
        about: "kill -9 of a worker every six seconds, each started again two seconds later",
        needs: Needs::Processes,
        timeline: |until| kills(Work, (5..until).step_by(6)),
        ..CALM
    },
    Scenario {
        name: "kill-worker-mute",
        about: "the same, while Twilio reports nothing: every doubt has to be looked up",
        needs: Needs::Processes,
        timeline: mute_kills,
        ..CALM
    },
    Scenario {
        name: "kill-web",
        about: "kill -9 of a web process every four seconds, each started again two seconds later",
        is_smooth: false,
        timeline: |until| kills(Web, (5..until).step_by(4)),
        ..CALM
    },
    Scenario {
        name: "clocks-ahead",
        about: "the clock of one worker is 20 s ahead, of another an hour, of a third right; the wrong \
                ones are killed in turn while Twilio is slow and reports nothing",
        needs: Needs::Processes,
        staging: Staging::Clocks(&[20, 3600, 0]),
        promises: ON_TIME,
        timeline: clock_kills,
        ..CALM
    },
    Scenario {
        name: "clocks-behind",
        about: "the same with clocks that are behind",
        needs: Needs::Processes,
        staging: Staging::Clocks(&[-20, -3600, 0]),
        promises: ON_TIME,
        timeline: clock_kills,
        ..CALM
    },
    Scenario {
        name: "redis-restart-empty",
        about: "kill -9 of Redis, three times, each started again empty after a second",
        needs: Needs::Redis,
        promises: RECOVERS,
        timeline: |until| {
            let times = [10, 25, 40].into_iter().filter(|second| *second < until);
            times
                .flat_map(|second| [(second, KillRedis), (second + 1, StartRedis)])
                .collect()
        },
        ..CALM
    },
    Scenario {
        name: "flushall",
        about: "FLUSHALL every five seconds",
        needs: Needs::Redis,
        timeline: |until| flushes(5, until),
        ..CALM
    },
    Scenario {
        name: "redis-down",
        about: "no Redis for thirty seconds in the middle of the load",
        needs: Needs::Redis,
        promises: GOES_ON,
        timeline: |until| once(until, KillRedis, StartRedis, 30),
        ..CALM
    },
    Scenario {
        name: "redis-frozen",
        about: "Redis stands still for thirty seconds: connections are made, and nobody answers",
        needs: Needs::Redis,
        promises: GOES_ON,
        timeline: |until| once(until, FreezeRedis, ThawRedis, 30),
        ..CALM
    },
    Scenario {
        name: "redis-refuses",
        about: "Redis answers and refuses writes, for 15 s at its limit (noeviction), for 15 s as a replica",
        needs: Needs::Redis,
        promises: GOES_ON,
        timeline: |until| {
            let start = first(until);
            vec![
                (start, FillRedis),
                (start + 15, FreeRedis),
                (start + 20, DemoteRedis),
                (start + 35, PromoteRedis),
            ]
        },
        ..CALM
    },
    Scenario {
        name: "redis-slow",
        about: "each round trip to Redis takes 400 ms longer, for forty seconds",
        needs: Needs::Redis,
        staging: Staging::SlowRedis,
        promises: GOES_ON,
        timeline: |until| once(until, SlowRedis(400), QuickRedis, 40),
        ..CALM
    },
    Scenario {
        name: "freeze-worker",
        about: "a worker stands still for 45 seconds, longer than its leases, and goes on",
        is_smooth: false,
        promises: NONE,
        timeline: |until| once(until, Freeze(Work, 0), Thaw(Work, 0), 45),
        ..CALM
    },
    Scenario {
        name: "disk-full",
        about: "the disk of the database is full for 5 s, twice",
        is_smooth: false,
        staging: Staging::SmallDisk,
        promises: TELLS,
        timeline: |until| {
            let start = first(until);
            [start, start + 15]
                .into_iter()
                .flat_map(|second| [(second, FillDisk), (second + 5, FreeDisk)])
                .collect()
        },
        ..CALM
    },
    Scenario {
        name: "writer-held",
        about: "another program holds the write lock of SQLite for 40 s",
        needs: Needs::Embedded,
        is_smooth: false,
        promises: TELLS,
        timeline: |until| once(until, HoldWriter, ReleaseWriter, 40),
        ..CALM
    },
    Scenario {
        name: "read-only",
        about: "PostgreSQL is read-only for 10 s, twice: by a setting, and as sessions find it in a failover",
        needs: Needs::Processes,
        is_smooth: false,
        promises: TELLS,
        timeline: |until| {
            let start = first(until);
            vec![
                (start, ReadOnly),
                (start + 10, Writable),
                (start + 20, StandBy),
                (start + 30, Promoted),
            ]
        },
        ..CALM
    },
    Scenario {
        name: "postgres-frozen",
        about: "PostgreSQL stands still for 30 s with all its sessions",
        needs: Needs::Processes,
        is_smooth: false,
        promises: TELLS,
        timeline: |until| once(until, FreezePostgres, ThawPostgres, 30),
        ..CALM
    },
    Scenario {
        name: "postgres-restart",
        about: "PostgreSQL is restarted, politely and as after a crash, twice each",
        needs: Needs::Processes,
        is_smooth: false,
        promises: RECOVERS,
        timeline: |until| {
            let (fast, crash) = (Shutdown::Fast, Shutdown::Immediate);
            let times = [(10, fast), (22, crash), (34, fast), (46, crash)];
            times
                .into_iter()
                .filter(|(second, _)| *second < until)
                .map(|(second, how)| (second, RestartPostgres(how)))
                .collect()
        },
        ..CALM
    },
    Scenario {
        name: "lazy-commit",
        about: "synchronous_commit is switched off after the start, and PostgreSQL crashes",
        needs: Needs::Processes,
        is_smooth: false,
        promises: RECOVERS,
        timeline: |until| {
            let crashes = (12..until).step_by(12);
            let crash = RestartPostgres(Shutdown::Immediate);
            let mut faults: Vec<At> = crashes.map(|second| (second, crash)).collect();
            faults.extend([(3, CommitLazily), (until - 4, CommitDurably)]);
            faults
        },
        ..CALM
    },
    Scenario {
        name: "provider",
        about: "5 % of the answers are lost after the message was taken, 2 % are 503, and 429 in bursts",
        timeline: provider,
        ..CALM
    },
    Scenario {
        name: "rolling-restart",
        about: "every process in turn: SIGTERM, wait for its end, start it again; twice",
        timeline: |until| {
            let times = [8, 35].into_iter().filter(|second| *second < until);
            times.map(|second| (second, RollAll)).collect()
        },
        ..CALM
    },
    Scenario {
        name: "storm",
        about: "kills of web and workers, FLUSHALL, an empty Redis, a crash of PostgreSQL, a bad Twilio",
        needs: Needs::Redis,
        is_smooth: false,
        timeline: |until| {
            // Each fault at least once.
            let until = until.max(40) - 5;
            let mut faults = provider(until);
            faults.extend(kills(Work, [7, 27, 47]));
            faults.extend(kills(Web, [12, 41]));
            faults.extend(flushes(9, until));
            let crash = RestartPostgres(Shutdown::Immediate);
            faults.extend([(25, KillRedis), (27, StartRedis), (35, crash)]);
            faults.retain(|(second, _)| *second <= until);
            faults
        },
        ..CALM
    },
];

/// When a fault that happens once begins.
const fn first(until: u64) -> u64 {
    until / 6
}

/// One fault for so many seconds.
fn once(until: u64, begin: Fault, end: Fault, seconds: u64) -> Vec<At> {
    let start = first(until);
    vec![(start, begin), (start + seconds, end)]
}

fn mute_kills(until: u64) -> Vec<At> {
    let mut faults = kills(Work, (5..until).step_by(6));
    faults.push((0, Mute));
    faults
}

/// The first two workers in turn, each in the middle of many calls.
fn clock_kills(until: u64) -> Vec<At> {
    let (slow, as_before) = (ProviderSlow(1000), ProviderSlow(150));
    let mut faults = vec![(0, Mute), (0, slow), (until + 2, as_before)];
    for (number, second) in (5..until).step_by(10).enumerate() {
        let number = number % 2;
        faults.extend([
            (second, Kill(Work, number)),
            (second + 2, Start(Work, number)),
        ]);
    }
    faults
}

/// Kills of the processes in turn, each started again two seconds later.
fn kills(role: Role, seconds: impl IntoIterator<Item = u64>) -> Vec<At> {
    let kill = |(number, second)| {
        [
            (second, Kill(role, number)),
            (second + 2, Start(role, number)),
        ]
    };
    seconds.into_iter().enumerate().flat_map(kill).collect()
}

fn flushes(every: usize, until: u64) -> Vec<At> {
    let times = (5..=until).step_by(every);
    times.map(|second| (second, FlushRedis)).collect()
}

fn provider(until: u64) -> Vec<At> {
    let mut faults = vec![(0, ProviderBad), (until, ProviderGood)];
    faults.extend((6..until).step_by(8).map(|second| (second, TooMany(60))));
    faults
}
