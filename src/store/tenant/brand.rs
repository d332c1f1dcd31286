//! How a tenant's e-mails look, and the logos that they show.

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use super::message_edits::{MOST_EDITS, MessageEdit, made};
use crate::domain::actor::Actor;
use crate::domain::brand_settings::{BrandSettings, LogoImage};
use crate::store::audit::{AuditLine, is_full_day};
use crate::store::engine::db::bulk::{Bulk, Record, record};
use crate::store::engine::db::{BatchDb, TenantDb};
use crate::store::engine::sql::{Row, micros, values};
use crate::store::engine::writer::work;
use crate::store::{Platform, StoreError, TenantStore};

/// How many logos of a tenant are kept: those of e-mails sent before are still looked at.
const LOGOS_KEPT: i64 = 20;

/// A picture to be kept, with its bytes.
#[derive(Debug, Clone)]
pub struct NewLogo {
    pub image: LogoImage,
    pub png: Vec<u8>,
}

/// The brands of these tenants.
pub(in crate::store) async fn read(
    db: BatchDb<'_>,
    tenants: Vec<Record>,
) -> Result<Vec<(Uuid, BrandSettings)>, StoreError> {
    let select = Bulk::Joined("SELECT b.* FROM v JOIN brands b ON b.tenant_id = v.tenant_id");
    let rows = select.all(db, tenants).await?;
    rows.iter()
        .map(|row| Ok((row.get("tenant_id")?, brand(row)?)))
        .collect()
}

impl TenantStore {
    /// How the tenant's e-mails look.
    pub async fn brand(&self) -> Result<BrandSettings, StoreError> {
        find(self.db()).await
    }

    /// Changes all but the logo.
    pub async fn save_brand(
        &self,
        changed: BrandSettings,
        actor: Actor,
        now: DateTime<Utc>,
    ) -> Result<MessageEdit, StoreError> {
        self.writer()
            .edit(work!([changed, actor], async |tx| {
                let mut changed = changed;
                let old = find(tx).await?;
                changed.logo.clone_from(&old.logo);
                keep(tx, &old, &changed, actor, now).await
            }))
            .await
    }

    /// Puts another logo in the place of the old one, or none. The bytes of the old one stay, for the
    /// e-mails that show it.
    pub async fn save_logo(
        &self,
        logo: Option<NewLogo>,
        actor: Actor,
        now: DateTime<Utc>,
    ) -> Result<MessageEdit, StoreError> {
        self.writer()
            .edit(work!([logo, actor], async |tx| {
                let old = find(tx).await?;
                let changed = BrandSettings {
                    logo: logo.as_ref().map(|logo| logo.image.clone()),
                    ..old.clone()
                };
                let done = keep(tx, &old, &changed, actor, now).await?;
                if let (MessageEdit::Done, Some(logo)) = (done, logo) {
                    keep_logo(tx, logo, now).await?;
                }
                Ok(done)
            }))
            .await
    }
}

impl Platform {
    /// The bytes of a logo, whoever's it is: whoever reads an e-mail may see it.
    pub async fn logo(&self, hash: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let query = "SELECT png FROM logos WHERE hash = $1 LIMIT 1";
        let row = self.db().one(query, values![hash]).await?;
        row.map(|row| row.get("png")).transpose()
    }
}

async fn find(db: TenantDb<'_>) -> Result<BrandSettings, StoreError> {
    let row = db
        .one("SELECT * FROM brands WHERE tenant_id = $1", vec![])
        .await?;
    row.map_or_else(|| Ok(BrandSettings::default()), |row| brand(&row))
}

async fn keep(
    tx: TenantDb<'_>,
    old: &BrandSettings,
    changed: &BrandSettings,
    actor: Actor,
    now: DateTime<Utc>,
) -> Result<MessageEdit, StoreError> {
    if old == changed {
        return Ok(MessageEdit::Done);
    }
    if is_full_day(tx, "brand.%", MOST_EDITS, now).await? {
        return Ok(MessageEdit::TooOften);
    }
    let size = |side: fn(&LogoImage) -> u32| changed.logo.as_ref().map_or(0, side);
    let row = record![
        name: changed.name.clone(),
        accent: changed.accent.map(|c| c.to_string()).unwrap_or_default(),
        postal_address: changed.postal_address.clone(),
        footer: changed.footer.clone(),
        signature: changed.signature.clone(),
        logo: changed.logo.as_ref().map(|l| l.hash.clone()).unwrap_or_default(),
        logo_width: i64::from(size(|l| l.width)),
        logo_height: i64::from(size(|l| l.height)),
    ];
    let replace = " ON CONFLICT (tenant_id) DO UPDATE SET name = excluded.name, \
                   accent = excluded.accent, postal_address = excluded.postal_address, \
                   footer = excluded.footer, signature = excluded.signature, logo = excluded.logo, \
                   logo_width = excluded.logo_width, logo_height = excluded.logo_height";
    tx.insert("brands", row, replace).await?;
    let detail = json!({ "old": of_log(old), "new": of_log(changed) });
    let line = AuditLine::new(actor, "brand.changed", "", &detail);
    made(tx, line, now).await
}

async fn keep_logo(tx: TenantDb<'_>, logo: NewLogo, now: DateTime<Utc>) -> Result<(), StoreError> {
    let row = record![hash: logo.image.hash, png: logo.png, created_at: micros(now)];
    let again = " ON CONFLICT (tenant_id, hash) DO UPDATE SET created_at = excluded.created_at";
    tx.insert("logos", row, again).await?;
    let forget = "DELETE FROM logos WHERE tenant_id = $1 AND hash NOT IN (SELECT hash FROM logos \
                  WHERE tenant_id = $1 ORDER BY created_at DESC LIMIT $2)";
    tx.exec(forget, values![LOGOS_KEPT]).await.map(drop)
}

/// A brand as the log keeps it.
fn of_log(brand: &BrandSettings) -> serde_json::Value {
    json!({
        "name": brand.name,
        "accent": brand.accent.map(|c| c.to_string()),
        "postal_address": brand.postal_address,
        "footer": brand.footer,
        "signature": brand.signature,
        "logo": brand.logo.as_ref().map(|l| &l.hash),
    })
}

fn brand(row: &Row) -> Result<BrandSettings, StoreError> {
    let tenant: Uuid = row.get("tenant_id")?;
    let hash: String = row.get("logo")?;
    let accent: String = row.get("accent")?;
    let side = |column| {
        let side: i64 = row.get(column)?;
        u32::try_from(side).map_err(|_| StoreError::BadRow {
            table: "brands",
            column,
            row: tenant,
        })
    };
    Ok(BrandSettings {
        name: row.get("name")?,
        logo: if hash.is_empty() {
            None
        } else {
            Some(LogoImage {
                hash,
                width: side("logo_width")?,
                height: side("logo_height")?,
            })
        },
        accent: accent.parse().ok(),
        postal_address: row.get("postal_address")?,
        footer: row.get("footer")?,
        signature: row.get("signature")?,
    })
}
