//! `check`: what is wrong with the set-up, and how to mend it.

use clap::Args;

/// Say what is wrong with the set-up and how to mend it.
///
/// Reads only; may run beside `serve`. Exits with 1 when something is wrong.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Print the findings as JSON
    #[arg(long)]
    pub json: bool,
}
