//! What a provider reports of its own accord.

use serde_json::json;

use super::scene::Scene;
use crate::app::sending::receipts::ReportAnswer;
use crate::domain::delivery::{Delivery, DeliveryState};
use crate::sandbox::twilio::{Fault, FaultKind, FaultOrder, MessageFilter, On};

#[tokio::test]
async fn a_report_of_a_failure_explains_it_and_a_forged_one_does_nothing() {
    let scene = Scene::open().await;
    scene.rule(json!({})).await;
    let d = scene.tell("INV-1").await;
    let forged = scene.report(&d, "undelivered", "30006", "wrong").await;
    assert_eq!(forged, ReportAnswer::Forged);
    assert_eq!(scene.state(d.id).await, DeliveryState::Accepted);
    let kept = scene
        .report(&d, "undelivered", "30006", &scene.demo.twilio.auth_token)
        .await;
    assert_eq!(kept, ReportAnswer::Kept);
    let end = scene.read(d.id).await;
    assert_eq!(
        (end.state, end.error_code),
        (DeliveryState::Undelivered, 30006)
    );
    assert!(
        end.reason.contains("30006") && end.due_at.is_none(),
        "{}",
        end.reason
    );
}

#[tokio::test]
async fn a_poll_does_not_take_a_state_back_that_a_report_moved_meanwhile() {
    let scene = Scene::open().await;
    scene.rule(json!({})).await;
    let d = scene.tell("INV-1").await;
    assert_eq!(d.state, DeliveryState::Accepted);
    scene
        .report(&d, "sent", "", &scene.demo.twilio.auth_token)
        .await;
    // A worker that read the delivery before that report polls it now.
    let store = scene.app.tenant(scene.tenant);
    scene.app.poll(&store, &d).await.unwrap();
    scene.app.plan_poll(&store, None, &d).await.unwrap();
    let end = scene.read(d.id).await;
    assert_eq!(end.state, DeliveryState::Sent);
    assert!(end.due_at.is_some());
}

#[tokio::test]
async fn an_unsigned_report_of_a_lost_message_is_a_hint_that_twilio_itself_confirms() {
    let scene = Scene::bare().await;
    scene.connect_with_key().await;
    scene.rule(json!({})).await;
    scene.fault(FaultKind::DropAfter);
    let d = scene.tell("INV-1").await;
    assert_eq!(d.state, DeliveryState::Unknown);
    let message = scene
        .sandbox()
        .twilio()
        .messages(&MessageFilter::default())
        .remove(0);
    let named = Delivery {
        sid: message.sid,
        ..d.clone()
    };
    let answer = scene.report(&named, "sent", "", "anything").await;
    assert_eq!(answer, ReportAnswer::Kept);
    assert_eq!(
        scene.state(d.id).await,
        DeliveryState::Unknown,
        "nobody signed it"
    );
    scene
        .sandbox()
        .twilio()
        .next(FaultOrder {
            count: 5,
            on: On::List,
            ..FaultOrder::once(Fault::new(FaultKind::InternalError))
        })
        .unwrap();
    scene.pass(31).await;
    let found = scene.read(d.id).await;
    assert_eq!(found.state, DeliveryState::Accepted, "{}", found.reason);
    assert_eq!(scene.taken(), 1);
}
