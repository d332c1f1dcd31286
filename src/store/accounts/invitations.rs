//! Invitations: one per address and tenant, found by the digest of the token in the mail.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use uuid::Uuid;

use super::members::{is_team_full, join};
use super::users::{User, insert_user};
use crate::domain::actor::Actor;
use crate::domain::ids::{InvitationId, TenantId, UserId};
use crate::domain::user::Role;
use crate::store::audit::{AuditLine, audit};
use crate::store::engine::db::TenantDb;
use crate::store::engine::db::bulk::record;
use crate::store::engine::sql::{Row, micros, values};
use crate::store::engine::writer::work;
use crate::store::mails::{MAIL, StoredMail, insert_mail};
use crate::store::{Platform, StoreError, TenantStore};

/// How many people a tenant may have invited who have not come yet.
const MOST: i64 = 100;

/// One address is not written to more often, so that nobody is pestered from here.
const APART: TimeDelta = TimeDelta::minutes(1);

/// A wish that somebody joins the team.
#[derive(Debug, Clone)]
pub struct Invitation {
    pub id: InvitationId,
    pub tenant: TenantId,
    /// Lower case.
    pub email: String,
    pub role: Role,
    pub invited_by: String,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

/// How inviting ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Invited {
    Sent,
    /// They are in the team already.
    IsMember,
    /// A mail went to this address less than a minute ago.
    TooSoon,
    /// A hundred people are invited and have not come.
    TooMany,
    /// The team has as many people as it may, those who are invited among them.
    TeamFull,
}

/// Who accepts.
#[derive(Debug, Clone)]
pub enum Joining {
    /// Somebody who has an account.
    Known(UserId),
    /// Somebody whose account is made with it.
    New(User),
}

/// How accepting ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joined {
    Done,
    /// The invitation was revoked, replaced, accepted or is over.
    Gone,
    /// The invited address has an account meanwhile: its owner signs in first.
    HasAccount,
    /// It is for another address than that of the person.
    NotTheirs,
}

impl TenantStore {
    /// Keeps an invitation with its mail; one to the same address before it is replaced.
    pub async fn invite(
        &self,
        new: Invitation,
        token_hash: [u8; 32],
        mail: StoredMail,
        actor: Actor,
    ) -> Result<Invited, StoreError> {
        self.writer()
            .edit(work!([new, mail, actor], async |tx| {
                if let Some(refused) = refusal(tx, &new).await? {
                    return Ok(refused);
                }
                let now = new.created_at;
                let replace = "DELETE FROM invitations WHERE tenant_id = $1 \
                               AND (email = $2 OR expires_at <= $3)";
                let old = values![new.email.clone(), micros(now)];
                tx.exec(replace, old).await?;
                let row = record![
                    id: new.id.uuid(),
                    email: new.email.clone(),
                    role: new.role.as_str(),
                    token_hash: token_hash.to_vec(),
                    invited_by: new.invited_by,
                    created_at: micros(now),
                    expires_at: micros(new.expires_at),
                    inviter_id: actor.user.map(UserId::uuid),
                ];
                tx.insert("invitations", row, "").await?;
                insert_mail(tx.unscoped(MAIL), mail, now).await?;
                let detail = json!({ "role": new.role.as_str() });
                let line = AuditLine::new(actor, "invitation.sent", new.email, &detail);
                audit(tx, line, now).await?;
                Ok(Invited::Sent)
            }))
            .await
    }

    /// The invitations that wait or are over, newest first.
    pub async fn invitations(&self) -> Result<Vec<Invitation>, StoreError> {
        let query = "SELECT * FROM invitations WHERE tenant_id = $1 ORDER BY id DESC LIMIT 200";
        let rows = self.db().all(query, vec![]).await?;
        rows.iter().map(invitation).collect()
    }

    /// Takes an invitation back; `false` when it is not there.
    pub async fn revoke_invitation(
        &self,
        id: InvitationId,
        actor: Actor,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        self.writer()
            .edit(work!([actor], async |tx| {
                let revoke = "DELETE FROM invitations WHERE tenant_id = $1 AND id = $2 \
                              RETURNING email, role";
                let Some(row) = tx.one(revoke, values![id.uuid()]).await? else {
                    return Ok(false);
                };
                let detail = json!({ "role": row.get::<String>("role")? });
                let email: String = row.get("email")?;
                let line = AuditLine::new(actor, "invitation.revoked", email, &detail);
                audit(tx, line, now).await?;
                Ok(true)
            }))
            .await
    }

    /// Accepts an invitation of this tenant: the person is in the team, the invitation is used up.
    pub async fn accept_invitation(
        &self,
        token_hash: [u8; 32],
        joining: Joining,
        actor: Actor,
        now: DateTime<Utc>,
    ) -> Result<Joined, StoreError> {
        self.writer()
            .edit(work!([joining, actor], async |tx| {
                    let query = "SELECT i.* FROM invitations i JOIN tenants t ON t.id = i.tenant_id \
                                 WHERE i.token_hash = $2 AND i.tenant_id = $1 AND i.expires_at > $3 \
                                 AND t.deleted_at IS NULL";
                    let bound = values![token_hash.to_vec(), micros(now)];
                    let Some(row) = tx.one(query, bound).await? else {
                        return Ok(Joined::Gone);
                    };
                    accept(tx, &invitation(&row)?, joining, actor, now).await
                }))
            .await
    }
}

impl Platform {
    /// The invitation behind the token of a mail, while it holds.
    pub async fn invitation(
        &self,
        token_hash: [u8; 32],
        now: DateTime<Utc>,
    ) -> Result<Option<Invitation>, StoreError> {
        let query = "SELECT * FROM invitations WHERE token_hash = $1 AND expires_at > $2";
        let row = self
            .db()
            .one(query, values![token_hash.to_vec(), micros(now)])
            .await?;
        row.map(|r| invitation(&r)).transpose()
    }
}

/// Every check comes before the first change, so that a refusal needs no roll-back.
async fn refusal(tx: TenantDb<'_>, new: &Invitation) -> Result<Option<Invited>, StoreError> {
    let member = "SELECT m.user_id FROM members m JOIN users u ON u.id = m.user_id \
                  WHERE m.tenant_id = $1 AND u.email = $2";
    let key = || values![new.email.clone()];
    if tx.one(member, key()).await?.is_some() {
        return Ok(Some(Invited::IsMember));
    }
    let mut recent = key();
    recent.push(micros(new.created_at - APART).into());
    let before =
        "SELECT id FROM invitations WHERE tenant_id = $1 AND email = $2 AND created_at > $3";
    if tx.one(before, recent).await?.is_some() {
        return Ok(Some(Invited::TooSoon));
    }
    let waiting = "SELECT COUNT(*) AS n FROM invitations WHERE tenant_id = $1 AND email <> $2 \
                   AND expires_at > $3";
    let mut bound = key();
    bound.push(micros(new.created_at).into());
    let row = tx.one(waiting, bound).await?;
    let waiting: i64 = row.map_or(Ok(0), |r| r.get("n"))?;
    if waiting >= MOST {
        return Ok(Some(Invited::TooMany));
    }
    Ok(is_team_full(tx, waiting)
        .await?
        .then_some(Invited::TeamFull))
}

async fn accept(
    tx: TenantDb<'_>,
    of: &Invitation,
    joining: Joining,
    actor: Actor,
    now: DateTime<Utc>,
) -> Result<Joined, StoreError> {
    let users = tx.unscoped("people belong to no tenant");
    let query = "SELECT id FROM users WHERE email = $1";
    let row = users.one(query, values![of.email.clone()]).await?;
    let owner: Option<Uuid> = row.map(|r| r.get("id")).transpose()?;
    let user = match joining {
        Joining::Known(user) if owner == Some(user.uuid()) => user,
        Joining::Known(_) => return Ok(Joined::NotTheirs),
        Joining::New(_) if owner.is_some() => return Ok(Joined::HasAccount),
        Joining::New(user) => {
            if user.email != of.email || !insert_user(users, &user, now).await? {
                return Err(StoreError::Taken("the e-mail address"));
            }
            user.id
        }
    };
    let spend = "DELETE FROM invitations WHERE tenant_id = $1 AND id = $2";
    tx.exec(spend, values![of.id.uuid()]).await?;
    if join(tx, user, of.role, now).await? {
        let detail = json!({ "role": of.role.as_str(), "invited_by": &of.invited_by });
        let line = AuditLine::new(actor, "member.joined", of.email.as_str(), &detail);
        audit(tx, line, now).await?;
    }
    Ok(Joined::Done)
}

fn invitation(row: &Row) -> Result<Invitation, StoreError> {
    let id: Uuid = row.get("id")?;
    Ok(Invitation {
        id: InvitationId::from_uuid(id),
        tenant: TenantId::from_uuid(row.get("tenant_id")?),
        email: row.get("email")?,
        role: row.word("invitations", "role", id, Role::parse)?,
        invited_by: row.get("invited_by")?,
        created_at: row.time("created_at")?,
        expires_at: row.time("expires_at")?,
    })
}
