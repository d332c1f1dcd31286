//! The demo as a newcomer starts it: the real binary, and what it prints.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use super::process;

/// A running `demo`; it and its folder end with this value.
pub(crate) struct Demo {
    child: Child,
    /// The company's address, as printed.
    pub(crate) address: String,
    pub(crate) email: String,
    pub(crate) password: String,
    _folder: tempfile::TempDir,
}

impl Demo {
    /// Starts it on a free port and reads how to sign in.
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut child = process::bare(&["demo", "--port", "0"])
            .env("TMPDIR", folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut after = |mark: &str| {
            let line = lines
                .by_ref()
                .map(Result::unwrap)
                .find(|line| line.contains(mark))
                .unwrap_or_else(|| panic!("the demo does not print {mark:?}"));
            line.rsplit_once(' ').unwrap().1.to_owned()
        };
        let demo = Self {
            address: after(" runs at "),
            email: after("E-mail"),
            password: after("Password"),
            child,
            _folder: folder,
        };
        std::thread::spawn(move || lines.for_each(drop));
        demo
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // It may have ended by itself, which the test has seen by then.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
