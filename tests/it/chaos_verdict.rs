//! The chaos harness must be able to fail: its verdict on made-up runs.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::verdict::{
    BROKEN_OFF, Delivery, Message, NOBODY, Tally, Verdict, Wish, judge, unexcused,
};

const ANN: &str = "+12025550101";

/// A run in which everything is as it should be, to be spoilt by a test.
#[derive(Default)]
struct Run {
    wishes: Vec<Wish>,
    deliveries: Vec<Delivery>,
    messages: Vec<Message>,
}

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
}

impl Run {
    /// A wish that was accepted, sent, and arrived at Twilio two seconds later.
    fn sent(&mut self, tenant: usize, event: &str, text: &str) -> &mut Self {
        let sid = format!("SM{event}");
        self.wished(tenant, event, text)
            .delivery(tenant, event, text, "accepted", Some(&sid));
        self.message(&sid, text)
    }

    fn wished(&mut self, tenant: usize, event: &str, text: &str) -> &mut Self {
        self.wishes.push(Wish {
            tenant,
            account: "AC".to_owned(),
            to: ANN.to_owned(),
            text: text.to_owned(),
            accepted: Some((event.to_owned(), at(0))),
        });
        self
    }

    fn delivery(
        &mut self,
        tenant: usize,
        event: &str,
        text: &str,
        state: &str,
        sid: Option<&str>,
    ) -> &mut Self {
        self.deliveries.push(Delivery {
            id: format!("dlv_{event}_{}", self.deliveries.len()),
            tenant,
            event: event.to_owned(),
            account: "AC".to_owned(),
            to: ANN.to_owned(),
            text: text.to_owned(),
            state: state.to_owned(),
            hold: None,
            reason: Some("because".to_owned()),
            sid: sid.map(str::to_owned),
        });
        self
    }

    fn message(&mut self, sid: &str, text: &str) -> &mut Self {
        self.messages.push(Message {
            sid: sid.to_owned(),
            account: "AC".to_owned(),
            to: ANN.to_owned(),
            text: text.to_owned(),
            at: at(2),
        });
        self
    }

    fn judged(&self) -> Verdict {
        judge(2, &self.wishes, &self.deliveries, &self.messages)
    }
}

/// wanted, delivered, lost, doubled, undecided, explained, open
fn counts(tally: &Tally) -> [usize; 7] {
    [
        tally.wanted,
        tally.delivered,
        tally.lost,
        tally.doubled,
        tally.undecided,
        tally.explained,
        tally.open,
    ]
}

#[test]
fn a_good_run_is_good_also_with_equal_texts() {
    let mut run = Run::default();
    run.sent(0, "a", "Thanks")
        .sent(0, "b", "Thanks")
        .sent(1, "c", "Thanks");
    let verdict = run.judged();
    assert_eq!(counts(&verdict.all), [3, 3, 0, 0, 0, 0, 0]);
    assert_eq!(counts(&verdict.tenants[0]), [2, 2, 0, 0, 0, 0, 0]);
    assert!(verdict.all.is_good() && verdict.findings.is_empty());
    assert_eq!(verdict.all.first_send, [Duration::from_secs(2); 3]);
}

#[test]
fn an_accepted_event_that_left_no_trace_is_lost() {
    let mut run = Run::default();
    run.sent(0, "a", "One").wished(1, "b", "Two");
    let verdict = run.judged();
    assert_eq!(counts(&verdict.all), [2, 1, 1, 0, 0, 0, 0]);
    assert_eq!(verdict.tenants[1].lost, 1);
    assert!(!verdict.all.is_good());
    assert_eq!(verdict.findings[0].kind, "lost");
    assert_eq!(
        verdict.findings[0].path.as_deref(),
        Some("/api/v1/events/b")
    );
}

#[test]
fn a_delivery_that_says_sent_while_twilio_has_nothing_is_lost() {
    let mut run = Run::default();
    run.wished(0, "a", "One")
        .delivery(0, "a", "One", "delivered", Some("SMnowhere"));
    run.wished(0, "b", "Two")
        .delivery(0, "b", "Two", "accepted", None);
    assert_eq!(counts(&run.judged().all), [2, 0, 2, 0, 0, 0, 0]);
}

#[test]
fn a_message_of_another_text_proves_nothing() {
    let mut run = Run::default();
    run.wished(0, "a", "One")
        .delivery(0, "a", "One", "sent", Some("SMx"));
    run.message("SMx", "Two");
    // The message that is there was wanted by nobody.
    assert_eq!(counts(&run.judged().all), [1, 0, 1, 1, 0, 0, 0]);
}

#[test]
fn one_message_cannot_prove_two_equal_wishes() {
    let mut run = Run::default();
    run.sent(0, "a", "Thanks").wished(1, "b", "Thanks");
    run.delivery(1, "b", "Thanks", "accepted", Some("SMa"));
    assert_eq!(counts(&run.judged().all), [2, 1, 1, 0, 0, 0, 0]);
}

#[test]
fn a_second_message_of_one_wish_is_a_double() {
    let mut run = Run::default();
    run.sent(0, "a", "One").message("SMagain", "One");
    let verdict = run.judged();
    assert_eq!(counts(&verdict.all), [1, 1, 0, 1, 0, 0, 0]);
    assert!(!verdict.all.is_good());
}

#[test]
fn a_double_is_seen_although_an_equal_wish_was_lost() {
    let mut run = Run::default();
    // Two messages for two equal wishes, but both of one delivery.
    run.sent(0, "a", "Thanks")
        .message("SMagain", "Thanks")
        .wished(1, "b", "Thanks");
    let verdict = run.judged();
    assert_eq!((verdict.all.lost, verdict.all.doubled), (1, 1));
}

#[test]
fn a_wish_of_two_deliveries_is_a_double_when_both_were_sent() {
    let mut run = Run::default();
    run.sent(0, "a", "One")
        .delivery(0, "a", "One", "accepted", Some("SM2"))
        .message("SM2", "One");
    assert_eq!(run.judged().all.doubled, 1);
}

#[test]
fn a_message_that_nobody_wanted_is_a_double() {
    let mut run = Run::default();
    run.sent(0, "a", "One").message("SMx", "Nobody asked");
    assert_eq!(counts(&run.judged().all), [1, 1, 0, 1, 0, 0, 0]);
}

#[test]
fn what_was_never_acknowledged_may_be_there_once_and_need_not() {
    let mut run = Run::default();
    run.wished(0, "a", "One");
    run.wishes[0].accepted = None;
    assert_eq!(counts(&run.judged().all), [0; 7]);
    run.delivery(0, "a", "One", "accepted", Some("SM1"))
        .message("SM1", "One");
    assert!(run.judged().all.is_good());
    run.message("SM2", "One");
    assert_eq!(run.judged().all.doubled, 1);
}

#[test]
fn what_waits_for_a_person_is_undecided_whether_it_arrived_or_not() {
    let mut run = Run::default();
    run.wished(0, "a", "One")
        .delivery(0, "a", "One", "unknown", None);
    run.deliveries[0].hold = Some("person".to_owned());
    assert_eq!(counts(&run.judged().all), [1, 0, 0, 0, 1, 0, 0]);
    run.message("SMa", "One");
    let verdict = run.judged();
    assert_eq!(counts(&verdict.all), [1, 0, 0, 0, 1, 0, 0]);
    assert!(verdict.all.is_good());
    assert_eq!(
        verdict.findings[0].path.as_deref(),
        Some("/api/v1/deliveries/dlv_a_0")
    );
    // One doubt explains one message, not two.
    run.message("SMb", "One");
    assert_eq!(run.judged().all.doubled, 1);
}

#[test]
fn what_has_not_come_to_rest_is_neither_lost_nor_good() {
    let mut run = Run::default();
    for (event, state) in [("a", "queued"), ("b", "sending"), ("c", "unknown")] {
        run.wished(0, event, event)
            .delivery(0, event, event, state, None);
    }
    let verdict = run.judged();
    assert_eq!(counts(&verdict.all), [3, 0, 0, 0, 0, 0, 3]);
    assert!(!verdict.all.is_good());
}

#[test]
fn a_state_that_says_why_explains_what_was_not_sent() {
    let mut run = Run::default();
    for (event, state) in [
        ("a", "held"),
        ("b", "failed"),
        ("c", "suppressed"),
        ("d", "expired"),
    ] {
        run.wished(0, event, event)
            .delivery(0, event, event, state, None);
    }
    let verdict = run.judged();
    assert_eq!(counts(&verdict.all), [4, 0, 0, 0, 0, 4, 0]);
    assert_eq!(verdict.findings[0].text, "held: because");
    assert_eq!(verdict.findings.len(), 4);
}

#[test]
fn only_a_connection_that_nobody_was_there_to_take_is_excused() {
    let posts = |what: &str, count| (what.to_owned(), count);
    assert_eq!(unexcused(&[posts(NOBODY, 9)]), Vec::<String>::new());
    let rough = unexcused(&[
        posts(NOBODY, 9),
        posts(BROKEN_OFF, 1),
        posts("answered 503", 2),
    ]);
    assert_eq!(
        rough,
        [
            "1 posts: accepted and closed without an answer, which no stop or restart excuses",
            "2 posts: answered 503"
        ]
    );
}
