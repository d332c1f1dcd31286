//! Every command in the documents: run for real in an empty folder, or of a kind that says why not.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::{codes, documents, root};
use crate::harness::process::{bare, free_port, terminate};

/// Kinds of commands that no test runs, by how they begin, and why.
const EXCUSED: [(&str, &str); 11] = [
    (
        "docker ",
        "needs a Docker daemon; `deploy` reads the Dockerfile and compose.yaml",
    ),
    (
        "fly ",
        "needs an account at Fly.io; `deploy` reads fly.toml and fly.cluster.toml",
    ),
    (
        "curl ",
        "needs a domain and a token; `story` asks the same address",
    ),
    ("cargo build", "builds what this test runs"),
    ("cargo run", "builds; what follows `--` is parsed below"),
    ("cargo fmt", "a step of `.ci/run`"),
    ("cargo clippy", "a step of `.ci/run`"),
    ("INSTA_UPDATE=always cargo test", "would run this very test"),
    ("./tests/run", "would run this very test"),
    ("./.ci/run", "would run this very test"),
    (
        "./tests/chaos/run",
        "takes minutes; the scenarios of `.ci/run` and releases run it",
    ),
];

/// The lines of the blocks marked as `sh`: continued lines joined, comments taken away.
fn commands(text: &str) -> Vec<String> {
    let blocks = super::between(text, "```sh\n", "```");
    let lines = blocks.flat_map(|block| {
        let joined = block.replace("\\\n", " ");
        joined.lines().map(str::to_owned).collect::<Vec<_>>()
    });
    let plain = lines.map(|line| {
        let code = line.split(" #").next().unwrap_or_default();
        code.split_whitespace().collect::<Vec<_>>().join(" ")
    });
    plain.filter(|line| !line.is_empty()).collect()
}

/// The lines of the recipes, each of which is one plain command.
fn recipes() -> Vec<String> {
    let text = super::document(".justfile");
    let lines = text.lines().filter_map(|line| line.strip_prefix("    "));
    let plain = lines.filter(|line| !line.starts_with('@'));
    plain.map(|line| line.replace(" {{args}}", "")).collect()
}

/// Names in place of what the reader is to fill in.
fn filled_in(line: &str) -> String {
    line.replace("<short name>", "bowman-co")
        .replace("<name>", "sms")
}

fn excuse(line: &str) -> Option<&'static str> {
    let kind = EXCUSED.iter().find(|(begins, _)| line.starts_with(begins));
    kind.map(|(begins, _)| *begins)
}

/// A folder as somebody has it who follows the documents, with the program in its places.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for place in ["bin", "target/release"] {
            let place = folder.path().join(place);
            fs::create_dir_all(&place).unwrap();
            symlink(bare(&[]).get_program(), place.join("ml-connector")).unwrap();
        }
        Self(folder)
    }

    fn shell(&self, line: &str) -> Command {
        let mut command = Command::new("sh");
        let path = format!("{}:/usr/bin:/bin", self.0.path().join("bin").display());
        command
            .args(["-c", line])
            .current_dir(self.0.path())
            .env_clear()
            .env("PATH", path)
            .env("BIND", format!("127.0.0.1:{}", free_port()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs a line to its end, with a password for whatever asks for one; what it printed.
    fn run(&self, line: &str) -> String {
        let mut child = self.shell(line).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // Whatever reads nothing may be gone already.
        let _ = stdin.write_all(b"a long enough password\n");
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{line}\n{said}");
        said
    }

    /// Starts what runs until it is stopped, and stops it when it says where it serves.
    fn serve(&self, line: &str) {
        let mut child: Child = self.shell(&format!("exec env {line}")).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines.next().expect("it says where it serves").unwrap();
        assert!(first.contains("serves https://sms.example.com"), "{first}");
        terminate(&child);
        let said: Vec<String> = lines.map(Result::unwrap).collect();
        assert!(child.wait().unwrap().success(), "{said:?}");
    }
}

#[test]
fn every_command_runs_or_is_excused() {
    let folder = Folder::new();
    let mut used = Vec::new();
    let mut ran = 0;
    // Somebody whose password is reset.
    let mut lines = vec![
        "ml-connector admin create-operator --email ann@example.com --password-stdin".to_owned(),
    ];
    lines.extend(documents().iter().flat_map(|(_, text)| commands(text)));
    lines.extend(recipes());
    for line in lines.iter().map(|line| filled_in(line)) {
        if let Some(kind) = excuse(&line) {
            used.push(kind);
            assert_can_be_run(&folder, &line);
        } else if line.ends_with("ml-connector serve") {
            folder.serve(&line);
            ran += 1;
        } else {
            folder.run(&line);
            ran += 1;
        }
    }
    assert!(ran >= 12, "{ran} commands ran: {lines:#?}");
    for (kind, _) in EXCUSED {
        assert!(used.contains(&kind), "nothing needs the excuse of {kind:?}");
    }
    assert_made(folder.0.path());
}

/// What the commands leave behind is what their pages promise.
fn assert_made(folder: &Path) {
    let settings = fs::read_to_string(folder.join(".env")).unwrap();
    for name in ["MASTER_KEY=", "POSTGRES_PASSWORD=", "PUBLIC_URL="] {
        let line = settings.lines().find(|line| line.starts_with(name));
        assert!(
            line.is_some_and(|line| line.len() > name.len() + 20),
            "{settings}"
        );
    }
    let names = fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().file_name());
    let backups = names.filter(|name| name.to_string_lossy().starts_with("backup-"));
    assert_eq!(backups.count(), 1);
    assert!(folder.join("data/ml-connector.db.key").exists());
}

/// An excused command still names what there is.
fn assert_can_be_run(folder: &Folder, line: &str) {
    let words: Vec<&str> = line.split(' ').collect();
    if let Some(script) = words[0].strip_prefix("./") {
        let mode = fs::metadata(root().join(script))
            .unwrap()
            .permissions()
            .mode();
        assert!(mode & 0o111 != 0, "{script} cannot be run");
    }
    if let Some((_, example)) = line.split_once("--example ") {
        let example = example.split(' ').next().unwrap();
        assert!(
            root().join(format!("examples/{example}.rs")).exists(),
            "{line}"
        );
    }
    for before in [
        "cargo run -- ",
        "cargo run --release -- ",
        "docker compose exec web ml-connector ",
    ] {
        if let Some(arguments) = line.strip_prefix(before) {
            folder.run(&format!("ml-connector {arguments} --help"));
        }
    }
    if let Some((_, config)) = line.split_once("--config ") {
        assert!(root().join(config).exists(), "{line}");
    }
}

#[test]
fn every_command_in_a_sentence_is_known() {
    let folder = Folder::new();
    let mut known = 0;
    for (path, text) in documents() {
        for code in codes(&text) {
            if let Some(arguments) = code.strip_prefix("ml-connector ") {
                let line = format!("ml-connector {} --help", filled_in(arguments));
                assert!(!line.contains(['<', '…']), "{}: {code}", path.display());
                folder.run(&line);
                known += 1;
            }
        }
    }
    assert!(known >= 3, "{known}");
}
