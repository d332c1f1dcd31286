//! Confirming: of all that a replay would send, only what a person saw and chose is sent.

use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::app::AppError;
use crate::app::pipeline::plan::Plan;
use crate::domain::assertion::Seen;
use crate::domain::decision::{Decision, DecisionKind};
use crate::domain::delivery::{DeliveryState, NewDelivery};
use crate::domain::replay::Confirmed;
use crate::domain::replay_facts::ReplayFacts;

/// A person's wish to replay.
#[derive(Debug, Clone, Default)]
pub struct ReplayWish {
    /// The same nonce gives the same replay.
    pub nonce: String,
    /// The fingerprint of the facts that were seen.
    pub confirm: String,
    /// The keys of those who are to be written to; `None` is all who can be.
    pub chosen: Option<Vec<String>>,
}

/// What stands against a wish: something on its way, an address that must not be written to, or other facts
/// than those that were confirmed.
pub(super) fn refusal(facts: &ReplayFacts, wish: &ReplayWish) -> Option<AppError> {
    if let Some(open) = &facts.open {
        return Some(AppError::Open(open.id));
    }
    let only = facts
        .recipients
        .first()
        .filter(|_| facts.delivery.is_some());
    if let Some(why) = only.and_then(|r| r.refused.clone()) {
        return Some(AppError::Suppressed(why));
    }
    let is_confirmed = wish.confirm == facts.fingerprint;
    (!is_confirmed).then(|| AppError::Unconfirmed(Box::new(facts.clone())))
}

impl ReplayFacts {
    /// The keys of those who are wanted: by default all who can be written to.
    pub(super) fn chosen(&self, wanted: Option<&[String]>) -> Result<Vec<String>, AppError> {
        let can = self.recipients.iter().filter(|r| r.refused.is_none());
        let can: Vec<String> = can.map(|r| r.key.clone()).collect();
        let Some(wanted) = wanted else {
            return Ok(can);
        };
        if let Some(odd) = wanted.iter().find(|w| !can.contains(w)) {
            let message =
                format!("“{odd}” is nobody who can be written to; give keys of `recipients`");
            return Err(AppError::field("recipients", message));
        }
        if wanted.is_empty() && !can.is_empty() {
            return Err(AppError::field(
                "recipients",
                "Tick whom to write to, or leave it",
            ));
        }
        Ok(wanted.to_vec())
    }
}

impl Plan {
    /// Names what would be sent, and the state of the document that it would be sent about.
    pub(super) fn fingerprint(&self) -> String {
        let messages: Vec<String> = self.commit.deliveries.iter().map(key).collect();
        let seen = self.document.as_ref().map(|d| Seen::of(&d.document));
        fingerprint(&json!([messages, seen]))
    }

    /// Leaves out what was not chosen; all of it, with `false`, where it is no longer what was confirmed.
    pub(super) fn keep_confirmed(&mut self, confirmed: &Confirmed) -> bool {
        let is_same = self.fingerprint() == confirmed.plan;
        let commit = &mut self.commit;
        if is_same {
            let is_wanted = |d: &NewDelivery| {
                d.state != DeliveryState::Queued || confirmed.chosen.contains(&key(d))
            };
            for left_out in commit.deliveries.iter().filter(|d| !is_wanted(d)) {
                let of_rule = commit
                    .decisions
                    .iter_mut()
                    .find(|d| d.rule == Some(left_out.rule));
                if let Some(decision) = of_rule {
                    decision
                        .reason
                        .push_str("; not chosen by whoever decided again");
                }
            }
            commit.deliveries.retain(is_wanted);
            return true;
        }
        let why = "what it would send is no longer what was confirmed, so nothing was sent; decide \
                   again to see what is true now";
        let decision = Decision::whole(DecisionKind::NothingNew, why.to_owned());
        (commit.classified, commit.document) = (None, None);
        commit.applied.clear();
        commit.deliveries.clear();
        commit.decisions = vec![decision];
        false
    }
}

/// Names a message that would be made: the same rule, address and text have the same name.
pub(super) fn key(d: &NewDelivery) -> String {
    let parts = json!([
        d.rule,
        d.channel.as_str(),
        d.address,
        d.rehearsal_to,
        d.content
    ]);
    let mut name = fingerprint(&parts);
    name.truncate(16);
    name
}

/// A short name of facts: other facts have another.
pub(super) fn fingerprint(of: &serde_json::Value) -> String {
    let mut name = hex::encode(Sha256::digest(of.to_string()));
    name.truncate(32);
    name
}
