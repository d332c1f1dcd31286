//! Two tenants on one account of the provider, of which one may have invented its credentials; and what
//! strangers can make grow.

use super::*;

/// Another tenant that has entered the same account.
struct Other {
    store: TenantStore,
    zoho: ConnectionId,
    twilio: ConnectionId,
}

impl House {
    async fn other(&self) -> Other {
        let (id, zoho, twilio) = add_tenant(&self.store, "eve").await;
        let store = self.store.tenant(id);
        Other {
            store,
            zoho,
            twilio,
        }
    }

    fn own(&self) -> Other {
        Other {
            store: self.tenant.clone(),
            zoho: self.zoho,
            twilio: self.twilio,
        }
    }

    async fn queued_of(&self, of: &Other, fingerprint: u8, body: &str) -> Delivery {
        let event = NewEvent {
            tenant: of.store.tenant_id(),
            connection: of.zoho,
            ..self.event(fingerprint, None, now())
        };
        let event = self.store.ingest(event).await.unwrap().event;
        let wish = Self::wish(event, body);
        let id = wish.id;
        let commit = RouteCommit {
            connection: of.zoho,
            ..self.commit(event, vec![wish])
        };
        let done = of.store.commit_route(commit).await.unwrap();
        assert_eq!(done, RouteResult::Committed);
        of.store.delivery(id).await.unwrap().unwrap()
    }

    async fn claim_as(&self, of: &Other, d: &Delivery, is_accepted: bool) -> ClaimResult {
        let claim = self.claim_of(d, now());
        let claim = Claim {
            attempt: Attempt {
                connection: of.twilio,
                ..claim.attempt
            },
            is_accepted,
            ..claim
        };
        of.store.claim(claim).await.unwrap()
    }
}

impl Other {
    /// Other credentials for the same account, which nobody has accepted.
    async fn enters(&self, login: u128) {
        let connection = self.store.connection(twilio::PROVIDER).await.unwrap();
        let over = connection.as_ref().map(|c| c.login);
        let save = SaveConnection {
            connection: Connection {
                login: Uuid::from_u128(login),
                accepted_at: None,
                ..connection.unwrap()
            },
            secrets: vec![StoredSecret {
                id: Uuid::now_v7(),
                name: "auth_token".to_owned(),
                sealed: vec![1],
                created_at: now(),
                expires_at: None,
            }],
            removed: Vec::new(),
            hook_token: "unused".to_owned(),
            senders: Vec::new(),
            over,
            actor: Actor::named("eve"),
            now: now(),
        };
        self.store.save_connection(save).await.unwrap();
    }

    async fn is_accepted(&self) -> bool {
        let connection = self.store.connection(twilio::PROVIDER).await.unwrap();
        connection.unwrap().is_accepted()
    }
}

#[tokio::test]
async fn credentials_that_nobody_accepted_hold_up_and_tell_of_nobody() {
    let house = House::open().await;
    let (acme, eve) = (house.own(), house.other().await);
    eve.enters(8).await;
    let (ours, theirs) = (
        house.queued_of(&acme, 1, "Hi").await,
        house.queued_of(&eve, 2, "Hi").await,
    );
    let held = house.claim_as(&eve, &theirs, false).await;
    assert_eq!(held, ClaimResult::Claimed);
    let free = house.claim_as(&acme, &ours, true).await;
    assert_eq!(free, ClaimResult::Claimed, "another tenant holds nobody up");
    let again = house.queued_of(&eve, 3, "Hi").await;
    let waits = house.claim_as(&eve, &again, false).await;
    assert_eq!(
        waits,
        ClaimResult::EqualInFlight(Some(theirs.id)),
        "for its own message, and for no other"
    );
}

#[tokio::test]
async fn of_another_tenants_equal_message_no_id_is_told() {
    let house = House::open().await;
    let (acme, twin) = (house.own(), house.other().await);
    let (ours, theirs) = (
        house.queued_of(&acme, 1, "Hi").await,
        house.queued_of(&twin, 2, "Hi").await,
    );
    assert_eq!(
        house.claim_as(&acme, &ours, true).await,
        ClaimResult::Claimed
    );
    let waits = house.claim_as(&twin, &theirs, true).await;
    assert_eq!(waits, ClaimResult::EqualInFlight(None), "one account, once");
    let next = house.queued_of(&acme, 3, "Hi").await;
    let waits = house.claim_as(&acme, &next, true).await;
    assert_eq!(waits, ClaimResult::EqualInFlight(Some(ours.id)));
}

#[tokio::test]
async fn a_claim_goes_by_what_was_accepted_when_it_commits() {
    let house = House::open().await;
    let acme = house.own();
    let d = house.queued_of(&acme, 1, "Hi").await;
    assert_eq!(house.claim_as(&acme, &d, false).await, ClaimResult::Refused);
    acme.enters(8).await;
    assert_eq!(house.claim_as(&acme, &d, true).await, ClaimResult::Refused);
    assert_eq!(house.in_flight().await, 0);
    assert_eq!(house.claim_as(&acme, &d, false).await, ClaimResult::Claimed);
}

/// A lock that was taken before the credentials were accepted, or changed, still counts for the tenant.
#[tokio::test]
async fn no_two_equal_messages_of_a_tenant_go_at_once_while_acceptance_changes() {
    let house = House::open().await;
    let acme = house.own();
    let first = house.queued_of(&acme, 1, "Hi").await;
    let second = house.queued_of(&acme, 2, "Hi").await;
    let third = house.queued_of(&acme, 3, "Hi").await;
    let accepted = house.claim_as(&acme, &first, true).await;
    assert_eq!(accepted, ClaimResult::Claimed);
    acme.enters(8).await;
    let waits = ClaimResult::EqualInFlight(Some(first.id));
    assert_eq!(house.claim_as(&acme, &second, false).await, waits);
    assert_eq!(house.in_flight().await, 1, "what it took it gave back");
    assert!(house.accepted(first.id, 1, "SM1").await);

    let unaccepted = house.claim_as(&acme, &second, false).await;
    assert_eq!(unaccepted, ClaimResult::Claimed);
    let login = Uuid::from_u128(8);
    let is_news = acme.store.accept_login(house.twilio, login, now());
    assert!(is_news.await.unwrap());
    let waits = ClaimResult::EqualInFlight(Some(second.id));
    assert_eq!(house.claim_as(&acme, &third, true).await, waits);
    assert_eq!(house.in_flight().await, 1);
    assert!(house.accepted(second.id, 1, "SM2").await);
    let free = house.claim_as(&acme, &third, true).await;
    assert_eq!(free, ClaimResult::Claimed);
}

#[tokio::test]
async fn only_the_credentials_that_a_call_was_made_with_are_accepted_by_it() {
    let house = House::open().await;
    let acme = house.own();
    acme.enters(8).await;
    let d = house.queued_of(&acme, 1, "Hi").await;
    house.claim_as(&acme, &d, false).await;
    // Others were entered while the call was under way.
    acme.enters(9).await;
    let answered = async |login: u128| {
        let guard = Guard {
            states: &[DeliveryState::Sending],
            attempt_no: 1,
            lease_owner: None,
        };
        let change = Change {
            is_outcome: true,
            accepts: Some((house.twilio, Uuid::from_u128(login))),
            ..Change::to(DeliveryState::Accepted, d.id, guard, later(1))
        };
        acme.store.change(change).await.unwrap()
    };
    answered(8).await;
    assert!(!acme.is_accepted().await, "these were not called with");
    answered(9).await;
    assert!(acme.is_accepted().await);
    acme.enters(10).await;
    assert!(!acme.is_accepted().await, "others have to be accepted anew");
}

#[tokio::test]
async fn what_unaccepted_credentials_signed_is_a_hint_until_the_provider_is_asked() {
    let house = House::open().await;
    let acme = house.own();
    acme.enters(8).await;
    let d = house.queued_of(&acme, 1, "Hi").await;
    house.claim_as(&acme, &d, false).await;
    let told = acme.store.receive(receipt(Some(d.id), "SM1", "delivered"));
    assert_eq!(told.await.unwrap(), ReceiptResult::Hinted(d.id));
    assert_eq!(house.read(d.id).await.state, DeliveryState::Sending);
    assert_eq!(house.database.count("provider_messages").await, 0);
    let guard = Guard {
        states: &[DeliveryState::Sending],
        attempt_no: 1,
        lease_owner: None,
    };
    let change = Change {
        is_outcome: true,
        releases_send_lock: true,
        due_at: Some(later(900)),
        accepts: Some((house.twilio, Uuid::from_u128(8))),
        message: Some(KnownMessage {
            provider: "Twilio".to_owned(),
            account: ACCOUNT.to_owned(),
            sid: "SM1".to_owned(),
            channel: Channel::Sms,
            address: TO.to_owned(),
            status: Status::Queued,
            accepted_at: now(),
        }),
        ..Change::to(DeliveryState::Accepted, d.id, guard, later(1))
    };
    assert!(acme.store.change(change).await.unwrap());
    let asks = house.read(d.id).await;
    assert_eq!(
        asks.due_at,
        Some(later(1)),
        "what was hinted at is asked now"
    );
    let told = acme.store.receive(receipt(Some(d.id), "SM1", "delivered"));
    assert_eq!(told.await.unwrap(), ReceiptResult::Moved(d.id));
}

#[tokio::test]
async fn a_report_without_our_id_folds_into_messages_of_its_own_tenant_only() {
    let house = House::open().await;
    let (acme, twin) = (house.own(), house.other().await);
    let d = house.queued_of(&acme, 1, "Hi").await;
    house.claim_as(&acme, &d, true).await;
    let early = twin.store.receive(receipt(None, "SM1", "delivered")).await;
    assert_eq!(early.unwrap(), ReceiptResult::Unmatched);
    house.accepted(d.id, 1, "SM1").await;
    assert_eq!(house.read(d.id).await.state, DeliveryState::Accepted);
    assert_eq!(house.database.count("unmatched_receipts").await, 1);
}

#[tokio::test]
async fn a_hint_keeps_no_proven_report_of_the_same_words_out() {
    let house = House::open().await;
    let d = house.queued(1, "Hi").await;
    house.claim(&d).await;
    let hint = NewReceipt {
        status: None,
        is_verified: false,
        ..receipt(None, "SM1", "delivered")
    };
    house.tenant.receive(hint).await.unwrap();
    let proven = receipt(None, "SM1", "delivered");
    house.tenant.receive(proven).await.unwrap();
    house.accepted(d.id, 1, "SM1").await;
    assert_eq!(house.read(d.id).await.state, DeliveryState::Delivered);
}

#[tokio::test]
async fn reports_that_fit_nothing_are_kept_up_to_a_bound_for_each_tenant() {
    let house = House::open().await;
    let twin = house.other().await;
    let kept = twin.store.receive(receipt(None, "SM1", "sent"));
    kept.await.unwrap();
    for n in 0..UNMATCHED_KEPT + 40 {
        let told = house
            .tenant
            .receive(receipt(None, &format!("SM{n}"), "sent"));
        assert_eq!(told.await.unwrap(), ReceiptResult::Unmatched);
    }
    let kept = house.database.count("unmatched_receipts").await;
    assert_eq!(kept, UNMATCHED_KEPT + 1, "the other tenant's stays");
    let newest = format!("unmatched_receipts WHERE sid = 'SM{}'", UNMATCHED_KEPT + 39);
    assert_eq!(house.database.count(&newest).await, 1);
}

#[tokio::test]
async fn receipts_of_a_message_are_kept_up_to_a_bound_and_still_move_it() {
    let house = House::open().await;
    let d = house.queued(1, "Hi").await;
    house.claim(&d).await;
    house.accepted(d.id, 1, "SM1").await;
    let most = HINTS_KEPT + RECEIPTS_KEPT;
    for n in 0..most {
        let told = house
            .tenant
            .receive(hint(d.id, &format!("SMh{n}"), "delivered"));
        let is_kept = matches!(told.await.unwrap(), ReceiptResult::Hinted(_));
        assert_eq!(is_kept, n < HINTS_KEPT, "{n}");
    }
    for n in 0..most {
        // Another message each time: each would be a step as well.
        let told = house
            .tenant
            .receive(receipt(Some(d.id), &format!("SMv{n}"), "sent"));
        told.await.unwrap();
    }
    assert_eq!(house.database.count("receipts").await, most);
    let steps = house.steps(d.id).await.len();
    assert!(
        i64::try_from(steps).unwrap() <= RECEIPTS_KEPT + 1,
        "{steps}"
    );
    let told = house
        .tenant
        .receive(receipt(Some(d.id), "SM1", "delivered"));
    assert_eq!(told.await.unwrap(), ReceiptResult::Moved(d.id));
    assert_eq!(house.read(d.id).await.state, DeliveryState::Delivered);
}

#[tokio::test]
async fn replies_that_nobody_proved_are_kept_up_to_a_bound() {
    let house = House::open().await;
    let reply = |n: i64, is_proven| NewReply {
        decide_by: later(1),
        account: ACCOUNT.to_owned(),
        sid: format!("SM{is_proven}{n}"),
        channel: Some(Channel::Sms),
        address: TO.to_owned(),
        sender: String::new(),
        wish: crate::domain::reply::Wish::Read,
        body: "Hi".to_owned(),
        is_proven,
        now: now(),
    };
    house.tenant.keep_reply(reply(0, true)).await.unwrap();
    for n in 0..UNPROVEN_KEPT + 5 {
        let kept = house.tenant.keep_reply(reply(n, false)).await.unwrap();
        assert!(kept.is_some());
    }
    let kept = house.database.count("replies").await;
    assert_eq!(kept, UNPROVEN_KEPT + 1, "what was proven stays");
    assert!(house.tenant.is_flooded(now(), 20).await.unwrap());
}

#[tokio::test]
async fn of_two_who_add_the_last_rule_at_once_one_is_refused() {
    let house = House::open().await;
    let definition = crate::domain::rule::RuleDefinition::parse(
        &serde_json::json!({
            "name": "Big", "event_type": "invoice.sent", "channel": "sms",
            "recipient": { "kind": "contact" }, "template": { "body": "one" },
        }),
        None,
    );
    let definition = definition.unwrap();
    let add = || {
        let new = crate::domain::rule::Rule {
            id: RuleId::new(now()),
            version: 1,
            position: 0,
            enabled: true,
            definition: definition.clone(),
        };
        house
            .tenant
            .create_rule(new, true, Actor::named("ann"), now())
    };
    for _ in 1..MOST_RULES {
        assert_eq!(add().await.unwrap(), RuleEdit::Done);
    }
    let (one, two) = tokio::join!(add(), add());
    let mut ends = [one.unwrap(), two.unwrap()];
    ends.sort_by_key(|end| *end != RuleEdit::Done);
    assert_eq!(ends, [RuleEdit::Done, RuleEdit::TooMany]);
    assert_eq!(house.database.count("rules").await, MOST_RULES);
}
