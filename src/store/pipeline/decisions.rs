//! What the rules said about an event: one row for all that was decided at once, since a tenant may have two
//! hundred rules and each of them says something about each event.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::route_commit::RouteCommit;
use crate::domain::decision::{Decision, DecisionKind, Ruling, kind_of};
use crate::domain::ids::{EventId, ReplayId, RuleId};
use crate::domain::rule::MetValue;
use crate::store::StoreError;
use crate::store::engine::db::bulk::{Bulk, Record, record};
use crate::store::engine::packed::{self, Packed};
use crate::store::engine::sql::{Row, micros};

/// The fields of a decision, without their names, which each would repeat.
#[derive(Serialize, Deserialize)]
struct PackedDecision<'a>(
    Option<Uuid>,
    i64,
    Cow<'a, str>,
    bool,
    Cow<'a, str>,
    Cow<'a, str>,
    Vec<PackedMet<'a>>,
);

/// Those of a value met: field, operator, what was expected and what was met.
#[derive(Serialize, Deserialize)]
struct PackedMet<'a>(
    Cow<'a, str>,
    Cow<'a, str>,
    Cow<'a, str>,
    Option<Cow<'a, str>>,
);

pub(in crate::store) fn pack(decisions: &[Decision]) -> Packed {
    let lines: Vec<PackedDecision<'_>> = decisions.iter().map(packed_decision).collect();
    Packed::json(&lines)
}

fn packed_decision(d: &Decision) -> PackedDecision<'_> {
    let met = d.met.iter().map(|m| {
        let (field, op, expected) = (&*m.field, &*m.op, &*m.expected);
        let met = m.met.as_deref().map(Cow::from);
        PackedMet(field.into(), op.into(), expected.into(), met)
    });
    PackedDecision(
        d.rule.map(RuleId::uuid),
        d.rule_version,
        Cow::from(&*d.rule_name),
        d.is_match,
        Cow::from(d.kind.as_str()),
        Cow::from(&*d.reason),
        met.collect(),
    )
}

fn unpack(text: &str) -> Option<Vec<Decision>> {
    let lines: Vec<PackedDecision<'_>> = serde_json::from_str(text).ok()?;
    lines.into_iter().map(decision).collect()
}

fn decision(
    PackedDecision(rule, rule_version, rule_name, is_match, kind, reason, met): PackedDecision<'_>,
) -> Option<Decision> {
    let met = met
        .into_iter()
        .map(|PackedMet(field, op, expected, met)| MetValue {
            field: field.into_owned(),
            op: op.into_owned(),
            expected: expected.into_owned(),
            met: met.map(Cow::into_owned),
        });
    Some(Decision {
        rule: rule.map(RuleId::from_uuid),
        rule_version,
        rule_name: rule_name.into_owned(),
        is_match,
        kind: DecisionKind::parse(&kind)?,
        reason: reason.into_owned(),
        met: met.collect(),
    })
}

/// The row of a commit, if it decides anything.
pub(in crate::store) fn record_of(
    tenant: Uuid,
    c: &RouteCommit,
    verdicts: &Packed,
) -> Option<Record> {
    let kind = kind_of(&c.decisions)?;
    let matched = c.decisions.iter().filter(|d| d.is_match);
    let matched: Vec<u8> = matched
        .filter_map(|d| d.rule)
        .flat_map(|rule| rule.uuid().into_bytes())
        .collect();
    Some(record![
        event_id: c.event.uuid(),
        replay_id: c.replay.uuid(),
        tenant_id: tenant,
        rule_set: c.rule_set,
        kind: kind.as_str(),
        matched: matched,
        verdicts: verdicts.value(),
        decided_at: micros(c.routed_at),
    ])
}

pub(in crate::store) const DECISIONS: Bulk<'static> = Bulk::insert("decisions", "");

pub(in crate::store) fn ruling(row: &Row) -> Result<Ruling, StoreError> {
    let event: Uuid = row.get("event_id")?;
    Ok(Ruling {
        event: EventId::from_uuid(event),
        replay: ReplayId::from_uuid(row.get("replay_id")?),
        rule_set: row.get("rule_set")?,
        decisions: packed::word(row, ("decisions", "verdicts"), event, unpack)?,
        decided_at: row.time("decided_at")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As rules speak of an invoice, each a little different from the next.
    fn rulings(rules: usize) -> Vec<Decision> {
        let decision = |n: usize| Decision {
            rule: Some(RuleId::from_uuid(Uuid::new_v4())),
            rule_version: 3,
            rule_name: format!("Region {n}: large accounts"),
            is_match: n.is_multiple_of(7),
            kind: DecisionKind::Rule,
            reason: format!(
                "total GBP 8,413.20 is not at least GBP {n},000.00 and salesperson_name Ada is not \
                 Grace"
            ),
            met: vec![
                MetValue {
                    field: "total".to_owned(),
                    op: "gte".to_owned(),
                    expected: format!("{n}000"),
                    met: Some("8413.20".to_owned()),
                },
                MetValue {
                    field: "salesperson_name".to_owned(),
                    op: "eq".to_owned(),
                    expected: "Grace".to_owned(),
                    met: n.is_multiple_of(2).then(|| "Ada".to_owned()),
                },
            ],
        };
        (0..rules).map(decision).collect()
    }

    #[test]
    fn what_many_rules_say_is_kept_in_a_fraction_of_its_size() {
        for (rules, percent) in [(1, 70), (10, 25), (100, 15), (200, 15)] {
            let decisions = rulings(rules);
            let lines: Vec<PackedDecision<'_>> = decisions.iter().map(packed_decision).collect();
            let text = serde_json::to_string(&lines).unwrap();
            let began = std::time::Instant::now();
            for _ in 0..200 {
                std::hint::black_box(pack(&decisions));
            }
            let took = began.elapsed() / 200;
            let bare = zstd::bulk::compress(text.as_bytes(), 3).unwrap().len();
            let packed = pack(&decisions).len();
            println!(
                "{rules}: {} bytes, {packed} packed, {bare} without words, {took:?}",
                text.len()
            );
            assert!(packed * 100 <= text.len() * percent, "{rules}: {packed}");
            assert_eq!(unpack(&text).unwrap(), decisions);
        }
    }
}
