//! Everything around an app: its database, its providers, and the time.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use url::Url;

use super::TestDatabase;
use super::queue::test_queue;
use crate::app::{App, Parts};
use crate::config::web::{PublicUrl, Signup};
use crate::crypto::master_key::MasterKey;
use crate::crypto::password::Passwords;
use crate::crypto::token;
use crate::crypto::vault::Vault;
use crate::dns::Dns;
use crate::domain::clock::FixedClock;
use crate::domain::ids::new_v7;
use crate::mail::Mailer;
use crate::sandbox::{Sandbox, SandboxConfig, SandboxHandle};
use crate::store::Store;
use crate::transport::Transports;
use crate::twilio::Twilio;
use crate::zoho::oauth::ZohoOAuth;
use crate::zoho::tokens::AccessTokens;

/// A world of a test's own.
pub(crate) struct World {
    pub(crate) clock: Arc<FixedClock>,
    pub(crate) database: TestDatabase,
    /// With a first data key.
    pub(crate) vault: Vault,
    /// Stands for all providers; without it, nobody may be asked.
    pub(crate) sandbox: Option<SandboxHandle>,
}

impl World {
    /// At some time, without providers.
    pub(crate) async fn at(time: &str) -> Self {
        let start: DateTime<Utc> = time.parse().unwrap();
        Self {
            clock: Arc::new(FixedClock::at(start)),
            database: TestDatabase::migrated().await,
            vault: new_vault(start),
            sandbox: None,
        }
    }

    /// With the sandbox, whose reports so many threads deliver.
    pub(crate) async fn with_sandbox(mut self, workers: usize) -> Self {
        let http = crate::http::client().unwrap();
        let mut config = SandboxConfig::new(self.clock.clone(), http);
        config.workers = workers;
        self.sandbox = Some(Sandbox::start(config).await.unwrap());
        self
    }

    /// Where the sandbox listens.
    pub(crate) fn base(&self) -> Option<Url> {
        let sandbox = self.sandbox.as_ref()?;
        Some(Url::parse(sandbox.base_url()).unwrap())
    }

    /// A process of its own on the database, before it is joined: a test changes what it is about.
    pub(crate) async fn parts(&self) -> Parts {
        self.parts_on(&self.database, &self.vault).await
    }

    /// The same on another database, or with other keys.
    pub(crate) async fn parts_on(&self, database: &TestDatabase, vault: &Vault) -> Parts {
        let http = crate::http::client().unwrap();
        let clock = self.clock.clone();
        let base = self.base();
        let store = Store::open(&database.url()).await.unwrap();
        let twilio = Twilio::new(http.clone(), base.as_ref());
        Parts {
            store: store.with_hasher(vault.address_hasher().unwrap()),
            queue: test_queue(clock.clone()),
            vault: vault.clone(),
            passwords: Passwords::default(),
            transports: Transports::alone(twilio, clock.clone()),
            dns: Dns::system(),
            mailer: Mailer::to_log(),
            zoho_tokens: AccessTokens::new(ZohoOAuth::new(http), clock.clone()),
            is_sandboxed: base.is_some(),
            zoho_sandbox: base,
            public_url: PublicUrl::parse("http://127.0.0.1:8080").unwrap(),
            signup: Signup::Open,
            lease_owner: token::hook(),
            runtime: tokio::runtime::Handle::current(),
            clock,
        }
    }

    /// Another process on the same database, with a memory of its own.
    pub(crate) async fn process(&self) -> App {
        App::new(self.parts().await)
    }
}

/// Keys of a world of their own.
pub(crate) fn new_vault(now: DateTime<Utc>) -> Vault {
    let vault = Vault::new(MasterKey::generate(), &[]).unwrap();
    let key = vault.new_data_key(new_v7(now)).unwrap();
    vault.admit(&key).unwrap();
    vault
}
