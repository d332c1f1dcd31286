//! Faults by order: the next answers, or a share of all answers drawn from a seed.

use std::collections::VecDeque;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde::Deserialize;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// 429/20429, with `Retry-After` when `retry_after` is given.
    TooMany,
    /// 500/20500 as JSON, or a gateway's page when `html` is set.
    InternalError,
    /// 503/20503, with `Retry-After` when `retry_after` is given.
    Unavailable,
    /// The code in `code`, with `status` (400) and `message`.
    ErrorCode,
    /// 201 with a message that has failed already, for the reason in `code`.
    FailedAtOnce,
    /// 201 with bytes that are not JSON; the message is taken.
    Garbage,
    /// 201 with an empty body; the message is taken.
    Empty,
    /// 200 with a page, as from a captive portal.
    Html,
    /// Takes nothing, hangs for `delay_ms` (60 s), then cuts the connection.
    TimeoutBefore,
    /// Takes the message, hangs for `delay_ms` (60 s), then cuts the connection.
    TimeoutAfter,
    /// Cuts the connection before a byte, taking nothing.
    DropBefore,
    /// Takes the message and cuts the connection before a byte.
    DropAfter,
    /// Waits `delay_ms`, then takes the message, also when the client has gone by then. With
    /// `accept` it takes the message first: callbacks may overtake the answer.
    Slow,
}

/// A fault with its details.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// A wait, in milliseconds.
    #[serde(default)]
    pub delay_ms: Option<u64>,
    /// Seconds for the `Retry-After` header.
    #[serde(default)]
    pub retry_after: Option<u32>,
    /// Twilio's error code, for `error_code`.
    #[serde(default)]
    pub code: Option<u32>,
    /// The HTTP status, for `error_code`.
    #[serde(default)]
    pub status: Option<u16>,
    /// The message, for `error_code`.
    #[serde(default)]
    pub message: Option<String>,
    /// A page instead of JSON, for `internal_error`.
    #[serde(default)]
    pub html: bool,
    /// Whether the message is taken all the same; each kind has its own default.
    #[serde(default)]
    pub accept: Option<bool>,
}

impl Fault {
    /// A fault without details.
    pub fn new(kind: FaultKind) -> Self {
        Self {
            kind,
            delay_ms: None,
            retry_after: None,
            code: None,
            status: None,
            message: None,
            html: false,
            accept: None,
        }
    }

    /// The same fault with a wait.
    #[must_use]
    pub fn with_delay_ms(self, delay_ms: u64) -> Self {
        Self {
            delay_ms: Some(delay_ms),
            ..self
        }
    }

    /// The same fault with a Twilio error code.
    #[must_use]
    pub fn with_code(self, code: u32) -> Self {
        Self {
            code: Some(code),
            ..self
        }
    }

    pub(super) fn accepts(&self) -> bool {
        use FaultKind::{
            DropAfter, DropBefore, Empty, FailedAtOnce, Garbage, TimeoutAfter, TimeoutBefore,
        };
        match self.kind {
            TimeoutBefore | DropBefore => false,
            TimeoutAfter | DropAfter => true,
            kind => self
                .accept
                .unwrap_or(matches!(kind, Garbage | Empty | FailedAtOnce)),
        }
    }

    fn check(&self) -> Result<(), String> {
        if matches!(self.kind, FaultKind::ErrorCode | FaultKind::FailedAtOnce)
            && self.code.is_none()
        {
            return Err("`error_code` needs a `code`".to_owned());
        }
        if self
            .status
            .is_some_and(|status| !(200..600).contains(&status))
        {
            return Err("`status` must be from 200 to 599".to_owned());
        }
        Ok(())
    }
}

/// Which requests a fault meets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum On {
    /// `POST …/Messages.json`.
    #[default]
    Create,
    /// `GET …/Messages.json`.
    List,
    /// `GET …/Messages/{sid}.json`.
    Fetch,
    /// Accounts, balance, numbers, services.
    Other,
    /// `POST /v1/Emails`.
    Email,
    /// `GET /v1/Emails`.
    EmailList,
    /// An e-mail or an operation.
    EmailFetch,
}

/// The next `count` answers.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultOrder {
    /// What goes wrong.
    pub fault: Fault,
    /// How often; once when left out.
    #[serde(default = "once")]
    pub count: u32,
    /// Which requests; creations when left out.
    #[serde(default)]
    pub on: On,
    /// Only for this recipient (of a creation, or of a list's `To`).
    #[serde(default)]
    pub to: Option<String>,
}

impl FaultOrder {
    /// The next answer to a creation.
    pub fn once(fault: Fault) -> Self {
        Self {
            fault,
            count: 1,
            on: On::Create,
            to: None,
        }
    }
}

fn once() -> u32 {
    1
}

/// Faults drawn by chance from a seed: the same seed and order of requests, the same faults.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultPlan {
    /// The seed of the draw.
    pub seed: u64,
    /// Shares, tried in order against one draw per request; their sum is at most 1.
    pub shares: Vec<FaultShare>,
}

/// One share of a [`FaultPlan`].
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultShare {
    /// From 0 to 1.
    pub probability: f64,
    /// What goes wrong.
    pub fault: Fault,
    /// Which requests; creations when left out.
    #[serde(default)]
    pub on: On,
}

/// The faults waiting.
#[derive(Debug, Default)]
pub(super) struct Faults {
    next: VecDeque<FaultOrder>,
    plan: Option<(StdRng, Vec<FaultShare>)>,
}

impl Faults {
    pub(super) fn order(&mut self, order: FaultOrder) -> Result<(), String> {
        order.fault.check()?;
        if order.count > 0 {
            self.next.push_back(order);
        }
        Ok(())
    }

    /// Replaces the plan; an empty one ends it.
    pub(super) fn plan(&mut self, plan: FaultPlan) -> Result<(), String> {
        let mut sum = 0.0;
        for share in &plan.shares {
            share.fault.check()?;
            if !(0.0..=1.0).contains(&share.probability) {
                return Err("each `probability` must be from 0 to 1".to_owned());
            }
            sum += share.probability;
        }
        if sum > 1.0 + f64::EPSILON {
            return Err("the probabilities add up to more than 1".to_owned());
        }
        self.plan =
            (!plan.shares.is_empty()).then(|| (StdRng::seed_from_u64(plan.seed), plan.shares));
        Ok(())
    }

    /// The fault of this request, if any.
    pub(super) fn pick(&mut self, on: On, to: Option<&str>) -> Option<Fault> {
        let meets = |order: &FaultOrder| {
            order.on == on && order.to.as_deref().is_none_or(|wanted| Some(wanted) == to)
        };
        if let Some(index) = self.next.iter().position(meets) {
            let order = self.next.get_mut(index)?;
            order.count -= 1;
            let fault = order.fault.clone();
            if order.count == 0 {
                self.next.remove(index);
            }
            return Some(fault);
        }
        let (chance, shares) = self.plan.as_mut()?;
        let shares: Vec<&FaultShare> = shares.iter().filter(|share| share.on == on).collect();
        if shares.is_empty() {
            return None;
        }
        let mut draw: f64 = chance.random();
        for share in shares {
            if draw < share.probability {
                return Some(share.fault.clone());
            }
            draw -= share.probability;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drops(seed: u64) -> Vec<bool> {
        let mut faults = Faults::default();
        let share = FaultShare {
            probability: 0.25,
            fault: Fault::new(FaultKind::DropAfter),
            on: On::Create,
        };
        faults
            .plan(FaultPlan {
                seed,
                shares: vec![share],
            })
            .unwrap();
        (0..400)
            .map(|_| faults.pick(On::Create, None).is_some())
            .collect()
    }

    #[test]
    fn a_plan_repeats_itself_from_its_seed_and_keeps_its_share() {
        assert_eq!(drops(7), drops(7));
        assert_ne!(drops(7), drops(8));
        let hits = drops(7).into_iter().filter(|hit| *hit).count();
        assert!((60..140).contains(&hits), "{hits} of 400 at 25 %");
    }

    #[test]
    fn an_order_meets_only_its_requests_and_ends_after_its_count() {
        let mut faults = Faults::default();
        let mut order = FaultOrder::once(Fault::new(FaultKind::DropBefore));
        order.count = 2;
        order.to = Some("+1".to_owned());
        faults.order(order).unwrap();
        assert!(faults.pick(On::List, Some("+1")).is_none());
        assert!(faults.pick(On::Create, Some("+2")).is_none());
        assert!(faults.pick(On::Create, Some("+1")).is_some());
        assert!(faults.pick(On::Create, Some("+1")).is_some());
        assert!(faults.pick(On::Create, Some("+1")).is_none());
    }

    #[test]
    fn an_error_without_its_code_is_refused() {
        let order = FaultOrder::once(Fault::new(FaultKind::ErrorCode));
        assert!(Faults::default().order(order).is_err());
    }
}
