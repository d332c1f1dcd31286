//! A disk whose flushes take as long as those of a real one: a few lines of C (`slow_disk.c`), built
//! here and preloaded into whoever flushes.

use std::path::Path;

use anyhow::{Context as _, bail};

/// The environment that makes flushes take `ms` longer; empty for 0.
pub(crate) fn env(folder: &Path, ms: u32) -> anyhow::Result<Vec<(String, String)>> {
    if ms == 0 {
        return Ok(Vec::new());
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/load/slow_disk.c");
    let library = folder.join("slow_disk.so");
    let status = std::process::Command::new("cc")
        .args(["-O2", "-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(&source)
        .arg("-ldl")
        .status()
        .context("cc cannot be run")?;
    if !status.success() {
        bail!("slow_disk.c cannot be built: {status}");
    }
    Ok(vec![
        ("LD_PRELOAD".to_owned(), library.display().to_string()),
        ("DISK_MS".to_owned(), ms.to_string()),
    ])
}
