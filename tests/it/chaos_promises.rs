//! The chaos harness must be able to fail: its promises on made-up figures.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::promises::{Calls, Doubt, Key, Outcome, Promises, Recovery, Waits, broken};

const ALL: Promises = Promises {
    answers: true,
    recovers: true,
    on_time: Some((90, Duration::from_secs(5))),
};

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
}

fn waits(seconds: &[f64]) -> Waits {
    let mut waits = Waits::default();
    for wait in seconds {
        waits.add(Duration::from_secs_f64(*wait));
    }
    waits
}

fn broken_by(waits: Waits, recoveries: &[Recovery], sends: &[u64]) -> Vec<String> {
    let sends: Vec<_> = sends.iter().copied().map(Duration::from_secs).collect();
    let outcome = Outcome {
        waits,
        recoveries,
        sends: &sends,
    };
    assert!(broken(Promises::default(), &outcome).is_empty());
    broken(ALL, &outcome)
}

fn key(text: &str) -> Key {
    ("AC".to_owned(), "+12025550101".to_owned(), text.to_owned())
}

fn doubt(delivery: &str, text: &str) -> Doubt {
    Doubt {
        delivery: delivery.to_owned(),
        key: key(text),
    }
}

#[test]
fn figures_within_all_limits_break_no_promise() {
    let back = Recovery::after("10 s".to_owned(), at(0), [at(10)], [at(-1), at(9)]);
    let sends = [1, 1, 1, 1, 1, 1, 1, 1, 1, 60];
    assert!(broken_by(waits(&[0.1, 10.0]), &[back], &sends).is_empty());
}

#[test]
fn a_post_that_waits_longer_than_ten_seconds_is_counted_and_told() {
    let waited = waits(&[0.1, 10.1, 36.0]);
    assert_eq!(waited.hung, 2);
    let mut joined = waits(&[40.0]);
    joined.join(waited);
    assert_eq!((joined.hung, joined.longest.as_secs()), (3, 40));
    let told = broken_by(waited, &[], &[]);
    let wanted = "2 posts waited longer than 10 s for an answer, one of them 36.0 s";
    assert_eq!(told, [wanted]);
}

#[test]
fn what_comes_back_late_or_never_is_told_apart() {
    let late = Recovery::after("15 s FreeDisk".to_owned(), at(0), [at(-5), at(11)], []);
    assert_eq!(
        broken_by(Waits::default(), &[late], &[]),
        [
            "15 s FreeDisk: the first 200 came only after 11.0 s",
            "15 s FreeDisk: the first message never came",
        ]
    );
}

#[test]
fn more_late_messages_than_allowed_are_told() {
    let told = broken_by(Waits::default(), &[], &[1, 1, 1, 6, 7]);
    let wanted = "2 of 5 messages left later than 5 s after their 200; 90 % must be earlier";
    assert_eq!(told, [wanted]);
}

#[test]
fn one_lost_answer_explains_one_doubt_about_the_same_message() {
    let mut calls = Calls::default();
    calls.seen.insert(key("One"), 1);
    calls
        .lost
        .insert(key("One"), vec!["work-0: killed".to_owned()]);
    assert_eq!(calls.lost_answers(), 1);
    let doubts = [doubt("a", "One"), doubt("b", "One"), doubt("c", "Two")];
    assert_eq!(
        calls.explain(&doubts),
        [
            ("a".to_owned(), Some("work-0: killed".to_owned())),
            ("b".to_owned(), None),
            ("c".to_owned(), None),
        ]
    );
}

#[test]
fn an_attempt_that_was_never_seen_as_a_call_is_a_lost_answer() {
    let mut calls = Calls::default();
    calls.seen.insert(key("One"), 1);
    let attempts = HashMap::from([(key("One"), 2), (key("Two"), 0)]);
    let calls = calls.with_attempts(&attempts);
    assert_eq!(calls.lost_answers(), 1);
    let [(_, why)] = &calls.explain(&[doubt("a", "One")])[..] else {
        panic!("one doubt, one explanation");
    };
    assert!(why.as_ref().unwrap().contains("writing an attempt down"));
}
