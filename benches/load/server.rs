//! The service as `serve` starts it, but without workers also on a file, and if wanted without keeping
//! what it acknowledges: what storing costs is the difference between the two.

use std::sync::Arc;

use ml_connector::config::Config;
use ml_connector::config::database::DatabaseUrl;
use ml_connector::domain::clock::SystemClock;
use ml_connector::lifecycle;
use ml_connector::startup::{self, Jobs, Options};
use ml_connector::store::Store;
use secrecy::ExposeSecret as _;

use crate::args::{Args, Storage};

pub(crate) async fn run(args: &Args) -> anyhow::Result<()> {
    let config = Config::from_env()?;
    ml_connector::telemetry::init_logs(&config.log)?;
    let clock = Arc::new(SystemClock);
    let store = match args.storage {
        Storage::Kept => None,
        Storage::Bare => {
            startup::migrate(&config, clock.clone()).await?;
            let address = match &config.database.url {
                DatabaseUrl::Sqlite(file) => format!("sqlite://{}", file.display()),
                DatabaseUrl::Postgres(url) => url.expose_secret().to_owned(),
            };
            Some(Store::open(&address).await?.bare())
        }
    };
    let options = Options {
        jobs: Jobs::ByHand,
        store,
        ..Options::default()
    };
    let running = startup::serve(&config, clock, options).await?;
    running
        .life
        .until_signal(lifecycle::signals()?, config.grace())
        .await;
    Ok(())
}
