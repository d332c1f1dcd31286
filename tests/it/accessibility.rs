//! Every page in a real browser: axe finds nothing against it, phone and desk, light and dark; it
//! scrolls in one direction only, fetches nothing from elsewhere and stays small.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use ml_connector::sandbox::samples::Standing;
use ml_connector::web::areas::routes::Entry;
use ml_connector::web::assets;
use ml_connector::web::samples;
use reqwest::Method;
use secrecy::SecretString;
use serde::Deserialize;

use crate::harness::TestApp;
use crate::harness::axe;
use crate::harness::browser::{Browser, Screen};
use crate::harness::company::{PASSWORD, invoice};
use crate::walk::{self, Walk};

/// How far the page is wider than the screen.
const OVERFLOW: &str = "return document.documentElement.scrollWidth - window.innerWidth;";

#[tokio::test(flavor = "multi_thread")]
async fn no_sample_page_shuts_anybody_out_on_a_desk() {
    look_at_samples(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_sample_page_shuts_anybody_out_on_a_phone() {
    look_at_samples(true).await;
}

/// Every sample on one screen, light and dark. Colours depend on the scheme, and what a page is made of
/// on the screen: axe sees each once, the desk in the light and the phone in the dark.
async fn look_at_samples(is_phone: bool) {
    let folder = tempfile::tempdir().unwrap();
    let names = write_samples(folder.path());
    let axe = axe::source();
    let browser = Browser::open().await;
    let mut found = String::new();
    for is_dark in [false, true] {
        let screen = Screen { is_phone, is_dark };
        browser.look_as(screen).await;
        for name in &names {
            let file = folder.path().join(name).with_extension("html");
            browser.visit(&format!("file://{}", file.display())).await;
            let broken_rules = if is_dark == is_phone {
                axe::violations(&browser, &axe).await
            } else {
                Vec::new()
            };
            for broken in broken_rules {
                let nodes = broken.nodes.join("\n    ");
                let (id, help) = (broken.id, broken.help);
                let _ = write!(found, "\n{name}, {screen:?}\n  {id}: {help}\n    {nodes}");
            }
            let overflow: i64 = browser.script(OVERFLOW).await;
            if overflow > 0 {
                let _ = write!(
                    found,
                    "\n{name}, {screen:?}\n  wider than the screen by {overflow}"
                );
            }
        }
    }
    browser.close().await;
    assert!(found.is_empty(), "{found}");
}

/// Everything that a page fetched, itself first.
#[derive(Debug, Deserialize)]
struct Fetched {
    url: String,
    size: u64,
}

const FETCHED: &str = "
    return [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
        .map((e) => ({ url: e.name, size: Math.round(e.decodedBodySize) }));";

#[tokio::test(flavor = "multi_thread")]
async fn every_page_of_the_service_is_open_small_and_its_own() {
    let app = TestApp::spawn().await;
    let acme = Walk::of(&app, "Acme").await;
    for seed in 2..60 {
        let body = invoice(seed, Standing::Sent, app.now());
        acme.company.told("", &body).await;
    }
    app.run_due_jobs().await;
    let axe = axe::source();
    let browser = Browser::open().await;
    let screen = Screen {
        is_phone: false,
        is_dark: false,
    };
    browser.look_as(screen).await;
    let outside = walk::outside()
        .filter(|(method, _, needs)| *method == Method::GET && *needs != Entry::Operator);
    let (open, closed): (Vec<_>, Vec<_>) =
        outside.partition(|(_, _, needs)| *needs == Entry::Anyone);
    let mut found = String::new();
    let mut look = async |path: &str| {
        browser.visit(&app.url(path)).await;
        for broken in axe::violations(&browser, &axe).await {
            let nodes = broken.nodes.join("\n    ");
            let (id, help) = (broken.id, broken.help);
            let _ = write!(found, "\n{path}\n  {id}: {help}\n    {nodes}");
        }
        let fetched: Vec<Fetched> = browser.script(FETCHED).await;
        let size: u64 = fetched.iter().map(|f| f.size).sum();
        if size >= 100 * 1024 {
            let _ = write!(found, "\n{path}\n  weighs {size} bytes");
        }
        for one in &fetched {
            if !one.url.starts_with(&app.url("/")) {
                let _ = write!(found, "\n{path}\n  fetches {}", one.url);
            }
        }
        size
    };
    for (_, path, _) in open {
        look(&path).await;
    }
    let sign_in = async |email: &str| {
        browser.visit(&app.url("/sign-in")).await;
        browser.fill("email", email).await;
        browser.fill("password", PASSWORD).await;
        browser.click("button", "Sign in").await;
        browser
            .until("the Overview", async || {
                (browser.texts("h1").await == ["Overview"]).then_some(())
            })
            .await;
    };
    sign_in(&acme.company.email).await;
    for (_, path, _) in closed {
        look(&path).await;
    }
    let mut heaviest = (0, String::new());
    for (_, path, _) in acme.addresses().filter(|(m, ..)| *m == Method::GET) {
        // A part of a page, for a script; and documents for frames, in which no script may run.
        if path.ends_with("/set-up/requests") || path.ends_with("/email") {
            continue;
        }
        let size = look(&path).await;
        heaviest = heaviest.max((size, path));
    }
    look("/no-such-page").await;
    let password = SecretString::from(PASSWORD);
    let operator = "operator@example.com";
    app.app().create_operator(operator, password).await.unwrap();
    browser.forget().await;
    sign_in(operator).await;
    let mut seen = 0;
    for path in acme.operator_pages() {
        look(&path).await;
        let headings = browser.texts("h1").await;
        assert_ne!(headings, ["There is nothing at this address"], "{path}");
        seen += 1;
    }
    assert!(seen >= 4, "the operator's pages are walked");
    browser.close().await;
    assert!(found.is_empty(), "{found}\n{heaviest:?}");
    assert!(heaviest.0 > 30_000, "nothing was weighed: {heaviest:?}");
}

/// Writes the sample pages and what they fetch; their names.
fn write_samples(folder: &Path) -> Vec<&'static str> {
    for name in ["app.css", "ui.css", "app.js", "editor.js", "favicon.svg"] {
        let (_, bytes) = assets::find(name).unwrap();
        fs::write(folder.join(name), bytes).unwrap();
    }
    let root = assets::url("");
    let mut names = Vec::new();
    for sample in samples::all() {
        let html = sample.html.unwrap().replace(&root, "");
        fs::write(folder.join(sample.name).with_extension("html"), html).unwrap();
        names.push(sample.name);
    }
    names
}
