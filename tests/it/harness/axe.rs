//! Axe: the check of accessibility that people use in their browsers. It is fetched once, by its own
//! version, into the build's folder; nothing of it is a part of the product.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde::Deserialize;

use super::browser::Browser;

const VERSION: &str = "4.14.1";

/// One rule that a page breaks.
#[derive(Debug, Deserialize)]
pub(crate) struct Violation {
    pub(crate) id: String,
    pub(crate) help: String,
    /// The elements, as selectors, each with what is wrong.
    pub(crate) nodes: Vec<String>,
}

/// Runs all rules of WCAG 2.2 AA and the good practices on the page that is shown. Frames in which nothing may
/// run never answer, so they are not asked.
const RUN: &str = "
    const done = arguments[arguments.length - 1];
    const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
    const wish = { runOnly: { type: 'tag', values: tags }, resultTypes: ['violations'],
        iframes: false };
    axe.run(document, wish).then((found) =>
        done(found.violations.map(({ id, help, nodes }) => ({
            id, help,
            nodes: nodes.map((n) => `${n.target.join(' ')}: ${n.failureSummary} ${n.html.slice(0, 160)}`),
        }))), (why) => done([{ id: 'axe', help: String(why), nodes: [] }]));";

/// The source of axe.
pub(crate) fn source() -> String {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("axe-{VERSION}"));
    let file = folder.join("node_modules/axe-core/axe.min.js");
    if !file.exists() {
        fs::create_dir_all(&folder).unwrap();
        let fetched = Command::new("npm")
            .args([
                "install",
                "--no-audit",
                "--no-fund",
                "--ignore-scripts",
                "--prefix",
            ])
            .arg(&folder)
            .arg(format!("axe-core@{VERSION}"))
            .output()
            .expect("npm (tests/run installs it)");
        let why = String::from_utf8_lossy(&fetched.stderr);
        assert!(
            fetched.status.success(),
            "npm could not fetch axe-core: {why}"
        );
    }
    fs::read_to_string(file).unwrap()
}

/// What the page that the browser shows breaks.
pub(crate) async fn violations(browser: &Browser, axe: &str) -> Vec<Violation> {
    let () = browser.script(axe).await;
    browser.later(RUN).await
}
