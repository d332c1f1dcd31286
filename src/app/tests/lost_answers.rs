//! Answers that were lost: the message is looked for, found, or waits for a person.

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::json;

use super::scene::Scene;
use crate::app::resolve::Resolution;
use crate::domain::actor::Actor;
use crate::domain::delivery::{Delivery, DeliveryState, Hold, StepKind};
use crate::sandbox::twilio::{Fault, FaultKind, FaultOrder, On, Settings};

#[tokio::test]
async fn an_answer_that_was_lost_is_found_and_nothing_is_sent_again() {
    let scene = Scene::open().await;
    scene.rule(json!({})).await;
    scene.fault(FaultKind::DropAfter);
    let d = scene.tell("INV-1").await;
    assert_eq!(d.state, DeliveryState::Unknown);
    scene.pass(31).await;
    let found = scene.read(d.id).await;
    assert_eq!(found.state, DeliveryState::Accepted);
    assert!(found.sid.starts_with("SM") && found.due_at.is_some());
    assert_eq!(scene.taken(), 1);
    assert_eq!(
        scene.steps(d.id).await,
        [StepKind::Unknown, StepKind::Found]
    );
}

/// Smart Encoding rewrites the text of a message whose answer is lost.
async fn rewritten(template: &str) -> (Scene, Delivery) {
    let scene = Scene::open().await;
    scene.sandbox().twilio().set(Settings {
        smart_encoding: true,
        ..Settings::default()
    });
    scene
        .rule(json!({ "template": { "body": template } }))
        .await;
    scene.fault(FaultKind::DropAfter);
    let d = scene.tell("INV-1").await;
    assert_eq!(d.state, DeliveryState::Unknown);
    scene.clock.advance(TimeDelta::seconds(5));
    assert_eq!(
        scene.tell("INV-2").await.state,
        DeliveryState::Accepted,
        "the witness"
    );
    scene.pass(26).await;
    for _ in 0..6 {
        scene.pass(15).await;
    }
    (scene, d)
}

#[tokio::test]
async fn a_lost_text_that_was_rewritten_as_is_known_is_found() {
    let text = "Thank\u{a0}you\u{3002} \u{ff01}\u{bd}\u{201a}\u{202f}{{ invoice_number }}";
    let (scene, d) = rewritten(text).await;
    assert_eq!(scene.state(d.id).await, DeliveryState::Accepted);
    assert_eq!(scene.taken(), 2);
}

#[tokio::test]
async fn a_lost_text_that_was_rewritten_unexpectedly_waits_for_a_person() {
    let (scene, d) = rewritten("\u{2022} Paid: {{ invoice_number }}").await;
    let end = scene.read(d.id).await;
    assert_eq!(
        (end.state, end.hold),
        (DeliveryState::Unknown, Some(Hold::Person))
    );
    assert_eq!(scene.taken(), 2, "never a second SMS");
    assert!(end.reason.contains("another text"), "{}", end.reason);
}

#[tokio::test]
async fn without_a_trace_beside_a_witness_it_is_sent_once_more_and_only_once() {
    let scene = Scene::open().await;
    scene.rule(json!({})).await;
    scene.fault(FaultKind::DropBefore);
    let d = scene.tell("INV-1").await;
    scene.clock.advance(TimeDelta::seconds(5));
    assert_eq!(
        scene.tell("INV-2").await.state,
        DeliveryState::Accepted,
        "the witness"
    );
    scene.pass(26).await;
    assert_eq!(scene.state(d.id).await, DeliveryState::Unknown);
    scene.drain().await;
    assert_eq!(scene.read(d.id).await.looks, 1, "looks are 15 s apart");
    scene.pass(15).await;
    assert_eq!(scene.taken(), 1);
    scene.fault(FaultKind::DropBefore);
    scene.pass(15).await;
    assert_eq!(scene.read(d.id).await.attempt_no, 2);
    scene.clock.advance(TimeDelta::seconds(5));
    scene.tell("INV-3").await;
    for _ in 0..8 {
        scene.pass(15).await;
    }
    let end = scene.read(d.id).await;
    assert_eq!(
        (end.state, end.hold),
        (DeliveryState::Unknown, Some(Hold::Person))
    );
    assert_eq!(
        (end.attempt_no, scene.taken()),
        (2, 2),
        "the second absence waits for a person"
    );
}

#[tokio::test]
async fn without_a_witness_it_waits_for_a_person_who_may_send_it_however_late() {
    let scene = Scene::open().await;
    scene.rule(json!({ "send_within": 3600 })).await;
    scene.fault(FaultKind::DropBefore);
    let d = scene.tell("INV-1").await;
    for _ in 0..20 {
        scene.pass(120).await;
        assert_eq!(scene.state(d.id).await, DeliveryState::Unknown);
    }
    assert_eq!(scene.read(d.id).await.hold, None);
    for _ in 0..3 {
        scene.pass(1000).await;
    }
    let waits = scene.read(d.id).await;
    assert_eq!(
        (waits.state, waits.hold),
        (DeliveryState::Unknown, Some(Hold::Person))
    );
    scene
        .app
        .resolve(
            scene.tenant,
            d.id,
            Resolution::SendAgain,
            &Actor::named("me"),
        )
        .await
        .unwrap();
    scene.drain().await;
    assert_eq!(scene.state(d.id).await, DeliveryState::Accepted);
    assert_eq!(scene.taken(), 1);
}

#[tokio::test]
async fn two_that_could_be_it_are_for_a_person() {
    let scene = Scene::open().await;
    scene.rule(json!({})).await;
    scene.fault(FaultKind::DropAfter);
    let d = scene.tell("INV-1").await;
    scene.behind_our_back("Thank you for paying INV-1").await;
    scene.pass(31).await;
    let waits = scene.read(d.id).await;
    assert_eq!(
        (waits.state, waits.hold),
        (DeliveryState::Unknown, Some(Hold::Person))
    );
    scene
        .app
        .resolve(scene.tenant, d.id, Resolution::Arrived, &Actor::named("me"))
        .await
        .unwrap();
    assert_eq!(
        (scene.state(d.id).await, scene.taken()),
        (DeliveryState::Accepted, 2)
    );
}

#[tokio::test]
async fn a_worker_that_died_leaves_a_message_that_is_looked_for() {
    let scene = Scene::open().await;
    scene.rule(json!({})).await;
    let d = scene.queued("INV-1").await;
    scene.claim(&d).await;
    scene.behind_our_back("Thank you for paying INV-1").await;
    scene.pass(29).await;
    assert_eq!(scene.state(d.id).await, DeliveryState::Sending);
    scene.pass(2).await;
    assert_eq!(
        (scene.state(d.id).await, scene.taken()),
        (DeliveryState::Accepted, 1)
    );
    assert_eq!(
        scene.steps(d.id).await,
        [StepKind::LeaseExpired, StepKind::Found]
    );
}

#[tokio::test]
async fn a_slow_list_does_not_move_the_window_past_the_message() {
    let scene = Scene::open().await;
    scene.rule(json!({})).await;
    scene.fault(FaultKind::DropAfter);
    let d = scene.tell("INV-1").await;
    scene.clock.advance(TimeDelta::seconds(31));
    let slow = Fault::new(FaultKind::Slow).with_delay_ms(700);
    let order = FaultOrder {
        on: On::List,
        ..FaultOrder::once(slow)
    };
    scene.sandbox().twilio().next(order).unwrap();
    let settings = scene.sandbox().twilio().settings();
    scene.sandbox().twilio().set(Settings {
        date_skew_s: 10,
        ..settings
    });
    let look = scene.drain();
    let wait = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        // Twilio's answer is dated ten seconds after we asked.
        scene.clock.advance(TimeDelta::seconds(10));
    };
    tokio::join!(look, wait);
    assert_eq!(
        (scene.state(d.id).await, scene.taken()),
        (DeliveryState::Accepted, 1)
    );
}
