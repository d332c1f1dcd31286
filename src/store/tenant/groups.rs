//! Groups of people whom rules write to.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use super::message_edits::{MOST_EDITS, MessageEdit, made, refused};
use super::rules::raise_rule_set;
use crate::domain::actor::Actor;
use crate::domain::address::{Email, Phone};
use crate::domain::group::{Group, MOST_GROUPS, Member};
use crate::domain::ids::{GroupId, MemberId, UserId};
use crate::store::audit::{AuditLine, is_full_day};
use crate::store::engine::db::bulk::{Bulk, Record, record};
use crate::store::engine::db::{BatchDb, TenantDb};
use crate::store::engine::sql::{Row, micros, values};
use crate::store::engine::writer::work;
use crate::store::{StoreError, TenantStore};

/// What the log calls their edits.
const EDITS: &str = "group.%";

/// The groups of these tenants, the oldest first.
pub(in crate::store) async fn read(
    db: BatchDb<'_>,
    tenants: Vec<Record>,
) -> Result<Vec<(Uuid, Group)>, StoreError> {
    let groups =
        Bulk::Joined("SELECT g.* FROM v JOIN groups g ON g.tenant_id = v.tenant_id ORDER BY g.id");
    let members = Bulk::Joined(
        "SELECT m.*, u.name AS user_name, u.phone AS user_phone, u.email AS user_email \
         FROM v JOIN group_members m ON m.tenant_id = v.tenant_id \
         LEFT JOIN users u ON u.id = m.user_id ORDER BY m.id",
    );
    let groups = groups.all(db, tenants.clone()).await?;
    let members = if groups.is_empty() {
        Vec::new()
    } else {
        members.all(db, tenants).await?
    };
    together(&groups, &members)
}

fn together(groups: &[Row], members: &[Row]) -> Result<Vec<(Uuid, Group)>, StoreError> {
    let mut of_groups: BTreeMap<Uuid, Vec<Member>> = BTreeMap::new();
    for row in members {
        let of_group = of_groups.entry(row.get("group_id")?).or_default();
        of_group.push(member(row)?);
    }
    let read = |row: &Row| {
        let id: Uuid = row.get("id")?;
        let group = Group {
            id: GroupId::from_uuid(id),
            name: row.get("name")?,
            members: of_groups.remove(&id).unwrap_or_default(),
            created_at: row.time("created_at")?,
        };
        Ok((row.get("tenant_id")?, group))
    };
    groups.iter().map(read).collect()
}

impl TenantStore {
    /// Every group, the oldest first.
    pub async fn groups(&self) -> Result<Vec<Group>, StoreError> {
        let found = read(self.db().batch(), self.alone()).await?;
        Ok(found.into_iter().map(|(_, group)| group).collect())
    }

    /// Why somebody is not written to as a member of a group any more; `None` while they are on.
    pub async fn off_member(&self, id: MemberId) -> Result<Option<String>, StoreError> {
        let query = "SELECT m.is_on, g.name AS group_name FROM group_members m \
                     JOIN groups g ON g.id = m.group_id AND g.tenant_id = m.tenant_id \
                     WHERE m.tenant_id = $1 AND m.id = $2";
        let Some(row) = self.db().one(query, values![id.uuid()]).await? else {
            return Ok(Some("they are no longer in the group".to_owned()));
        };
        if row.get("is_on")? {
            return Ok(None);
        }
        let group: String = row.get("group_name")?;
        Ok(Some(format!("they are switched off in the group {group}")))
    }

    /// One group.
    pub async fn group(&self, id: GroupId) -> Result<Option<Group>, StoreError> {
        find(self.db(), id).await
    }

    /// Adds a group with its people.
    pub async fn add_group(
        &self,
        new: Group,
        actor: Actor,
        now: DateTime<Utc>,
    ) -> Result<MessageEdit, StoreError> {
        self.writer()
            .edit(work!([new, actor], async |tx| {
                if tx
                    .is_full("groups WHERE tenant_id = $1", MOST_GROUPS)
                    .await?
                {
                    return Ok(MessageEdit::TooMany);
                }
                if let Some(refused) = refuse(tx, &new, now).await? {
                    return Ok(refused);
                }
                let row = record![
                    id: new.id.uuid(), name: new.name.clone(), created_at: micros(now),
                ];
                tx.insert("groups", row, "").await?;
                for member in &new.members {
                    insert(tx, new.id, member).await?;
                }
                let detail = json!({ "new": of_log(&new) });
                let subject = new.id.to_string();
                let line = AuditLine::new(actor, "group.added", subject, &detail);
                made(tx, line, now).await
            }))
            .await
    }

    /// Gives a group another name and other people. Those who were in it keep their ids.
    pub async fn change_group(
        &self,
        changed: Group,
        actor: Actor,
        now: DateTime<Utc>,
    ) -> Result<MessageEdit, StoreError> {
        self.writer()
            .edit(work!([changed, actor], async |tx| {
                let mut changed = changed;
                let Some(old) = find(tx, changed.id).await? else {
                    return Ok(MessageEdit::Gone);
                };
                if let Some(refused) = refuse(tx, &changed, now).await? {
                    return Ok(refused);
                }
                let rename = "UPDATE groups SET name = $3 WHERE tenant_id = $1 AND id = $2";
                let bound = values![changed.id.uuid(), changed.name.clone()];
                tx.exec(rename, bound).await?;
                let clear = "DELETE FROM group_members WHERE tenant_id = $1 AND group_id = $2";
                tx.exec(clear, values![changed.id.uuid()]).await?;
                keep_ids(&mut changed, &old.members, now);
                for member in &changed.members {
                    insert(tx, changed.id, member).await?;
                }
                let detail = json!({ "old": of_log(&old), "new": of_log(&changed) });
                let subject = changed.id.to_string();
                let line = AuditLine::new(actor, "group.changed", subject, &detail);
                made(tx, line, now).await
            }))
            .await
    }

    /// Switches one of the people of a group on or off. Off it goes however often.
    pub async fn switch_group_member(
        &self,
        (group, member): (GroupId, MemberId),
        is_on: bool,
        actor: Actor,
        now: DateTime<Utc>,
    ) -> Result<MessageEdit, StoreError> {
        self.writer()
            .edit(work!([actor], async |tx| {
                let Some(old) = find(tx, group).await? else {
                    return Ok(MessageEdit::Gone);
                };
                let Some(person) = old.member(member) else {
                    return Ok(MessageEdit::Gone);
                };
                if person.is_on == is_on {
                    return Ok(MessageEdit::Done);
                }
                if is_on && is_full_day(tx, EDITS, MOST_EDITS, now).await? {
                    return Ok(MessageEdit::TooOften);
                }
                let switch = "UPDATE group_members SET is_on = $4 \
                              WHERE tenant_id = $1 AND group_id = $2 AND id = $3";
                tx.exec(switch, values![group.uuid(), member.uuid(), is_on])
                    .await?;
                let detail = json!({
                    "name": old.name, "member": person.name, "old": !is_on, "new": is_on,
                });
                let subject = group.to_string();
                let line = AuditLine::new(actor, "group.member_switched", subject, &detail);
                made(tx, line, now).await
            }))
            .await
    }

    /// Takes a group away, with its people.
    pub async fn delete_group(
        &self,
        id: GroupId,
        actor: Actor,
        now: DateTime<Utc>,
    ) -> Result<MessageEdit, StoreError> {
        self.writer()
            .edit(work!([actor], async |tx| {
                let Some(old) = find(tx, id).await? else {
                    return Ok(MessageEdit::Gone);
                };
                let people = "DELETE FROM group_members WHERE tenant_id = $1 AND group_id = $2";
                tx.exec(people, values![id.uuid()]).await?;
                let delete = "DELETE FROM groups WHERE tenant_id = $1 AND id = $2";
                tx.exec(delete, values![id.uuid()]).await?;
                let detail = json!({ "old": of_log(&old) });
                let line = AuditLine::new(actor, "group.deleted", id.to_string(), &detail);
                made(tx, line, now).await
            }))
            .await
    }
}

/// Takes somebody who leaves the team out of its groups.
pub(in crate::store) async fn leave(tx: TenantDb<'_>, user: UserId) -> Result<(), StoreError> {
    let leave = "DELETE FROM group_members WHERE tenant_id = $1 AND user_id = $2";
    if tx.exec(leave, values![user.uuid()]).await? > 0 {
        raise_rule_set(tx).await?;
    }
    Ok(())
}

async fn find(db: TenantDb<'_>, id: GroupId) -> Result<Option<Group>, StoreError> {
    let groups = "SELECT * FROM groups WHERE tenant_id = $1 AND id = $2";
    let members = "SELECT m.*, u.name AS user_name, u.phone AS user_phone, u.email AS user_email \
                   FROM group_members m LEFT JOIN users u ON u.id = m.user_id \
                   WHERE m.tenant_id = $1 AND m.group_id = $2 ORDER BY m.id";
    let groups = db.all(groups, values![id.uuid()]).await?;
    let members = db.all(members, values![id.uuid()]).await?;
    let found = together(&groups, &members)?;
    Ok(found.into_iter().map(|(_, group)| group).next())
}

/// Those who were in the group keep their ids. An id of another group's, of nobody's, or one that somebody
/// else has already is none: ids are typed by whoever uses the API.
fn keep_ids(group: &mut Group, old: &[Member], now: DateTime<Utc>) {
    let mut kept = BTreeSet::new();
    for member in &mut group.members {
        let same = old.iter().find(|m| m.is_same(member));
        let same = same.or_else(|| old.iter().find(|m| m.id == member.id));
        member.id = match same {
            Some(same) if kept.insert(same.id) => same.id,
            _ => MemberId::new(now),
        };
    }
}

/// Why a group cannot be kept so.
async fn refuse(
    tx: TenantDb<'_>,
    group: &Group,
    now: DateTime<Utc>,
) -> Result<Option<MessageEdit>, StoreError> {
    let same = "SELECT id FROM groups WHERE tenant_id = $1 AND name = $2 AND id <> $3";
    let bound = values![group.name.clone(), group.id.uuid()];
    refused(tx, (same, bound), EDITS, now).await
}

async fn insert(tx: TenantDb<'_>, group: GroupId, member: &Member) -> Result<(), StoreError> {
    // What is the user's is read from the user.
    let own = |text: Option<&str>| match member.user {
        Some(_) => String::new(),
        None => text.unwrap_or_default().to_owned(),
    };
    let row = record![
        id: member.id.uuid(),
        group_id: group.uuid(),
        user_id: member.user.map(UserId::uuid),
        name: own(Some(&member.name)),
        phone: own(member.phone.as_ref().map(Phone::as_str)),
        email: own(member.email.as_ref().map(Email::as_str)),
        is_on: member.is_on,
    ];
    tx.insert("group_members", row, "").await.map(drop)
}

/// A group as the log keeps it.
fn of_log(group: &Group) -> serde_json::Value {
    let members = group.members.iter().map(|m| {
        json!({
            "name": m.name,
            "user": m.user,
            "phone": m.phone,
            "email": m.email.as_ref().map(Email::as_str),
            "is_on": m.is_on,
        })
    });
    json!({ "name": group.name, "members": members.collect::<Vec<_>>() })
}

fn member(row: &Row) -> Result<Member, StoreError> {
    let user: Option<Uuid> = row.get("user_id")?;
    let text = |own, of_user| match user {
        None => row.get::<String>(own),
        Some(_) => Ok(row.get::<Option<String>>(of_user)?.unwrap_or_default()),
    };
    Ok(Member {
        id: MemberId::from_uuid(row.get("id")?),
        user: user.map(UserId::from_uuid),
        name: text("name", "user_name")?,
        phone: Phone::from_stored(&text("phone", "user_phone")?),
        email: Email::parse(&text("email", "user_email")?).ok(),
        is_on: row.get("is_on")?,
    })
}
