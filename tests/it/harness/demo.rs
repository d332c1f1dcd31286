//! The demo as a newcomer starts it: the real binary, and what it prints.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use super::process;
use super::visitor::Visitor;

/// A running `demo`; it and its folder end with this value.
pub(crate) struct Demo {
    child: Child,
    /// The company's address, as printed.
    pub(crate) address: String,
    pub(crate) email: String,
    pub(crate) password: String,
    /// E-mail address and password of whoever runs the service.
    pub(crate) operator: (String, String),
    pub(crate) http: reqwest::Client,
    _folder: tempfile::TempDir,
}

impl Demo {
    /// Starts it on a free port, after so many days of history, and reads how to sign in.
    pub(crate) fn after(days: u8) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let days = days.to_string();
        let mut child = process::bare(&["demo", "--port", "0", "--days", &days])
            .env("TMPDIR", folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut printed = |mark: &str| {
            let line = lines
                .by_ref()
                .map(Result::unwrap)
                .find(|line| line.contains(mark))
                .unwrap_or_else(|| panic!("the demo does not print {mark:?}"));
            line.rsplit_once(' ').unwrap().1.to_owned()
        };
        let demo = Self {
            address: printed(" runs at "),
            email: printed("E-mail"),
            password: printed("Password"),
            operator: (printed("E-mail"), printed("Password")),
            http: ml_connector::http::client().unwrap(),
            child,
            _folder: folder,
        };
        std::thread::spawn(move || lines.for_each(drop));
        demo
    }
}

impl Demo {
    /// Somebody who has signed in.
    pub(crate) async fn visitor(&self, email: &str, password: &str) -> Visitor<'_> {
        let company = self.address.find("/t/").unwrap();
        let visitor = Visitor::from_afar(&self.http, self.address[..company].to_owned());
        visitor.sign_in(email, password).await;
        visitor
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // It may have ended by itself, which the test has seen by then.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
