//! Events are kept once, whoever repeats them.

use super::*;

#[tokio::test]
async fn a_repeat_is_answered_with_the_first_event_also_within_one_batch() {
    let house = House::open().await;
    let first = house.ingest(1, now()).await;
    let (again, twin, other) = tokio::join!(
        house.ingest(1, later(1)),
        house.ingest(2, later(1)),
        house.ingest(2, later(1))
    );
    assert_eq!(
        again,
        Ingested {
            event: first.event,
            is_duplicate: true
        }
    );
    assert_eq!(twin.event, other.event);
    assert_ne!(twin.is_duplicate, other.is_duplicate);
    assert_eq!(
        house
            .store
            .platform()
            .due(now(), &mut DueCursor::default(), 100)
            .await
            .unwrap()
            .len(),
        2
    );
}

#[tokio::test]
async fn a_reminder_is_a_repeat_for_twelve_hours_and_on_the_same_day() {
    let house = House::open().await;
    let send = |day, hours: i64| {
        house
            .store
            .ingest(house.event(1, Some(day), later(hours * 3600)))
    };
    let is_repeat = async |day, hours| send(day, hours).await.unwrap().is_duplicate;
    assert!(!is_repeat(10, 0).await);
    assert!(is_repeat(10, 1).await);
    assert!(
        is_repeat(11, 11).await,
        "another day, but within twelve hours"
    );
    assert!(is_repeat(10, 13).await, "the same day after twelve hours");
    assert!(!is_repeat(11, 13).await);
    assert!(
        is_repeat(12, 24).await,
        "twelve hours run from the one that was kept"
    );
    assert!(!is_repeat(12, 26).await);
}

#[tokio::test]
async fn a_poisoned_command_in_a_batch_fails_alone() {
    let house = House::open().await;
    let before = house.ingest(1, now()).await;
    // The same id under other fingerprints breaks the primary key of events.
    let poisoned = NewEvent {
        id: before.event,
        ..house.event(9, None, now())
    };
    let (good, bad, other) = tokio::join!(
        house.store.ingest(house.event(2, None, now())),
        house.store.ingest(poisoned),
        house.store.ingest(house.event(3, None, now())),
    );
    assert!(bad.is_err());
    assert!(!good.unwrap().is_duplicate && !other.unwrap().is_duplicate);
    // Nothing of the poisoned one stayed: its fingerprint is free.
    assert!(!house.ingest(9, later(1)).await.is_duplicate);
    assert_eq!(
        house
            .store
            .platform()
            .due(now(), &mut DueCursor::default(), 100)
            .await
            .unwrap()
            .len(),
        4
    );
}

#[tokio::test]
async fn an_address_that_no_text_can_hold_leads_nowhere() {
    let house = House::open().await;
    let platform = house.store.platform();
    for token in ["", "\0", "a\0b"] {
        let found = platform.hook(crate::zoho::PROVIDER, token).await;
        assert!(found.unwrap().is_none(), "{token:?}");
    }
}
