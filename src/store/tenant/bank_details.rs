//! Bank details: asked for by one owner, in force after a day or when a second one agrees.

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use super::message_edits::{MessageEdit, made};
use crate::domain::actor::Actor;
use crate::domain::bank_details::{BankDetails, in_force, pending};
use crate::domain::ids::{BankDetailsId, UserId};
use crate::store::audit::{AuditLine, is_full_day};
use crate::store::engine::db::bulk::{Bulk, Record, record};
use crate::store::engine::db::{BatchDb, TenantDb};
use crate::store::engine::sql::{Row, micros, values};
use crate::store::engine::writer::work;
use crate::store::mails::{MAIL, StoredMail, insert_mail};
use crate::store::{StoreError, TenantStore};

/// How often they may be changed within a day: each change is an e-mail to every owner.
const MOST_EDITS_A_DAY: i64 = 50;

/// What of these tenants is in force or waits: the two newest of each currency, since one waits at most.
pub(in crate::store) async fn read(
    db: BatchDb<'_>,
    tenants: Vec<Record>,
) -> Result<Vec<(Uuid, BankDetails)>, StoreError> {
    let select = Bulk::Joined(
        "SELECT b.* FROM v JOIN bank_details b ON b.tenant_id = v.tenant_id \
         WHERE b.called_off_at IS NULL AND (SELECT COUNT(*) FROM bank_details n \
         WHERE n.tenant_id = b.tenant_id AND n.currency = b.currency AND n.called_off_at IS NULL \
         AND n.in_force_at > b.in_force_at) < 2 ORDER BY b.currency, b.in_force_at",
    );
    let rows = select.all(db, tenants).await?;
    rows.iter()
        .map(|row| Ok((row.get("tenant_id")?, details(row)?)))
        .collect()
}

/// What an owner does about bank details.
#[derive(Debug, Clone)]
pub enum BankDetailsEdit {
    /// Asks for another text, unless one of its currency waits already ([`MessageEdit::Taken`]).
    Ask(BankDetails),
    /// Agrees as a second owner; whoever asked may not ([`MessageEdit::Taken`]).
    Agree(BankDetailsId, UserId),
    CallOff(BankDetailsId),
}

impl TenantStore {
    /// Of each currency what is in force and what waits.
    pub async fn bank_details(&self) -> Result<Vec<BankDetails>, StoreError> {
        let found = read(self.db().batch(), self.alone()).await?;
        Ok(found.into_iter().map(|(_, details)| details).collect())
    }

    /// Changes bank details, and lets the owners know in the same transaction. What no longer waits is
    /// [`MessageEdit::Gone`].
    pub async fn change_bank_details(
        &self,
        edit: BankDetailsEdit,
        mails: Vec<StoredMail>,
        actor: Actor,
        now: DateTime<Utc>,
    ) -> Result<MessageEdit, StoreError> {
        self.writer()
            .edit(work!([edit, mails, actor], async |tx| {
                let done = change(tx, edit, actor, now).await?;
                if done == MessageEdit::Done {
                    for mail in mails {
                        insert_mail(tx.unscoped(MAIL), mail, now).await?;
                    }
                }
                Ok(done)
            }))
            .await
    }
}

async fn change(
    tx: TenantDb<'_>,
    edit: BankDetailsEdit,
    actor: Actor,
    now: DateTime<Utc>,
) -> Result<MessageEdit, StoreError> {
    let all = "SELECT * FROM bank_details WHERE tenant_id = $1 AND called_off_at IS NULL \
               ORDER BY in_force_at DESC LIMIT 1000";
    let all = tx.all(all, vec![]).await?;
    let all: Vec<BankDetails> = all.iter().map(details).collect::<Result<_, _>>()?;
    let waiting = |id: BankDetailsId| all.iter().find(|b| b.id == id && b.is_pending(now));
    let (action, asked) = match edit {
        BankDetailsEdit::Ask(new) => {
            if pending(&all, &new.currency, now).is_some() {
                return Ok(MessageEdit::Taken);
            }
            if is_full_day(tx, "bank_details.%", MOST_EDITS_A_DAY, now).await? {
                return Ok(MessageEdit::TooOften);
            }
            insert(tx, &new).await?;
            ("bank_details.asked", new)
        }
        BankDetailsEdit::Agree(id, by) => {
            let Some(asked) = waiting(id) else {
                return Ok(MessageEdit::Gone);
            };
            if asked.asked_by == by {
                return Ok(MessageEdit::Taken);
            }
            let agree = "UPDATE bank_details SET in_force_at = $3, agreed_by_name = $4 \
                         WHERE tenant_id = $1 AND id = $2";
            tx.exec(agree, values![id.uuid(), micros(now), actor.name.clone()])
                .await?;
            ("bank_details.agreed", asked.clone())
        }
        BankDetailsEdit::CallOff(id) => {
            let Some(asked) = waiting(id) else {
                return Ok(MessageEdit::Gone);
            };
            let call_off = "UPDATE bank_details SET called_off_at = $3 \
                            WHERE tenant_id = $1 AND id = $2";
            tx.exec(call_off, values![id.uuid(), micros(now)]).await?;
            ("bank_details.called_off", asked.clone())
        }
    };
    let old = in_force(&all, &asked.currency, now).map_or("", |b| b.text.as_str());
    let detail = json!({
        "currency": asked.currency, "old": old, "new": asked.text,
        "asked_by": asked.asked_by_name, "in_force_at": asked.in_force_at,
    });
    let line = AuditLine::new(actor, action, asked.id.to_string(), &detail);
    made(tx, line, now).await
}

async fn insert(tx: TenantDb<'_>, new: &BankDetails) -> Result<(), StoreError> {
    let row = record![
        id: new.id.uuid(),
        currency: new.currency.clone(),
        text: new.text.clone(),
        asked_by: new.asked_by.uuid(),
        asked_by_name: new.asked_by_name.clone(),
        asked_at: micros(new.asked_at),
        in_force_at: micros(new.in_force_at),
    ];
    tx.insert("bank_details", row, "").await.map(drop)
}

fn details(row: &Row) -> Result<BankDetails, StoreError> {
    Ok(BankDetails {
        id: BankDetailsId::from_uuid(row.get("id")?),
        currency: row.get("currency")?,
        text: row.get("text")?,
        asked_by: UserId::from_uuid(row.get("asked_by")?),
        asked_by_name: row.get("asked_by_name")?,
        asked_at: row.time("asked_at")?,
        in_force_at: row.time("in_force_at")?,
        agreed_by_name: row.get("agreed_by_name")?,
    })
}
