//! Deleting a tenant: gone at once for everybody, then row by row, so that nobody else waits.

pub use crate::store::{COUNTED_TO, Holdings};

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use secrecy::SecretString;
use tokio::time::timeout;

use super::mail::{Mail, MailContent};
use super::{App, AppError, FieldProblem, job};
use crate::domain::actor::Actor;
use crate::domain::ids::TenantId;
use crate::domain::user::Role;
use crate::mail::untrusted::{self, NAME_LENGTH};
use crate::store::{Deleting, FingerprintCursor, User};

/// How many transactions one round has for one tenant, before others have their turn.
const CHUNKS: usize = 50;

/// How long Zoho may take to forget our access; the deletion does not depend on it.
const ZOHO_PATIENCE: Duration = Duration::from_secs(5);

/// How far the walk over the fingerprints has come, for each tenant that is being removed. A process that
/// starts anew walks once more, which changes nothing.
#[derive(Default)]
pub(super) struct Walks(Mutex<HashMap<TenantId, Walk>>);

#[derive(Clone, Default)]
struct Walk {
    fingerprints: FingerprintCursor,
    is_walked: bool,
}

impl Walks {
    fn get(&self, tenant: TenantId) -> Walk {
        let walks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        walks.get(&tenant).cloned().unwrap_or_default()
    }

    fn set(&self, tenant: TenantId, walk: Option<Walk>) {
        let mut walks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match walk {
            Some(walk) => drop(walks.insert(tenant, walk)),
            None => drop(walks.remove(&tenant)),
        }
    }
}

impl App {
    /// What would go with a tenant.
    pub async fn holdings(&self, tenant: TenantId) -> Result<Holdings, AppError> {
        Ok(self.tenant(tenant).holdings().await?)
    }

    /// Deletes a tenant at an owner's word, who types its name and their own password. From here on it
    /// has no pages, hooks, tokens or members; a message that is on its way arrives, and no other goes.
    pub async fn delete_tenant(
        &self,
        tenant: TenantId,
        typed_name: &str,
        user: &User,
        password: SecretString,
        actor: &Actor,
    ) -> Result<(), AppError> {
        let store = self.tenant(tenant);
        let row = store.tenant().await?.ok_or(AppError::NotFound("tenant"))?;
        let mut problems = Vec::new();
        if typed_name.trim() != row.name.trim() {
            let message = "this is not the company's name; type it as it stands here";
            problems.push(FieldProblem::new("name", message));
        }
        let hash = Some(user.password_hash.clone());
        if !self.parts.passwords.verify(password, hash).await? {
            problems.push(FieldProblem::new("password", "this is not your password"));
        }
        if !problems.is_empty() {
            return Err(AppError::Invalid(problems));
        }
        let mut farewells = Vec::new();
        for owner in store.team().await? {
            if owner.role == Role::Owner && self.can_mail() {
                farewells.push(self.sealed(Mail {
                    tenant: None,
                    to: owner.email,
                    kind: "tenant_deleted",
                    once: format!("tenant_deleted:{tenant}:{}", owner.user),
                    content: farewell(&row.name, actor),
                })?);
            }
        }
        let books = self.books_to_give_back(tenant).await;
        let now = self.now();
        let mails = farewells
            .iter()
            .map(|mail| job::send_mail(mail.tenant, mail.id, now));
        let mails = mails.collect();
        let begun = store.begin_deletion(farewells, actor.clone(), now).await?;
        if !begun {
            return Err(AppError::NotFound("tenant"));
        }
        self.forget_hooks();
        self.wake(mails).await;
        tracing::info!(tenant.id = %tenant, "{tenant} was deleted; its rows are removed now");
        if let Some(books) = books
            && timeout(ZOHO_PATIENCE, self.give_back_books(&books))
                .await
                .is_err()
        {
            tracing::warn!(tenant.id = %tenant, "Zoho has not confirmed that our access is gone");
        }
        Ok(())
    }

    /// Removes some of what deleted tenants had; whether there is more to do at once.
    pub async fn sweep_deleted(&self) -> Result<bool, AppError> {
        let mut has_more = false;
        for of in self.store().platform().deleting().await? {
            has_more |= self.sweep_one(of).await?;
        }
        Ok(has_more)
    }

    async fn sweep_one(&self, of: Deleting) -> Result<bool, AppError> {
        let (store, id) = (self.tenant(of.tenant), of.tenant);
        if !of.is_quiet(self.now()) {
            return Ok(false);
        }
        if store.deletion_waits(self.now()).await? {
            tracing::info!(tenant.id = %id, "{id} waits for a message that is on its way");
            return Ok(false);
        }
        let mut walk = self.caches.deletions.get(id);
        let mut rows = 0;
        for _ in 0..CHUNKS {
            if !walk.is_walked {
                let (removed, has_more) = store.delete_fingerprints(&mut walk.fingerprints).await?;
                rows += removed;
                walk.is_walked = !has_more;
                continue;
            }
            let removed = store.delete_some().await?;
            rows += removed;
            if removed > 0 {
                continue;
            }
            if rows > 0 {
                tracing::info!(tenant.id = %id, "{id}: removed {rows} rows; no more are there");
            }
            if !of.is_settled(self.now()) {
                self.caches.deletions.set(id, Some(walk));
                return Ok(false);
            }
            self.caches.deletions.set(id, None);
            let is_gone = store.end_deletion().await?;
            if is_gone {
                tracing::info!(tenant.id = %id, "{id} is gone with all that it had");
            }
            return Ok(!is_gone);
        }
        tracing::info!(tenant.id = %id, "{id}: removed {rows} rows; more are there");
        self.caches.deletions.set(id, Some(walk));
        Ok(true)
    }
}

fn farewell(company: &str, actor: &Actor) -> MailContent {
    let company = untrusted::quoted(company, NAME_LENGTH);
    let actor = untrusted::quoted(&actor.name, NAME_LENGTH);
    MailContent {
        subject: format!("A company of yours was deleted: {company}"),
        text: format!(
            "The company {company} in ml-connector was deleted by {actor}.\n\n\
             Nobody can open it any more, its webhooks are refused and nothing more is sent. Its \
             history, rules, credentials and team are being removed and cannot be brought back.\n\n\
             In Zoho Books, delete the webhooks and workflow rules that lead here; they are refused \
             from now on. You get this because you were an owner.\n"
        ),
    }
}
