//! Clocks that are set while messages are on their way.

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::json;

use super::scene::Scene;
use crate::domain::delivery::{DeliveryState, Hold, StepKind};
use crate::sandbox::twilio::{Fault, FaultKind, FaultOrder};

#[tokio::test]
async fn a_clock_that_is_set_in_mid_call_takes_no_message_from_its_sender() {
    let scene = Scene::open().await;
    scene.rule(json!({})).await;
    let d = scene.queued("INV-1").await;
    let slow = Fault::new(FaultKind::Slow).with_delay_ms(500);
    scene
        .sandbox()
        .twilio()
        .next(FaultOrder::once(slow))
        .unwrap();
    let sending = scene.app.advance(scene.tenant, d.id);
    let setting = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        scene.pass(3600).await;
        assert_eq!(scene.state(d.id).await, DeliveryState::Sending);
    };
    let (sent, ()) = tokio::join!(sending, setting);
    sent.unwrap();
    assert_eq!(scene.state(d.id).await, DeliveryState::Accepted);
    assert_eq!(scene.steps(d.id).await, [StepKind::Accepted]);
    assert_eq!(scene.taken(), 1);
}

#[tokio::test]
async fn a_clock_that_is_set_between_an_attempt_and_its_looks_doubles_nothing() {
    for was_ahead in [-3600_i64, 3600] {
        let scene = Scene::open().await;
        scene.rule(json!({})).await;
        scene.fault(FaultKind::DropAfter);
        let d = scene.tell("INV-1").await;
        let micros = was_ahead * 1_000_000;
        let change = format!(
            "UPDATE attempts SET started_at = started_at + {micros}, \
             lease_until = lease_until + {micros}"
        );
        scene.database.run(&change).await;
        // A witness for either, before and after the wrong time of the attempt.
        scene.clock.advance(TimeDelta::seconds(5));
        scene.tell("INV-2").await;
        for _ in 0..6 {
            scene.pass(700).await;
        }
        scene.tell("INV-3").await;
        for _ in 0..6 {
            scene.pass(700).await;
        }
        let waits = scene.read(d.id).await;
        assert_eq!(
            (waits.state, waits.hold, waits.attempt_no),
            (DeliveryState::Unknown, Some(Hold::Person), 1),
            "{was_ahead}: {}",
            waits.reason
        );
        assert!(waits.reason.contains("another time"), "{}", waits.reason);
        assert_eq!(scene.taken(), 3);
    }
}

#[tokio::test]
async fn a_message_that_only_a_wrong_clock_made_newer_is_no_witness() {
    let scene = Scene::open().await;
    scene.rule(json!({})).await;
    scene.tell("INV-1").await;
    let later = "UPDATE provider_messages SET accepted_at = accepted_at + 3600000000";
    scene.database.run(later).await;
    scene.clock.advance(TimeDelta::minutes(1));
    scene.fault(FaultKind::DropBefore);
    let d = scene.tell("INV-2").await;
    for _ in 0..10 {
        scene.pass(30).await;
    }
    let waits = scene.read(d.id).await;
    assert_eq!((waits.state, waits.attempt_no), (DeliveryState::Unknown, 1));
    assert_eq!(scene.taken(), 1);
}
