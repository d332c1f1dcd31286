//! The people of a tenant, and their roles.
//!
//! Whoever changes them runs alone within the tenant and locks its owners, so that two owners who
//! leave at once cannot both find the other one still there.

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use super::tokens::{end_tokens_of, tokens_changed_by};
use crate::domain::actor::Actor;
use crate::domain::ids::{ApiTokenId, UserId};
use crate::domain::user::{Ability, Role};
use crate::store::audit::{AuditLine, audit};
use crate::store::engine::db::TenantDb;
use crate::store::engine::db::bulk::record;
use crate::store::engine::sql::{self, Row, micros, values};
use crate::store::engine::writer::work;
use crate::store::tenant::groups::leave;
use crate::store::{StoreError, TenantStore};

/// How many people a team may have, those who are invited among them.
pub const MOST_MEMBERS: i64 = 500;

/// A person in the team.
#[derive(Debug, Clone)]
pub struct Teammate {
    pub user: UserId,
    pub name: String,
    pub email: String,
    pub role: Role,
    pub joined_at: DateTime<Utc>,
    /// When a browser of theirs was last here; none when they are signed in nowhere.
    pub seen_at: Option<DateTime<Utc>>,
    /// Whether signing in takes a second factor.
    pub has_second_factor: bool,
}

/// A change of somebody's place in the team.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberEdit {
    Role(Role),
    /// By themselves.
    Leave,
    Remove,
}

/// How a change of the team ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TeamChange {
    Done,
    /// The person is not in the team.
    Gone,
    /// Nobody would be left to own the tenant.
    LastOwner,
}

const TEAM: &str = "SELECT u.id, u.name, u.email, m.role, m.created_at AS joined_at, \
                    (SELECT MAX(s.seen_at) FROM sessions s WHERE s.user_id = u.id) AS seen_at, \
                    (SELECT COUNT(*) FROM second_factors f WHERE f.user_id = u.id \
                     AND f.confirmed_at IS NOT NULL) AS factors \
                    FROM members m JOIN users u ON u.id = m.user_id WHERE m.tenant_id = $1";

impl TenantStore {
    /// Everybody in the team, by name.
    pub async fn team(&self) -> Result<Vec<Teammate>, StoreError> {
        let query = format!("{TEAM} ORDER BY u.name, u.email LIMIT 1000");
        let rows = self.db().all(&query, vec![]).await?;
        rows.iter().map(teammate).collect()
    }

    /// One person of the team.
    pub async fn teammate(&self, user: UserId) -> Result<Option<Teammate>, StoreError> {
        let query = format!("{TEAM} AND m.user_id = $2");
        let bound = values![user.uuid()];
        let row = self.db().one(&query, bound).await?;
        row.map(|r| teammate(&r)).transpose()
    }

    /// Changes a person's place in the team, unless nobody would be left to own the tenant.
    pub async fn change_member(
        &self,
        user: UserId,
        edit: MemberEdit,
        actor: Actor,
        now: DateTime<Utc>,
    ) -> Result<TeamChange, StoreError> {
        self.writer()
            .edit(work!([actor], async |tx| {
                let Some(person) = person(tx, user).await? else {
                    return Ok(TeamChange::Gone);
                };
                let old = person.role.as_str();
                if edit == MemberEdit::Role(person.role) {
                    return Ok(TeamChange::Done);
                }
                if edit != MemberEdit::Role(Role::Owner) && is_last_owner(tx, user).await? {
                    return Ok(TeamChange::LastOwner);
                }
                let (action, detail) = match edit {
                    MemberEdit::Role(role) => {
                        let set = "UPDATE members SET role = $3 \
                                   WHERE tenant_id = $1 AND user_id = $2";
                        let bound = values![user.uuid(), role.as_str()];
                        tx.exec(set, bound).await?;
                        if !role.may(Ability::ManageTeam) {
                            uninvite(tx, user).await?;
                        }
                        let roles = (person.role, role);
                        let tokens = tokens_changed_by(tx, user, roles).await?;
                        let mut detail = json!({ "old": old, "new": role.as_str() });
                        if let (Some(detail), false) = (detail.as_object_mut(), tokens.is_empty()) {
                            detail.insert("tokens".to_owned(), json!(tokens));
                        }
                        ("member.role_changed", detail)
                    }
                    MemberEdit::Leave | MemberEdit::Remove => {
                        let ended = remove(tx, user, now).await?;
                        for (token, name) in ended {
                            let detail = json!({ "name": name, "maker": person.email });
                            let subject = token.to_string();
                            let line =
                                AuditLine::new(actor.clone(), "token.ended", subject, &detail);
                            audit(tx, line, now).await?;
                        }
                        let action = if edit == MemberEdit::Leave {
                            "member.left"
                        } else {
                            "member.removed"
                        };
                        (action, json!({ "old": old }))
                    }
                };
                let line = AuditLine::new(actor, action, person.email, &detail);
                audit(tx, line, now).await?;
                Ok(TeamChange::Done)
            }))
            .await
    }
}

struct Person {
    email: String,
    role: Role,
}

async fn person(tx: TenantDb<'_>, user: UserId) -> Result<Option<Person>, StoreError> {
    let query = "SELECT u.email, m.role FROM members m JOIN users u ON u.id = m.user_id \
                 WHERE m.tenant_id = $1 AND m.user_id = $2";
    let row = tx.one(query, values![user.uuid()]).await?;
    row.map(|r| {
        Ok(Person {
            email: r.get("email")?,
            role: r.word("members", "role", user.uuid(), Role::parse)?,
        })
    })
    .transpose()
}

/// Whether the tenant would have no owner without this person. The owners stay as they are until our
/// transaction ends.
async fn is_last_owner(tx: TenantDb<'_>, user: UserId) -> Result<bool, StoreError> {
    let query = format!(
        "SELECT user_id FROM members WHERE tenant_id = $1 AND role = 'owner' ORDER BY user_id{}",
        sql::for_update(tx)
    );
    let mut is_owner = false;
    let mut others = 0;
    for row in tx.all(&query, vec![]).await? {
        if row.get::<Uuid>("user_id")? == user.uuid() {
            is_owner = true;
        } else {
            others += 1;
        }
    }
    Ok(is_owner && others == 0)
}

/// Takes a person out of the team, and every way back in that they made for themselves; the tokens that
/// ended with it.
async fn remove(
    tx: TenantDb<'_>,
    user: UserId,
    now: DateTime<Utc>,
) -> Result<Vec<(ApiTokenId, String)>, StoreError> {
    let remove = "DELETE FROM members WHERE tenant_id = $1 AND user_id = $2";
    tx.exec(remove, values![user.uuid()]).await?;
    uninvite(tx, user).await?;
    leave(tx, user).await?;
    end_tokens_of(tx, user, now).await
}

/// Takes back what somebody invited to who may no longer invite.
async fn uninvite(tx: TenantDb<'_>, user: UserId) -> Result<(), StoreError> {
    let uninvite = "DELETE FROM invitations WHERE tenant_id = $1 AND inviter_id = $2";
    tx.exec(uninvite, values![user.uuid()]).await.map(drop)
}

/// Whether there is room for one person more, when so many others are expected as well.
pub(in crate::store) async fn is_team_full(
    tx: TenantDb<'_>,
    expected: i64,
) -> Result<bool, StoreError> {
    let most = (MOST_MEMBERS - expected).max(1);
    tx.is_full("members WHERE tenant_id = $1", most).await
}

/// Puts a person into the team, unless they are there already; whether they were not.
pub(in crate::store) async fn join(
    tx: TenantDb<'_>,
    user: UserId,
    role: Role,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let row = record![user_id: user.uuid(), role: role.as_str(), created_at: micros(now)];
    let made = tx.insert("members", row, " ON CONFLICT DO NOTHING").await?;
    Ok(made == 1)
}

fn teammate(row: &Row) -> Result<Teammate, StoreError> {
    let id: Uuid = row.get("id")?;
    Ok(Teammate {
        user: UserId::from_uuid(id),
        name: row.get("name")?,
        email: row.get("email")?,
        role: row.word("members", "role", id, Role::parse)?,
        joined_at: row.time("joined_at")?,
        seen_at: row.time_opt("seen_at")?,
        has_second_factor: row.get::<i64>("factors")? > 0,
    })
}
