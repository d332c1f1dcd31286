//! What a provider refuses, and what it says of a message that failed.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::scene::Scene;
use crate::domain::connection::ConnectionState;
use crate::domain::delivery::DeliveryState;
use crate::sandbox::twilio::{Fault, FaultKind, FaultOrder};

#[tokio::test]
async fn a_daily_limit_waits_for_the_next_day() {
    let scene = Scene::open().await;
    scene.rule(json!({})).await;
    let mut fault = Fault::new(FaultKind::ErrorCode).with_code(63038);
    fault.status = Some(429);
    scene
        .sandbox()
        .twilio()
        .next(FaultOrder::once(fault))
        .unwrap();
    let d = scene.tell("INV-1").await;
    assert_eq!(d.state, DeliveryState::Queued);
    let midnight: DateTime<Utc> = "2026-11-23T00:00:00Z".parse().unwrap();
    assert!(
        d.due_at.is_some_and(|due| due >= midnight),
        "{:?}",
        d.due_at
    );
    assert!(d.reason.contains("tomorrow"), "{}", d.reason);
    let paused = scene.twilio_state().await.1;
    assert!(paused.is_some_and(|until| until >= midnight), "{paused:?}");
}

#[tokio::test]
async fn one_403_without_a_code_fails_its_message_and_not_the_connection() {
    let scene = Scene::open().await;
    scene.rule(json!({})).await;
    let mut fault = Fault::new(FaultKind::ErrorCode).with_code(99_999);
    fault.status = Some(403);
    fault.message = Some("Forbidden <b>here</b>".to_owned());
    scene
        .sandbox()
        .twilio()
        .next(FaultOrder::once(fault))
        .unwrap();
    let d = scene.tell("INV-1").await;
    assert_eq!(d.state, DeliveryState::Failed);
    assert!(
        d.reason.contains("(99999)") && d.reason.contains("Forbidden <b>here</b>"),
        "{}",
        d.reason
    );
    assert_eq!(scene.twilio_state().await.0, ConnectionState::Ready);
}

#[tokio::test]
async fn a_message_that_has_failed_at_once_is_not_told_as_taken() {
    for (code, state) in [
        (30006, DeliveryState::Failed),
        (21610, DeliveryState::Suppressed),
    ] {
        let scene = Scene::open().await;
        scene.rule(json!({})).await;
        let fault = Fault::new(FaultKind::FailedAtOnce).with_code(code);
        scene
            .sandbox()
            .twilio()
            .next(FaultOrder::once(fault))
            .unwrap();
        let d = scene.tell("INV-1").await;
        assert_eq!(d.state, state);
        assert!(
            d.reason.contains(&format!("({code})")) && !d.reason.contains("has it"),
            "{}",
            d.reason
        );
        let next = scene.tell("INV-2").await.state;
        assert_eq!(next == DeliveryState::Suppressed, code == 21610, "{next:?}");
    }
}

#[tokio::test]
async fn a_delivered_message_shows_no_error() {
    let scene = Scene::open().await;
    scene.rule(json!({})).await;
    let d = scene.tell("INV-1").await;
    let token = scene.demo.twilio.auth_token.clone();
    scene.report(&d, "sent", "30003", &token).await;
    assert_eq!(scene.read(d.id).await.error_code, 30003);
    scene.report(&d, "delivered", "", &token).await;
    let end = scene.read(d.id).await;
    assert_eq!((end.state, end.error_code), (DeliveryState::Delivered, 0));
}

#[tokio::test]
async fn after_429_the_connection_rests_and_the_message_goes_once() {
    let scene = Scene::open().await;
    scene.rule(json!({})).await;
    let mut fault = Fault::new(FaultKind::TooMany);
    fault.retry_after = Some(7);
    scene
        .sandbox()
        .twilio()
        .next(FaultOrder::once(fault))
        .unwrap();
    let d = scene.tell("INV-1").await;
    assert_eq!((d.state, d.tries), (DeliveryState::Queued, 1));
    let until = scene.twilio_state().await.1.unwrap();
    assert!(until >= scene.app.now() + TimeDelta::seconds(7));
    let other = scene.tell("INV-2").await;
    assert_eq!((other.state, other.attempt_no), (DeliveryState::Queued, 0));
    for _ in 0..4 {
        scene.pass(5).await;
    }
    assert_eq!(scene.state(d.id).await, DeliveryState::Accepted);
    assert_eq!(scene.state(other.id).await, DeliveryState::Accepted);
    assert_eq!(scene.taken(), 2);
}

#[tokio::test]
async fn an_opted_out_number_ends_as_suppressed_and_so_do_later_ones() {
    let scene = Scene::open().await;
    scene.rule(json!({})).await;
    let stop = Fault::new(FaultKind::ErrorCode).with_code(21610);
    scene
        .sandbox()
        .twilio()
        .next(FaultOrder::once(stop))
        .unwrap();
    let (one, two) = (scene.tell("INV-1").await, scene.tell("INV-2").await);
    assert_eq!(
        (one.state, two.state),
        (DeliveryState::Suppressed, DeliveryState::Suppressed)
    );
    assert_eq!((two.attempt_no, scene.taken()), (0, 0));
}

#[tokio::test]
async fn a_contact_without_a_number_is_a_failure_that_says_what_to_do() {
    let scene = Scene::open().await;
    scene
        .rule(json!({ "recipient": { "kind": "contact" } }))
        .await;
    let d = scene.tell("INV-1").await;
    assert_eq!((d.state, d.due_at), (DeliveryState::Failed, None));
    assert!(
        d.reason.contains("No mobile number known for Bowman & Co"),
        "{}",
        d.reason
    );
}
