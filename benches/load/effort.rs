//! How many instructions the service needs for a message, as `valgrind` counts them: always about the same
//! number, whatever else the machine does. Only ratios within one run are judged, since the numbers differ
//! from one processor and compiler to the next.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use ml_connector::domain::clock::{Clock as _, SystemClock};
use serde_json::json;
use tokio::process::Command;

use crate::args::{Args, Backend, Storage};
use crate::figures::number;
use crate::stage::{Counting, Service, Stage};
use crate::{bodies, client};

/// Webhooks before those that are counted, so that every statement is prepared and every cache is warm.
const WARM_UP: usize = 96;

/// Webhooks that are counted.
const COUNTED: usize = 96;

/// Webhooks at the same time.
const AT_ONCE: usize = 16;

/// Stored events that must make no difference.
const HISTORY: usize = 20_000;

/// Rules that must make little of one.
const RULES: usize = 19;

/// It is some fifty times slower than usual.
const PATIENCE: Duration = Duration::from_mins(4);

/// What is counted, and how many times the effort for a webhook that is only acknowledged it may be: about a
/// quarter more than when this was written, without optimisation.
struct Case {
    name: &'static str,
    service: Service,
    rules: usize,
    history: usize,
    most: f64,
}

const CASES: [Case; 5] = [
    Case {
        name: "acknowledged, not kept",
        service: Service::Door(Storage::Bare),
        rules: 0,
        history: 0,
        most: 1.0,
    },
    Case {
        name: "kept",
        service: Service::Door(Storage::Kept),
        rules: 0,
        history: 0,
        most: 1.8,
    },
    Case {
        name: "kept, decided and sent",
        service: Service::Whole,
        rules: 0,
        history: 0,
        most: 14.0,
    },
    Case {
        name: "the same after a long history",
        service: Service::Whole,
        rules: 0,
        history: HISTORY,
        most: 14.0,
    },
    Case {
        name: "the same with 20 rules",
        service: Service::Whole,
        rules: RULES,
        history: 0,
        most: 30.0,
    },
];

pub(crate) async fn run(args: &Args) -> anyhow::Result<()> {
    ensure!(
        args.on == Backend::Sqlite,
        "only one process is counted: leave --on away"
    );
    println!("| a webhook is … | thousand instructions | times the first | at most |");
    println!("|---|---|---|---|");
    let mut first = None;
    let mut beyond = Vec::new();
    for case in CASES {
        let effort = count(args, &case).await.context(case.name)?;
        let times = effort / *first.get_or_insert(effort);
        println!(
            "| {} | {:.0} | {times:.1} | {:.1} |",
            case.name,
            effort / 1000.0,
            case.most
        );
        if times > case.most {
            beyond.push(case.name);
        }
    }
    if !beyond.is_empty() {
        bail!("more effort than before: {}", beyond.join("; "));
    }
    Ok(())
}

/// Instructions for each webhook.
async fn count(args: &Args, case: &Case) -> anyhow::Result<f64> {
    let folder = tempfile::tempdir()?;
    let counts = folder.path().join("counts");
    let counting = Counting {
        counts: counts.clone(),
    };
    let args = Args {
        rules: case.rules,
        ..args.clone()
    };
    let mut stage = Stage::set_counting(&args, case.service, Some(&counting)).await?;
    stage.sandbox.callbacks(&json!({ "statuses": [] })).await?;
    let is_whole = case.service == Service::Whole;
    let mut sent = 0;
    post(&stage, (0, WARM_UP), is_whole, &mut sent).await?;
    if case.history > 0 {
        stage.grow(case.history).await?;
        post(&stage, (WARM_UP, 2 * WARM_UP), is_whole, &mut sent).await?;
    }
    let id = *stage.ids().first().context("nothing runs")?;
    control(id, "on").await?;
    let counted = (2 * WARM_UP, 2 * WARM_UP + COUNTED);
    post(&stage, counted, is_whole, &mut sent).await?;
    control(id, "off").await?;
    stage.end().await?;
    Ok(instructions(&counts)? / number(COUNTED))
}

async fn post(
    stage: &Stage,
    (from, to): (usize, usize),
    is_whole: bool,
    sent: &mut u64,
) -> anyhow::Result<()> {
    // Counted, the service is so slow that what it has taken would keep what comes next waiting for longer
    // than it lets anybody wait.
    let at_a_time = if is_whole { AT_ONCE } else { to - from };
    for from in (from..to).step_by(at_a_time) {
        let part = (from, (from + at_a_time).min(to));
        let now = SystemClock.now();
        let requests = bodies::requests(&stage.tenants, stage.address, part, false, now);
        let answers = client::post(stage.address, requests, AT_ONCE).await?;
        ensure!(answers.refused == 0, "{} were refused", answers.refused);
        *sent += u64::try_from(part.1 - part.0)?;
        if is_whole {
            let wait = async {
                while stage.sandbox.taken().await? < *sent {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                anyhow::Ok(())
            };
            tokio::time::timeout(PATIENCE, wait)
                .await
                .context("the messages do not arrive")??;
        }
    }
    if is_whole {
        // Until the outcome of the last call is written.
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    Ok(())
}

/// Begins or ends the counting.
async fn control(id: u32, word: &str) -> anyhow::Result<()> {
    let done = Command::new("callgrind_control")
        .args(["-i", word, &id.to_string()])
        .env_remove("TMPDIR")
        .output()
        .await?;
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    ensure!(
        done.status.success() && said.contains("OK"),
        "callgrind_control: {said}{}",
        String::from_utf8_lossy(&done.stderr)
    );
    Ok(())
}

/// The sum of all that a process wrote when it ended. It writes one file in each of its lives, and only the
/// last has counted anything.
fn instructions(counts: &Path) -> anyhow::Result<f64> {
    let text = std::fs::read_to_string(counts)?;
    // `summary` is 0 where counting began late.
    let total = text.lines().find_map(|line| {
        let rest = line.strip_prefix("totals: ")?;
        rest.split_whitespace().next()?.parse().ok()
    });
    let total = total.filter(|total| *total > 0.0);
    total.context("nothing was counted")
}
