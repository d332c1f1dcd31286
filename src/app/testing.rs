//! An app over a fresh database and a sandbox of its own, for the tests of use cases.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use url::Url;

use super::accounts::{Beginning, TenantInput};
use super::{App, Parts};
use crate::config::web::{PublicUrl, Signup};
use crate::crypto::master_key::MasterKey;
use crate::crypto::password::Passwords;
use crate::crypto::token;
use crate::crypto::vault::Vault;
use crate::domain::clock::FixedClock;
use crate::domain::ids::{TenantId, new_v7};
use crate::mail::Mailer;
use crate::queue::test_queue::test_queue;
use crate::sandbox::{Sandbox, SandboxConfig, SandboxHandle};
use crate::store::Store;
use crate::store::test_database::TestDatabase;
use crate::transport::Transports;
use crate::twilio::Twilio;
use crate::zoho::oauth::ZohoOAuth;
use crate::zoho::tokens::AccessTokens;

/// An app with a tenant, its folder and its providers.
pub(super) struct House {
    pub(super) app: App,
    pub(super) clock: Arc<FixedClock>,
    pub(super) sandbox: SandboxHandle,
    pub(super) tenant: TenantId,
    pub(super) database: TestDatabase,
    vault: Vault,
}

impl House {
    pub(super) async fn build() -> Self {
        let start: DateTime<Utc> = "2026-11-22T10:00:00Z".parse().unwrap();
        let clock = Arc::new(FixedClock::at(start));
        let http = crate::http::client().unwrap();
        let sandbox = Sandbox::start(SandboxConfig::new(clock.clone(), http.clone()))
            .await
            .unwrap();
        let base = Url::parse(sandbox.base_url()).unwrap();
        let database = TestDatabase::migrated().await;
        let vault = Vault::new(MasterKey::generate(), &[]).unwrap();
        vault
            .admit(&vault.new_data_key(new_v7(start)).unwrap())
            .unwrap();
        let twilio = Twilio::new(http, Some(&base));
        let app = app(&database, &vault, &clock, &base, twilio).await;
        let created = app
            .create_tenant(TenantInput {
                name: "Zillum".to_owned(),
                owner_email: "owner@example.com".to_owned(),
                password: SecretString::from("a long enough password"),
                country: "US".to_owned(),
                zone: "America/Los_Angeles".to_owned(),
                currency: "USD".to_owned(),
                beginning: Beginning::LiveAtAnyHour,
            })
            .await
            .unwrap();
        Self {
            app,
            clock,
            sandbox,
            tenant: created.id,
            database,
            vault,
        }
    }

    /// Another process on the same database, with a memory of its own.
    pub(super) async fn neighbour(&self) -> App {
        self.process_on(&self.database).await
    }

    /// A process with the same keys on some database.
    pub(super) async fn process_on(&self, database: &TestDatabase) -> App {
        self.process(database, &self.vault).await
    }

    /// A process on some database.
    pub(super) async fn process(&self, database: &TestDatabase, vault: &Vault) -> App {
        let base = self.base();
        let twilio = Twilio::new(crate::http::client().unwrap(), Some(&base));
        app(database, vault, &self.clock, &base, twilio).await
    }

    /// Another process on the same database that reaches Twilio in a way of its own.
    pub(super) async fn neighbour_with(&self, twilio: Twilio) -> App {
        let base = self.base();
        app(&self.database, &self.vault, &self.clock, &base, twilio).await
    }

    fn base(&self) -> Url {
        Url::parse(self.sandbox.base_url()).unwrap()
    }
}

async fn open(database: &TestDatabase, vault: &Vault) -> Store {
    let store = Store::open(&database.url()).await.unwrap();
    store.with_hasher(vault.address_hasher().unwrap())
}

async fn app(
    database: &TestDatabase,
    vault: &Vault,
    clock: &Arc<FixedClock>,
    base: &Url,
    twilio: Twilio,
) -> App {
    let http = crate::http::client().unwrap();
    App::new(Parts {
        store: open(database, vault).await,
        queue: test_queue(clock.clone()),
        vault: vault.clone(),
        passwords: Passwords::default(),
        clock: clock.clone(),
        transports: Transports::alone(twilio, clock.clone()),
        dns: crate::dns::Dns::system(),
        mailer: Mailer::to_log(),
        zoho_tokens: AccessTokens::new(ZohoOAuth::new(http), clock.clone()),
        zoho_sandbox: Some(base.clone()),
        public_url: PublicUrl::parse("http://127.0.0.1:8080").unwrap(),
        signup: Signup::Open,
        is_sandboxed: true,
        lease_owner: token::hook(),
        runtime: tokio::runtime::Handle::current(),
    })
}
