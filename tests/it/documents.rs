//! What the documents say is so: each path exists, each command runs, each reason is explained.

mod commands;
mod reasons;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::TestApp;

/// Everything that people read, the first page first.
fn documents() -> Vec<(PathBuf, String)> {
    let mut paths: Vec<PathBuf> = [
        "README.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "migrations/README.md",
    ]
    .map(PathBuf::from)
    .to_vec();
    let mut docs: Vec<PathBuf> = fs::read_dir(root().join("docs"))
        .unwrap()
        .map(|entry| Path::new("docs").join(entry.unwrap().file_name()))
        .filter(|path| path.extension().is_some_and(|e| e == "md"))
        .collect();
    docs.sort();
    paths.append(&mut docs);
    let texts = paths.into_iter().map(|path| {
        let text = fs::read_to_string(root().join(&path)).unwrap();
        (path, text)
    });
    texts.collect()
}

fn document(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The texts between a beginning and an end.
fn between<'a>(text: &'a str, begins: &'a str, ends: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(begins)
        .skip(1)
        .filter_map(move |rest| rest.split_once(ends).map(|(inside, _)| inside))
}

/// Prose without its blocks of code.
fn prose(text: &str) -> String {
    text.split("```").step_by(2).collect()
}

/// The codes in a line: what stands between two backticks.
fn codes(text: &str) -> Vec<String> {
    let prose = prose(text);
    let codes = prose.split('`').skip(1).step_by(2);
    codes
        .map(|code| code.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

/// What a heading is called in an address.
fn anchor(heading: &str) -> String {
    let kept = heading
        .trim()
        .chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| {
        if c == ' ' {
            '-'
        } else {
            c.to_ascii_lowercase()
        }
    })
    .collect()
}

#[test]
fn every_link_leads_somewhere() {
    for (path, text) in documents() {
        let prose = prose(&text);
        for link in between(&prose, "](", ")") {
            if link.starts_with("http") {
                continue;
            }
            let (file, part) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => root().join(&path),
                file => root().join(&path).parent().unwrap().join(file),
            };
            assert!(target.exists(), "{}: {link} leads nowhere", path.display());
            if !part.is_empty() {
                let text = fs::read_to_string(&target).unwrap();
                let mut headings = text.lines().filter(|l| l.starts_with('#'));
                let found = headings.any(|l| anchor(l.trim_start_matches('#')) == part);
                assert!(found, "{}: {link} has no such heading", path.display());
            }
        }
    }
}

/// Whether a path with `<…>` in place of a name stands for something.
fn stands_for_something(path: &str) -> bool {
    let mut found = vec![root().to_owned()];
    for part in path.split('/').filter(|part| !part.is_empty()) {
        let fits = |name: &str| match part.split_once('<') {
            None => name == part,
            Some((before, rest)) => {
                let (_, after) = rest.split_once('>').unwrap();
                name.starts_with(before) && name.ends_with(after)
            }
        };
        let inside = found
            .iter()
            .filter_map(|folder| fs::read_dir(folder).ok())
            .flatten();
        let names = inside.map(|entry| entry.unwrap().path());
        found = names
            .filter(|path| {
                path.file_name()
                    .is_some_and(|name| fits(&name.to_string_lossy()))
            })
            .collect();
    }
    !found.is_empty()
}

#[test]
fn every_file_that_is_named_exists() {
    const FOLDERS: [&str; 9] = [
        "src/",
        "tests/",
        "docs/",
        "templates/",
        "static/",
        "migrations/",
        "benches/",
        "examples/",
        ".ci/",
    ];
    let mut named = BTreeSet::new();
    for (path, text) in documents() {
        let in_blocks = text
            .split("```text")
            .skip(1)
            .filter_map(|rest| rest.split("```").next());
        let in_blocks: Vec<String> = in_blocks
            .flat_map(str::split_whitespace)
            .map(|word| word.trim_matches(&[',', ';', ':'][..]).to_owned())
            .collect();
        for code in codes(&text).into_iter().chain(in_blocks) {
            let is_path = FOLDERS.iter().any(|folder| code.starts_with(folder));
            let is_source = Path::new(&code).extension().is_some_and(|e| e == "rs");
            // The queue's own words, such as `src/…`, name nothing.
            if code.contains(['…', ' ', '*', '{']) || !(is_path || is_source) {
                continue;
            }
            let inside_src = format!("src/{code}");
            let beside = format!("migrations/{code}");
            let exists = [code.as_str(), &inside_src, &beside]
                .into_iter()
                .any(stands_for_something);
            assert!(
                exists,
                "{} names {code}, which does not exist",
                path.display()
            );
            named.insert(code);
        }
    }
    assert!(named.len() > 30, "paths are not found any more: {named:?}");
}

#[test]
fn the_first_page_is_one_screen_and_its_pictures_are_small() {
    let lines = document("README.md").lines().count();
    assert!(lines <= 70, "README.md has {lines} lines");
    for entry in fs::read_dir(root().join("docs/images")).unwrap() {
        let entry = entry.unwrap();
        let size = entry.metadata().unwrap().len();
        assert!(size < 150_000, "{:?} has {size} bytes", entry.path());
        let name = entry.file_name().into_string().unwrap();
        let is_shown = documents()
            .iter()
            .any(|(_, text)| text.contains(&format!("images/{name})")));
        assert!(is_shown, "{name} is shown nowhere");
    }
}

/// Words that a reader of today stumbles over, and what is said instead.
const ODD: [(&str, &str); 12] = [
    ("in vain", "without success"),
    ("for ever", "permanently"),
    ("dear", "expensive"),
    ("knock", "attempt"),
    ("seat", "request"),
    ("closing slash", "trailing slash"),
    ("way out", "opt-out line"),
    ("way to the server", "round trip"),
    ("letter", "e-mail"),
    ("letters", "e-mails"),
    ("settle", "decide, record"),
    ("settled", "decided, recorded"),
];

#[test]
fn the_documents_speak_plainly() {
    let mut odd = Vec::new();
    for (path, text) in documents() {
        // Codes are the program's own words.
        let prose: String = prose(&text).split('`').step_by(2).collect();
        let words: Vec<String> = prose
            .split(|c: char| !c.is_alphanumeric() && c != '\'')
            .filter(|word| !word.is_empty())
            .map(str::to_lowercase)
            .collect();
        let plain = format!(" {} ", words.join(" "));
        for (word, instead) in ODD {
            if plain.contains(&format!(" {word} ")) {
                odd.push(format!("{}: {word} ({instead})", path.display()));
            }
        }
    }
    assert!(odd.is_empty(), "{odd:#?}");
}

#[tokio::test]
async fn the_filters_that_the_api_page_names_are_those_that_are_taken() {
    let app = TestApp::spawn().await;
    let asked = app
        .http
        .get(app.url("/api/openapi.json"))
        .send()
        .await
        .unwrap();
    let described: serde_json::Value = asked.json().await.unwrap();
    let page = document("docs/api.md");
    let mut checked = 0;
    for row in page.lines().filter(|line| line.starts_with("| `GET /")) {
        let Some((requests, says)) = row.trim_matches('|').split_once('|') else {
            continue;
        };
        let Some((_, filters)) = says.split_once("filter") else {
            continue;
        };
        let path = requests
            .split('`')
            .nth(1)
            .unwrap()
            .trim_start_matches("GET ");
        let known = &described["paths"][format!("/api/v1{path}")]["get"]["parameters"];
        let known: Vec<&str> = known
            .as_array()
            .unwrap_or_else(|| panic!("{path} is not described"))
            .iter()
            .map(|parameter| parameter["name"].as_str().unwrap())
            .collect();
        let filters = filters.split(';').next().unwrap();
        for filter in filters.split('`').skip(1).step_by(2) {
            assert!(
                known.contains(&filter),
                "{path} has no filter {filter}: {known:?}"
            );
            checked += 1;
        }
    }
    assert!(checked >= 6, "{checked}");
}
