//! The figures as aligned text, or as JSON.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use crate::promises::{Doubt, Recovery, Waits};
use crate::verdict::{Finding, Tally};

/// How many findings of one kind are told one by one.
const TOLD: usize = 15;

const HEAD: [&str; 19] = [
    "",
    "accepted",
    "refused",
    "wanted",
    "delivered",
    "lost",
    "doubled",
    "undecided",
    "answers lost",
    "explained",
    "open",
    "hung",
    "longest wait",
    "ack p50",
    "ack p99",
    "send p50",
    "send p99",
    "200 after",
    "sent after",
];

/// One line of figures.
#[derive(Debug, Clone, Default)]
pub(crate) struct Line {
    pub(crate) name: String,
    /// Webhooks that were answered with 200, and those that never were.
    pub(crate) accepted: usize,
    pub(crate) refused: usize,
    pub(crate) tally: Tally,
    /// How long the answers with 200 took.
    pub(crate) acknowledged: Vec<Duration>,
    /// How long posts waited for an answer of whatever kind.
    pub(crate) waits: Waits,
    /// Answers of Twilio's stand-in that no process can have written down; of all only.
    pub(crate) answers_lost: Option<usize>,
    /// The slowest returns after the end of a fault, to a 200 and to a message; of all only.
    pub(crate) back: [Option<Back>; 2],
}

/// How soon something was back after the end of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Back {
    After(Duration),
    Never,
}

impl Back {
    fn label(self) -> String {
        match self {
            Self::After(span) => in_words(span),
            Self::Never => "never".to_owned(),
        }
    }
}

impl From<Option<Duration>> for Back {
    fn from(after: Option<Duration>) -> Self {
        after.map_or(Self::Never, Self::After)
    }
}

/// A scenario's report.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) scenario: &'static str,
    pub(crate) took: Duration,
    pub(crate) tenants: Vec<Line>,
    pub(crate) all: Line,
    pub(crate) findings: Vec<Finding>,
    pub(crate) troubles: Vec<String>,
    /// Posts without a 200, by what came instead, in the order of the alphabet.
    pub(crate) refusals: Vec<(String, usize)>,
    pub(crate) repeats: usize,
    /// How often each kind of step was taken by deliveries.
    pub(crate) steps: Vec<(String, usize)>,
    /// What came how soon after each fault had ended.
    pub(crate) recoveries: Vec<Recovery>,
    /// What waits for a person.
    pub(crate) doubts: Vec<Doubt>,
}

impl Report {
    /// Nothing lost or doubled, everything at rest, no trouble.
    pub(crate) fn is_good(&self) -> bool {
        self.all.tally.is_good() && self.troubles.is_empty()
    }

    pub(crate) fn text(&self) -> String {
        let verdict = if self.is_good() { "good" } else { "BAD" };
        let mut text = format!(
            "{}: {verdict}, after {} s\n",
            self.scenario,
            self.took.as_secs()
        );
        text.push_str(&lines(self.tenants.iter().chain([&self.summary()])));
        let (refusals, steps) = (list(&self.refusals), list(&self.steps));
        let _ = writeln!(
            text,
            "posts without a 200: {refusals}; repeats known: {}",
            self.repeats
        );
        let _ = writeln!(text, "steps of deliveries: {steps}");
        for Recovery {
            what,
            first_200,
            first_message,
            told,
            unready,
        } in &self.recoveries
        {
            let [answer, message] =
                [*first_200, *first_message].map(|span| Back::from(span).label());
            let said = match told {
                Some(told) => format!(
                    "503 after {} of it and until {} after its end",
                    in_words(*told),
                    in_words(*unready)
                ),
                None => "never 503 while it lasted".to_owned(),
            };
            let _ = writeln!(
                text,
                "after {what}: first 200 {answer}, first message {message}; /readyz was {said}"
            );
        }
        for kind in ["lost", "doubled", "open", "undecided", "explained"] {
            let all: Vec<_> = self.findings.iter().filter(|f| f.kind == kind).collect();
            for finding in all.iter().take(TOLD) {
                let name = self
                    .tenants
                    .get(finding.tenant)
                    .map_or("?", |line| &line.name);
                let path = finding.path.as_deref().unwrap_or_default();
                let _ = writeln!(text, "{kind}: {name} {path} {}", finding.text);
            }
            if all.len() > TOLD {
                let _ = writeln!(text, "{kind}: and {} more", all.len() - TOLD);
            }
        }
        for trouble in &self.troubles {
            let _ = writeln!(text, "trouble: {trouble}");
        }
        text
    }

    /// The figures of all, with what is known of no single tenant.
    pub(crate) fn summary(&self) -> Line {
        let slowest = |of: fn(&Recovery) -> Option<Duration>| {
            self.recoveries.iter().map(|r| Back::from(of(r))).max()
        };
        Line {
            back: [slowest(|r| r.first_200), slowest(|r| r.first_message)],
            ..self.all.clone()
        }
    }

    pub(crate) fn json(&self) -> Value {
        let seconds = |span: Option<Duration>| span.map(|span| span.as_secs_f64());
        let recoveries = self.recoveries.iter().map(|r| {
            json!({
                "after": r.what,
                "first_200_s": seconds(r.first_200), "first_message_s": seconds(r.first_message),
                "readyz_told_s": seconds(r.told), "readyz_unready_s": r.unready.as_secs_f64(),
            })
        });
        let findings = self.findings.iter().map(|f| {
            let tenant = self.tenants.get(f.tenant).map(|line| line.name.as_str());
            json!({ "kind": f.kind, "tenant": tenant, "text": f.text, "path": f.path })
        });
        json!({
            "scenario": self.scenario,
            "good": self.is_good(),
            "seconds": self.took.as_secs(),
            "all": self.all.json(),
            "tenants": self.tenants.iter().map(Line::json).collect::<Vec<_>>(),
            "posts_without_200": self.refusals.iter().cloned()
                .map(|(what, count)| (what, json!(count))).collect::<serde_json::Map<_, _>>(),
            "steps": self.steps.iter().cloned()
                .map(|(kind, count)| (kind, json!(count))).collect::<serde_json::Map<_, _>>(),
            "repeats_known": self.repeats,
            "recoveries": recoveries.collect::<Vec<_>>(),
            "findings": findings.collect::<Vec<_>>(),
            "troubles": self.troubles,
        })
    }
}

impl Line {
    fn cells(&self) -> Vec<String> {
        let tally = &self.tally;
        let counts = [
            Some(self.accepted),
            Some(self.refused),
            Some(tally.wanted),
            Some(tally.delivered),
            Some(tally.lost),
            Some(tally.doubled),
            Some(tally.undecided),
            self.answers_lost,
            Some(tally.explained),
            Some(tally.open),
            Some(self.waits.hung),
        ];
        let count = |count: Option<usize>| count.map_or("-".to_owned(), |n| n.to_string());
        let spans = [
            (&self.acknowledged, 50),
            (&self.acknowledged, 99),
            (&tally.first_send, 50),
            (&tally.first_send, 99),
        ];
        std::iter::once(self.name.clone())
            .chain(counts.map(count))
            .chain([in_words(self.waits.longest)])
            .chain(
                spans.map(|(spans, share)| quantile(spans, share).map_or("-".to_owned(), in_words)),
            )
            .chain(
                self.back
                    .map(|back| back.map_or("-".to_owned(), Back::label)),
            )
            .collect()
    }

    fn json(&self) -> Value {
        let tally = &self.tally;
        let ms = |spans: &[Duration], share| {
            quantile(spans, share).map(|span| (span.as_secs_f64() * 10_000.0).round() / 10.0)
        };
        json!({
            "name": self.name,
            "accepted": self.accepted,
            "refused": self.refused,
            "wanted": tally.wanted,
            "delivered": tally.delivered,
            "lost": tally.lost,
            "doubled": tally.doubled,
            "undecided": tally.undecided,
            "explained": tally.explained,
            "open": tally.open,
            "answers_lost": self.answers_lost,
            "hung": self.waits.hung,
            "longest_wait_ms": (self.waits.longest.as_secs_f64() * 10_000.0).round() / 10.0,
            "acknowledgement_ms": { "p50": ms(&self.acknowledged, 50), "p99": ms(&self.acknowledged, 99) },
            "first_send_ms": { "p50": ms(&tally.first_send, 50), "p99": ms(&tally.first_send, 99) },
        })
    }
}

/// A table under its head.
pub(crate) fn lines<'a>(lines: impl IntoIterator<Item = &'a Line>) -> String {
    let mut rows = vec![HEAD.map(str::to_owned).to_vec()];
    rows.extend(lines.into_iter().map(Line::cells));
    let widths: Vec<usize> = (0..HEAD.len())
        .map(|column| {
            rows.iter()
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or_default()
        })
        .collect();
    let mut text = String::new();
    for row in rows {
        for (column, cell) in row.iter().enumerate() {
            let width = widths[column];
            let _ = match column {
                0 => write!(text, "{cell:<width$}"),
                _ => write!(text, "  {cell:>width$}"),
            };
        }
        text.push('\n');
    }
    text
}

fn list(counts: &[(String, usize)]) -> String {
    let words: Vec<_> = counts
        .iter()
        .map(|(what, count)| format!("{count} {what}"))
        .collect();
    if words.is_empty() {
        "none".to_owned()
    } else {
        words.join(", ")
    }
}

/// How long single messages waited beside a backlog.
pub(crate) fn waits(waits: &[Duration], left: usize, took: Duration) -> String {
    let span = |percent| quantile(waits, percent).map_or("-".to_owned(), in_words);
    format!(
        "{} single messages: half left within {}, the slowest within {}; {left} messages of the \
         other tenant still waited after {}\n",
        waits.len(),
        span(50),
        span(100),
        in_words(took),
    )
}

/// The span that so many per cent do not exceed.
fn quantile(spans: &[Duration], percent: usize) -> Option<Duration> {
    let mut sorted = spans.to_vec();
    sorted.sort_unstable();
    let place = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(place).copied()
}

fn in_words(span: Duration) -> String {
    let seconds = span.as_secs_f64();
    if seconds < 1.0 {
        format!("{:.1} ms", seconds * 1000.0)
    } else {
        format!("{seconds:.1} s")
    }
}
