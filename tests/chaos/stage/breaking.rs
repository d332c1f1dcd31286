//! How each fault is brought about, and ended.

use std::time::Duration;

use anyhow::Context as _;
use serde_json::json;

use super::{ENDS_WITHIN, Member, Stage, ready};
use crate::faults::{Fault, Role};
use crate::servers::postgres::Postgres;
use crate::servers::redis::Redis;
use crate::small_disk::SmallDisk;
use crate::writer_lock::WriterLock;

impl Stage {
    /// Breaks or mends one thing.
    pub(crate) async fn bring(&mut self, fault: Fault) -> anyhow::Result<()> {
        self.note_ends();
        match fault {
            Fault::Kill(role, number) => self.one(role, number)?.kill().await,
            Fault::Start(role, number) => self.one(role, number)?.process.start(),
            Fault::Freeze(role, number) => self.one(role, number)?.freeze().await,
            Fault::Thaw(role, number) => self.one(role, number)?.thaw().await,
            Fault::RollAll => self.roll().await,
            Fault::KillRedis => self.redis()?.process.kill().await,
            Fault::StartRedis => self.redis()?.start_again().await,
            Fault::FlushRedis => self.redis()?.flush_all().await,
            Fault::FillRedis => self.redis()?.fill().await,
            Fault::FreeRedis => self.redis()?.free().await,
            Fault::DemoteRedis => self.redis()?.demote().await,
            Fault::PromoteRedis => self.redis()?.promote().await,
            Fault::SlowRedis(ms) => self.delay_redis(Duration::from_millis(ms)),
            Fault::QuickRedis => self.delay_redis(Duration::ZERO),
            Fault::FreezeRedis => self.redis()?.process.freeze().await,
            Fault::ThawRedis => self.redis()?.process.thaw().await,
            Fault::RestartPostgres(how) => self.postgres()?.restart(how).await,
            Fault::ReadOnly => {
                let postgres = self.postgres()?;
                postgres.set("default_transaction_read_only", "on").await
            }
            Fault::Writable => {
                let postgres = self.postgres()?;
                postgres.set("default_transaction_read_only", "off").await
            }
            Fault::StandBy => self.postgres()?.stand_by().await,
            Fault::Promoted => self.postgres()?.promote().await,
            Fault::FreezePostgres => self.postgres()?.freeze().await,
            Fault::ThawPostgres => self.postgres()?.thaw().await,
            Fault::CommitLazily => {
                // What a crash takes is what was not written: so there is some.
                self.postgres()?.set("wal_writer_delay", "10s").await?;
                self.postgres()?.set("synchronous_commit", "off").await
            }
            Fault::CommitDurably => self.postgres()?.set("synchronous_commit", "on").await,
            Fault::FillDisk => Ok(self.disk()?.fill()?),
            Fault::FreeDisk => {
                self.disk()?.free()?;
                match &self.postgres {
                    Some(postgres) => postgres.ensure_it_runs().await,
                    None => Ok(()),
                }
            }
            Fault::HoldWriter => {
                self.writer_lock = Some(WriterLock::take(self.database()?).await?);
                Ok(())
            }
            Fault::ReleaseWriter => {
                let lock = self.writer_lock.take();
                lock.context("the lock is not held")?.release().await
            }
            Fault::ProviderBad => {
                let shares = ["create", "email"].map(|on| {
                    [
                        json!({ "probability": 0.05, "fault": { "kind": "drop_after" }, "on": on }),
                        json!({ "probability": 0.02, "fault": { "kind": "unavailable" }, "on": on }),
                    ]
                });
                let shares = json!(shares.as_flattened());
                self.sandbox.fault_plan(self.seed, &shares).await
            }
            Fault::ProviderSlow(ms) => self.sandbox.latency(ms).await,
            Fault::Mute => self.sandbox.mute().await,
            Fault::ProviderGood => self.sandbox.fault_plan(self.seed, &json!([])).await,
            Fault::TooMany(count) => self.sandbox.too_many(count).await,
        }
    }

    async fn roll(&mut self) -> anyhow::Result<()> {
        for member in self.web.iter_mut().chain(&mut self.work) {
            if let Err(error) = member.process.terminate(ENDS_WITHIN).await {
                member.line.killed();
                self.troubles.push(error.to_string());
            }
            member.process.start()?;
            ready(member, &self.http).await?;
        }
        Ok(())
    }

    /// The process of that role and number, counted round. One process alone has both roles.
    fn one(&mut self, role: Role, number: usize) -> anyhow::Result<&mut Member> {
        let members = match role {
            Role::Work if !self.work.is_empty() => &mut self.work,
            Role::Web | Role::Work => &mut self.web,
        };
        let count = members.len().max(1);
        members.get_mut(number % count).context("no such process")
    }

    fn redis(&mut self) -> anyhow::Result<&mut Redis> {
        self.redis.as_mut().context("no Redis")
    }

    fn delay_redis(&self, delay: Duration) -> anyhow::Result<()> {
        let line = self.slow_redis.as_ref();
        line.context("the way to Redis cannot be made slow")?
            .delay(delay);
        Ok(())
    }

    fn postgres(&self) -> anyhow::Result<&Postgres> {
        self.postgres.as_ref().context("no PostgreSQL")
    }

    fn disk(&self) -> anyhow::Result<&SmallDisk> {
        self.disk.as_ref().context("no small disk")
    }

    fn database(&self) -> anyhow::Result<&str> {
        let url = self.env.iter().find(|(name, _)| name == "DATABASE_URL");
        Ok(&url.context("no database")?.1)
    }
}
