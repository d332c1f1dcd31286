//! What leaves with its decision, and what waits.

use serde_json::json;

use super::scene::{OTHER, Scene};
use crate::domain::actor::Actor;
use crate::domain::decision::DecisionKind;
use crate::domain::delivery::{DeliveryState, StepKind};
use crate::sandbox::twilio::{FaultKind, MessageFilter};

#[tokio::test]
async fn what_may_go_leaves_with_its_decision_and_a_rehearsal_waits_for_its_turn() {
    let scene = Scene::open().await;
    scene.rule(json!({})).await;
    let event = scene.paid("INV-1").await;
    scene.app.route_event(scene.tenant, event).await.unwrap();
    let d = scene.only(event).await;
    assert_eq!((d.state, scene.taken()), (DeliveryState::Accepted, 1));
    assert_eq!(scene.steps(d.id).await, [StepKind::Accepted]);
    let store = scene.app.tenant(scene.tenant);
    store
        .set_rehearsal(true, Actor::named("me"), scene.app.now())
        .await
        .unwrap();
    let event = scene.paid("INV-2").await;
    scene.app.route_event(scene.tenant, event).await.unwrap();
    let d = scene.only(event).await;
    assert_eq!((d.state, scene.taken()), (DeliveryState::Queued, 1));
}

#[tokio::test]
async fn what_the_brakes_hold_back_waits_as_queued() {
    let scene = Scene::open().await;
    scene.rule(json!({})).await;
    scene.fault(FaultKind::TooMany);
    let first = scene.tell("INV-1").await;
    assert_eq!(first.state, DeliveryState::Queued);
    let event = scene.paid("INV-2").await;
    scene.app.route_event(scene.tenant, event).await.unwrap();
    let second = scene.only(event).await;
    assert_eq!(
        (second.state, second.attempt_no),
        (DeliveryState::Queued, 0)
    );
    scene.pass(120).await;
    for id in [first.id, second.id] {
        assert_eq!(scene.state(id).await, DeliveryState::Accepted);
    }
    assert_eq!(scene.taken(), 2);
}

#[tokio::test]
async fn two_rules_with_equal_texts_are_one_message() {
    let scene = Scene::open().await;
    scene.rule(json!({ "name": "One" })).await;
    scene.rule(json!({ "name": "Two" })).await;
    scene
        .rule(json!({ "name": "Elsewhere", "recipient": { "kind": "fixed", "address": OTHER } }))
        .await;
    let event = scene.paid("INV-1").await;
    scene.drain().await;
    let store = scene.app.tenant(scene.tenant);
    assert_eq!(store.deliveries_of(event).await.unwrap().len(), 2);
    let rulings = store.rulings_of(event).await.unwrap();
    let kinds: Vec<_> = rulings[0].decisions.iter().map(|d| d.kind).collect();
    assert_eq!(
        kinds,
        [
            DecisionKind::Rule,
            DecisionKind::AlreadyTold,
            DecisionKind::Rule
        ]
    );
    let all = scene.sandbox().twilio().messages(&MessageFilter::default());
    assert_eq!(all.len(), 2);
}

#[tokio::test]
async fn equal_texts_of_two_events_wait_for_one_another() {
    let scene = Scene::open().await;
    scene
        .rule(json!({ "template": { "body": "Thank you" } }))
        .await;
    scene.fault(FaultKind::DropAfter);
    let (one, two) = (scene.tell("INV-1").await, scene.tell("INV-2").await);
    assert_eq!(
        (one.state, two.state),
        (DeliveryState::Unknown, DeliveryState::Queued)
    );
    assert!(two.due_at.is_some() && two.reason.contains(&one.id.to_string()));
    scene.pass(31).await;
    scene.pass(3).await;
    assert_eq!(scene.state(one.id).await, DeliveryState::Accepted);
    assert_eq!(scene.state(two.id).await, DeliveryState::Accepted);
    assert_eq!(scene.taken(), 2);
}
