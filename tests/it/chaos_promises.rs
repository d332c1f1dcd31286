//! The chaos harness must be able to fail: its promises on made-up figures.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::promises::{
    Calls, Doubt, Ended, Key, Outcome, Promises, Readiness, Recovery, Waits, broken,
};

const ALL: Promises = Promises {
    answers: true,
    recovers: true,
    tells: true,
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

/// What came around a fault from second 0 to second 20.
fn around(answers: &[i64], messages: &[i64], unready: &[i64]) -> Vec<Recovery> {
    let fault = Ended {
        what: "15 s FreeDisk".to_owned(),
        begin: at(0),
        end: at(20),
    };
    let times = |seconds: &[i64]| seconds.iter().copied().map(at).collect::<Vec<_>>();
    let mut readiness = vec![Readiness {
        at: at(0),
        is_ready: true,
    }];
    readiness.extend(unready.iter().map(|second| Readiness {
        at: at(*second),
        is_ready: false,
    }));
    Recovery::of_each(&[fault], &times(answers), &times(messages), &readiness)
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
    let back = around(&[30], &[-1, 29], &[-3, 10, 19, 29]);
    let sends = [1, 1, 1, 1, 1, 1, 1, 1, 1, 60];
    let told = broken_by(waits(&[0.1, 10.0]), &back, &sends);
    assert_eq!(told, [""; 0]);
}

#[test]
fn a_post_that_waits_longer_than_ten_seconds_is_counted_and_told() {
    let seen = waits(&[0.1, 10.1, 36.0]);
    assert_eq!(seen.hung, 2);
    let mut joined = waits(&[40.0]);
    joined.join(seen);
    assert_eq!((joined.hung, joined.longest.as_secs()), (3, 40));
    let told = broken_by(seen, &[], &[]);
    let wanted = "2 posts waited longer than 10 s for an answer, one of them 36.0 s";
    assert_eq!(told, [wanted]);
}

#[test]
fn what_comes_back_late_or_never_is_told_apart() {
    let late = around(&[15, 31], &[19], &[2]);
    assert_eq!(
        broken_by(Waits::default(), &late, &[]),
        [
            "15 s FreeDisk: the first 200 came only after 11.0 s",
            "15 s FreeDisk: the first message never came",
        ]
    );
}

#[test]
fn readiness_that_tells_nothing_or_for_too_long_is_told() {
    let silent = around(&[20], &[20], &[-1, 31]);
    assert_eq!(
        broken_by(Waits::default(), &silent, &[]),
        [
            "15 s FreeDisk: /readyz never said that something was wrong",
            "15 s FreeDisk: /readyz still said 11.0 s later that something was wrong",
        ]
    );
    let late = around(&[20], &[20], &[12]);
    let wanted = "15 s FreeDisk: /readyz said only after 12.0 s of it that something was wrong";
    assert_eq!(broken_by(Waits::default(), &late, &[]), [wanted]);
}

#[test]
fn what_a_later_fault_does_is_not_put_down_to_an_earlier_one() {
    let fault = |begin, end| Ended {
        what: format!("{end} s"),
        begin: at(begin),
        end: at(end),
    };
    let unready = [2, 32, 34].map(|second| Readiness {
        at: at(second),
        is_ready: false,
    });
    let both = Recovery::of_each(&[fault(0, 5), fault(30, 35)], &[at(36)], &[], &unready);
    let told: Vec<_> = both.iter().map(|r| (r.told, r.unready.as_secs())).collect();
    assert_eq!(told, [(Some(Duration::from_secs(2)), 0); 2]);
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
