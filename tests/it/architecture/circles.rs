//! Circles of imports: none between folders, and none of more than three files.
//!
//! What a name leads to is followed through re-exports to the file that it stands in. A file may use what
//! stands in the modules above it.

use std::collections::{BTreeMap, BTreeSet};

use super::sources;

/// A module by the names on its way from the root.
type Module = Vec<String>;

/// Who imports whom.
pub(super) struct Imports {
    arrows: BTreeMap<Module, BTreeSet<Module>>,
}

struct File {
    module: Module,
    code: String,
}

/// What a file re-exports: a name, and where it comes from.
type Exports = BTreeMap<Module, BTreeMap<String, Vec<String>>>;

impl Imports {
    pub(super) fn of_sources() -> Self {
        let root = format!("{}/src/", env!("CARGO_MANIFEST_DIR"));
        let files: Vec<File> = sources("src")
            .into_iter()
            .filter_map(|(path, code)| {
                let path = path.to_str()?.strip_prefix(&root)?.strip_suffix(".rs")?;
                let module = path.strip_suffix("/mod").unwrap_or(path);
                (!is_of_tests(module)).then(|| File {
                    module: match module {
                        "lib" | "main" => Module::new(),
                        module => module.split('/').map(str::to_owned).collect(),
                    },
                    code: without_words(&code),
                })
            })
            .collect();
        let modules: BTreeSet<Module> = files.iter().map(|f| f.module.clone()).collect();
        let mut exports = Exports::new();
        let mut uses: Vec<(Module, Vec<String>)> = Vec::new();
        for file in &files {
            let (own, rest) = use_lines(&file.code);
            for (is_public, tree) in own {
                for (path, name) in leaves(&tree, "") {
                    let Some(path) = absolute(&path, &file.module, &modules) else {
                        continue;
                    };
                    if is_public {
                        let name = name.or_else(|| path.last().cloned()).unwrap_or_default();
                        let of_file = exports.entry(file.module.clone()).or_default();
                        of_file.insert(name, path);
                    } else {
                        uses.push((file.module.clone(), path));
                    }
                }
            }
            for path in paths(&rest) {
                uses.extend(
                    absolute(&path, &file.module, &modules).map(|p| (file.module.clone(), p)),
                );
            }
        }
        let mut arrows = BTreeMap::<Module, BTreeSet<Module>>::new();
        for (from, path) in uses {
            let to = home(path, &modules, &exports);
            if !from.starts_with(&to) {
                arrows.entry(from).or_default().insert(to);
            }
        }
        Self { arrows }
    }

    /// Files that import each other, round and round.
    pub(super) fn circles_of_files(&self) -> Vec<BTreeSet<Module>> {
        circles(&self.arrows)
    }

    /// Neighbours in one folder, at least one of them a folder, that import each other.
    pub(super) fn circles_of_folders(&self) -> Vec<BTreeSet<Module>> {
        let mut within = BTreeMap::<Module, BTreeMap<Module, BTreeSet<Module>>>::new();
        for (from, to) in self
            .arrows
            .iter()
            .flat_map(|(f, all)| all.iter().map(move |t| (f, t)))
        {
            let shared = from.iter().zip(to).take_while(|(a, b)| a == b).count();
            if shared < from.len() && shared < to.len() {
                let folder = within.entry(from[..shared].to_vec()).or_default();
                let side = folder.entry(from[..=shared].to_vec()).or_default();
                side.insert(to[..=shared].to_vec());
            }
        }
        let all = within.values().flat_map(circles);
        all.filter(|circle| circle.iter().any(is_folder)).collect()
    }
}

fn is_folder(module: &Module) -> bool {
    let path = format!("{}/src/{}", env!("CARGO_MANIFEST_DIR"), module.join("/"));
    std::path::Path::new(&path).is_dir()
}

/// What only tests are compiled with, though it is not named so.
fn is_of_tests(module: &str) -> bool {
    let name = module.rsplit('/').next().unwrap_or_default();
    let is_server = ["test_server", "test_spec", "sender_test", "absent"].contains(&name);
    is_server || module.starts_with("testing") || module.starts_with("queue/contract")
}

/// The code without comments and what stands in quotes.
fn without_words(code: &str) -> String {
    let mut kept = String::new();
    for line in code.lines() {
        let mut is_quoted = false;
        let mut before = ' ';
        for sign in line.split("//").next().unwrap_or_default().chars() {
            if sign == '"' && before != '\\' && before != '\'' {
                is_quoted = !is_quoted;
            } else if !is_quoted {
                kept.push(sign);
            }
            before = sign;
        }
        kept.push('\n');
    }
    kept
}

/// The trees of all `use` lines, whether they are public, and the code without them.
fn use_lines(code: &str) -> (Vec<(bool, String)>, String) {
    let (mut found, mut rest) = (Vec::new(), String::new());
    let mut lines = code.lines();
    let mut is_for_tests = false;
    while let Some(line) = lines.next() {
        let text = line.trim_start();
        let begin = text
            .strip_prefix("use ")
            .map(|tree| (false, tree))
            .or_else(|| {
                let (seen, tree) = text.strip_prefix("pub")?.split_once("use ")?;
                (seen.trim().is_empty() || seen.starts_with('(')).then_some((true, tree))
            });
        let Some((is_public, first_line)) = begin else {
            is_for_tests = text == "#[cfg(test)]";
            rest.push_str(line);
            rest.push('\n');
            continue;
        };
        let mut tree = first_line.to_owned();
        while !tree.contains(';') {
            tree.push_str(lines.next().unwrap_or(";").trim());
        }
        if !std::mem::take(&mut is_for_tests) {
            let tree = tree.split(';').next().unwrap_or_default();
            found.push((is_public, tree.to_owned()));
        }
    }
    (found, rest)
}

/// The paths of a tree, and what each is called where it is called otherwise.
fn leaves(tree: &str, before: &str) -> Vec<(String, Option<String>)> {
    let tree = tree.trim();
    if let Some((way, inside)) = tree.split_once('{') {
        let before = format!("{before}{way}");
        let inside = inside.strip_suffix('}').unwrap_or(inside);
        let (mut all, mut depth, mut begun) = (Vec::new(), 0, 0);
        for (at, sign) in inside.char_indices().chain([(inside.len(), ',')]) {
            match sign {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    all.extend(leaves(&inside[begun..at], &before));
                    begun = at + 1;
                }
                _ => {}
            }
        }
        return all;
    }
    if tree.is_empty() {
        return Vec::new();
    }
    match tree.split_once(" as ") {
        Some((path, name)) => vec![(format!("{before}{path}"), Some(name.trim().to_owned()))],
        None => vec![(format!("{before}{tree}"), None)],
    }
}

/// Paths that stand in the code itself.
fn paths(code: &str) -> Vec<String> {
    let is_of_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    code.split(|c| !is_of_path(c))
        .filter(|word| word.contains("::"))
        .map(|word| word.trim_matches(':').to_owned())
        .collect()
}

/// The way from the root; none for what is not ours.
fn absolute(path: &str, module: &Module, modules: &BTreeSet<Module>) -> Option<Vec<String>> {
    let mut names = path.split("::").map(|n| n.trim().to_owned()).peekable();
    let mut way = module.clone();
    match names.peek()?.as_str() {
        "crate" => {
            names.next();
            way.clear();
        }
        "super" | "self" => {
            while let Some(up) = names.next_if(|n| n == "super" || n == "self") {
                if up == "super" {
                    way.pop();
                }
            }
        }
        child => {
            let mut below = way.clone();
            below.push(child.to_owned());
            modules.contains(&below).then_some(())?;
        }
    }
    way.extend(names.filter(|n| n != "self"));
    Some(way)
}

/// The file that a path leads to, through what is re-exported on the way.
fn home(mut path: Vec<String>, modules: &BTreeSet<Module>, exports: &Exports) -> Module {
    for _ in 0..20 {
        let known = (0..=path.len())
            .rev()
            .find(|n| modules.contains(&path[..*n]));
        let (module, rest) = path.split_at(known.unwrap_or_default());
        let of_module = exports.get(module);
        let through = rest.first().and_then(|name| of_module?.get(name));
        let Some(through) = through else {
            return module.to_vec();
        };
        let next: Vec<_> = through.iter().chain(&rest[1..]).cloned().collect();
        if next == path {
            return module.to_vec();
        }
        path = next;
    }
    path
}

/// Of all that lead to each other: each as one set.
fn circles(arrows: &BTreeMap<Module, BTreeSet<Module>>) -> Vec<BTreeSet<Module>> {
    let reached: BTreeMap<&Module, BTreeSet<&Module>> = arrows
        .keys()
        .map(|from| (from, reached_from(from, arrows)))
        .collect();
    let mut found = BTreeSet::new();
    for (from, far) in &reached {
        let back = far
            .iter()
            .filter(|to| reached.get(**to).is_some_and(|r| r.contains(from)));
        let circle: BTreeSet<Module> = back.map(|to| (*to).clone()).collect();
        if circle.len() > 1 {
            found.insert(circle);
        }
    }
    found.into_iter().collect()
}

fn reached_from<'a>(
    from: &Module,
    arrows: &'a BTreeMap<Module, BTreeSet<Module>>,
) -> BTreeSet<&'a Module> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<&Module> = arrows.get(from).into_iter().flatten().collect();
    while let Some(next) = open.pop() {
        if reached.insert(next) {
            open.extend(arrows.get(next).into_iter().flatten());
        }
    }
    reached
}
