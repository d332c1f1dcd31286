//! Outcomes of calls and later reports, in whatever order they come.

use super::*;

#[tokio::test]
async fn a_late_201_settles_what_was_lost_and_shows_a_double_if_it_was_sent_again() {
    let house = House::open().await;
    let d = house.queued(1, "Hi").await;
    house.claim(&d).await;
    house.lose(&house.read(d.id).await).await;
    assert_eq!(house.in_flight().await, 1, "it may be there");
    assert!(house.accepted(d.id, 1, "SM1").await);
    let found = house.read(d.id).await;
    assert_eq!(
        (found.state, found.sid.as_str()),
        (DeliveryState::Accepted, "SM1")
    );
    assert_eq!(house.in_flight().await, 0);

    let again = house.queued(2, "Ho").await;
    house.claim(&again).await;
    house.lose(&house.read(again.id).await).await;
    house.absent(&house.read(again.id).await).await;
    let second = house.read(again.id).await;
    assert_eq!(house.claim(&second).await, ClaimResult::Claimed);
    assert!(house.accepted(again.id, 2, "SM3").await);
    assert!(
        !house.accepted(again.id, 1, "SM2").await,
        "the first answer comes last"
    );
    let end = house.read(again.id).await;
    assert_eq!(
        (end.state, end.sid.as_str()),
        (DeliveryState::Accepted, "SM3")
    );
    let steps = house.steps(again.id).await;
    assert_eq!(
        steps,
        [StepKind::Accepted, StepKind::Accepted, StepKind::Double]
    );
}

#[tokio::test]
async fn a_message_is_found_by_one_delivery_only() {
    let house = House::open().await;
    for (n, text, found) in [(1, "Hi", true), (2, "Ho", false)] {
        let d = house.queued(n, text).await;
        house.claim(&d).await;
        house.lose(&house.read(d.id).await).await;
        let guard = Guard {
            states: &[DeliveryState::Unknown],
            attempt_no: 1,
            lease_owner: None,
        };
        let change = Change {
            message: Some(KnownMessage {
                provider: "Twilio".to_owned(),
                account: ACCOUNT.to_owned(),
                sid: "SM1".to_owned(),
                channel: Channel::Sms,
                address: TO.to_owned(),
                status: Status::Accepted,
                accepted_at: now(),
            }),
            ..Change::to(DeliveryState::Accepted, d.id, guard, now())
        };
        assert_eq!(house.tenant.change(change).await.unwrap(), found);
    }
}

#[tokio::test]
async fn a_callback_may_overtake_the_answer() {
    let house = House::open().await;
    let d = house.queued(1, "Hi").await;
    house.claim(&d).await;
    let moved = house
        .tenant
        .receive(receipt(Some(d.id), "SM1", "delivered"))
        .await
        .unwrap();
    assert_eq!(moved, ReceiptResult::Moved(d.id));
    assert_eq!(house.in_flight().await, 0);
    assert!(!house.accepted(d.id, 1, "SM1").await);
    let end = house.read(d.id).await;
    assert_eq!((end.state, end.due_at), (DeliveryState::Delivered, None));
    assert_eq!(
        house.steps(d.id).await,
        [StepKind::Accepted],
        "the outcome is appended all the same"
    );
}

#[tokio::test]
async fn reports_without_our_id_wait_for_the_answer() {
    let house = House::open().await;
    let d = house.queued(1, "Hi").await;
    house.claim(&d).await;
    let early = house
        .tenant
        .receive(receipt(None, "SM1", "delivered"))
        .await
        .unwrap();
    assert_eq!(early, ReceiptResult::Unmatched);
    // A report with our id moves the state first; the other is still not forgotten.
    house
        .tenant
        .receive(receipt(Some(d.id), "SM1", "sent"))
        .await
        .unwrap();
    house.accepted(d.id, 1, "SM1").await;
    assert_eq!(house.read(d.id).await.state, DeliveryState::Delivered);
}

#[tokio::test]
async fn an_unsigned_report_moves_nothing_and_proves_nothing() {
    let house = House::open().await;
    let d = house.queued(1, "Hi").await;
    house.claim(&d).await;
    house.accepted(d.id, 1, "SM1").await;
    let forged = house
        .tenant
        .receive(hint(d.id, "SM666", "delivered"))
        .await
        .unwrap();
    assert_eq!(forged, ReceiptResult::Hinted(d.id));
    assert_eq!(house.read(d.id).await.state, DeliveryState::Accepted);
    assert_eq!(
        house.steps(d.id).await,
        [StepKind::Accepted],
        "nobody was sent anything twice"
    );
    let other = house.queued(2, "Ho").await;
    let sids = ["SM666".to_owned()];
    let taken = house
        .tenant
        .taken_sids(ACCOUNT, &sids, other.id)
        .await
        .unwrap();
    assert!(taken.is_empty(), "whose message it is was not proven");
}

#[tokio::test]
async fn what_an_unsigned_report_hinted_at_still_counts_once_it_is_confirmed() {
    let house = House::open().await;
    let d = house.queued(1, "Hi").await;
    house.claim(&d).await;
    house.accepted(d.id, 1, "SM1").await;
    house
        .tenant
        .receive(hint(d.id, "SM1", "delivered"))
        .await
        .unwrap();
    let poll = NewReceipt {
        source: "poll",
        ..receipt(Some(d.id), "SM1", "delivered")
    };
    assert_eq!(
        house.tenant.receive(poll).await.unwrap(),
        ReceiptResult::Moved(d.id)
    );
    assert_eq!(house.read(d.id).await.state, DeliveryState::Delivered);
}

#[tokio::test]
async fn an_opt_out_ends_as_suppressed_and_keeps_the_address() {
    let house = House::open().await;
    let d = house.queued(1, "Hi").await;
    house.claim(&d).await;
    house.accepted(d.id, 1, "SM1").await;
    let stop = NewReceipt {
        error_code: 21610,
        is_opt_out: true,
        ..receipt(Some(d.id), "SM1", "failed")
    };
    house.tenant.receive(stop).await.unwrap();
    assert_eq!(house.read(d.id).await.state, DeliveryState::Suppressed);
    assert!(
        house
            .tenant
            .suppression(Channel::Sms, TO)
            .await
            .unwrap()
            .is_some()
    );
    let next = house.queued(2, "Ho").await;
    assert_eq!(house.claim(&next).await, ClaimResult::Refused);
}

#[tokio::test]
async fn evidence_is_of_the_same_tenant() {
    let house = House::open().await;
    let d = house.queued(1, "Hi").await;
    house.claim(&d).await;
    house.accepted(d.id, 1, "SM1").await;
    let lost = house.queued(2, "Ho").await;
    let since = now() - TimeDelta::seconds(1);
    assert!(
        house
            .tenant
            .freshness_marker((ACCOUNT, Channel::Sms), since, lost.id)
            .await
            .unwrap()
            .is_some()
    );
    // A list of texts never shows an e-mail.
    assert!(
        house
            .tenant
            .freshness_marker((ACCOUNT, Channel::Email), since, lost.id)
            .await
            .unwrap()
            .is_none()
    );
    let (foreign, ..) = add_tenant(&house.store, "other").await;
    let theirs = house.store.tenant(foreign);
    assert!(
        theirs
            .freshness_marker((ACCOUNT, Channel::Sms), since, lost.id)
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn what_a_report_makes_known_is_dated_by_its_attempt_not_by_the_report() {
    let house = House::open().await;
    let d = house.queued(1, "Hi").await;
    house.claim(&d).await;
    let late = NewReceipt {
        now: later(600),
        attempt_no: Some(1),
        ..receipt(Some(d.id), "SM1", "sent")
    };
    house.tenant.receive(late).await.unwrap();
    let lost = house.queued(2, "Ho").await;
    let evidence = house
        .tenant
        .freshness_marker((ACCOUNT, Channel::Sms), later(60), lost.id)
        .await
        .unwrap();
    assert_eq!(
        evidence, None,
        "it was accepted before the lost attempt began"
    );
}

#[tokio::test]
async fn an_outcome_told_twice_is_one() {
    let house = House::open().await;
    let d = house.queued(1, "Hi").await;
    house.claim(&d).await;
    let change = Change {
        is_outcome: true,
        ..Change::to(
            DeliveryState::Failed,
            d.id,
            Guard {
                states: &[DeliveryState::Sending],
                attempt_no: 1,
                lease_owner: None,
            },
            now(),
        )
        .because(StepKind::Refused, "Refused", "{}".to_owned())
    };
    assert!(house.tenant.change(change.clone()).await.unwrap());
    assert!(!house.tenant.change(change).await.unwrap());
    let story = house.tenant.timeline(d.id.event).await.unwrap().unwrap();
    assert_eq!(story.steps.len(), 1);
}
