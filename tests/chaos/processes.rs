//! A process of ours: started, killed, frozen, ended and started again, always by its own id.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::process::{Child, Command};

/// A program with all that it is given. Nothing of our own environment is passed on but the path.
#[derive(Debug, Clone)]
pub(crate) struct Launch {
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<OsString>,
    pub(crate) env: Vec<(String, String)>,
}

impl Launch {
    pub(crate) fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
        }
    }

    pub(crate) fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    pub(crate) fn env(mut self, env: &[(String, String)]) -> Self {
        self.env.extend_from_slice(env);
        self
    }

    /// The same, started by the program at the head of these words.
    pub(crate) fn through(self, words: impl IntoIterator<Item = OsString>) -> Self {
        let mut words = words.into_iter();
        let Some(first) = words.next() else {
            return self;
        };
        Self::new(first)
            .args(words)
            .args([self.program.into_os_string()])
            .args(self.args)
            .env(&self.env)
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(&self.args)
            .env_clear()
            .env(
                "PATH",
                "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            )
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .kill_on_drop(true);
        command
    }
}

/// One process over all its lives. Its output goes to one log file.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) name: String,
    launch: Launch,
    log: PathBuf,
    /// Where the log of this life begins, in bytes.
    life: usize,
    child: Option<Child>,
}

impl Process {
    /// A process that does not run yet.
    pub(crate) fn new(name: &str, launch: Launch, logs: &Path) -> Self {
        Self {
            name: name.to_owned(),
            launch,
            log: logs.join(format!("{name}.log")),
            life: 0,
            child: None,
        }
    }

    /// Starts it, unless it runs.
    pub(crate) fn start(&mut self) -> anyhow::Result<()> {
        if self.child.is_some() {
            return Ok(());
        }
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)?;
        self.life = self.log().len();
        let child = self
            .launch
            .command()
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("{} cannot be started", self.name))?;
        self.child = Some(child);
        Ok(())
    }

    /// Its id, while it runs.
    pub(crate) fn id(&self) -> Option<u32> {
        self.child.as_ref().and_then(Child::id)
    }

    /// How it ended, if it did so by itself since it was started.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        let status = self.child.as_mut()?.try_wait().ok().flatten()?;
        self.child = None;
        Some(status)
    }

    /// `kill -9`, also when it is frozen. Nothing, when it does not run.
    pub(crate) async fn kill(&mut self) -> anyhow::Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill().await?;
        }
        Ok(())
    }

    /// Stops it where it stands; it goes on with [`Process::thaw`].
    pub(crate) async fn freeze(&self) -> anyhow::Result<()> {
        self.signal("STOP").await
    }

    pub(crate) async fn thaw(&self) -> anyhow::Result<()> {
        self.signal("CONT").await
    }

    /// Asks it to end, and waits; beyond `within` it is killed and that is an error.
    pub(crate) async fn terminate(&mut self, within: Duration) -> anyhow::Result<()> {
        if self.child.is_none() {
            return Ok(());
        }
        self.signal("TERM").await?;
        let Some(mut child) = self.child.take() else {
            return Ok(());
        };
        let Ok(ended) = tokio::time::timeout(within, child.wait()).await else {
            child.kill().await?;
            bail!("{} did not end within {within:?} of SIGTERM", self.name);
        };
        let status = ended?;
        if !status.success() {
            bail!("{} ended with {status} after SIGTERM", self.name);
        }
        Ok(())
    }

    async fn signal(&self, name: &str) -> anyhow::Result<()> {
        let id = self
            .id()
            .with_context(|| format!("{} does not run", self.name))?;
        let line = format!("kill -{name} {id}");
        let status = Command::new("sh").args(["-c", &line]).status().await?;
        if !status.success() {
            bail!("{line}: {status}");
        }
        Ok(())
    }

    /// Whether it has said so since it was started.
    pub(crate) fn has_said(&self, words: &str) -> bool {
        self.log()
            .get(self.life..)
            .is_some_and(|life| life.contains(words))
    }

    /// Lines of its log that no good run has: panics.
    pub(crate) fn panics(&self) -> Vec<String> {
        self.log()
            .lines()
            .filter(|line| line.contains("panicked at"))
            .map(|line| format!("{}: {line}", self.name))
            .collect()
    }

    /// The last lines of its log.
    pub(crate) fn last_words(&self) -> String {
        let text = self.log();
        let lines: Vec<&str> = text.lines().rev().take(10).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    fn log(&self) -> String {
        let bytes = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}
