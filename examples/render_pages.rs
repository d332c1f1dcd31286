//! Writes every sample page and the static files to a folder, to be opened in a browser:
//! `cargo run --example render_pages -- /tmp/pages`.

use std::path::PathBuf;
use std::{env, fs};

use anyhow::Context;
use ml_connector::web::assets;
use ml_connector::web::pages::samples;

fn main() -> anyhow::Result<()> {
    let folder = env::args().nth(1).context("name the folder to write to")?;
    let folder = PathBuf::from(folder);
    fs::create_dir_all(&folder)?;
    for name in ["app.css", "ui.css", "app.js", "favicon.svg"] {
        let (_, bytes) = assets::find(name).context("a static file is missing")?;
        fs::write(folder.join(name), bytes)?;
    }
    let root = assets::url("");
    for sample in samples::all() {
        let html = sample
            .html
            .with_context(|| format!("{} does not render", sample.name))?;
        fs::write(
            folder.join(sample.name).with_extension("html"),
            html.replace(&root, ""),
        )?;
    }
    Ok(())
}
