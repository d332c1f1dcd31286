//! The one door from components into pages: `{{ pager|markup }}`.

#![expect(clippy::inline_always, reason = "written by askama's macro")]

use std::borrow::Borrow;

use askama::Values;
use askama::filters::Safe;
use maud::Markup;

/// Writes a component as it is. It accepts only `Markup` or `&Markup`, so a
/// text does not compile here.
#[askama::filter_fn]
pub fn markup(component: impl Borrow<Markup>, _: &dyn Values) -> askama::Result<Safe<String>> {
    Ok(Safe(component.borrow().0.clone()))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    fn files(below: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(below).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                files(&path, found);
            } else {
                found.push(path);
            }
        }
    }

    #[test]
    fn no_other_door_leads_into_a_page() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut found = Vec::new();
        files(&root.join("templates"), &mut found);
        files(&root.join("src/web"), &mut found);
        assert!(found.len() > 30);
        for path in found {
            let text = fs::read_to_string(&path).unwrap();
            if path.extension().is_some_and(|e| e == "html") {
                let tight = text.replace(' ', "");
                assert!(
                    !tight.contains("|safe") && !tight.contains("autoescape"),
                    "{path:?}"
                );
            } else if !path.starts_with(root.join("src/web/ui")) {
                assert!(!text.contains("PreEscaped"), "{path:?}");
            }
        }
    }
}
