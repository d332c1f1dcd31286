//! Job payloads: what the app asks to have done later. Ids only; the database is the truth.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::domain::ids::{DeliveryId, EventId, ReplayId, TenantId};
use crate::queue::{Job, Kind, Push};
use crate::store::Due;

/// Route one event.
pub const ROUTE_EVENT: Kind = Kind::new("route_event");
/// Decide one event again, for a replay.
pub const RUN_REPLAY: Kind = Kind::new("run_replay");
/// Move one delivery on: send, look, poll, expire.
pub const DELIVER: Kind = Kind::new("deliver");

/// Hand over an e-mail of the service's own.
pub const SEND_MAIL: Kind = Kind::new("send_mail");

/// A wish to route an event now.
pub fn route_event(tenant: TenantId, event: EventId, due: DateTime<Utc>) -> Push {
    push(ROUTE_EVENT, tenant, vec![event.uuid()], due)
}

/// A wish to carry out a replay now.
pub fn run_replay(tenant: TenantId, replay: ReplayId, due: DateTime<Utc>) -> Push {
    push(RUN_REPLAY, tenant, vec![replay.uuid()], due)
}

/// A wish to move a delivery on at `due`.
pub fn deliver(tenant: TenantId, delivery: DeliveryId, due: DateTime<Utc>) -> Push {
    push(
        DELIVER,
        tenant,
        vec![delivery.event.uuid(), delivery.own],
        due,
    )
}

/// A wish to hand over an e-mail; it takes the turn of the tenant on whose behalf it is.
pub fn send_mail(tenant: Option<TenantId>, mail: Uuid, due: DateTime<Utc>) -> Push {
    let turn = tenant.map_or_else(Uuid::nil, TenantId::uuid);
    Push {
        job: Job::new(SEND_MAIL, turn, vec![mail]),
        due,
    }
}

/// The job for something that waits in the database.
pub fn of_due(due: Due, now: DateTime<Utc>) -> Push {
    match due {
        Due::Event(tenant, event) => route_event(tenant, event, now),
        Due::Replay(tenant, replay) => run_replay(tenant, replay, now),
        Due::Delivery(tenant, delivery, at) => deliver(tenant, delivery, at),
        Due::Mail(tenant, mail) => send_mail(tenant, mail, now),
    }
}

fn push(kind: Kind, tenant: TenantId, ids: Vec<Uuid>, due: DateTime<Utc>) -> Push {
    Push {
        job: Job::new(kind, tenant.uuid(), ids),
        due,
    }
}
