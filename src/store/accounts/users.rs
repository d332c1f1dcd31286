//! People who sign in, whatever tenants they belong to.

use chrono::{DateTime, Utc};
use serde_json::json;

use crate::domain::actor::Actor;
use crate::domain::ids::{TenantId, UserId};
use crate::store::audit::{AuditLine, audit};
use crate::store::engine::db::UnscopedDb;
use crate::store::engine::sql::{self, Row, micros, values};
use crate::store::engine::writer::work;
use crate::store::{Platform, StoreError};

/// A person who signs in.
#[derive(Debug, Clone)]
pub struct User {
    pub id: UserId,
    pub email: String,
    pub name: String,
    /// PHC string of argon2id.
    pub password_hash: String,
    pub is_operator: bool,
    /// Their own number in E.164 form, once they have shown that it is theirs.
    pub phone: Option<String>,
}

/// A new password for somebody.
#[derive(Debug, Clone)]
pub struct NewHash {
    pub user: UserId,
    /// PHC string of argon2id.
    pub password_hash: String,
    /// The session (SHA-256 of its token) that does not end with it.
    pub keep: Option<[u8; 32]>,
    /// The token (its SHA-256) that allows it and is spent.
    pub spends: Option<[u8; 32]>,
    /// Whether the second factor goes too, for whoever lost it.
    pub without_second_factor: bool,
    /// What the security logs call it.
    pub action: &'static str,
}

impl Platform {
    /// Whether nobody can sign in yet.
    pub async fn is_empty(&self) -> Result<bool, StoreError> {
        Ok(self
            .db()
            .one("SELECT id FROM users LIMIT 1", vec![])
            .await?
            .is_none())
    }

    /// The user with this (lower-cased) address.
    pub async fn user_by_email(&self, email: &str) -> Result<Option<User>, StoreError> {
        let query = "SELECT * FROM users WHERE email = $1";
        self.db()
            .one(query, values![email])
            .await?
            .map(|r| user(&r))
            .transpose()
    }

    /// The user behind an id.
    pub async fn user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        let query = "SELECT * FROM users WHERE id = $1";
        self.db()
            .one(query, values![id.uuid()])
            .await?
            .map(|r| user(&r))
            .transpose()
    }

    /// Makes a user; an address that exists is refused.
    pub async fn create_user(&self, user: User, now: DateTime<Utc>) -> Result<(), StoreError> {
        let done = self.writer().edit(work!([user], async |tx| {
            insert_user(tx, &user, now).await
        }));
        if done.await? {
            Ok(())
        } else {
            Err(StoreError::Taken("the e-mail address"))
        }
    }

    /// Makes the first user; `false` when there is one already.
    pub async fn create_first_user(
        &self,
        user: User,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let done = self.writer().edit(work!([user], async |tx| {
            if sql::is_postgres(tx) {
                // Two set-ups at once would both find nobody.
                let lock = "LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE";
                tx.exec(lock, vec![]).await?;
            }
            let any = "SELECT id FROM users LIMIT 1";
            if tx.one(any, vec![]).await?.is_some() {
                return Ok(false);
            }
            insert_user(tx, &user, now).await
        }));
        done.await
    }

    /// Replaces a hash by one of the same password, made with today's parameters; unless the password
    /// was changed meanwhile.
    pub async fn rehash(&self, user: UserId, old: String, new: String) -> Result<(), StoreError> {
        let done = self.writer().edit(work!([old, new], async |tx| {
            let set = "UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash = $2";
            tx.exec(set, values![user.uuid(), old, new]).await.map(drop)
        }));
        done.await
    }

    /// Gives somebody another name; the log of every company they are in has it.
    pub async fn rename_user(
        &self,
        id: UserId,
        name: String,
        actor: Actor,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let done = self.writer().edit(work!([name, actor], async |tx| {
            let Some(old) = locked(tx, id).await? else {
                return Ok(());
            };
            if old.name == name {
                return Ok(());
            }
            let set = "UPDATE users SET name = $2 WHERE id = $1";
            tx.exec(set, values![id.uuid(), name.clone()]).await?;
            let detail = json!({ "old": old.name, "new": name });
            audit_in_companies(tx, id, ("account.renamed", detail), &actor, now).await
        }));
        done.await
    }

    /// Replaces a password: the other sessions and every link that was mailed end with it. `false`
    /// when the token that allows it is spent.
    pub async fn change_password(
        &self,
        new: NewHash,
        actor: Actor,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let done = self.writer().edit(work!([new, actor], async |tx| {
            let user = new.user.uuid();
            if let Some(token) = new.spends {
                let end = "DELETE FROM user_tokens \
                                 WHERE token_hash = $1 AND user_id = $2 AND expires_at > $3";
                let named = values![token.to_vec(), user, micros(now)];
                if tx.exec(end, named).await? == 0 {
                    return Ok(false);
                }
            }
            let set = "UPDATE users SET password_hash = $2 WHERE id = $1";
            tx.exec(set, values![user, new.password_hash]).await?;
            let links = "DELETE FROM user_tokens WHERE user_id = $1 \
                         AND purpose IN ('reset', 'email', 'second_step')";
            tx.exec(links, values![user]).await?;
            let keep = new.keep.map_or_else(Vec::new, |k| k.to_vec());
            let others = "DELETE FROM sessions WHERE user_id = $1 AND token_hash <> $2";
            tx.exec(others, values![user, keep]).await?;
            let mut detail = json!({});
            if new.without_second_factor {
                super::second_factors::remove(tx, new.user).await?;
                detail = json!({ "second_factor": "removed" });
            }
            audit_in_companies(tx, new.user, (new.action, detail), &actor, now).await?;
            Ok(true)
        }));
        done.await
    }

    /// Lets somebody sign in with another address from now on. `false` when the token is spent;
    /// an address that is somebody's is refused.
    pub async fn change_email(
        &self,
        id: UserId,
        email: String,
        spends: [u8; 32],
        actor: Actor,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let done = self.writer().edit(work!([email, actor], async |tx| {
            let end = "DELETE FROM user_tokens \
                             WHERE token_hash = $1 AND user_id = $2 AND expires_at > $3";
            let named = values![spends.to_vec(), id.uuid(), micros(now)];
            if tx.exec(end, named).await? == 0 {
                return Ok(false);
            }
            let Some(old) = locked(tx, id).await? else {
                return Ok(false);
            };
            // A link to the old address must not change the password of the new one.
            let links = "DELETE FROM user_tokens WHERE user_id = $1 \
                         AND purpose IN ('reset', 'email', 'second_step')";
            tx.exec(links, values![id.uuid()]).await?;
            let set = "UPDATE users SET email = $2 WHERE id = $1 \
                       AND NOT EXISTS (SELECT 1 FROM users WHERE email = $2)";
            if tx.exec(set, values![id.uuid(), email.clone()]).await? == 0 {
                return Err(StoreError::Taken("the e-mail address"));
            }
            let detail = json!({ "old": old.email, "new": email });
            audit_in_companies(tx, id, ("account.email_changed", detail), &actor, now).await?;
            Ok(true)
        }));
        done.await
    }

    /// Appends an entry about somebody to the security log of every company they are in.
    pub async fn audit_in_companies(
        &self,
        id: UserId,
        action: &'static str,
        detail: serde_json::Value,
        actor: Actor,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let done = self.writer().edit(work!([detail, actor], async |tx| {
            audit_in_companies(tx, id, (action, detail), &actor, now).await
        }));
        done.await
    }
}

/// What somebody did about their own account is part of the history of each of their companies.
pub(in crate::store) async fn audit_in_companies(
    tx: UnscopedDb<'_>,
    user: UserId,
    (action, detail): (&'static str, serde_json::Value),
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let query = "SELECT m.tenant_id, u.email FROM members m JOIN users u ON u.id = m.user_id \
                 WHERE m.user_id = $1";
    for row in tx.all(query, values![user.uuid()]).await? {
        // Whose account it was, where that is somebody else than who did it.
        let email: String = row.get("email")?;
        let subject = if email == actor.name {
            String::new()
        } else {
            email
        };
        let line = AuditLine::new(actor.clone(), action, subject, &detail);
        let tenant = TenantId::from_uuid(row.get("tenant_id")?);
        audit(tx.of(tenant), line, now).await?;
    }
    Ok(())
}

/// The row, kept from changing until the transaction ends.
async fn locked(tx: UnscopedDb<'_>, id: UserId) -> Result<Option<User>, StoreError> {
    let query = format!("SELECT * FROM users WHERE id = $1{}", sql::for_update(tx));
    let row = tx.one(&query, values![id.uuid()]).await?;
    row.map(|r| user(&r)).transpose()
}

pub(in crate::store) async fn insert_user(
    tx: UnscopedDb<'_>,
    u: &User,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let made = tx
        .exec(
            "INSERT INTO users (id, email, name, password_hash, is_operator, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (email) DO NOTHING",
            values![
                u.id.uuid(),
                u.email.clone(),
                u.name.clone(),
                u.password_hash.clone(),
                u.is_operator,
                micros(now)
            ],
        )
        .await?;
    Ok(made == 1)
}

pub(in crate::store) fn user(row: &Row) -> Result<User, StoreError> {
    Ok(User {
        id: UserId::from_uuid(row.get("id")?),
        email: row.get("email")?,
        name: row.get("name")?,
        password_hash: row.get("password_hash")?,
        is_operator: row.get("is_operator")?,
        phone: match row.time_opt("phone_confirmed_at")? {
            Some(_) => Some(row.get("phone")?),
            None => None,
        },
    })
}
