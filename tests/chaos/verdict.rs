//! What became of what was wanted: the wishes of the load against what Twilio's stand-in really got,
//! and against what the service says of itself.
//!
//! Pure, and read by two programs: the harness, and the suite that proves that it can fail. Texts may
//! be equal on purpose, so messages are told apart by their sid, and counted by (account, to, text).

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use chrono::{DateTime, Utc};

/// A post that no running process is to blame for: a connection refused while nobody listened.
pub(crate) const NOBODY: &str = "nobody listened";
/// A post whose connection was taken and closed without an answer.
pub(crate) const BROKEN_OFF: &str = "accepted and closed without an answer";

/// Of the posts without a 200, in words, those that nothing excuses while no process crashes: all
/// but the ones that nobody was there to take.
pub(crate) fn unexcused(refusals: &[(String, usize)]) -> Vec<String> {
    let rough = refusals.iter().filter(|(what, _)| what != NOBODY);
    rough
        .map(|(what, posts)| match what.as_str() {
            BROKEN_OFF => format!("{posts} posts: {what}, which no stop or restart excuses"),
            _ => format!("{posts} posts: {what}"),
        })
        .collect()
}

/// One message that an event should lead to, by the harness's own reckoning.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    pub(crate) tenant: usize,
    pub(crate) account: String,
    pub(crate) to: String,
    pub(crate) text: String,
    /// The event, and when its 200 arrived; `None` when no 200 ever came, so that the message may
    /// be there but need not.
    pub(crate) accepted: Option<(String, DateTime<Utc>)>,
}

/// One message at Twilio's stand-in.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) sid: String,
    pub(crate) account: String,
    pub(crate) to: String,
    pub(crate) text: String,
    pub(crate) at: DateTime<Utc>,
}

/// One delivery, as the service's API tells it.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    pub(crate) id: String,
    pub(crate) tenant: usize,
    pub(crate) event: String,
    pub(crate) account: String,
    pub(crate) to: String,
    pub(crate) text: String,
    pub(crate) state: String,
    pub(crate) hold: Option<String>,
    pub(crate) reason: Option<String>,
    pub(crate) sid: Option<String>,
}

/// How one accepted wish ended. Every accepted wish is in exactly one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum End {
    /// Twilio has it, and the service knows.
    Delivered,
    /// Twilio does not have it, and nothing tells a person so.
    Lost,
    /// The service asks a person whether it arrived.
    Undecided,
    /// Not sent, in a state that says why: failed, suppressed, held ...
    Explained,
    /// Still on its way when the harness gave up waiting.
    Open,
}

/// Something that a reader of the report should look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// `lost`, `doubled`, `undecided`, `explained` or `open`.
    pub(crate) kind: &'static str,
    pub(crate) tenant: usize,
    pub(crate) text: String,
    /// Where the API shows it.
    pub(crate) path: Option<String>,
}

/// The figures of one tenant, or of all.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    /// Messages wanted by accepted events.
    pub(crate) wanted: usize,
    pub(crate) delivered: usize,
    pub(crate) lost: usize,
    pub(crate) doubled: usize,
    pub(crate) undecided: usize,
    pub(crate) explained: usize,
    pub(crate) open: usize,
    /// From the 200 to the message at Twilio.
    pub(crate) first_send: Vec<Duration>,
}

impl Tally {
    /// Nothing lost, nothing doubled, nothing still on its way.
    pub(crate) fn is_good(&self) -> bool {
        (self.lost, self.doubled, self.open) == (0, 0, 0)
    }

    fn count(&mut self, end: End) {
        self.wanted += 1;
        match end {
            End::Delivered => self.delivered += 1,
            End::Lost => self.lost += 1,
            End::Undecided => self.undecided += 1,
            End::Explained => self.explained += 1,
            End::Open => self.open += 1,
        }
    }

    fn add(&mut self, other: &Self) {
        self.wanted += other.wanted;
        self.delivered += other.delivered;
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.undecided += other.undecided;
        self.explained += other.explained;
        self.open += other.open;
        self.first_send.extend(&other.first_send);
    }
}

/// The whole judgement.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) tenants: Vec<Tally>,
    pub(crate) all: Tally,
    pub(crate) findings: Vec<Finding>,
}

type Key<'a> = (&'a str, &'a str, &'a str);

/// What happened at one (account, to, text).
#[derive(Default)]
struct Spot<'a> {
    /// The tenants that wrote there, for whom a double is counted.
    tenants: BTreeSet<usize>,
    accepted: usize,
    unacknowledged: usize,
    messages: Vec<&'a Message>,
    /// Deliveries that may have a message which they do not know.
    doubtful: usize,
    /// Ends of the accepted wishes, by number.
    ends: BTreeMap<End, usize>,
}

/// Judges. `tenants` is how many there are.
pub(crate) fn judge(
    tenants: usize,
    wishes: &[Wish],
    deliveries: &[Delivery],
    messages: &[Message],
) -> Verdict {
    let mut verdict = Verdict {
        tenants: vec![Tally::default(); tenants],
        ..Verdict::default()
    };
    let mut spots: BTreeMap<Key<'_>, Spot<'_>> = BTreeMap::new();
    let by_sid: HashMap<&str, &Message> = messages.iter().map(|m| (&*m.sid, m)).collect();
    for message in messages {
        let key = (&*message.account, &*message.to, &*message.text);
        spots.entry(key).or_default().messages.push(message);
    }
    let mut by_wish: HashMap<(&str, &str, &str), Vec<&Delivery>> = HashMap::new();
    for delivery in deliveries {
        let wish = (&*delivery.event, &*delivery.to, &*delivery.text);
        by_wish.entry(wish).or_default().push(delivery);
        let key = (&*delivery.account, &*delivery.to, &*delivery.text);
        let spot = spots.entry(key).or_default();
        spot.tenants.insert(delivery.tenant);
        spot.doubtful += usize::from(is_doubtful(delivery));
    }
    // A sid proves one delivery. The first one that names it has it.
    let mut proven: HashMap<&str, &str> = HashMap::new();
    for delivery in deliveries {
        if let Some(sid) = &delivery.sid {
            proven.entry(sid).or_insert(&delivery.id);
        }
    }
    for wish in wishes {
        let spot = spots
            .entry((&wish.account, &wish.to, &wish.text))
            .or_default();
        spot.tenants.insert(wish.tenant);
        let Some((event, at)) = &wish.accepted else {
            spot.unacknowledged += 1;
            continue;
        };
        spot.accepted += 1;
        let made = by_wish.get(&(&**event, &*wish.to, &*wish.text));
        let (end, finding) = end_of(wish, event, made.map_or(&[], Vec::as_slice), |d| {
            let sid = d.sid.as_deref()?;
            let message = by_sid.get(sid)?;
            let is_own = (&*message.account, &*message.to, &*message.text)
                == (&*wish.account, &*wish.to, &*wish.text);
            (is_own && proven.get(sid) == Some(&&*d.id)).then_some(*message)
        });
        verdict.findings.extend(finding);
        *spot.ends.entry(end.0).or_default() += 1;
        let tally = &mut verdict.tenants[wish.tenant];
        tally.count(end.0);
        if let Some(sent) = end.1 {
            let took = (sent - *at).to_std().unwrap_or_default();
            tally.first_send.push(took);
        }
    }
    let known: HashSet<&str> = proven.into_keys().collect();
    for (key, spot) in &spots {
        count_at(*key, spot, &known, &mut verdict);
    }
    for tally in &verdict.tenants {
        verdict.all.add(tally);
    }
    verdict
}

/// How an accepted wish ended, and when Twilio took it.
fn end_of<'a>(
    wish: &Wish,
    event: &str,
    made: &[&Delivery],
    message_of: impl Fn(&Delivery) -> Option<&'a Message>,
) -> ((End, Option<DateTime<Utc>>), Option<Finding>) {
    let finding = |kind, text, path| {
        Some(Finding {
            kind,
            tenant: wish.tenant,
            text,
            path: Some(path),
        })
    };
    if let Some(message) = made.iter().find_map(|d| message_of(d)) {
        return ((End::Delivered, Some(message.at)), None);
    }
    let Some(delivery) = made.first() else {
        let text = format!("no delivery of \"{}\" to {}", wish.text, wish.to);
        let path = format!("/api/v1/events/{event}");
        return ((End::Lost, None), finding("lost", text, path));
    };
    let (end, kind) = match (delivery.state.as_str(), delivery.hold.as_deref()) {
        (_, Some("person")) => (End::Undecided, "undecided"),
        ("queued" | "sending" | "unknown", _) => (End::Open, "open"),
        ("held" | "failed" | "undelivered" | "suppressed" | "canceled" | "expired", _)
            if delivery.sid.is_none() =>
        {
            (End::Explained, "explained")
        }
        // It says that Twilio has it, but Twilio does not.
        _ => (End::Lost, "lost"),
    };
    let reason = delivery.reason.as_deref().unwrap_or("no reason given");
    let text = format!("{}: {reason}", delivery.state);
    let path = format!("/api/v1/deliveries/{}", delivery.id);
    ((end, None), finding(kind, text, path))
}

/// A delivery whose message Twilio may have without the service knowing.
fn is_doubtful(delivery: &Delivery) -> bool {
    delivery.sid.is_none() && matches!(delivery.state.as_str(), "unknown" | "sending")
}

/// Counts by multisets: what is there too often, and what is missing without being missed.
fn count_at(key: Key<'_>, spot: &Spot<'_>, known: &HashSet<&str>, verdict: &mut Verdict) {
    let tenant = spot.tenants.first().copied().unwrap_or_default();
    let (_, to, text) = key;
    let there = spot.messages.len();
    let allowed = spot.accepted + spot.unacknowledged;
    let strangers = spot
        .messages
        .iter()
        .filter(|m| !known.contains(&*m.sid))
        .count();
    let doubled = there
        .saturating_sub(allowed)
        .max(strangers.saturating_sub(spot.doubtful));
    if doubled > 0 {
        verdict.tenants[tenant].doubled += doubled;
        let text = format!(
            "\"{text}\" to {to}: {there} at Twilio, {allowed} wanted, {strangers} of no delivery"
        );
        verdict.findings.push(Finding {
            kind: "doubled",
            tenant,
            text,
            path: None,
        });
    }
    // What each delivery says may be true of itself while the sum is not.
    let without: usize = spot
        .ends
        .iter()
        .filter(|(end, _)| **end != End::Delivered)
        .map(|(_, count)| count)
        .sum();
    let missing = spot
        .accepted
        .saturating_sub(there - doubled)
        .saturating_sub(without);
    if missing > 0 {
        verdict.tenants[tenant].lost += missing;
        let text = format!("\"{text}\" to {to}: {missing} fewer at Twilio than the states tell");
        verdict.findings.push(Finding {
            kind: "lost",
            tenant,
            text,
            path: None,
        });
    }
}
