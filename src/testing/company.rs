//! A company on an app of its own, for the tests of use cases.

use std::ops::Deref;

use secrecy::SecretString;

use super::World;
use crate::app::App;
use crate::app::accounts::{Beginning, TenantInput};
use crate::domain::ids::TenantId;
use crate::sandbox::SandboxHandle;

/// A tenant that sends at any hour, without connections; everything around it is its [`World`].
pub(crate) struct TestCompany {
    pub(crate) app: App,
    pub(crate) tenant: TenantId,
    world: World,
}

impl Deref for TestCompany {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

impl TestCompany {
    pub(crate) async fn begin() -> Self {
        let world = World::at("2026-11-22T10:00:00Z").await;
        let world = world.with_sandbox(SANDBOX_WORKERS).await;
        let app = world.process().await;
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
            tenant: created.id,
            world,
        }
    }

    /// The providers that it may connect.
    pub(crate) fn sandbox(&self) -> &SandboxHandle {
        self.world.sandbox.as_ref().unwrap()
    }

    /// From now on no provider answers.
    pub(crate) async fn stop_sandbox(&mut self) {
        self.world.sandbox.take().unwrap().stop().await;
    }
}

const SANDBOX_WORKERS: usize = 2;
