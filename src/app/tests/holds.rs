//! What is held, and what releases it.

use chrono::TimeDelta;
use serde_json::json;

use super::scene::Scene;
use crate::domain::actor::Actor;
use crate::domain::connection::ConnectionState;
use crate::domain::delivery::{Delivery, DeliveryState, Hold};
use crate::store::{Change, Guard};
use crate::twilio;

#[tokio::test]
async fn the_stop_switch_holds_and_resuming_releases() {
    let scene = Scene::open().await;
    scene.rule(json!({})).await;
    scene
        .app
        .stop_sending(scene.tenant, &Actor::named("me"))
        .await
        .unwrap();
    let d = scene.tell("INV-1").await;
    assert_eq!(
        (d.state, d.hold),
        (DeliveryState::Held, Some(Hold::Stopped))
    );
    assert_eq!(d.due_at, Some(d.expires_at), "somebody looks at it again");
    scene
        .app
        .resume_sending(scene.tenant, &Actor::named("me"))
        .await
        .unwrap();
    scene.drain().await;
    assert_eq!(
        (scene.state(d.id).await, scene.taken()),
        (DeliveryState::Accepted, 1)
    );
}

#[tokio::test]
async fn a_hold_whose_cause_went_away_meanwhile_does_not_last() {
    let scene = Scene::open().await;
    scene.rule(json!({})).await;
    let d = scene.queued("INV-1").await;
    let store = scene.app.tenant(scene.tenant);
    // The worker read "stopped" before sending was resumed, and writes only now.
    scene
        .app
        .hold(&store, &d, Hold::Stopped, "Stopped")
        .await
        .unwrap();
    assert_eq!(scene.state(d.id).await, DeliveryState::Queued);
    scene.drain().await;
    assert_eq!(scene.taken(), 1);
}

#[tokio::test]
async fn a_release_that_a_crash_cut_short_is_ended_later() {
    let scene = Scene::open().await;
    scene.rule(json!({})).await;
    scene
        .app
        .stop_sending(scene.tenant, &Actor::named("me"))
        .await
        .unwrap();
    let d = scene.tell("INV-1").await;
    scene.app.release_forgotten().await.unwrap();
    assert_eq!(scene.state(d.id).await, DeliveryState::Held);
    // The switch was lifted, and the process ended before it released anything.
    let store = scene.app.tenant(scene.tenant);
    store
        .lift_stop(Actor::named("me"), scene.app.now())
        .await
        .unwrap();
    scene.drain().await;
    assert_eq!(scene.state(d.id).await, DeliveryState::Held);
    scene.app.release_forgotten().await.unwrap();
    scene.drain().await;
    assert_eq!(
        (scene.state(d.id).await, scene.taken()),
        (DeliveryState::Accepted, 1)
    );
}

#[tokio::test]
async fn what_waits_for_a_connection_is_released_though_the_release_was_cut_short() {
    let scene = Scene::open().await;
    scene.rule(json!({})).await;
    let d = scene.queued("INV-1").await;
    let store = scene.app.tenant(scene.tenant);
    let hold = async |d: &Delivery| {
        let guard = Guard::unmoved(&scene.read(d.id).await);
        let change = Change {
            hold: Some(Hold::NoConnection),
            due_at: Some(d.expires_at),
            ..Change::to(DeliveryState::Held, d.id, guard, scene.app.now())
        };
        assert!(store.change(change).await.unwrap());
    };
    // Held before the connection was saved: nobody released it.
    hold(&d).await;
    scene.clock.advance(chrono::TimeDelta::seconds(1));
    let connection = store.connection(twilio::PROVIDER).await.unwrap().unwrap();
    store
        .set_connection_state(
            connection.id,
            ConnectionState::Ready,
            String::new(),
            None,
            scene.app.now(),
        )
        .await
        .unwrap();
    scene.drain().await;
    assert_eq!(scene.state(d.id).await, DeliveryState::Held);
    scene.app.release_forgotten().await.unwrap();
    scene.drain().await;
    assert_eq!(scene.state(d.id).await, DeliveryState::Accepted);
    // Held afterwards, as without a sender: there is nothing to release.
    let d = scene.queued("INV-2").await;
    hold(&d).await;
    scene.app.release_forgotten().await.unwrap();
    assert_eq!(scene.state(d.id).await, DeliveryState::Held);
}

#[tokio::test]
async fn without_twilio_it_is_held_until_somebody_connects_it() {
    let scene = Scene::bare().await;
    scene.rule(json!({})).await;
    let d = scene.tell("INV-1").await;
    assert_eq!(
        (d.state, d.hold),
        (DeliveryState::Held, Some(Hold::NoConnection))
    );
    scene.connect(&scene.demo.twilio.auth_token).await;
    scene.drain().await;
    assert_eq!(scene.state(d.id).await, DeliveryState::Accepted);
}

#[tokio::test]
async fn refused_credentials_hold_and_new_ones_release() {
    let scene = Scene::bare().await;
    scene.connect_untried(&"0".repeat(32)).await;
    scene.rule(json!({})).await;
    let (one, two) = (scene.tell("INV-1").await, scene.tell("INV-2").await);
    for d in [&one, &two] {
        assert_eq!((d.state, d.hold), (DeliveryState::Held, Some(Hold::Broken)));
        assert_eq!(d.due_at, Some(d.expires_at));
    }
    assert_eq!(two.attempt_no, 0, "the second was not tried");
    assert_eq!(scene.twilio_state().await.0, ConnectionState::Broken);
    scene.connect(&scene.demo.twilio.auth_token).await;
    scene.drain().await;
    for id in [one.id, two.id] {
        assert_eq!(scene.state(id).await, DeliveryState::Accepted);
    }
    assert_eq!(scene.taken(), 2);
}

#[tokio::test]
async fn what_is_held_or_queued_expires_and_is_never_sent() {
    let scene = Scene::open().await;
    scene.rule(json!({ "send_within": 60 })).await;
    scene
        .app
        .stop_sending(scene.tenant, &Actor::named("me"))
        .await
        .unwrap();
    let held = scene.tell("INV-1").await;
    scene.pass(61).await;
    assert_eq!(scene.state(held.id).await, DeliveryState::Expired);
    scene
        .app
        .resume_sending(scene.tenant, &Actor::named("me"))
        .await
        .unwrap();
    let twilio = scene
        .app
        .connection(scene.tenant, twilio::PROVIDER)
        .await
        .unwrap()
        .unwrap();
    let until = scene.app.now() + TimeDelta::seconds(90);
    scene
        .app
        .tenant(scene.tenant)
        .pause_connection(twilio.id, twilio.channels, until)
        .await
        .unwrap();
    let queued = scene.tell("INV-2").await;
    assert_eq!(queued.state, DeliveryState::Queued);
    scene.pass(61).await;
    assert_eq!(scene.state(queued.id).await, DeliveryState::Expired);
    scene.pass(120).await;
    assert_eq!(scene.taken(), 0);
}
