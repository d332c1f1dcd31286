//! Commands that come together are carried out together, and still end as if one came after the other.

use futures::future::join_all;

use super::*;
use crate::domain::decision::{Decision, DecisionKind};
use crate::domain::ids::RuleId;

#[tokio::test]
async fn of_many_decisions_about_one_document_one_holds_at_a_time() {
    let house = House::open().await;
    let mut open = Vec::new();
    for n in 0..40 {
        open.push(house.ingest(n, now()).await.event);
    }
    for version in 0..40 {
        let commits = open.iter().map(|event| {
            house.tenant.commit_route(RouteCommit {
                document: Some(DocumentCommit {
                    claims: Vec::new(),
                    ..document(version, true, *event)
                }),
                ..house.commit(*event, vec![House::wish(*event, "Hi")])
            })
        });
        let ends: Vec<_> = join_all(commits)
            .await
            .into_iter()
            .map(Result::unwrap)
            .collect();
        let held: Vec<_> = (0..ends.len())
            .filter(|n| ends[*n] == RouteResult::Committed)
            .collect();
        assert_eq!(held.len(), 1, "version {version}: {ends:?}");
        assert!(!ends.contains(&RouteResult::Gone), "{ends:?}");
        let event = open.remove(held[0]);
        let story = house.tenant.timeline(event).await.unwrap().unwrap();
        assert_eq!(story.deliveries.len(), 1);
    }
    let known = house
        .tenant
        .document(house.zoho, DocumentKind::Invoice, "1");
    assert_eq!(known.await.unwrap().unwrap().version, 40);
}

#[tokio::test]
async fn of_many_claims_one_calls_and_each_equal_text_waits_for_it() {
    let house = House::open().await;
    let twice = house.queued(1, "Hi").await;
    let mut equal = Vec::new();
    for n in 2..30 {
        equal.push(house.queued(n, "Hi").await);
    }
    let other = house.queued(40, "Something else").await;
    let all: Vec<&Delivery> = [&twice, &twice]
        .into_iter()
        .chain(&equal)
        .chain([&other])
        .collect();
    let claims = all.iter().map(|d| house.claim(d));
    let ends = join_all(claims).await;
    let claimed: Vec<_> = (0..ends.len())
        .filter(|n| ends[*n] == ClaimResult::Claimed)
        .map(|n| all[n].id)
        .collect();
    assert_eq!(
        claimed.len(),
        2,
        "one of the equal ones, and the other: {ends:?}"
    );
    assert!(claimed.contains(&other.id));
    let holder = claimed.into_iter().find(|id| *id != other.id).unwrap();
    for (d, end) in all.iter().zip(&ends) {
        if d.id != holder && d.id != other.id {
            assert_eq!(*end, ClaimResult::EqualInFlight(Some(holder)));
        }
    }
    assert_eq!(house.in_flight().await, 2);
}

#[tokio::test]
async fn outcomes_and_receipts_that_come_together_are_all_told() {
    let house = House::open().await;
    let mut sent = Vec::new();
    for n in 0..50_u8 {
        let d = house.queued(n, &format!("Text {n}")).await;
        assert_eq!(house.claim(&d).await, ClaimResult::Claimed);
        sent.push((d.id, format!("SM{n}")));
    }
    let outcomes = sent.iter().map(|(id, sid)| house.accepted(*id, 1, sid));
    assert!(join_all(outcomes).await.into_iter().all(|changed| changed));
    let words = ["sent", "delivered", "sent"];
    let receipts = words.iter().flat_map(|word| {
        sent.iter()
            .map(move |(id, sid)| house_receipt(*id, sid, word))
    });
    let told = receipts.map(|receipt| house.tenant.receive(receipt));
    let told = join_all(told).await;
    assert!(told.iter().all(Result::is_ok), "{told:?}");
    for (id, sid) in &sent {
        let d = house.read(*id).await;
        assert_eq!((d.state, &d.sid), (DeliveryState::Delivered, sid));
        let story = house.tenant.timeline(id.event).await.unwrap().unwrap();
        let mut words: Vec<_> = story.receipts.iter().map(|r| r.status.clone()).collect();
        words.sort();
        assert_eq!(words, ["delivered", "sent"]);
    }
    assert_eq!(house.in_flight().await, 0);
}

fn house_receipt(id: DeliveryId, sid: &str, word: &str) -> NewReceipt {
    receipt(Some(id), sid, word)
}

#[tokio::test]
async fn one_bad_row_fails_alone() {
    let house = House::open().await;
    let mut good = Vec::new();
    for n in 0..20 {
        good.push(house.ingest(n, now()).await.event);
    }
    let bad = house.ingest(99, now()).await.event;
    let commit = |event| RouteCommit {
        decisions: vec![Decision::whole(DecisionKind::NoRule, String::new())],
        ..house.commit(event, Vec::new())
    };
    // Two messages under one id: the primary key refuses them.
    let message = House::wish(bad, "Hi");
    let twin = NewDelivery {
        rule: RuleId::new(now()),
        ..message.clone()
    };
    let broken = RouteCommit {
        deliveries: vec![message, twin],
        ..commit(bad)
    };
    let fine = good.iter().map(|event| commit(*event));
    let all: Vec<_> = fine.chain([broken]).collect();
    let ends = join_all(all.into_iter().map(|c| house.tenant.commit_route(c))).await;
    let (last, others) = ends.split_last().unwrap();
    assert!(last.is_err(), "{last:?}");
    for end in others {
        assert_eq!(*end.as_ref().unwrap(), RouteResult::Committed);
    }
    let event = house.tenant.event(bad).await.unwrap().unwrap();
    assert_eq!(event.routed_at, None, "nothing of it was kept");
}
