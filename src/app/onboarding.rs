//! The first hour: how far a new tenant has come on the way to its first delivered message, the
//! last requests with their verdict, and a signed event of our own to try the way with.

use bytes::Bytes;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde_json::{Value, json};

use super::pipeline::{HookRequest, JSON, Received};
use super::{App, AppError};
use crate::domain::actor::Actor;
use crate::domain::address::{Email, OwnAddresses, Phone};
use crate::domain::connection::Connection;
use crate::domain::delivery::{Delivery, DeliveryState};
use crate::domain::document::DocumentKind;
use crate::domain::event::{Event, EventSource, EventType};
use crate::domain::ids::{EventId, TenantId};
use crate::domain::page::Cursor;
use crate::domain::tenant::Tenant;
use crate::store::{EventFilter, RejectedRequest};
use crate::zoho;

/// How many requests a page follows.
const FOLLOWED: u64 = 8;

/// How far the provider of messages is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransportStep {
    Missing,
    /// Credentials are stored, and nobody knows whether the provider accepts them.
    Untried,
    Accepted,
}

impl TransportStep {
    pub(super) fn of(connection: Option<&Connection>) -> Self {
        match connection {
            None => Self::Missing,
            Some(connection) if connection.is_accepted() => Self::Accepted,
            Some(_) => Self::Untried,
        }
    }
}

/// What stands of the way from nothing to the first delivered message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a step of its own, done in any order"
)]
pub struct FirstHour {
    pub transport: TransportStep,
    /// An owner has shown that a number is theirs.
    pub has_own_number: bool,
    /// Zoho Books posted something, be it refused.
    pub is_knocked_at: bool,
    /// Zoho Books posted something that was believed.
    pub is_heard: bool,
    pub is_tested: bool,
    pub has_rules: bool,
    /// Whether there is an address that e-mails come from; none where no rule sends any.
    pub has_email_sender: Option<bool>,
    pub is_delivered: bool,
    pub is_rehearsal: bool,
}

/// The part of it that whoever asks has looked up already.
#[derive(Debug, Clone, Copy)]
pub(super) struct Begun {
    pub(super) transport: TransportStep,
    pub(super) is_heard: bool,
    pub(super) has_rules: bool,
    pub(super) has_email_sender: Option<bool>,
}

/// A request to the hook, and what became of it.
#[derive(Debug, Clone)]
pub enum HookAttempt {
    /// Believed and kept, with its messages so far.
    Kept(Box<Event>, Vec<Delivery>),
    Refused(Box<RejectedRequest>),
}

impl HookAttempt {
    /// When it came.
    pub const fn at(&self) -> DateTime<Utc> {
        match self {
            Self::Kept(event, _) => event.received_at,
            Self::Refused(request) => request.at,
        }
    }
}

impl App {
    /// How far the first hour has come; none once it is over, when the first message is delivered,
    /// everything is connected, and contacts are written to.
    pub(super) async fn first_hour(
        &self,
        tenant: TenantId,
        begun: Begun,
    ) -> Result<Option<FirstHour>, AppError> {
        let store = self.tenant(tenant);
        let arrived = [DeliveryState::Delivered, DeliveryState::Read];
        let is_delivered = store.count_deliveries(&arrived, 1).await? > 0;
        let row = store.tenant().await?.ok_or(AppError::NotFound("tenant"))?;
        let Begun {
            transport,
            is_heard,
            has_rules,
            has_email_sender,
        } = begun;
        let is_connected = transport == TransportStep::Accepted && has_email_sender != Some(false);
        if is_connected && is_heard && has_rules && is_delivered && !row.is_rehearsal {
            return Ok(None);
        }
        Ok(Some(FirstHour {
            transport,
            has_own_number: store.rehearsal_number().await?.is_some(),
            is_knocked_at: is_heard || !store.rejected(1).await?.is_empty(),
            is_heard,
            is_tested: store.has_test_event().await?,
            has_rules,
            has_email_sender,
            is_delivered,
            is_rehearsal: row.is_rehearsal,
        }))
    }

    /// The last requests to the hook, refused ones too, newest first.
    pub async fn hook_attempts(&self, tenant: TenantId) -> Result<Vec<HookAttempt>, AppError> {
        let store = self.tenant(tenant);
        let events = store
            .events(&EventFilter::default(), Cursor::Newest, FOLLOWED)
            .await?;
        let ids: Vec<EventId> = events.rows.iter().map(|e| e.id).collect();
        let deliveries = store.deliveries_of_events(&ids).await?;
        let kept = events.rows.into_iter().map(|event| {
            let own = deliveries.iter().filter(|d| d.id.event == event.id);
            let own = own.cloned().collect();
            HookAttempt::Kept(Box::new(event), own)
        });
        let refused = store.rejected(FOLLOWED).await?.into_iter();
        let mut all: Vec<HookAttempt> = kept
            .chain(refused.map(|r| HookAttempt::Refused(Box::new(r))))
            .collect();
        all.sort_by_key(|attempt| std::cmp::Reverse(attempt.at()));
        all.truncate(usize::try_from(FOLLOWED).unwrap_or(usize::MAX));
        Ok(all)
    }

    /// What a test event is best about: what the first rule that is on is about.
    pub async fn test_event_type(&self, tenant: TenantId) -> Result<EventType, AppError> {
        let rules = self.tenant(tenant).rules().await?;
        let first = rules.iter().find(|r| r.enabled);
        Ok(first.map_or(EventType::InvoiceSent, |r| r.definition.event_type))
    }

    /// Sends ourselves what Zoho Books would post: a made-up document, signed with the hook's secret
    /// and taken in by the code that takes in the others. Its only person is whoever sent it, by
    /// their own number and address, and a test is told to nobody else.
    pub async fn send_test_event(
        &self,
        tenant: TenantId,
        event_type: EventType,
        own: OwnAddresses,
        actor: &Actor,
    ) -> Result<EventId, AppError> {
        let store = self.tenant(tenant);
        let row = store.tenant().await?.ok_or(AppError::NotFound("tenant"))?;
        let connection = store
            .connection(zoho::PROVIDER)
            .await?
            .ok_or(AppError::NotFound("connection"))?;
        let token = store.hook_token(connection.id).await?;
        let token = token.ok_or(AppError::NotFound("hook"))?;
        let hook = self.hook(&token).await?.ok_or(AppError::NotFound("hook"))?;
        if hook.target.is_suspended {
            let why = "This account is suspended, so no event is taken in";
            return Err(AppError::Conflict(why.to_owned()));
        }
        let now = self.now();
        let sample = sample(&row, event_type, &own, now);
        let body = Bytes::from(sample.to_string());
        let request = HookRequest {
            path_type: Some(event_type),
            label: label(event_type).to_owned(),
            query: String::new(),
            content_type: Some(JSON.to_owned()),
            signature: hook.signature(&body).map(String::into_bytes),
            body,
            client: std::net::Ipv4Addr::LOCALHOST.into(),
        };
        match self.receive(EventSource::Test, &hook, request).await? {
            Received::Kept(kept) => {
                store
                    .note_test_event(kept.event, actor.clone(), now)
                    .await?;
                Ok(kept.event)
            }
            Received::Rejected(_) => Err(AppError::Conflict(
                "The web address has no secret yet. Make one first".to_owned(),
            )),
        }
    }
}

/// What a date-based rule's address would end in.
const fn label(event_type: EventType) -> &'static str {
    match event_type {
        EventType::InvoiceOverdue | EventType::BillOverdue => "7d",
        EventType::InvoiceDueSoon | EventType::BillDueSoon => "3d",
        _ => "",
    }
}

/// A document as Zoho Books would post it. Nobody's books hold it, and its number says so.
fn sample(tenant: &Tenant, event_type: EventType, own: &OwnAddresses, now: DateTime<Utc>) -> Value {
    let today = now.with_timezone(&tenant.zone).date_naive();
    let due = due_date(event_type, today);
    let id = EventId::new(now).uuid().simple().to_string();
    let number = format!("TEST-{}", id[id.len() - 4..].to_uppercase());
    let status = match event_type {
        EventType::InvoiceCreated => "draft",
        EventType::InvoiceSent | EventType::InvoiceDueSoon => "sent",
        EventType::InvoiceOverdue | EventType::BillOverdue => "overdue",
        EventType::InvoicePaid | EventType::PaymentReceived | EventType::VendorPaymentSent => {
            "paid"
        }
        _ => "open",
    };
    let total = 1350.0;
    let balance = if status == "paid" { 0.0 } else { total };
    let mut document = json!({
        "status": status,
        "date": today.to_string(),
        "due_date": due.to_string(),
        "created_time": now.to_rfc3339(),
        "last_modified_time": now.to_rfc3339(),
        "total": total, "balance": balance, "amount": total,
        "currency_code": tenant.currency,
        "payment_mode": "Bank transfer",
        "reference_number": number,
        "description": "A test of ml-connector",
        "contact_persons_details": [{
            "contact_person_id": format!("{id}p"),
            "first_name": "Test", "last_name": "Customer",
            "mobile": own.phone.as_ref().map_or("", Phone::as_str),
            "email": own.email.as_ref().map_or("", Email::as_str),
            "is_primary_contact": true,
        }],
    });
    let (envelope, own) = match event_type.document() {
        DocumentKind::Invoice => (
            "invoice",
            json!({
                "invoice_id": id, "invoice_number": number,
                "invoice_url": format!("https://books.example/pay/{id}"),
            }),
        ),
        DocumentKind::CustomerPayment => (
            "payment",
            json!({
                "payment_id": id, "payment_number": number,
            }),
        ),
        DocumentKind::Bill => ("bill", json!({ "bill_id": id, "bill_number": number })),
        DocumentKind::PurchaseOrder => (
            "purchaseorder",
            json!({
                "purchaseorder_id": id, "purchaseorder_number": number,
            }),
        ),
        DocumentKind::VendorPayment => (
            "vendorpayment",
            json!({
                "payment_id": id, "payment_number": number,
            }),
        ),
        DocumentKind::Expense => (
            "expense",
            json!({ "expense_id": id, "expense_number": number }),
        ),
    };
    let (party, name) = match event_type.document() {
        DocumentKind::Invoice | DocumentKind::CustomerPayment => ("customer", "Test Customer"),
        _ => ("vendor", "Test Supplier"),
    };
    merge(&mut document, own);
    merge(
        &mut document,
        json!({ format!("{party}_id"): format!("{id}c"), format!("{party}_name"): name }),
    );
    json!({ envelope: document })
}

fn due_date(event_type: EventType, today: NaiveDate) -> NaiveDate {
    let days = match event_type {
        EventType::InvoiceOverdue | EventType::BillOverdue => -7,
        EventType::InvoiceDueSoon | EventType::BillDueSoon => 3,
        _ => 14,
    };
    today + TimeDelta::days(days)
}

fn merge(into: &mut Value, from: Value) {
    if let (Value::Object(into), Value::Object(from)) = (into, from) {
        into.extend(from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zoho::wire;

    fn tenant() -> Tenant {
        Tenant {
            id: TenantId::nil(),
            date_format: crate::domain::day::DateFormat::default(),
            slug: "acme".to_owned(),
            name: "Acme".to_owned(),
            is_suspended: false,
            suspended_for: String::new(),
            country: "GB".to_owned(),
            zone: chrono_tz::Europe::London,
            currency: "GBP".to_owned(),
            rule_set: 0,
            stopped: None,
            is_rehearsal: false,
            hours: None,
            created_at: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn every_type_has_a_sample_that_is_read_as_what_zoho_books_would_post() {
        let now = "2026-11-22T12:00:00Z".parse().unwrap();
        let own = OwnAddresses {
            phone: Phone::from_stored("+447700900123"),
            email: Email::parse("ann@acme.example").ok(),
        };
        for &event_type in EventType::ALL {
            let sample = sample(&tenant(), event_type, &own, now).to_string();
            let read = wire::read(sample.as_bytes(), Some(JSON), Some(event_type)).unwrap();
            assert_eq!(read.kind, event_type.document(), "{event_type}");
            assert!(read.number.unwrap().starts_with("TEST-"), "{event_type}");
            assert!(read.party.unwrap().name.unwrap().starts_with("Test "));
            let [person] = read.persons.as_slice() else {
                panic!("{event_type}: one person")
            };
            assert_eq!(person.mobile.as_deref(), Some("+447700900123"));
            assert_eq!(person.email.as_deref(), Some("ann@acme.example"));
        }
    }

    #[test]
    fn a_sample_without_a_number_can_be_told_to_nobody() {
        let now = "2026-11-22T12:00:00Z".parse().unwrap();
        let sample = sample(
            &tenant(),
            EventType::BillDueSoon,
            &OwnAddresses::default(),
            now,
        )
        .to_string();
        let read = wire::read(sample.as_bytes(), Some(JSON), None).unwrap();
        assert!(
            read.persons
                .iter()
                .all(|p| p.mobile.is_none() && p.phone.is_none())
        );
    }
}
