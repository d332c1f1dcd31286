//! All that can break, or be mended.

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
    /// Redis is over its limit and may drop nothing: it answers, and refuses each write.
    FillRedis,
    /// It takes writes again.
    FreeRedis,
    /// Redis becomes the replica of a server that is not there: it answers, and refuses each write.
    DemoteRedis,
    PromoteRedis,
    /// Each round trip to Redis takes so many milliseconds longer.
    SlowRedis(u64),
    QuickRedis,
    /// SIGSTOP of Redis.
    FreezeRedis,
    ThawRedis,
    RestartPostgres(Shutdown),
    /// `default_transaction_read_only`, for the sessions of before as well.
    ReadOnly,
    Writable,
    /// As in a failover: all sessions are cut, and new ones find a server that only reads.
    StandBy,
    /// It writes again, but not for the sessions that began meanwhile.
    Promoted,
    /// SIGSTOP of PostgreSQL with all its sessions: connections are made, and nobody answers.
    FreezePostgres,
    ThawPostgres,
    /// `synchronous_commit = off` for the whole server, and nothing written for ten seconds.
    CommitLazily,
    CommitDurably,
    /// Not a byte is left where the data lie.
    FillDisk,
    FreeDisk,
    /// Another program holds the write lock of `SQLite`.
    HoldWriter,
    ReleaseWriter,
    /// Twilio's stand-in takes 5 % of the messages without answering, and refuses 2 % with 503.
    ProviderBad,
    /// It reports no states: doubts are settled by looking, not by a callback that comes first.
    Mute,
    /// Each of its answers takes so many milliseconds: much is in hand when a worker dies.
    ProviderSlow(u32),
    /// Twilio's stand-in answers as it should again.
    ProviderGood,
    /// It answers the next so many wishes with 429.
    TooMany(u32),
}

impl Fault {
    /// Whether something begins to be wrong with it.
    pub(crate) const fn is_begin(self) -> bool {
        matches!(self, Self::RestartPostgres(_)) || !self.is_end()
    }

    /// Whether it is the end of something after which work must soon be back.
    pub(crate) const fn is_end(self) -> bool {
        matches!(
            self,
            Self::StartRedis
                | Self::FreeRedis
                | Self::PromoteRedis
                | Self::QuickRedis
                | Self::ThawRedis
                | Self::RestartPostgres(_)
                | Self::Writable
                | Self::Promoted
                | Self::ThawPostgres
                | Self::FreeDisk
                | Self::ReleaseWriter
        )
    }
}
