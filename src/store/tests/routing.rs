//! An event is routed once, by what is in force.

use super::*;

#[tokio::test]
async fn an_event_is_routed_once_and_by_the_rules_in_force() {
    let house = House::open().await;
    let event = house.ingest(1, now()).await.event;
    let stale = RouteCommit {
        rule_set: 7,
        ..house.commit(event, Vec::new())
    };
    assert_eq!(
        house.tenant.commit_route(stale).await.unwrap(),
        RouteResult::Stale
    );
    let route = || {
        house
            .tenant
            .commit_route(house.commit(event, vec![House::wish(event, "Hi")]))
    };
    let (one, two) = tokio::join!(route(), route());
    let ends = [one.unwrap(), two.unwrap()];
    assert!(ends.contains(&RouteResult::Committed) && ends.contains(&RouteResult::Gone));
    assert_eq!(house.tenant.deliveries_of(event).await.unwrap().len(), 1);
    let (foreign, ..) = add_tenant(&house.store, "other").await;
    let other = house.ingest(2, now()).await.event;
    let theirs = house
        .store
        .tenant(foreign)
        .commit_route(house.commit(other, Vec::new()))
        .await;
    assert_eq!(theirs.unwrap(), RouteResult::Gone);
}

#[tokio::test]
async fn of_two_bodies_of_one_document_the_second_starts_over() {
    let house = House::open().await;
    let (a, b) = (
        house.ingest(1, now()).await.event,
        house.ingest(2, now()).await.event,
    );
    let route = |event| {
        let document = Some(document(0, true, event));
        house.tenant.commit_route(RouteCommit {
            document,
            ..house.commit(event, Vec::new())
        })
    };
    let (one, two) = tokio::join!(route(a), route(b));
    let ends = [one.unwrap(), two.unwrap()];
    assert!(
        ends.contains(&RouteResult::Committed) && ends.contains(&RouteResult::Stale),
        "{ends:?}"
    );
    let known = house
        .tenant
        .document(house.zoho, DocumentKind::Invoice, "1")
        .await
        .unwrap()
        .unwrap();
    assert_eq!((known.version, known.known.unwrap().claims.len()), (1, 1));
}

#[tokio::test]
async fn a_body_that_says_nothing_of_an_unknown_document_is_routed_all_the_same() {
    let house = House::open().await;
    let event = house.ingest(1, now()).await.event;
    let document = Some(document(0, false, event));
    let commit = RouteCommit {
        document,
        ..house.commit(event, Vec::new())
    };
    assert_eq!(
        house.tenant.commit_route(commit).await.unwrap(),
        RouteResult::Committed
    );
}
