//! E-mails that did not arrive: which of them give an address up.

use super::*;

const ANN: &str = "ann@bowman.example";
const EMAIL: Channel = Channel::Email;

impl House {
    /// An e-mail of a day and an hour from the first one on, and what became of it.
    async fn mailed(&self, fingerprint: u8, (day, hour): (i64, i64), word: &str) {
        let at = now() + TimeDelta::days(day) + TimeDelta::hours(hour);
        let event = self.ingest(fingerprint, at).await.event;
        let wish = NewDelivery {
            id: DeliveryId::new(event, at),
            channel: EMAIL,
            address: ANN.to_owned(),
            due_at: Some(at),
            expires_at: at + TimeDelta::days(1),
            ..Self::wish(event, &format!("Hi {fingerprint}"))
        };
        let id = wish.id;
        let commit = self.commit(event, vec![wish]);
        let done = self.tenant.commit_route(commit).await.unwrap();
        assert_eq!(done, RouteResult::Committed);
        let claim = self.claim_of(&self.read(id).await, at);
        let claimed = self.tenant.claim(claim).await.unwrap();
        assert_eq!(claimed, ClaimResult::Claimed);
        let sid = format!("op{fingerprint}");
        let guard = Guard {
            states: &[DeliveryState::Sending],
            attempt_no: 1,
            lease_owner: None,
        };
        let change = Change {
            is_outcome: true,
            releases_send_lock: true,
            message: Some(KnownMessage {
                provider: "Twilio".to_owned(),
                account: ACCOUNT.to_owned(),
                sid: sid.clone(),
                channel: EMAIL,
                address: ANN.to_owned(),
                status: Status::Queued,
                accepted_at: at,
            }),
            ..Change::to(DeliveryState::Accepted, id, guard, at)
        };
        assert!(self.tenant.change(change).await.unwrap());
        let told = NewReceipt {
            now: at + TimeDelta::hours(1),
            source: "poll",
            ..receipt(Some(id), &sid, word)
        };
        let told = self.tenant.receive(told).await.unwrap();
        assert_eq!(told, ReceiptResult::Moved(id));
    }

    async fn given_up(&self) -> Option<String> {
        let found = self.tenant.suppression(EMAIL, ANN).await.unwrap();
        found.map(|s| s.reason)
    }
}

#[tokio::test]
async fn an_address_is_given_up_after_the_second_day_on_which_nothing_arrived() {
    let house = House::open().await;
    house.mailed(1, (0, 0), "undelivered").await;
    house.mailed(2, (0, 1), "undelivered").await;
    assert_eq!(house.given_up().await, None, "twice on one day");
    house.mailed(3, (6, 0), "undelivered").await;
    let day = |days| {
        let at = (now() + TimeDelta::days(days)).with_timezone(&ZONE);
        at.format("%-d %b").to_string()
    };
    let why = format!(
        "Not delivered on {} and {}; Twilio tells no reason",
        day(0),
        day(6)
    );
    assert_eq!(house.given_up().await, Some(why));
}

#[tokio::test]
async fn one_that_arrived_in_between_begins_anew() {
    let house = House::open().await;
    house.mailed(1, (0, 0), "undelivered").await;
    house.mailed(2, (1, 0), "delivered").await;
    house.mailed(3, (2, 0), "undelivered").await;
    assert_eq!(house.given_up().await, None);
    house.mailed(4, (3, 0), "undelivered").await;
    assert!(house.given_up().await.is_some());
}

#[tokio::test]
async fn an_sms_that_did_not_arrive_gives_nothing_up() {
    let house = House::open().await;
    for (fingerprint, sid) in [(1, "SM1"), (2, "SM2")] {
        let d = house
            .queued(fingerprint, &format!("Hi {fingerprint}"))
            .await;
        house.claim(&d).await;
        house.accepted(d.id, 1, sid).await;
        let told = NewReceipt {
            now: later(86_400 * i64::from(fingerprint)),
            ..receipt(Some(d.id), sid, "undelivered")
        };
        house.tenant.receive(told).await.unwrap();
    }
    let found = house.tenant.suppression(Channel::Sms, TO).await.unwrap();
    assert!(found.is_none());
}
