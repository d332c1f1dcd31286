//! Of all that deciding again would send, only what a person saw and chose is sent.

use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::app::pipeline::decide::whole;
use crate::app::pipeline::route::Plan;
use crate::domain::assertion::Seen;
use crate::domain::decision::DecisionKind;
use crate::domain::delivery::{DeliveryState, NewDelivery};
use crate::domain::replay::Confirmed;

/// Names a message that would be made: the same rule, address and text have the same name.
pub(in crate::app) fn key(d: &NewDelivery) -> String {
    let parts = json!([
        d.rule,
        d.channel.as_str(),
        d.address,
        d.rehearsal_to,
        d.body
    ]);
    let mut name = fingerprint(&parts);
    name.truncate(16);
    name
}

/// A short name of facts: other facts have another.
pub(in crate::app) fn fingerprint(of: &serde_json::Value) -> String {
    let mut name = hex::encode(Sha256::digest(of.to_string()));
    name.truncate(32);
    name
}

impl Plan {
    /// Names what would be sent, and the state of the document that it would be sent about.
    pub(in crate::app) fn fingerprint(&self) -> String {
        let messages: Vec<String> = self.commit.deliveries.iter().map(key).collect();
        let seen = self.document.as_ref().map(|d| Seen::of(&d.document));
        fingerprint(&json!([messages, seen]))
    }

    /// Leaves out what was not chosen; all of it, with `false`, where it is no longer what was confirmed.
    pub(in crate::app) fn keep_confirmed(&mut self, confirmed: &Confirmed) -> bool {
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
        let decision = whole(
            commit.event,
            commit.replay,
            DecisionKind::NothingNew,
            why.to_owned(),
            commit.routed_at,
        );
        (commit.classified, commit.document) = (None, None);
        commit.applied.clear();
        commit.deliveries.clear();
        commit.decisions = vec![decision];
        false
    }
}
