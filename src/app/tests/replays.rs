//! Replays, each once for each click.

use serde_json::json;

use super::scene::Scene;
use crate::app::pipeline::replay::ReplayFacts;
use crate::app::pipeline::replay::{ReplayWish, Replayed};
use crate::app::*;
use crate::domain::actor::Actor;
use crate::domain::ids::{DeliveryId, EventId};

impl Scene {
    /// Looks at the facts and confirms them.
    async fn decide_again(&self, event: EventId, nonce: &str) -> Result<Replayed, AppError> {
        let facts = self.app.event_replay_facts(self.tenant, event).await?;
        let (wish, me) = (confirmed(nonce, facts), Actor::named("me"));
        self.app.replay_event(self.tenant, event, &wish, &me).await
    }

    async fn send_again(&self, id: DeliveryId, nonce: &str) -> Result<Replayed, AppError> {
        let facts = self.app.delivery_replay_facts(self.tenant, id).await?;
        let (wish, me) = (confirmed(nonce, facts), Actor::named("me"));
        self.app.replay_delivery(self.tenant, id, &wish, &me).await
    }
}

#[tokio::test]
async fn a_replay_sends_once_per_click_and_not_before_the_event_is_decided() {
    let scene = Scene::open().await;
    scene.rule(json!({})).await;
    let event = scene.paid("INV-1").await;
    // Asked while it is still being decided: the decision under way is the answer.
    let early = scene.decide_again(event, "early").await.unwrap();
    assert!(early.is_pending && early.deliveries.is_empty());
    scene.drain().await;
    assert_eq!(scene.taken(), 1);
    let (one, two) = tokio::join!(
        scene.decide_again(event, "a"),
        scene.decide_again(event, "a"),
    );
    assert_eq!(one.unwrap().replay, two.unwrap().replay);
    scene.drain().await;
    assert_eq!(scene.taken(), 2);
    let d = scene
        .app
        .tenant(scene.tenant)
        .deliveries_of(event)
        .await
        .unwrap()
        .remove(0);
    scene.send_again(d.id, "b").await.unwrap();
    let open = scene.send_again(d.id, "c").await;
    assert!(matches!(open, Err(AppError::Open(_))));
    scene.drain().await;
    assert_eq!(scene.taken(), 3);
}

fn confirmed(nonce: &str, facts: ReplayFacts) -> ReplayWish {
    ReplayWish {
        nonce: nonce.to_owned(),
        confirm: facts.fingerprint,
        chosen: None,
    }
}
