//! What is held is released, and what people send again.

use super::*;

#[tokio::test]
async fn what_is_held_is_released_by_its_kind_only() {
    let house = House::open().await;
    let mut ids = Vec::new();
    for (n, hold) in [(1, Hold::Stopped), (2, Hold::Broken)] {
        let d = house.queued(n, "Hi").await;
        let guard = Guard {
            states: &[DeliveryState::Queued],
            attempt_no: 0,
            lease_owner: None,
        };
        let change = Change {
            hold: Some(hold),
            due_at: Some(d.expires_at),
            ..Change::to(DeliveryState::Held, d.id, guard, now())
        };
        assert!(house.tenant.change(change).await.unwrap());
        ids.push(d.id);
    }
    let (foreign, ..) = add_tenant(&house.store, "other").await;
    let release = |tenant: TenantStore| async move {
        tenant
            .release_held(vec![Hold::Stopped], None, "Go".to_owned(), later(9))
            .await
            .unwrap()
    };
    assert!(release(house.store.tenant(foreign)).await.is_empty());
    assert_eq!(release(house.tenant.clone()).await, [ids[0]]);
    let (free, held) = (house.read(ids[0]).await, house.read(ids[1]).await);
    assert_eq!(
        (free.state, free.due_at),
        (DeliveryState::Queued, Some(later(9)))
    );
    assert_eq!(
        (held.state, held.hold),
        (DeliveryState::Held, Some(Hold::Broken))
    );
    assert_eq!(house.steps(ids[0]).await, [StepKind::Released]);
}

#[tokio::test]
async fn a_replay_is_made_once_per_nonce_and_not_beside_an_open_delivery() {
    let house = House::open().await;
    let d = house.queued(1, "Hi").await;
    let event = d.id.event;
    let create = |nonce: &str| {
        let replay = replay(&house, ReplayKind::Event, event, nonce);
        house.tenant.create_replay(NewReplay {
            address: String::new(),
            replays_before: None,
            replay,
            delivery: None,
        })
    };
    assert!(matches!(create("a").await.unwrap(), ReplayResult::Blocked(id) if id == d.id));
    house.claim(&d).await;
    house.accepted(d.id, 1, "SM1").await;
    let (one, two) = tokio::join!(create("a"), create("a"));
    let repeated = [one.unwrap(), two.unwrap()]
        .iter()
        .filter(|r| matches!(r, ReplayResult::Repeated(_)))
        .count();
    assert_eq!(repeated, 1);
    // Its deliveries are not made yet, but the same wish is already under way.
    assert!(
        matches!(create("b").await.unwrap(), ReplayResult::Repeated(first) if first.nonce == "a")
    );
}

#[tokio::test]
async fn a_suppressed_address_is_refused() {
    let house = House::open().await;
    let d = house.queued(1, "Hi").await;
    house.claim(&d).await;
    house.accepted(d.id, 1, "SM1").await;
    let stop = NewReceipt {
        error_code: 21610,
        is_opt_out: true,
        ..receipt(Some(d.id), "SM1", "undelivered")
    };
    house.tenant.receive(stop).await.unwrap();
    let made = replay(&house, ReplayKind::Delivery, d.id.event, "a");
    let delivery = NewDelivery {
        replay: made.id,
        ..House::wish(d.id.event, "Hi")
    };
    let result = house.tenant.create_replay(NewReplay {
        address: String::new(),
        replays_before: None,
        replay: made,
        delivery: Some(delivery),
    });
    assert!(matches!(result.await.unwrap(), ReplayResult::Suppressed(_)));
}
