//! How long one event takes to go through many rules, with nothing read or written: its body is understood
//! once, then every rule is asked and says why.

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use ml_connector::domain::clock::{Clock as _, SystemClock};
use ml_connector::domain::rule::{Facts, RuleDefinition, evaluate};
use ml_connector::zoho::wire;

use crate::args::Args;
use crate::figures::quantile_ms;
use crate::{bodies, stage};

/// Events that are asked about, of which the median counts.
const EVENTS: usize = 2000;

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let now = SystemClock.now();
    let bodies: Vec<String> = (0..EVENTS)
        .map(|number| bodies::document(number, args.large, now))
        .collect();
    println!("| rules | understanding a body, µs | asking all rules, µs |");
    println!("|---|---|---|");
    for count in [1, 10, 100] {
        let rules = stage::rules(count - 1)
            .iter()
            .map(|json| RuleDefinition::parse(json, None).map_err(|e| anyhow!("{e:?}")))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let (mut understood, mut asked) = (Vec::new(), Vec::new());
        for body in &bodies {
            let began = Instant::now();
            let parsed = wire::read(body.as_bytes(), Some("application/json"), None)?;
            understood.push(began.elapsed());
            let began = Instant::now();
            for rule in &rules {
                let facts = Facts::of(&parsed, parsed.persons.first(), None, now.date_naive());
                let verdict = evaluate(&rule.conditions, &facts);
                black_box(serde_json::to_string(&verdict.values)?);
                black_box(verdict);
            }
            asked.push(began.elapsed());
        }
        let median = |times: &mut Vec<Duration>| {
            times.sort_unstable();
            quantile_ms(times, 50) * 1000.0
        };
        println!(
            "| {count} | {:.0} | {:.1} |",
            median(&mut understood),
            median(&mut asked)
        );
    }
    Ok(())
}
