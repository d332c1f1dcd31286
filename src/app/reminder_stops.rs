//! *Stop reminders here*: the link in a reminder by which its reader ends those of one customer, and no
//! more: one press of a colleague must not end a customer's invoices.
//!
//! Nothing is kept for a link until it is pressed. It names the tenant and the event, and a keyed digest
//! over both and the address tells which message it stands in; the same link stands in whatever tells one
//! address of one event, so equal texts stay equal.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use url::Url;
use uuid::Uuid;

use super::mail::MailContent;
use super::notices::Notice;
use super::{App, AppError};
use crate::crypto::token;
use crate::domain::address::key_of;
use crate::domain::delivery::{Channel, Delivery};
use crate::domain::ids::{EventId, TenantId};
use crate::domain::tenant::Tenant;
use crate::mail::untrusted::{self, NAME_LENGTH};

/// Below this path stand the links.
pub const PATH: &str = "/stop";

/// What the key of the digests is derived by.
const KEY: &str = "stop links";

/// How long the ids in a link are, and how long the digest behind them, in characters.
const IDS: usize = 43;
const TAG: usize = 32;

/// How long a link is; whatever is longer is none.
pub const LONGEST: usize = IDS + TAG;

/// What a link is made of: the message that it stands in.
pub(in crate::app) struct Reminded<'a> {
    pub(in crate::app) tenant: TenantId,
    pub(in crate::app) event: EventId,
    pub(in crate::app) channel: Channel,
    pub(in crate::app) address: &'a str,
    pub(in crate::app) is_to_contact: bool,
    /// Empty for whatever is no reminder.
    pub(in crate::app) scope: &'a str,
}

impl<'a> Reminded<'a> {
    /// The one of a message that was made already.
    pub(in crate::app) fn by(d: &'a Delivery, scope: &'a str) -> Self {
        Self {
            tenant: d.tenant,
            event: d.event(),
            channel: d.channel,
            address: &d.address,
            is_to_contact: d.is_to_contact,
            scope,
        }
    }

    /// Whether it bears a link at all: documents, SMS, and messages to people of the tenant bear none.
    const fn has_link(&self) -> bool {
        matches!(self.channel, Channel::Email)
            && self.is_to_contact
            && !self.scope.is_empty()
            && !self.address.is_empty()
    }
}

/// What the page behind a link says.
#[derive(Debug, Clone)]
pub struct ReminderStop {
    /// Who reminds.
    pub company: String,
    /// Of whose documents; empty when that is no longer known.
    pub customer: String,
    pub address: String,
    /// The link stands in a rehearsal: it stops nothing.
    pub is_rehearsal: bool,
    pub is_stopped: bool,
}

/// A link that was read.
struct Pressed {
    tenant: Tenant,
    delivery: Delivery,
    customer: String,
}

impl App {
    /// The link of a message; none where it bears none.
    pub(in crate::app) fn stop_link(&self, of: &Reminded<'_>) -> Option<Url> {
        if !of.has_link() {
            return None;
        }
        match self.stop_tag(of) {
            Ok(tag) => {
                let mut bytes = of.tenant.uuid().as_bytes().to_vec();
                bytes.extend_from_slice(of.event.uuid().as_bytes());
                let path = format!("{PATH}/{}{tag}", URL_SAFE_NO_PAD.encode(bytes));
                Url::parse(&self.public_url().join(&path)).ok()
            }
            Err(error) => {
                tracing::error!(%error, "A reminder goes without the link that stops it");
                None
            }
        }
    }

    /// What a link is about; `None` for one that was never made, or whose message is no longer kept.
    pub async fn reminder_stop(&self, link: &str) -> Result<Option<ReminderStop>, AppError> {
        let Some(pressed) = self.pressed(link).await? else {
            return Ok(None);
        };
        let store = self.tenant(pressed.tenant.id);
        let is_stopped = store.has_stopped_reminders(&pressed.delivery).await?;
        Ok(Some(pressed.shown(is_stopped)))
    }

    /// Stops the reminders that a link is about. A second press changes nothing, and neither does one in
    /// a rehearsal.
    pub async fn stop_reminders(&self, link: &str) -> Result<Option<ReminderStop>, AppError> {
        let Some(pressed) = self.pressed(link).await? else {
            return Ok(None);
        };
        if pressed.delivery.is_rehearsal {
            return Ok(Some(pressed.shown(false)));
        }
        let (store, now) = (self.tenant(pressed.tenant.id), self.now());
        let reason = format!(
            "Stopped reminders{} by the link in an e-mail",
            pressed.of_customer()
        );
        let delivery = pressed.delivery.clone();
        if store.stop_reminders(delivery, reason, now).await? {
            self.tell_reminder_stop(&pressed).await?;
        }
        Ok(Some(pressed.shown(true)))
    }

    /// The reader wants the reminders again.
    pub async fn resume_reminders(&self, link: &str) -> Result<Option<ReminderStop>, AppError> {
        let Some(pressed) = self.pressed(link).await? else {
            return Ok(None);
        };
        let (store, now) = (self.tenant(pressed.tenant.id), self.now());
        store
            .resume_reminders(pressed.delivery.clone(), now)
            .await?;
        let is_stopped = store.has_stopped_reminders(&pressed.delivery).await?;
        Ok(Some(pressed.shown(is_stopped)))
    }

    /// The message that a link stands in; the real one, where what was rehearsed was sent again live.
    async fn pressed(&self, link: &str) -> Result<Option<Pressed>, AppError> {
        let Some((tenant, event, tag)) = read(link) else {
            return Ok(None);
        };
        let store = self.tenant(tenant);
        let mut found: Option<Delivery> = None;
        for delivery in store.deliveries_of(event).await? {
            let scope = delivery.scope();
            let of = Reminded::by(&delivery, &scope);
            let is_it = of.has_link() && token::equal(&self.stop_tag(&of)?, tag);
            if is_it && found.as_ref().is_none_or(|d| d.is_rehearsal) {
                found = Some(delivery);
            }
        }
        let Some((delivery, tenant)) = found.zip(store.tenant().await?) else {
            return Ok(None);
        };
        let event = store.event(event).await?;
        Ok(Some(Pressed {
            tenant,
            delivery,
            customer: event.map(|e| e.party_name).unwrap_or_default(),
        }))
    }

    fn stop_tag(&self, of: &Reminded<'_>) -> Result<String, AppError> {
        let key = self.parts.vault.derive(KEY)?;
        let address = key_of(of.channel, of.address);
        let (tenant, event) = (of.tenant.to_string(), of.event.to_string());
        let mut digest = token::keyed_digest(&key, &[&tenant, &event, &address]);
        digest.truncate(TAG);
        Ok(digest)
    }

    /// Tells the owners that somebody is reminded no longer.
    async fn tell_reminder_stop(&self, pressed: &Pressed) -> Result<(), AppError> {
        let (tenant, d) = (&pressed.tenant, &pressed.delivery);
        let address = untrusted::bare(&d.address, NAME_LENGTH);
        let who = if d.recipient.is_empty() {
            address
        } else {
            format!(
                "{} ({address})",
                untrusted::quoted(&d.recipient, NAME_LENGTH)
            )
        };
        let whose = if pressed.customer.is_empty() {
            String::new()
        } else {
            format!(
                " about {}",
                untrusted::quoted(&pressed.customer, NAME_LENGTH)
            )
        };
        let company = untrusted::quoted(&tenant.name, NAME_LENGTH);
        let notice = Notice {
            kind: "reminders_stopped",
            occasion: format!(
                "reminders_stopped/{}/{}",
                d.id,
                self.now().timestamp_micros()
            ),
            tenant,
            mail: MailContent {
                subject: format!("{who} stopped the reminders of {company}"),
                text: format!(
                    "{who} pressed “Stop reminders here” in an e-mail of {company}.\n\n\
                     Nothing reminds that address any more{whose}. Invoices, receipts, orders and whatever \
                     else tells of a document still go there.\n\n\
                     They may take it back on the page that the link leads to. See it under \
                     Suppressions:\n{}\n",
                    self.page_of(tenant, "/suppressions")
                ),
            },
        };
        let owners = self.owners(tenant.id).await?;
        self.notify(notice, owners).await
    }
}

impl Pressed {
    fn shown(&self, is_stopped: bool) -> ReminderStop {
        ReminderStop {
            company: self.tenant.name.clone(),
            customer: self.customer.clone(),
            address: self.delivery.address.clone(),
            is_rehearsal: self.delivery.is_rehearsal,
            is_stopped,
        }
    }

    /// " of Bowman & Co", where the customer is known.
    fn of_customer(&self) -> String {
        if self.customer.is_empty() {
            String::new()
        } else {
            format!(" about {}", self.customer)
        }
    }
}

/// The parts of a link; `None` when it is none of ours.
fn read(link: &str) -> Option<(TenantId, EventId, &str)> {
    let (ids, tag) = link.split_at_checked(IDS)?;
    let bytes = URL_SAFE_NO_PAD.decode(ids).ok()?;
    let (tenant, event) = bytes.split_first_chunk::<16>()?;
    Some((
        TenantId::from_uuid(Uuid::from_bytes(*tenant)),
        EventId::from_uuid(Uuid::from_slice(event).ok()?),
        tag,
    ))
}
