//! One worker gets a delivery, and only where nothing stands against it.

use super::*;

#[tokio::test]
async fn only_one_of_two_workers_gets_a_delivery_and_the_loser_frees_nothing() {
    let house = House::open().await;
    let d = house.queued(1, "Hi").await;
    let (one, two) = tokio::join!(house.claim(&d), house.claim(&d));
    let ends = [one, two];
    assert!(
        ends.contains(&ClaimResult::Claimed) && ends.contains(&ClaimResult::Refused),
        "{ends:?}"
    );
    assert_eq!(house.in_flight().await, 1, "the winner's call is under way");
    let equal = house.queued(2, "Hi").await;
    assert_eq!(
        house.claim(&equal).await,
        ClaimResult::EqualInFlight(Some(d.id))
    );
    let story = house.tenant.timeline(d.id.event).await.unwrap().unwrap();
    assert_eq!(story.attempts.len(), 1);
}

#[tokio::test]
async fn equal_texts_go_one_at_a_time() {
    let house = House::open().await;
    let (a, b, other) = (
        house.queued(1, "Hi").await,
        house.queued(2, "Hi").await,
        house.queued(3, "Ho").await,
    );
    assert_eq!(house.claim(&a).await, ClaimResult::Claimed);
    assert_eq!(
        house.claim(&b).await,
        ClaimResult::EqualInFlight(Some(a.id))
    );
    assert_eq!(house.claim(&other).await, ClaimResult::Claimed);
    assert!(house.accepted(a.id, 1, "SM1").await);
    assert_eq!(house.claim(&b).await, ClaimResult::Claimed);
}

#[tokio::test]
async fn a_claim_is_refused_by_whatever_stands_against_it() {
    let house = House::open().await;
    let d = house.queued(1, "Hi").await;
    let refused = async || {
        assert_eq!(house.claim(&d).await, ClaimResult::Refused);
        assert_eq!(house.in_flight().await, 0);
        assert_eq!(house.read(d.id).await.state, DeliveryState::Queued);
    };
    house.tenant.stop(Actor::named("me"), now()).await.unwrap();
    refused().await;
    house
        .tenant
        .lift_stop(Actor::named("me"), now())
        .await
        .unwrap();
    let set = async |state, until| {
        let why = String::new();
        house
            .tenant
            .set_connection_state(house.twilio, state, why, None, now())
            .await
            .unwrap();
        if let Some(until) = until {
            house
                .tenant
                .pause_connection(house.twilio, Channels::from_iter([Channel::Sms]), until)
                .await
                .unwrap();
        }
    };
    set(ConnectionState::Broken, None).await;
    refused().await;
    set(ConnectionState::Ready, Some(later(5))).await;
    refused().await;
    // What another API of the account asks for is not in the way of this one.
    let other = Channels::from_iter([Channel::Email]);
    house
        .tenant
        .pause_connection(house.twilio, other, later(60))
        .await
        .unwrap();
    let expired = house.claim_of(&d, later(86_400));
    assert_eq!(
        house.tenant.claim(expired).await.unwrap(),
        ClaimResult::Refused
    );
    let (foreign, ..) = add_tenant(&house.store, "other").await;
    let theirs = house
        .store
        .tenant(foreign)
        .claim(house.claim_of(&d, later(6)))
        .await
        .unwrap();
    assert_eq!(theirs, ClaimResult::Refused);
    let late = house.claim_of(&d, later(6));
    assert_eq!(
        house.tenant.claim(late).await.unwrap(),
        ClaimResult::Claimed
    );
}

#[tokio::test]
async fn leases_of_earlier_owners_end_at_a_takeover() {
    let house = House::open().await;
    let d = house.queued(1, "Hi").await;
    house.claim(&d).await;
    let platform = house.store.platform();
    assert_eq!(
        platform
            .expire_foreign_leases("one".to_owned(), now())
            .await
            .unwrap(),
        0
    );
    assert!(
        platform
            .due(later(1), &mut DueCursor::default(), 10)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        platform
            .expire_foreign_leases("two".to_owned(), later(1))
            .await
            .unwrap(),
        1
    );
    assert_eq!(
        platform
            .due(later(1), &mut DueCursor::default(), 10)
            .await
            .unwrap(),
        [Due::Delivery(house.tenant.tenant_id(), d.id, later(1))]
    );
}

#[tokio::test]
async fn a_walk_over_what_is_due_sees_everything_once_and_begins_again() {
    let house = House::open().await;
    let mut queued = Vec::new();
    for number in 0..5 {
        queued.push(house.queued(number, &format!("Hi {number}")).await.id);
    }
    let mut cursor = DueCursor::default();
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.extend(
            house
                .store
                .platform()
                .due(now(), &mut cursor, 2)
                .await
                .unwrap(),
        );
    }
    assert_eq!(cursor, DueCursor::default());
    let mut seen: Vec<_> = seen
        .into_iter()
        .filter_map(|due| match due {
            Due::Delivery(_, id, _) => Some(id),
            _ => None,
        })
        .collect();
    seen.sort_unstable();
    queued.sort_unstable();
    assert_eq!(seen, queued);
}

#[tokio::test]
async fn a_claim_that_nobody_waits_for_is_not_made() {
    let house = House::open().await;
    let d = house.queued(1, "Hi").await;
    {
        let claim = house.tenant.claim(house.claim_of(&d, now()));
        let mut claim = std::pin::pin!(claim);
        assert!(futures::poll!(claim.as_mut()).is_pending());
    }
    // Whatever stood before this in the line has been looked at.
    let other = house.queued(2, "Ho").await;
    assert_eq!(house.claim(&other).await, ClaimResult::Claimed);
    assert_eq!(house.read(d.id).await.state, DeliveryState::Queued);
}
