//! A person who was erased stays suppressed.

use super::*;
use crate::domain::ids::SuppressionId;
use crate::domain::page::Cursor;

impl House {
    async fn add_by_hand(&self, address: &str) -> SuppressionId {
        let (address, reason, amy) = (address.to_owned(), "Asked us".to_owned(), "amy");
        let added =
            self.tenant
                .add_suppression(Channel::Sms, address, reason, Actor::named(amy), now());
        match added.await.unwrap().unwrap() {
            Added::New(s) | Added::Already(s) => s.id,
        }
    }

    async fn erase(&self) {
        self.database
            .run("UPDATE suppressions SET address = '', name = ''")
            .await;
    }

    async fn found(&self, text: &str) -> Vec<SuppressionId> {
        let filter = SuppressionFilter {
            text: text.to_owned(),
            source: None,
        };
        let page = self.tenant.suppressions(&filter, Cursor::Newest, 50).await;
        page.unwrap().rows.iter().map(|s| s.id).collect()
    }
}

#[tokio::test]
async fn an_erased_number_is_still_not_written_to() {
    let house = House::open().await;
    let d = house.queued(1, "Hi").await;
    let id = house.add_by_hand(TO).await;
    house.erase().await;
    assert_eq!(house.claim(&d).await, ClaimResult::Refused);
    let why = house.tenant.suppression_of(&d).await.unwrap();
    assert_eq!(why.map(|s| s.reason).as_deref(), Some("Asked us"));

    let kept = house.tenant.suppression_by_id(id).await.unwrap().unwrap();
    assert_eq!(kept.address, None);
    assert_eq!(house.add_by_hand(TO).await, id, "it is there already");
    for whole in ["+44 7700 900123", "07700 900123", ""] {
        assert_eq!(house.found(whole).await, [id], "{whole}");
    }
    for other in ["+447700900124", "900123"] {
        assert_eq!(house.found(other).await, [], "{other}");
    }

    let (why, amy) = ("Wants them again".to_owned(), Actor::named("amy"));
    let lifted = house.tenant.lift_suppression(id, why, amy, now());
    assert!(lifted.await.unwrap());
    assert_eq!(house.claim(&d).await, ClaimResult::Claimed);
}

#[tokio::test]
async fn a_number_is_found_in_any_spelling() {
    let house = House::open().await;
    let id = house.add_by_hand("+5215512345678").await;
    assert_eq!(house.found("+52 55 1234 5678").await, [id]);
    assert_eq!(house.found("1234").await, [id]);
    let other = house.tenant.suppression(Channel::Sms, "+525512345678");
    assert!(other.await.unwrap().is_some());
}

#[tokio::test]
async fn an_unanswered_question_of_somebody_who_was_erased_still_means_stop() {
    let house = House::open().await;
    let asked = Said {
        wish: crate::domain::reply::Wish::Unclear,
        body: "Maybe later".to_owned(),
        decide_by: later(60),
    };
    let tenant = &house.tenant;
    let follow = tenant.follow_wish(Channel::Sms, TO.to_owned(), asked, now());
    follow.await.unwrap();
    house.erase().await;
    tenant.close_questions(later(61)).await.unwrap();
    let why = tenant.suppression(Channel::Sms, TO).await.unwrap().unwrap();
    assert!(!why.is_asked, "{}", why.reason);
}
