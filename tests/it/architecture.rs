//! The floors of the house: imports point down only, and each library stays in its room.

mod circles;

use std::fs;
use std::path::{Path, PathBuf};

fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    files(folder, "rs")
}

/// The files of a kind below a folder, without their tests.
fn files(folder: &str, kind: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == kind) && !is_test(&path) {
                let text = fs::read_to_string(&path).unwrap();
                let code = before_tests(&text).to_owned();
                found.push((path, code));
            }
        }
    }
    assert!(!found.is_empty(), "{folder} has no sources");
    found
}

/// What stands before the tests of a file; a line that only names a file of tests ends nothing.
fn before_tests(text: &str) -> &str {
    const TESTS: &str = "#[cfg(test)]\nmod ";
    let mut begins = text.match_indices(TESTS).filter(|(at, _)| {
        let line = text[at + TESTS.len()..].lines().next();
        line.is_some_and(|line| line.ends_with('{'))
    });
    begins.next().map_or(text, |(at, _)| &text[..at])
}

/// Test modules may reach wherever they like.
fn is_test(path: &Path) -> bool {
    path.file_stem()
        .is_some_and(|s| s.to_string_lossy().ends_with("tests"))
        || path.components().any(|c| c.as_os_str() == "tests")
}

/// Fails when a source under `folder` mentions one of `words` in a line of code.
fn never(folder: &str, words: &[&str], but: &[&str]) {
    for (path, code) in sources(folder) {
        let shown = path.display().to_string();
        if but.iter().any(|b| shown.contains(b)) {
            continue;
        }
        for line in code.lines().filter(|l| !l.trim_start().starts_with("//")) {
            for word in words {
                assert!(!line.contains(word), "{shown} mentions {word}: {line}");
            }
        }
    }
}

const UPPER: [&str; 4] = [
    "crate::app",
    "crate::web",
    "crate::worker",
    "crate::startup",
];

#[test]
fn the_domain_knows_no_floor_above_it() {
    let adapters = [
        "crate::store",
        "crate::queue",
        "crate::zoho",
        "crate::twilio",
        "crate::crypto",
        "crate::brakes",
        "crate::render",
        "crate::http",
        "crate::sandbox",
        "crate::config",
    ];
    never("src/domain", &[&UPPER[..], &adapters[..]].concat(), &[]);
    never(
        "src/domain",
        &["sea_orm", "reqwest", "actix_web", "tokio::"],
        &[],
    );
}

#[test]
fn adapters_are_strangers_to_each_other() {
    let rooms = [
        "store", "queue", "zoho", "twilio", "crypto", "brakes", "render",
    ];
    for room in rooms {
        let folder = format!("src/{room}");
        let others: Vec<String> = rooms
            .iter()
            .filter(|r| **r != room)
            .map(|r| format!("crate::{r}"))
            .collect();
        let others: Vec<&str> = others.iter().map(String::as_str).collect();
        // The hidden door: a test server in `zoho` is for tests only.
        never(
            &folder,
            &[&UPPER[..], &others[..]].concat(),
            &["test_server", "contract"],
        );
    }
}

#[test]
fn the_app_knows_no_door() {
    never(
        "src/app",
        &["crate::web", "crate::worker", "crate::startup", "actix_web"],
        &[],
    );
}

/// Where a provider of messages may be named: at home, where it is joined and stood in for, at its addresses,
/// and on the pages of its connection.
const MAY_NAME_A_PROVIDER: [&str; 20] = [
    "src/twilio/",
    "src/sandbox/",
    "src/config/",
    "src/cli/",
    "src/startup.rs",
    "src/lib.rs",
    "src/testing/",
    "src/web/hooks/mod.rs",
    "src/web/hooks/twilio.rs",
    "src/web/api/mod.rs",
    "src/web/api/openapi.rs",
    "src/web/api/connections.rs",
    "src/web/api/wire/connections.rs",
    "src/web/areas/routes.rs",
    "src/web/areas/flash.rs",
    "src/web/areas/connections/",
    "src/web/samples/",
    "src/web/providers.rs",
    "templates/pages/connections/",
    // What strangers read of the service.
    "templates/public.html",
];

/// A second way to send is an adapter, its door and its pages; nothing else says whose messages they are.
#[test]
fn a_provider_of_messages_is_named_in_few_places() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let kinds = [
        ("src", "rs"),
        ("src", "lua"),
        ("templates", "html"),
        ("migrations", "sql"),
    ];
    let mut named = Vec::new();
    for (path, text) in kinds
        .into_iter()
        .flat_map(|(folder, kind)| files(folder, kind))
    {
        let shown = path.strip_prefix(root).unwrap().display().to_string();
        let place = MAY_NAME_A_PROVIDER.iter().find(|p| shown.starts_with(**p));
        let code = text.lines().filter(|l| !l.trim_start().starts_with("//"));
        for line in code.filter(|l| l.to_lowercase().contains("twilio")) {
            assert!(place.is_some(), "{shown} names a provider: {line}");
            named.extend(place);
        }
    }
    for place in MAY_NAME_A_PROVIDER {
        assert!(named.contains(&&place), "{place} names none any more");
    }
}

#[test]
fn each_library_stays_in_its_room() {
    let store = ["/store/", "/migrations/", "/testing/"];
    never("src", &["sea_orm::", "sea_query::", "sqlx::"], &store);
    let outgoing = ["/zoho/", "/twilio/", "/sandbox/", "/src/http.rs", "/cli/"];
    never("src", &["reqwest::"], &outgoing);
    never("src", &["PreEscaped"], &["/web/ui/"]);
}

/// Whatever else talks to the database asks a handle that knows whose rows it may touch.
#[test]
fn statements_go_through_the_handles_of_the_store() {
    never(
        "src/store",
        &["ConnectionTrait", "Statement::"],
        &["/store/engine/db", "/store/engine/partitions.rs"],
    );
}

#[test]
fn only_the_configuration_reads_the_environment() {
    never("src", &["std::env::var", "env::var("], &["/config/"]);
}

/// The commands are the highest floor: what joins the parts is asked by them.
#[test]
fn startup_knows_no_command() {
    never("src/startup", &["crate::cli"], &[]);
    let joinery = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/startup.rs"));
    assert!(!joinery.unwrap().contains("crate::cli"));
}

/// Pages and the API show what the app answers.
#[test]
fn the_web_knows_no_adapter_below_the_app() {
    never(
        "src/web",
        &[
            "crate::store",
            "crate::queue",
            "crate::zoho",
            "crate::twilio",
            "crate::sandbox",
            "crate::brakes",
            "crate::worker",
            "crate::startup",
        ],
        // Made-up contents of pages, and what compares a name here with the adapter's own.
        &["/web/samples/", "/web/providers.rs"],
    );
}

#[test]
fn folders_import_each_other_in_no_circle() {
    let mut found = circles::Imports::of_sources().circles_of_folders();
    // Pages still share their errors, cookies and words across the rooms of `web`.
    found.retain(|circle| circle.iter().any(|module| module[0] != "web"));
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn at_most_three_files_import_each_other_in_a_circle() {
    let mut found = circles::Imports::of_sources().circles_of_files();
    found.retain(|circle| circle.len() > 3);
    assert!(found.is_empty(), "{found:#?}");
}
