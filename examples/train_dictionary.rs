//! Makes the dictionary that stored bodies are compressed with, from generated documents.
//!
//! ```text
//! cargo run --example train_dictionary -- src/store/dictionary/<next id>.zdict
//! ```
//!
//! It refuses to replace a file: what was written with a dictionary is read with the same bytes or
//! not at all. Give a better one the next id, and keep the old in `store/codec.rs`.

use std::fs::OpenOptions;
use std::io::Write;

use anyhow::{Context, bail};
use chrono::{DateTime, FixedOffset, TimeDelta, Utc};
use ml_connector::domain::document::DocumentKind;
use ml_connector::sandbox::samples::{Generator, Wish, to_body};

/// The tests measure with other seeds.
const SEEDS: std::ops::Range<u64> = 1..201;
/// Measured: 64 KiB compress a little worse, 160 KiB hardly better.
const SIZE_BYTES: usize = 96 * 1024;
const FIRST_DAY: i64 = 1_767_225_600;

fn main() -> anyhow::Result<()> {
    let Some(path) = std::env::args().nth(1) else {
        bail!("say where to: cargo run --example train_dictionary -- <file>");
    };
    let mut samples: Vec<Vec<u8>> = Vec::new();
    for seed in SEEDS {
        let hours = [-8, -5, 0, 1, 5][usize::try_from(seed % 5)?];
        let zone = FixedOffset::east_opt(hours * 3600).context("an offset")?;
        let mut generator = Generator::seeded(seed).in_zone(zone);
        // A different day each time, so that no single date becomes part of the dictionary.
        let first: DateTime<Utc> = DateTime::from_timestamp(FIRST_DAY, 0).context("a day")?;
        let now = first + TimeDelta::hours(i64::try_from(seed)? * 173);
        for &kind in DocumentKind::ALL {
            for indented in [false, true] {
                let document = generator.document(kind, &Wish::default(), now);
                samples.push(to_body(&document, indented));
            }
        }
    }
    let dictionary = zstd::dict::from_samples(&samples, SIZE_BYTES)?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&path)
        .with_context(|| format!("{path} exists already, or cannot be written"))?;
    file.write_all(&dictionary)?;
    let (count, size) = (samples.len(), dictionary.len());
    writeln!(
        std::io::stderr(),
        "Wrote {path}: {size} bytes from {count} documents"
    )?;
    Ok(())
}
