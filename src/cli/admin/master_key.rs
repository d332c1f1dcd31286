//! A new master key for everything that is sealed.

use std::fmt::Write as _;

use clap::Args;

use super::line;
use crate::advised::Advised;
use crate::app::App;
use crate::app::rotation::{Progress, RotationError};
use crate::crypto::master_key::MasterKeyError;

/// Change the master key while the service runs, and seal every secret anew.
///
/// Where the key is in a file, the new one is made and put there. With `MASTER_KEY`, set it to
/// `new,old` for every process first, and restart them.
#[derive(Debug, Args)]
pub struct RotateKeyArgs {
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

pub(super) async fn rotate_key(app: &App, args: RotateKeyArgs) -> anyhow::Result<String> {
    let done = app.rotate_key(log).await.map_err(|error| match error {
        RotationError::OneKey { .. } => anyhow::Error::from(Advised::new(
            error.to_string(),
            "make a key with `openssl rand -base64 32`, set MASTER_KEY to it, a comma and the old \
             key for every process, restart them, and run this again",
        )),
        RotationError::MasterKey(error @ MasterKeyError::Unwritable { .. }) => Advised::new(
            "the file of the master key cannot be changed",
            "run this as the user to whom the file belongs and one at a time; or put a new key \
             (`openssl rand -base64 32`) on a line above the old one yourself, restart every \
             process, and run this again",
        )
        .because(error)
        .into(),
        error => error.into(),
    })?;
    Ok(if args.json {
        line(&serde_json::json!({
            "master_key": done.master, "resealed": done.resealed,
            "unopened": done.unopened, "old_key_stays": done.old_stays,
        }))
    } else {
        let mut text = format!(
            "Master key {} is in use; {} values were sealed anew.\n",
            done.master, done.resealed
        );
        if done.unopened > 0 {
            let _ = writeln!(
                text,
                "{} values did not open, before or now, and were left as they were; the lines above \
                 name them.",
                done.unopened
            );
        }
        text += if done.old_stays {
            "Take the old key away now: leave only the first one where the keys are kept, for every \
             process.\n"
        } else {
            "The old key was removed from the file. Keep a copy of the new one apart from the \
             database's backups; backups made until now still need the old one.\n"
        };
        text
    })
}

/// Progress, for whoever watches.
fn log(progress: Progress) {
    match progress {
        Progress::MasterKey(name) => tracing::info!("Changing to master key {name}"),
        Progress::Rewrapped(count) => tracing::info!("Wrapped {count} data keys anew"),
        Progress::Waiting(span) => tracing::info!(
            "Waiting {} seconds until every process has the new data key",
            span.as_secs()
        ),
        Progress::Resealed(table, count) => {
            tracing::info!("Sealed {count} values of {table} anew");
        }
    }
}
