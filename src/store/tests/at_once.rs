//! Deliveries that are claimed by the commit that makes them.

use futures::FutureExt as _;
use futures::future::join_all;

use super::*;
use crate::store::Routed;

impl House {
    /// A message, and the commit that would make it with its claim.
    async fn departing(&self, fingerprint: u8, body: &str) -> (DeliveryId, RouteCommit, Claim) {
        let event = self.ingest(fingerprint, now()).await.event;
        let wish = Self::wish(event, body);
        let claim = self.claim_of(&self.tenant.as_queued(&wish, now()), now());
        (wish.id, self.commit(event, vec![wish]), claim)
    }

    async fn depart(&self, (_, commit, claim): (DeliveryId, RouteCommit, Claim)) -> Routed {
        let claims = vec![claim];
        self.tenant.commit_and_claim(commit, claims).await.unwrap()
    }
}

/// Whatever a claim of its own would have written.
#[tokio::test]
async fn what_leaves_at_once_is_written_as_claimed() {
    let house = House::open().await;
    let apart = house.queued(1, "Hi").await;
    assert_eq!(house.claim(&apart).await, ClaimResult::Claimed);
    let departing = house.departing(2, "Hello").await;
    let id = departing.0;
    let routed = house.depart(departing).await;
    assert_eq!(routed.result, RouteResult::Committed);
    assert_eq!(routed.claimed, [id].into());
    let (one, two) = (house.read(apart.id).await, house.read(id).await);
    let lease = |d: &Delivery| {
        let bound = (d.connection, d.account.clone(), d.lease_owner.clone());
        (d.state, d.lease_until, d.due_at, d.attempt_no, bound)
    };
    assert_eq!(lease(&two), lease(&one));
    let attempts = async |id: DeliveryId| {
        let story = house.tenant.timeline(id.event).await.unwrap().unwrap();
        let all = story.attempts.iter();
        all.map(|a| (a.attempt_no, a.request.clone(), a.lease_until))
            .collect::<Vec<_>>()
    };
    assert_eq!(attempts(id).await, attempts(apart.id).await);
    assert_eq!(house.in_flight().await, 2);
    // As any other: its outcome is taken, and gives its lock back.
    assert!(house.accepted(id, 1, "SM1").await);
    assert_eq!(house.read(id).await.state, DeliveryState::Accepted);
}

#[tokio::test]
async fn an_equal_message_on_its_way_leaves_it_to_its_own_turn() {
    let house = House::open().await;
    let first = house.queued(1, "Hi").await;
    assert_eq!(house.claim(&first).await, ClaimResult::Claimed);
    let mut all = Vec::new();
    for fingerprint in 2..6 {
        all.push(
            house
                .departing(fingerprint, ["Hi", "Hello"][usize::from(fingerprint % 2)])
                .await,
        );
    }
    let ids: Vec<_> = all.iter().map(|(id, ..)| *id).collect();
    let routed = join_all(all.into_iter().map(|one| house.depart(one))).await;
    assert!(routed.iter().all(|r| r.result == RouteResult::Committed));
    let claimed: Vec<_> = routed.iter().flat_map(|r| &r.claimed).copied().collect();
    assert_eq!(claimed.len(), 1, "one “Hello”");
    for id in ids {
        let d = house.read(id).await;
        let is_claimed = claimed.contains(&id);
        assert_eq!(d.state == DeliveryState::Sending, is_claimed);
        assert_eq!(d.due_at == Some(now()), !is_claimed);
    }
    assert_eq!(house.in_flight().await, 2);
}

#[tokio::test]
async fn what_is_not_committed_claims_nothing() {
    let house = House::open().await;
    let (id, commit, claim) = house.departing(1, "Hi").await;
    let stale = RouteCommit {
        rule_set: 7,
        ..commit
    };
    let routed = house.depart((id, stale, claim)).await;
    assert_eq!(routed.result, RouteResult::Stale);
    assert!(routed.claimed.is_empty());
    assert_eq!(house.in_flight().await, 0);
    assert!(house.tenant.delivery(id).await.unwrap().is_none());
}

/// Nobody would call: the message would have to be looked for.
#[tokio::test]
async fn for_whoever_has_given_up_nothing_is_claimed() {
    let house = House::open().await;
    let (id, commit, claim) = house.departing(1, "Hi").await;
    let given_up = house.tenant.commit_and_claim(commit, vec![claim]);
    assert!(given_up.now_or_never().is_none());
    // What comes later is written later.
    house.queued(2, "Later").await;
    let d = house.read(id).await;
    assert_eq!((d.state, d.attempt_no), (DeliveryState::Queued, 0));
    assert_eq!(house.in_flight().await, 0);
}

#[tokio::test]
async fn of_two_messages_under_one_key_the_one_that_is_written_is_claimed() {
    let house = House::open().await;
    let (id, mut commit, claim) = house.departing(1, "Hi").await;
    let first = NewDelivery {
        id: DeliveryId::new(id.event, now()),
        content: Content::Text("Hello".to_owned()),
        ..commit.deliveries[0].clone()
    };
    commit.deliveries.insert(0, first.clone());
    let routed = house.depart((id, commit, claim)).await;
    assert!(routed.claimed.is_empty());
    assert_eq!(house.read(first.id).await.state, DeliveryState::Queued);
    assert_eq!(house.in_flight().await, 0);
}
