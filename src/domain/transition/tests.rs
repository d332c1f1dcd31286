//! What must hold of `classify` whatever comes, in whatever order.

use std::collections::HashMap;

use proptest::prelude::*;
use serde_json::Map;

use super::claim::MOST_CLAIMS;
use super::*;
use crate::domain::document::DocumentKind;

/// What one request to the hook bears.
#[derive(Debug, Clone)]
struct Sent {
    status: &'static str,
    /// Minutes after the invoice was created; the provider's `last_modified_time`.
    modified: i64,
    typed: Option<EventType>,
}

fn at(minutes: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000 + minutes * 60, 0).unwrap()
}

fn parsed(sent: &Sent) -> ParsedDocument {
    ParsedDocument {
        kind: DocumentKind::Invoice,
        id: "982000000567114".to_owned(),
        number: Some("INV-3".to_owned()),
        status: Some(sent.status.to_owned()),
        date: None,
        due_date: None,
        created_time: Some(at(0)),
        last_modified_time: Some(at(sent.modified)),
        total: None,
        balance: None,
        currency: None,
        party: None,
        email: None,
        country: None,
        clearing: None,
        applications: Vec::new(),
        persons: Vec::new(),
        person_ids: Vec::new(),
        payment_link: None,
        fields: Map::new(),
    }
}

/// A document row as the store keeps it: a commit needs the version that was read.
#[derive(Default, Clone)]
struct Row {
    version: i64,
    known: Option<Known>,
}

impl Row {
    fn classify(&self, sent: &Sent, event: EventId, received_at: DateTime<Utc>) -> Classification {
        let parsed = parsed(sent);
        let seen = Observation {
            event,
            parsed: &parsed,
            typed: sent.typed,
            label: "",
            received_at,
            calendar: Calendar::at(received_at, chrono_tz::UTC),
            applied: &[],
            dated_at: None,
        };
        classify(self.known.as_ref(), &seen)
    }

    /// As the route transaction does; a claim that is held already would break its primary key.
    fn commit(&mut self, read: i64, event: EventId, classification: &Classification) -> bool {
        if self.version != read {
            return false;
        }
        self.version += 1;
        let mut claims = self
            .known
            .take()
            .map(|k| (k.claims, k.document, k.last_event));
        let mut held = claims
            .as_mut()
            .map(|c| std::mem::take(&mut c.0))
            .unwrap_or_default();
        for claim in &classification.claims {
            let twice = held.iter().any(|c| {
                (c.event_type, &c.discriminator) == (claim.event_type, &claim.discriminator)
            });
            assert!(!twice, "{claim:?} is claimed twice");
            held.push(claim.clone());
        }
        let (document, last_event) = match (&classification.document, claims) {
            (Some(state), _) => (state.clone(), event),
            (None, Some((_, document, last_event))) => (document, last_event),
            (None, None) => return true,
        };
        self.known = Some(Known {
            document,
            last_event,
            claims: held,
        });
        true
    }

    fn run(&mut self, sent: &Sent, event: EventId, received_at: DateTime<Utc>) -> Classification {
        let classification = self.classify(sent, event, received_at);
        assert!(self.commit(self.version, event, &classification));
        classification
    }
}

fn any_sent(typed: bool) -> impl Strategy<Value = Sent> {
    let status = prop::sample::select(vec![
        "draft",
        "sent",
        "overdue",
        "partially_paid",
        "paid",
        "void",
        "viewed",
    ]);
    let paths = if typed {
        vec![
            None,
            None,
            None,
            Some(EventType::InvoiceCreated),
            Some(EventType::InvoiceSent),
            Some(EventType::InvoicePaid),
            Some(EventType::InvoiceOverdue),
        ]
    } else {
        vec![None]
    };
    (status, 0..40_i64, prop::sample::select(paths)).prop_map(|(status, modified, typed)| Sent {
        status,
        modified,
        typed,
    })
}

fn event(n: usize) -> EventId {
    EventId::from_uuid(uuid::Uuid::from_u128(n as u128 + 1))
}

fn received(n: usize) -> DateTime<Utc> {
    at(41 + i64::try_from(n).unwrap())
}

/// The transition that a classification tells, if any.
fn told(classification: &Classification) -> Option<(EventType, String)> {
    let own = classification.event_type?;
    (classification.outcome == Outcome::Tell).then(|| {
        let claim = classification
            .claims
            .iter()
            .find(|c| c.event_type == own && c.kind == ClaimKind::AsItself)
            .expect("what is told is claimed");
        (own, claim.discriminator.clone())
    })
}

proptest! {
    #[test]
    fn each_transition_is_told_at_most_once(bodies in prop::collection::vec(any_sent(true), 1..40)) {
        let mut row = Row::default();
        let mut seen = HashMap::new();
        for (n, sent) in bodies.iter().enumerate() {
            let classification = row.run(sent, event(n), received(n));
            if let Some(key) = told(&classification) {
                prop_assert_eq!(seen.insert(key, n), None);
            }
        }
    }

    #[test]
    fn an_older_body_never_changes_the_state(bodies in prop::collection::vec(any_sent(true), 1..40)) {
        let mut row = Row::default();
        for (n, sent) in bodies.iter().enumerate() {
            let before = row.known.clone();
            let classification = row.run(sent, event(n), received(n));
            if let Some(before) = before {
                let is_older = Some(at(sent.modified)) < before.document.modified_at;
                prop_assert_eq!(classification.document.is_none(), is_older);
                let after = row.known.as_ref().unwrap();
                prop_assert!(after.document.modified_at >= before.document.modified_at);
                prop_assert!(after.document.round >= before.document.round);
            }
        }
    }

    #[test]
    fn once_paid_is_told_no_untyped_body_tells_an_earlier_step_of_that_round(
        bodies in prop::collection::vec(any_sent(true), 1..40)
    ) {
        let mut row = Row::default();
        let mut paid_in = None;
        for (n, sent) in bodies.iter().enumerate() {
            let classification = row.run(sent, event(n), received(n));
            let round = row.known.as_ref().map_or(0, |k| k.document.round);
            match told(&classification) {
                Some((EventType::InvoicePaid, _)) => paid_in = Some(round),
                Some((EventType::InvoiceCreated, _)) if sent.typed.is_none() => {
                    prop_assert_eq!(paid_in, None);
                }
                Some((EventType::InvoiceSent, of)) if sent.typed.is_none() => {
                    prop_assert_ne!(paid_in.map(|r: i64| r.to_string()), Some(of));
                }
                _ => {}
            }
        }
    }

    #[test]
    fn a_doubled_body_tells_nothing_more(bodies in prop::collection::vec(any_sent(true), 1..20)) {
        let mut row = Row::default();
        for (n, sent) in bodies.iter().enumerate() {
            row.run(sent, event(2 * n), received(n));
            let again = row.run(sent, event(2 * n + 1), received(n));
            prop_assert_eq!(told(&again), None, "{:?}", sent);
        }
    }

    #[test]
    fn a_baseline_tells_nothing_that_it_showed(
        first in any_sent(true),
        later in prop::collection::vec(any_sent(false), 0..20),
    ) {
        let mut row = Row::default();
        let old = at(0) + NEWS_FOR + TimeDelta::minutes(1);
        let classification = row.run(&first, event(0), old);
        let shown: Vec<_> = classification
            .claims
            .iter()
            .filter(|c| c.kind == ClaimKind::Baseline)
            .map(|c| (c.event_type, c.discriminator.clone()))
            .collect();
        if first.typed.is_none() {
            prop_assert_eq!(told(&classification), None);
            if first.status != "void" {
                prop_assert_eq!(&classification.outcome, &Outcome::Baseline);
            }
        }
        for (n, sent) in later.iter().enumerate() {
            let classification = row.run(sent, event(n + 1), old + TimeDelta::minutes(1));
            if let Some(key) = told(&classification) {
                prop_assert!(!shown.contains(&key), "{key:?}");
            }
        }
    }

    /// Two workers classify two bodies of one document from the same reading; one commit is refused
    /// and starts over. Whoever was first, nothing is told twice, and the state is the newest.
    #[test]
    fn it_does_not_matter_which_of_two_workers_commits_first(
        before in prop::collection::vec(any_sent(false), 0..4),
        (one, two) in (any_sent(false), any_sent(false)),
    ) {
        let mut row = Row::default();
        for (n, sent) in before.iter().enumerate() {
            row.run(sent, event(n), received(n));
        }
        let (a, b) = (event(before.len()), event(before.len() + 1));
        let when = received(before.len() + 1);
        let mut ends = Vec::new();
        for is_one_first in [true, false] {
            let mut row = row.clone();
            let read = row.version;
            let order = if is_one_first { [(&one, a), (&two, b)] } else { [(&two, b), (&one, a)] };
            let [first, second] = order;
            let (first_plan, second_plan) =
                (row.classify(first.0, first.1, when), row.classify(second.0, second.1, when));
            prop_assert!(row.commit(read, first.1, &first_plan));
            prop_assert!(!row.commit(read, second.1, &second_plan), "stale");
            let again = row.run(second.0, second.1, when);
            if let (Some(x), Some(y)) = (told(&first_plan), told(&again)) {
                prop_assert_ne!(x, y);
            }
            let known = row.known.unwrap();
            ends.push((known.document.status, known.document.modified_at, known.last_event));
        }
        prop_assert_eq!(&ends[0], &ends[1]);
    }
}

#[test]
fn an_older_body_is_of_the_type_that_it_shows_itself() {
    let mut row = Row::default();
    let body = |status, modified| Sent {
        status,
        modified,
        typed: None,
    };
    row.run(&body("paid", 20), event(0), received(0));
    let late = row.run(&body("sent", 10), event(1), received(1));
    assert!(matches!(late.outcome, Outcome::NothingNew(_)));
    assert_eq!(late.event_type, Some(EventType::InvoiceSent));
}

#[test]
fn of_too_many_claims_the_oldest_reminders_go_first() {
    let claim = |event_type, discriminator: usize| Claim {
        event_type,
        discriminator: discriminator.to_string(),
        event: EventId::from_uuid(uuid::Uuid::nil()),
        kind: ClaimKind::AsItself,
    };
    let created = claim(EventType::InvoiceCreated, 0);
    let mut claims = vec![created.clone()];
    for n in 1..=300 {
        claims = with_claims(&claims, &[claim(EventType::InvoiceOverdue, n)]);
    }
    assert_eq!(claims.len(), MOST_CLAIMS);
    assert_eq!(claims[..2], [created, claim(EventType::InvoiceOverdue, 46)]);
    assert_eq!(claims.last(), Some(&claim(EventType::InvoiceOverdue, 300)));
    // Nothing but steps: then the oldest of them.
    let rounds: Vec<Claim> = (0..300).map(|n| claim(EventType::InvoiceSent, n)).collect();
    let kept = with_claims(&[], &rounds);
    assert_eq!((kept.len(), &kept[0]), (MOST_CLAIMS, &rounds[44]));
}
