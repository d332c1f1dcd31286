//! What the claim must never let through: a contact in rehearsal, a suppressed number, the wrong hour.

use futures::future::join_all;

use super::*;
use crate::domain::address::Address;
use crate::domain::hours::Hours;
use crate::domain::phone::Phone;

const OWNER: &str = "+16175550123";

impl House {
    async fn rehearse(&self, is_rehearsal: bool) -> bool {
        self.tenant
            .set_rehearsal(is_rehearsal, Actor::named("amy"), now())
            .await
            .unwrap()
    }

    /// A queued delivery that goes to the owner.
    async fn rehearsed(&self, fingerprint: u8, to: &str) -> Delivery {
        let event = self.ingest(fingerprint, now()).await.event;
        let wish = NewDelivery {
            is_rehearsal: true,
            rehearsal_to: to.to_owned(),
            ..Self::wish(event, &format!("Hi {fingerprint}"))
        };
        let id = wish.id;
        let commit = RouteCommit {
            rule_set: self.rule_set().await,
            ..self.commit(event, vec![wish])
        };
        let done = self.tenant.commit_route(commit).await.unwrap();
        assert_eq!(done, RouteResult::Committed);
        self.read(id).await
    }

    async fn rule_set(&self) -> i64 {
        self.tenant.tenant().await.unwrap().unwrap().rule_set
    }

    async fn in_flight_to(&self, address: &str) -> i64 {
        let query =
            "SELECT COUNT(*) AS n FROM in_flight WHERE tenant_id = $1 AND address_hash = $2";
        let hash = hasher().hash(Channel::Sms, address);
        let row = self.tenant.db().one(query, sql::values![hash]).await;
        row.unwrap().unwrap().get("n").unwrap()
    }

    async fn suppress(&self, address: &'static str) {
        let tenant = self.tenant.tenant_id();
        let work = self.writer().edit(work!(async |tx| {
            let why = (crate::domain::suppression::Source::Stop, "STOP");
            let whom = suppressions::Addressee::new(&hasher(), Channel::Sms, address);
            suppressions::suppress(tx.of(tenant), whom, why, now()).await
        }));
        assert!(work.await.unwrap());
    }
}

#[tokio::test]
async fn nothing_live_is_claimed_in_rehearsal_and_a_rehearsal_always_goes_to_the_owner() {
    let house = House::open().await;
    let live = house.queued(1, "Hi").await;
    assert_eq!((live.to(), live.is_rehearsal), (TO, false));
    assert!(house.rehearse(true).await);
    assert!(!house.rehearse(true).await, "it was so already");
    assert_eq!(house.claim(&live).await, ClaimResult::Refused);
    let rehearsed = house.rehearsed(2, OWNER).await;
    assert_eq!(
        (rehearsed.to(), rehearsed.address.as_str()),
        (OWNER, TO),
        "meant for one, sent to the other"
    );
    assert_eq!(house.claim(&rehearsed).await, ClaimResult::Claimed);
    assert_eq!(house.in_flight_to(OWNER).await, 1);

    let waits = house.rehearsed(3, OWNER).await;
    assert!(house.rehearse(false).await);
    assert_eq!(house.claim(&live).await, ClaimResult::Claimed);
    let to_contact = Claim {
        to: TO.to_owned(),
        ..house.claim_of(&waits, now())
    };
    let claimed = house.tenant.claim(to_contact).await.unwrap();
    assert_eq!(claimed, ClaimResult::Refused, "it stays a rehearsal");
    assert_eq!(house.claim(&waits).await, ClaimResult::Claimed);
}

#[tokio::test]
async fn a_decision_that_began_before_the_rehearsal_starts_over() {
    let house = House::open().await;
    let event = house.ingest(1, now()).await.event;
    let commit = house.commit(event, vec![House::wish(event, "Hi")]);
    house.rehearse(true).await;
    let done = house.tenant.commit_route(commit).await.unwrap();
    assert_eq!(done, RouteResult::Stale);
    assert!(house.tenant.deliveries_of(event).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_replay_that_was_made_up_before_the_rehearsal_starts_over() {
    let house = House::open().await;
    let d = house.queued(1, "Hi").await;
    house.claim(&d).await;
    house.accepted(d.id, 1, "SM1").await;
    house.rehearse(true).await;
    let made = replay(&house, ReplayKind::Delivery, d.id.event, "a");
    let delivery = NewDelivery {
        replay: made.id,
        ..House::wish(d.id.event, "Hi")
    };
    let wish = NewReplay {
        address: String::new(),
        replays_before: None,
        replay: made,
        delivery: Some(delivery),
    };
    let result = house.tenant.create_replay(wish).await.unwrap();
    assert!(matches!(result, ReplayResult::Stale), "{result:?}");
}

#[tokio::test]
async fn a_rehearsal_waits_for_a_number_and_is_bound_to_it_until_it_was_tried() {
    let house = House::open().await;
    let d = house.rehearsed(1, "").await;
    assert_eq!(house.claim(&d).await, ClaimResult::Refused, "empty");
    let number = |text| Phone::from_stored(text).unwrap();
    let bound = house
        .tenant
        .bind_rehearsal(d.id, Address::Phone(number(OWNER)));
    assert!(bound.await.unwrap());
    assert_eq!(house.claim(&d).await, ClaimResult::Refused, "an old look");
    let d = house.read(d.id).await;
    assert_eq!(house.claim(&d).await, ClaimResult::Claimed);
    let late = house
        .tenant
        .bind_rehearsal(d.id, Address::Phone(number("+16175550199")));
    assert!(!late.await.unwrap());

    let live = house.queued(2, "Hi").await;
    let bound = house
        .tenant
        .bind_rehearsal(live.id, Address::Phone(number(OWNER)));
    assert!(!bound.await.unwrap(), "a live one has no owner's number");
}

#[tokio::test]
async fn either_number_of_a_rehearsal_may_be_suppressed() {
    for suppressed in [TO, OWNER] {
        let house = House::open().await;
        let d = house.rehearsed(1, OWNER).await;
        house.suppress(suppressed).await;
        assert_eq!(house.claim(&d).await, ClaimResult::Refused, "{suppressed}");
        let why = house.tenant.suppression_of(&d).await.unwrap();
        assert_eq!(why.map(|s| s.reason).as_deref(), Some("STOP"));
    }
    let house = House::open().await;
    let live = house.queued(1, "Hi").await;
    house.suppress(OWNER).await;
    assert_eq!(house.claim(&live).await, ClaimResult::Claimed);
}

#[tokio::test]
async fn a_claim_that_went_by_other_hours_is_refused() {
    let house = House::open().await;
    let d = house.queued(1, "Hi").await;
    let by = |hours, zone| Claim {
        hours,
        zone,
        ..house.claim_of(&d, now())
    };
    let day = Hours::default();
    let row = house.tenant.tenant().await.unwrap().unwrap();
    let changed = Tenant {
        hours: Some(day),
        ..row
    };
    let amy = Actor::named("amy");
    let saved = house.tenant.update_settings(changed, amy, now());
    saved.await.unwrap();
    for stale in [
        by(None, ZONE),
        by(Some(day), chrono_tz::UTC),
        by("08:00-21:00".parse().ok(), ZONE),
    ] {
        let done = house.tenant.claim(stale).await.unwrap();
        assert_eq!(done, ClaimResult::Refused);
    }
    let done = house.tenant.claim(by(Some(day), ZONE)).await.unwrap();
    assert_eq!(done, ClaimResult::Claimed);
    let logged = "audit_entries WHERE action = 'settings.changed' \
                  AND detail LIKE '%\"hours\":\"\"%' AND detail LIKE '%\"hours\":\"08:00-20:00\"%'";
    assert_eq!(house.database.count(logged).await, 1, "old and new");
}

/// Claims, and decisions, and the change, all at once: once the change is told, no contact is claimed
/// any more, by whoever began before.
#[tokio::test(flavor = "multi_thread")]
async fn no_claim_slips_past_the_beginning_of_the_rehearsal() {
    let house = House::open().await;
    let mut live = Vec::new();
    for n in 0..40 {
        live.push(house.queued(n, &format!("Hi {n}")).await);
    }
    let undecided = house.ingest(200, now()).await.event;
    let (early, late) = live.split_at(20);
    let began = async {
        let claimed = join_all(early.iter().map(|d| house.claim(d))).await;
        claimed
            .into_iter()
            .filter(|c| *c == ClaimResult::Claimed)
            .count()
    };
    let turned = async {
        assert!(house.rehearse(true).await);
        let sending = "deliveries WHERE state = 'sending'";
        let at_once = house.database.count(sending).await;
        let commit = house.commit(undecided, vec![House::wish(undecided, "late")]);
        let routed = house.tenant.commit_route(commit).await.unwrap();
        assert_eq!(routed, RouteResult::Stale);
        let claims = join_all(late.iter().map(|d| house.claim(d))).await;
        assert!(claims.iter().all(|c| *c == ClaimResult::Refused));
        at_once
    };
    let (claimed, at_once) = tokio::join!(began, turned);
    let all = house.database.count("attempts WHERE attempt_no = 1").await;
    assert_eq!(all, at_once, "claimed after the change was told");
    assert_eq!(usize::try_from(all).unwrap(), claimed);
}
