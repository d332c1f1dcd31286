//! The real binary, started, killed and started again.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use ml_connector::zoho::secret::WebhookSecret;
use ml_connector::zoho::webhook;
use reqwest::Method;
use serde_json::{Value, json};

use super::database::TestDatabase;
use super::{master_key, redis_url};

const BINARY: &str = env!("CARGO_BIN_EXE_ml-connector");

/// A command of the binary with nothing of this process's environment.
pub(crate) fn bare(args: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command.args(args).env_clear();
    command
}

/// A `serve` on a folder and a port that stay the same over its lives.
pub(crate) struct Service {
    pub(crate) database: TestDatabase,
    /// For `MASTER_KEY`, where the database is no file.
    pub(crate) key: String,
    pub(crate) port: u16,
    sandbox: String,
    /// What else is set, for every command.
    variables: Vec<(String, String)>,
    /// The words before each command.
    through: Vec<OsString>,
    child: Option<Child>,
    logs: tempfile::TempDir,
    pub(crate) http: reqwest::Client,
}

impl Service {
    pub(crate) async fn new(sandbox: &str) -> Self {
        let service = Self {
            database: TestDatabase::empty().await,
            key: master_key(),
            port: free_port(),
            sandbox: sandbox.to_owned(),
            variables: Vec::new(),
            through: Vec::new(),
            child: None,
            logs: tempfile::tempdir().unwrap(),
            http: ml_connector::http::client().unwrap(),
        };
        if !service.database.is_file() {
            let done = service.run(&["migrate"], "");
            let said = String::from_utf8_lossy(&done.stderr).into_owned();
            assert!(done.status.success(), "{said}");
        }
        service
    }

    /// A command on its database and providers.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = match &self.through[..] {
            [] => bare(args),
            [first, words @ ..] => {
                let mut command = Command::new(first);
                command.args(words).arg(BINARY).args(args).env_clear();
                command
            }
        };
        command
            .env("DATABASE_URL", self.database.url())
            .env("BIND", format!("127.0.0.1:{}", self.port))
            .env("ZOHO_SANDBOX_URL", &self.sandbox)
            .env("TWILIO_SANDBOX_URL", &self.sandbox)
            .env("STOP_DELAY", "0")
            .env("RUST_LOG", "info");
        if !self.database.is_file() {
            command.env("MASTER_KEY", &self.key);
        }
        if let Some(redis) = redis_url() {
            command.env("REDIS_URL", redis);
        }
        let variables = self.variables.iter();
        command.envs(variables.map(|(name, value)| (name, value)));
        command
    }

    /// Sets a variable for every command.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts every command by the program at the head of these words.
    pub(crate) fn through(mut self, words: Vec<OsString>) -> Self {
        self.through = words;
        self
    }

    /// Starts it and waits until it says that it serves.
    pub(crate) fn start(&mut self) {
        let command = self.command(&["serve"]);
        self.launch(command);
    }

    fn launch(&mut self, command: Command) {
        self.child = Some(self.launched(command));
    }

    fn launched(&self, mut command: Command) -> Child {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log_file())
            .unwrap();
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines.next().expect("serve says where it listens").unwrap();
        assert!(first.contains("serves http://127.0.0.1"), "{first}");
        std::thread::spawn(move || lines.for_each(drop));
        child
    }

    /// Starts it on a socket that this process goes on holding, as systemd does.
    pub(crate) fn start_on(&mut self, socket: &TcpListener) {
        let plain = self.command(&["serve"]);
        let mut handed = Command::new("sh");
        let moved = "exec 3<&0 0</dev/null";
        handed
            .args([
                "-c",
                &format!("{moved}; LISTEN_PID=$$ LISTEN_FDS=1 exec {BINARY} serve"),
            ])
            .stdin(OwnedFd::from(socket.try_clone().unwrap()))
            .env_clear();
        for (name, value) in plain.get_envs() {
            handed.env(name, value.unwrap_or_default());
        }
        self.launch(handed);
    }

    /// A second process on the same database, at a port of its own.
    pub(crate) fn start_beside(&self, port: u16) -> Beside {
        let mut command = self.command(&["serve"]);
        command.env("BIND", format!("127.0.0.1:{port}"));
        Beside(self.launched(command))
    }

    /// SIGTERM; it goes on until [`Service::ended`].
    pub(crate) fn terminate(&self) {
        terminate(self.child.as_ref().expect("it runs"));
    }

    /// Waits for its end.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let child = self.child.take().expect("it runs");
        ended(child).await
    }

    /// The same with a limit on its address space, in KiB.
    pub(crate) fn start_within(&mut self, kib: u64) {
        let plain = self.command(&["serve"]);
        let mut limited = Command::new("sh");
        limited
            .args(["-c", &format!("ulimit -v {kib}; exec {BINARY} serve")])
            .env_clear();
        for (name, value) in plain.get_envs() {
            limited.env(name, value.unwrap_or_default());
        }
        self.launch(limited);
    }

    /// The same as a member of a cgroup, by the file that names its members.
    pub(crate) fn start_in(&mut self, members: &Path) {
        let plain = self.command(&["serve"]);
        let join = format!("echo $$ > {} && exec {BINARY} serve", members.display());
        let mut member = Command::new("sh");
        member.args(["-c", &join]).env_clear();
        for (name, value) in plain.get_envs() {
            member.env(name, value.unwrap_or_default());
        }
        self.launch(member);
    }

    /// The most memory it has used, in KiB.
    pub(crate) fn peak_kib(&self) -> u64 {
        self.memory_kib("VmHWM")
    }

    /// What the kernel says of its memory under a name, in KiB.
    pub(crate) fn memory_kib(&self, name: &str) -> u64 {
        let id = self.child.as_ref().expect("it runs").id();
        let status = read(Path::new(&format!("/proc/{id}/status")));
        let line = status
            .lines()
            .find_map(|l| l.strip_prefix(name)?.strip_prefix(':'))
            .expect("a figure; has it ended?");
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, args: &[&str], stdin: &str) -> Output {
        let mut child = self
            .command(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(stdin.as_bytes())
            .unwrap();
        child.wait_with_output().unwrap()
    }

    /// What an administrative command prints as JSON.
    pub(crate) fn admin(&self, args: &[&str], stdin: &str) -> Value {
        let all: Vec<_> = ["admin"]
            .iter()
            .chain(args)
            .chain(&["--json"])
            .copied()
            .collect();
        let output = self.run(&all, stdin);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{args:?}: {errors}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Everything it logged over all its lives.
    pub(crate) fn log(&self) -> String {
        read(&self.log_file())
    }

    fn log_file(&self) -> std::path::PathBuf {
        self.logs.path().join("log")
    }

    /// A tenant made on the command line, with a token for the API.
    pub(crate) fn tenant(&self, name: &str) -> Tenant {
        let email = format!("owner@{name}.example");
        let made = self.admin(
            &[
                "create-tenant",
                "--name",
                name,
                "--owner-email",
                &email,
                "--password-stdin",
                "--live",
                "--any-hour",
            ],
            "a long enough password\n",
        );
        let id = made["tenant_id"].as_str().unwrap().to_owned();
        let token = self.admin(&["create-token", "--tenant", &id, "--role", "owner"], "");
        Tenant {
            base: format!("http://127.0.0.1:{}", self.port),
            http: self.http.clone(),
            hook_url: made["hook_url"].as_str().unwrap().to_owned(),
            hook_secret: WebhookSecret::parse(made["hook_secret"].as_str().unwrap()).unwrap(),
            token: token["token"].as_str().unwrap().to_owned(),
            id,
        }
    }
}

/// A process beside a [`Service`]. Killed when dropped.
pub(crate) struct Beside(Child);

impl Drop for Beside {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// What a command says that must not run for long: beyond 20 s it is killed.
pub(crate) fn refusal_of(mut command: Command) -> String {
    let said = command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = said.spawn().unwrap();
    let end = Instant::now() + Duration::from_secs(20);
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > end {
            child.kill().unwrap();
            break child.wait().unwrap();
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let mut said = String::new();
    let mut stderr = child.stderr.take().unwrap();
    stderr.read_to_string(&mut said).unwrap();
    assert_eq!(status.code(), Some(1), "it was not refused: {said}");
    said
}

pub(crate) fn terminate(child: &Child) {
    let id = child.id().to_string();
    let sent = Command::new("kill").args(["-TERM", &id]).status();
    assert!(sent.unwrap().success());
}

async fn ended(mut child: Child) -> ExitStatus {
    let waiting = tokio::task::spawn_blocking(move || child.wait().unwrap());
    waiting.await.unwrap()
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> u16 {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap().port()
}

impl Drop for Service {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.kill();
        }
    }
}

fn read(path: &Path) -> String {
    let mut text = String::new();
    if let Ok(mut file) = std::fs::File::open(path) {
        file.read_to_string(&mut text).unwrap();
    }
    text
}

/// A tenant of the real binary.
#[derive(Clone)]
pub(crate) struct Tenant {
    base: String,
    http: reqwest::Client,
    pub(crate) id: String,
    pub(crate) hook_url: String,
    pub(crate) hook_secret: WebhookSecret,
    pub(crate) token: String,
}

impl Tenant {
    /// A call of the JSON API, however it ends.
    pub(crate) async fn try_api(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> reqwest::Response {
        let call = self
            .http
            .request(method, format!("{}/api/v1{path}", self.base));
        let call = call.bearer_auth(&self.token);
        match body {
            Some(body) => call.json(&body).send().await.unwrap(),
            None => call.send().await.unwrap(),
        }
    }

    /// A call of the JSON API that must succeed.
    pub(crate) async fn api(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let answer = self.try_api(method, path, body).await;
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    pub(crate) async fn connect(&self, account_sid: &str, auth_token: &str, from: &str) {
        let body = json!({ "account_sid": account_sid, "auth_token": auth_token, "from": from });
        self.api(Method::PUT, "/connections/twilio", Some(body))
            .await;
    }

    /// Posts a webhook, however it is answered.
    pub(crate) async fn try_post(
        &self,
        path: &str,
        body: Vec<u8>,
    ) -> reqwest::Result<reqwest::Response> {
        let kind = "application/json";
        let signature = webhook::sign(&self.hook_secret, "", Some(kind), &body);
        self.http
            .post(format!("{}{path}", self.hook_url))
            .header("content-type", kind)
            .header(webhook::SIGNATURE_HEADER, signature)
            .body(body)
            .send()
            .await
    }

    /// Posts a webhook; the event's id, or `None` when it was not acknowledged.
    pub(crate) async fn post(&self, path: &str, body: Vec<u8>) -> Option<String> {
        let answer = self.try_post(path, body).await.ok()?;
        if !answer.status().is_success() {
            return None;
        }
        let json: Value = answer.json().await.ok()?;
        json["event"].as_str().map(str::to_owned)
    }

    /// Every delivery, over all pages.
    pub(crate) async fn deliveries(&self) -> Vec<Value> {
        let mut all = Vec::new();
        let mut path = "/deliveries".to_owned();
        loop {
            let page = self.api(Method::GET, &path, None).await;
            all.extend(page["data"].as_array().unwrap().iter().cloned());
            match page["next"].as_str() {
                Some(next) => path = format!("/deliveries?cursor={next}"),
                None => return all,
            }
        }
    }

    /// Waits until there are so many deliveries.
    pub(crate) async fn decided(&self, deliveries: usize) {
        let end = Instant::now() + Duration::from_mins(1);
        while self.deliveries().await.len() < deliveries {
            assert!(Instant::now() < end, "not all webhooks are decided");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits until every delivery has ended or waits for a person.
    pub(crate) async fn settled(&self, within: Duration) -> Vec<Value> {
        let end = Instant::now() + within;
        loop {
            let all = self.deliveries().await;
            let is_open = |d: &Value| {
                let (state, hold) = (d["state"].as_str(), d["hold"].as_str());
                matches!(state, Some("queued" | "sending"))
                    || (state == Some("unknown") && hold != Some("person"))
            };
            if !all.iter().any(is_open) {
                return all;
            }
            assert!(
                Instant::now() < end,
                "still open: {:#?}\nwaiting for a person: {:#?}",
                all.iter()
                    .filter(|d| is_open(d))
                    .take(5)
                    .collect::<Vec<_>>(),
                all.iter()
                    .filter(|d| d["hold"] == "person")
                    .collect::<Vec<_>>()
            );
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
}
