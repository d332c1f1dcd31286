//! How an e-mail goes on after it was taken: states by the time since then, so that nothing has to wait.

use serde::{Deserialize, Serialize};

/// Every state of an e-mail that is sent.
const STATUSES: [&str; 8] = [
    "SCHEDULED",
    "QUEUED",
    "SENT",
    "DELIVERED",
    "UNDELIVERED",
    "OPENED",
    "FAILED",
    "CANCELED",
];

/// The states of an e-mail.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmailPlan {
    /// In the order of their times; before the first it is `QUEUED`.
    pub steps: Vec<EmailStep>,
}

/// One state.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmailStep {
    /// Seconds after it was taken.
    pub after_s: u32,
    /// Twilio's word, in capitals.
    pub status: String,
}

/// A plan for all e-mails, or for some recipients.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmailRule {
    /// Exactly this recipient.
    #[serde(default)]
    pub to: Option<String>,
    /// Recipients that end so.
    #[serde(default)]
    pub to_ends_with: Option<String>,
    /// The plan.
    pub plan: EmailPlan,
}

impl EmailPlan {
    /// A plan of these states at these seconds.
    pub fn of(steps: &[(u32, &str)]) -> Self {
        let step = |(after_s, status): &(u32, &str)| EmailStep {
            after_s: *after_s,
            status: (*status).to_owned(),
        };
        Self {
            steps: steps.iter().map(step).collect(),
        }
    }

    pub(super) fn check(&self) -> Result<(), String> {
        let known = |step: &&EmailStep| !STATUSES.contains(&step.status.as_str());
        match self.steps.iter().find(known) {
            Some(step) => Err(format!(
                "`{}` is not a status; those are {}",
                step.status,
                STATUSES.join(", ")
            )),
            None => Ok(()),
        }
    }

    /// The state after so many seconds, and when it began.
    pub(super) fn at(&self, seconds: i64) -> (&str, u32) {
        let reached = self.steps.iter().rfind(|s| i64::from(s.after_s) <= seconds);
        reached.map_or(("QUEUED", 0), |step| (&step.status, step.after_s))
    }
}

/// The plan of a recipient: the most particular rule, the latest first; else by the local part.
pub(super) fn of(rules: &[EmailRule], to: &str) -> EmailPlan {
    let exact = |rule: &&EmailRule| rule.to.as_deref() == Some(to);
    let ending = |rule: &&EmailRule| {
        rule.to.is_none()
            && rule
                .to_ends_with
                .as_deref()
                .is_some_and(|end| to.ends_with(end))
    };
    let all = |rule: &&EmailRule| rule.to.is_none() && rule.to_ends_with.is_none();
    let newest = || rules.iter().rev();
    let rule = newest().find(exact).or_else(|| newest().find(ending));
    rule.map(|rule| rule.plan.clone())
        .or_else(|| by_local_part(to))
        .or_else(|| newest().find(all).map(|rule| rule.plan.clone()))
        .unwrap_or_else(|| EmailPlan::of(&[(1, "SENT"), (2, "DELIVERED")]))
}

fn by_local_part(to: &str) -> Option<EmailPlan> {
    let local = to.split('@').next().unwrap_or_default();
    let steps: &[(u32, &str)] = match local.split('+').next().unwrap_or_default() {
        "undelivered" => &[(1, "SENT"), (30, "UNDELIVERED")],
        "failed" => &[(1, "FAILED")],
        "canceled" => &[(1, "CANCELED")],
        "opened" => &[(1, "SENT"), (2, "DELIVERED"), (300, "OPENED")],
        "late" => &[(7_200, "SENT"), (10_800, "DELIVERED")],
        "silent" => &[(1, "SENT")],
        "stuck" => &[],
        _ => return None,
    };
    Some(EmailPlan::of(steps))
}
