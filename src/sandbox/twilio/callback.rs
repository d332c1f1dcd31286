//! What the sandbox tells of a message afterwards: signed posts, retried as the address asks.
//!
//! The signature is written here from the facts and shares no code with the product's own check,
//! so that the two can disagree in a test.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::address::{Reach, reach};
use crate::sandbox::log::Bounded;

/// Every status of Twilio's that an outbound message can take.
const STATUSES: [&str; 9] = [
    "accepted",
    "queued",
    "sending",
    "sent",
    "delivered",
    "undelivered",
    "failed",
    "read",
    "canceled",
];

/// How a message goes on after it was taken.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CallbackPlan {
    /// The states told, in this order, which need not be the natural one. None: it stays as taken.
    pub statuses: Vec<String>,
    /// The wait before each state, in milliseconds.
    pub delay_ms: u64,
    /// Waits for single states, by position; `delay_ms` for the rest.
    pub delays_ms: Vec<u64>,
    /// How many more times each state is posted.
    pub duplicates: u32,
    /// Told with `failed` and `undelivered`.
    pub error_code: Option<u32>,
    /// Whether states are posted at all; otherwise they can only be polled.
    pub post: bool,
}

impl Default for CallbackPlan {
    fn default() -> Self {
        Self {
            statuses: ["sending", "sent", "delivered"].map(str::to_owned).to_vec(),
            delay_ms: 20,
            delays_ms: Vec::new(),
            duplicates: 0,
            error_code: None,
            post: true,
        }
    }
}

impl CallbackPlan {
    /// A plan that tells these states at once.
    pub fn of(statuses: &[&str]) -> Self {
        let statuses = statuses.iter().map(|&status| status.to_owned()).collect();
        Self {
            statuses,
            delay_ms: 0,
            ..Self::default()
        }
    }

    pub(super) fn check(&self) -> Result<(), String> {
        match self
            .statuses
            .iter()
            .find(|status| !STATUSES.contains(&status.as_str()))
        {
            Some(status) => Err(format!(
                "`{status}` is not a status; those are {}",
                STATUSES.join(", ")
            )),
            None => Ok(()),
        }
    }

    pub(super) fn delay(&self, step: usize) -> Duration {
        Duration::from_millis(self.delays_ms.get(step).copied().unwrap_or(self.delay_ms))
    }
}

/// A plan for all messages, for one recipient, or for recipients by their last digits.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallbackRule {
    /// Exactly this recipient.
    #[serde(default)]
    pub to: Option<String>,
    /// Recipients that end so.
    #[serde(default)]
    pub to_ends_with: Option<String>,
    /// The plan.
    pub plan: CallbackPlan,
}

/// The plans in force; the most particular wins, then the latest.
#[derive(Debug)]
pub(super) struct Plans {
    default: CallbackPlan,
    rules: Vec<CallbackRule>,
}

impl Plans {
    pub(super) fn new(default: CallbackPlan) -> Self {
        Self {
            default,
            rules: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, rule: CallbackRule) {
        if rule.to.is_none() && rule.to_ends_with.is_none() {
            self.default = rule.plan;
            return;
        }
        self.rules
            .retain(|old| old.to != rule.to || old.to_ends_with != rule.to_ends_with);
        self.rules.push(rule);
    }

    pub(super) fn of(&self, to: &str) -> &CallbackPlan {
        let latest = || self.rules.iter().rev();
        latest()
            .find(|rule| rule.to.as_deref() == Some(to))
            .or_else(|| {
                latest().find(|rule| {
                    rule.to.is_none()
                        && rule
                            .to_ends_with
                            .as_deref()
                            .is_some_and(|end| to.ends_with(end))
                })
            })
            .map_or(&self.default, |rule| &rule.plan)
    }
}

/// One post, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PostedCallback {
    /// The address without its fragment.
    pub url: String,
    /// The form, in the order sent.
    pub params: Vec<(String, String)>,
    /// The value of `X-Twilio-Signature`.
    pub signature: String,
    /// How often it was tried; 0 when the address is not on this machine.
    pub tries: u32,
    /// The last HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// Why there was no answer.
    pub error: Option<String>,
}

/// Posts callbacks on the runtime that owns the HTTP client.
#[derive(Debug)]
pub(super) struct Poster {
    http: reqwest::Client,
    runtime: Handle,
    pub(super) tasks: TaskTracker,
    pub(super) stopped: CancellationToken,
    at_once: Arc<Semaphore>,
    pub(super) log: Bounded<PostedCallback>,
}

impl Poster {
    pub(super) fn new(http: reqwest::Client, runtime: Handle, at_once: usize, log: usize) -> Self {
        let tasks = TaskTracker::new();
        // A closed tracker still takes tasks; `wait` then returns whenever none is left.
        tasks.close();
        Self {
            http,
            runtime,
            tasks,
            stopped: CancellationToken::new(),
            at_once: Arc::new(Semaphore::new(at_once.max(1))),
            log: Bounded::new(log),
        }
    }

    /// Runs `work` until it ends or the sandbox stops.
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let stopped = self.stopped.clone();
        self.tasks.spawn_on(
            async move {
                tokio::select! {
                    () = stopped.cancelled() => {}
                    () = work => {}
                }
            },
            &self.runtime,
        );
    }

    /// Signs and posts one form to an address as it was given, and logs the end of it.
    pub(super) async fn post(
        &self,
        address: &str,
        params: Vec<(String, String)>,
        auth_token: &str,
    ) -> PostedCallback {
        let (url, fragment) = address.split_once('#').unwrap_or((address, ""));
        let mut posted = PostedCallback {
            url: url.to_owned(),
            signature: signature(auth_token, url, &params),
            params,
            tries: 0,
            status: None,
            error: None,
        };
        if reach(url) == Reach::Loopback {
            let _permit = self.at_once.acquire().await;
            self.deliver(&mut posted, &Retries::from_fragment(fragment))
                .await;
        } else {
            posted.error = Some("not called: only loopback addresses are".to_owned());
        }
        self.log.push(posted.clone());
        posted
    }

    async fn deliver(&self, posted: &mut PostedCallback, retries: &Retries) {
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&posted.params)
            .finish();
        let token = Uuid::new_v4().to_string();
        loop {
            let mut request = self
                .http
                .post(&posted.url)
                .header(
                    "Content-Type",
                    "application/x-www-form-urlencoded; charset=UTF-8",
                )
                .header("User-Agent", "TwilioProxy/1.1")
                .header("X-Twilio-Signature", &posted.signature)
                .timeout(retries.total);
            if posted.tries > 0 {
                request = request.header("I-Twilio-Idempotency-Token", &token);
            }
            posted.tries += 1;
            let again = match request.body(body.clone()).send().await {
                Ok(answer) => {
                    posted.status = Some(answer.status().as_u16());
                    posted.error = None;
                    // Read to the end, so that the connection can be used again.
                    let _ = answer.bytes().await;
                    match posted.status {
                        Some(400..=499) => retries.on("4xx"),
                        Some(500..=599) => retries.on("5xx"),
                        _ => false,
                    }
                }
                Err(error) => {
                    posted.status = None;
                    posted.error = Some(if error.is_connect() {
                        "could not connect".to_owned()
                    } else if error.is_timeout() {
                        "no answer in time".to_owned()
                    } else {
                        "no answer".to_owned()
                    });
                    if error.is_connect() {
                        retries.on("ct")
                    } else {
                        retries.on("rt")
                    }
                }
            };
            if !again || posted.tries > retries.count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100) * posted.tries).await;
        }
    }
}

/// The connection overrides of a callback address's fragment (facts 5.2).
#[derive(Debug, PartialEq, Eq)]
struct Retries {
    count: u32,
    policies: Vec<String>,
    total: Duration,
}

impl Retries {
    fn from_fragment(fragment: &str) -> Self {
        let mut retries = Self {
            count: 1,
            policies: vec!["ct".to_owned()],
            total: Duration::from_secs(15),
        };
        for (name, value) in form_urlencoded::parse(fragment.as_bytes()) {
            match name.as_ref() {
                "rc" => retries.count = value.parse().unwrap_or(1).min(5),
                "rp" => retries.policies = value.split(',').map(str::to_owned).collect(),
                "rt" | "tt" => {
                    if let Ok(ms) = value.parse::<u64>() {
                        retries.total = Duration::from_millis(ms.clamp(100, 15_000));
                    }
                }
                _ => {}
            }
        }
        retries
    }

    fn on(&self, failure: &str) -> bool {
        self.policies
            .iter()
            .any(|policy| policy == failure || policy == "all")
    }
}

/// `X-Twilio-Signature` (facts 5.5): HMAC-SHA1 over the address and the sorted form.
fn signature(auth_token: &str, url: &str, params: &[(String, String)]) -> String {
    let mut sorted: Vec<&(String, String)> = params.iter().collect();
    sorted.sort();
    sorted.dedup();
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    let mut mac = Hmac::<Sha1>::new_from_slice(auth_token.as_bytes()).expect("any key length");
    mac.update(url.as_bytes());
    for (name, value) in sorted {
        mac.update(name.as_bytes());
        mac.update(value.as_bytes());
    }
    BASE64_STANDARD.encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn the_signature_matches_the_example_of_twilios_own_libraries() {
        let params = pairs(&[
            ("CallSid", "CA1234567890ABCDE"),
            ("Digits", "1234"),
            ("From", "+14158675309"),
            ("To", "+18005551212"),
            ("Caller", "+14158675309"),
        ]);
        let url = "https://mycompany.com/myapp.php?foo=1&bar=2";
        assert_eq!(
            signature("12345", url, &params),
            "RSOYDt4T1cUTdK1PDd93/VVr8B8="
        );
    }

    #[test]
    fn names_are_sorted_apart_from_values_and_repeats_count_once() {
        let one = signature("t", "http://localhost/", &pairs(&[("A", "z"), ("AB", "a")]));
        let other = signature(
            "t",
            "http://localhost/",
            &pairs(&[("AB", "a"), ("A", "z"), ("A", "z")]),
        );
        assert_eq!(one, other);
    }

    #[test]
    fn the_fragment_sets_retries_within_bounds() {
        let retries = Retries::from_fragment("rc=9&rp=5xx,ct&rt=50");
        assert_eq!(retries.count, 5);
        assert_eq!(retries.total, Duration::from_millis(100));
        assert!(retries.on("5xx") && retries.on("ct") && !retries.on("4xx"));
        assert!(!Retries::from_fragment("").on("5xx"));
    }

    #[test]
    fn the_most_particular_plan_wins() {
        let mut plans = Plans::new(CallbackPlan::default());
        let rule = |to: Option<&str>, end: Option<&str>, status: &str| CallbackRule {
            to: to.map(str::to_owned),
            to_ends_with: end.map(str::to_owned),
            plan: CallbackPlan::of(&[status]),
        };
        plans.add(rule(Some("+10"), None, "failed"));
        plans.add(rule(None, Some("0"), "undelivered"));
        plans.add(rule(None, None, "sent"));
        assert_eq!(plans.of("+10").statuses, ["failed"]);
        assert_eq!(plans.of("+20").statuses, ["undelivered"]);
        assert_eq!(plans.of("+21").statuses, ["sent"]);
    }
}
