//! One scenario from the first server to the last figure.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use ml_connector::domain::clock::{Clock as _, SystemClock};
use tokio_util::sync::CancellationToken;

use crate::args::Args;
use crate::load::{Load, Posted, Seen};
use crate::plan;
use crate::promises::{self, Doubt, Ended, Outcome, Readiness, Recovery};
use crate::readiness::Watch;
use crate::rest::{self, Told};
use crate::scenarios::{At, Scenario};
use crate::stage::{Folder, Stage};
use crate::table::{Line, Report};
use crate::tenants::{self, Tenant};
use crate::verdict::{self, Finding, Message, Wish};

/// How much longer than planned the load may take.
const GIVES_UP_AFTER: Duration = Duration::from_secs(30);

/// Runs it. Its folder stays, and is named, when something is wrong.
pub(crate) async fn scenario(args: &Args, scenario: &Scenario) -> anyhow::Result<Report> {
    let folder = Folder::new()?;
    let report = play(args, scenario, &folder).await;
    let is_good = report.as_ref().is_ok_and(Report::is_good);
    if args.keep || !is_good {
        let path = folder.keep();
        crate::say(&format!("logs and data are kept in {}", path.display()));
    }
    report
}

async fn play(args: &Args, scenario: &Scenario, folder: &Folder) -> anyhow::Result<Report> {
    let began = Instant::now();
    let mut stage = Stage::start(args, scenario.staging, &folder.path()).await?;
    let (admin, base) = (stage.binary(), stage.base());
    let made = tenants::make(args.tenants, &plan::rules(), stage.place(&admin, &base)).await?;
    let tenants: Arc<[Tenant]> = made.into();
    crate::say(&format!("   set up after {} s", began.elapsed().as_secs()));

    let load = Load::new(tenants.clone(), stage.http.clone(), args.at_once);
    let (posted_all, faults_over) = (CancellationToken::new(), CancellationToken::new());
    let stop = CancellationToken::new();
    let events = args.events_of(scenario);
    let faults = scenario.faults(args.quick);
    // When nothing is taken any more, that is known by then.
    let last = faults.last().map_or(0, |(second, _)| *second);
    let limit = Duration::from_secs(last) + args.load(events) + GIVES_UP_AFTER;
    let posting = async {
        let planned = plan::main_load(args.seed, events, args.tenants, args.recipients);
        let posted = tokio::time::timeout(limit, load.run(planned, args.rate())).await;
        crate::say(&match posted {
            Ok(()) => format!("   {events} webhooks posted"),
            Err(_) => format!("   gave up posting all of {events} webhooks"),
        });
        posted_all.cancel();
        load.go_on(events, args.recipients, &stop).await;
    };
    let watch = Watch::start(&stage.http, &stage.webs());
    let mut ended = Vec::new();
    let breaking = async {
        let broken = break_things(&mut stage, faults, &mut ended).await;
        faults_over.cancel();
        broken
    };
    let resting = async {
        posted_all.cancelled().await;
        faults_over.cancelled().await;
        let end = Instant::now() + args.patience();
        let at_rest = rest::each(&tenants, end).await;
        stop.cancel();
        at_rest.map(|_| end)
    };
    let ((), broken, end) = tokio::join!(posting, breaking, resting);
    broken?;
    let (seen, end) = (load.end().await, end?);
    let at_rest = rest::all(&tenants, end).await?;
    let after = began.elapsed().as_secs();
    crate::say(&format!(
        "   {} after {after} s",
        if at_rest { "at rest" } else { "NOT at rest" }
    ));

    let told = rest::read(&tenants, &seen.posted).await?;
    let messages = stage.sandbox.messages().await?;
    let readiness = watch.seen();
    drop(watch);
    stage.end().await;
    let calls = stage.calls().with_attempts(&told.attempts);
    let recoveries = recoveries(&ended, &seen, &messages, &readiness);
    let mut report = report(&tenants, seen, told, &messages);
    report.recoveries = recoveries;
    report.all.answers_lost = Some(calls.lost_answers());
    explain(&mut report, calls);
    let outcome = Outcome {
        waits: report.all.waits,
        recoveries: &report.recoveries,
        sends: &report.all.tally.first_send,
    };
    let broken = promises::broken(scenario.promises, &outcome);
    report.troubles.extend(broken);
    report.scenario = scenario.name;
    report.took = began.elapsed();
    report.troubles.append(&mut stage.troubles);
    if scenario.is_smooth {
        let rough = verdict::unexcused(&report.refusals);
        report.troubles.extend(rough);
    }
    Ok(report)
}

/// Breaks and mends, each at its second.
async fn break_things(
    stage: &mut Stage,
    faults: Vec<At>,
    ended: &mut Vec<Ended>,
) -> anyhow::Result<()> {
    let began = Instant::now();
    let mut since = SystemClock.now();
    for (second, fault) in faults {
        let wait = Duration::from_secs(second).saturating_sub(began.elapsed());
        tokio::time::sleep(wait).await;
        crate::say(&format!("   {:>3} s  {fault:?}", began.elapsed().as_secs()));
        if fault.is_begin() {
            since = SystemClock.now();
        }
        stage
            .bring(fault)
            .await
            .with_context(|| format!("{fault:?}"))?;
        if fault.is_end() {
            ended.push(Ended {
                what: format!("{second} s {fault:?}"),
                begin: since,
                end: SystemClock.now(),
            });
        }
    }
    Ok(())
}

/// What came first after each fault had ended.
fn recoveries(
    ended: &[Ended],
    seen: &Seen,
    messages: &[Message],
    readiness: &[Readiness],
) -> Vec<Recovery> {
    let answers = seen.posted.iter();
    let answers: Vec<_> = answers
        .filter_map(|p| Some(p.accepted.as_ref()?.at))
        .collect();
    let sent: Vec<_> = messages.iter().map(|message| message.at).collect();
    Recovery::of_each(ended, &answers, &sent, readiness)
}

/// Says of each doubt which lost answer it comes from. One without such an answer is a trouble.
fn explain(report: &mut Report, calls: promises::Calls) {
    let doubts = std::mem::take(&mut report.doubts);
    let mut without = 0;
    for (delivery, why) in calls.explain(&doubts) {
        without += usize::from(why.is_none());
        let why = why.unwrap_or_else(|| "no answer about it was lost".to_owned());
        let path = format!("/api/v1/deliveries/{delivery}");
        let of_it = |finding: &&mut Finding| finding.path.as_ref() == Some(&path);
        if let Some(finding) = report.findings.iter_mut().find(of_it) {
            finding.text = format!("{} ({why})", finding.text);
        }
    }
    if without > 0 {
        let trouble =
            format!("{without} wait for a person, although no answer about them was lost");
        report.troubles.push(trouble);
    }
}

/// Holds what was wanted against what was got.
fn report(tenants: &[Tenant], seen: Seen, told: Told, messages: &[Message]) -> Report {
    let wishes: Vec<Wish> = seen
        .posted
        .iter()
        .flat_map(|p| wishes(tenants, p))
        .collect();
    let verdict = verdict::judge(tenants.len(), &wishes, &told.deliveries, messages);
    let mut lines: Vec<Line> = tenants
        .iter()
        .zip(verdict.tenants)
        .map(|(tenant, tally)| Line {
            name: tenant.name.clone(),
            tally,
            ..Line::default()
        })
        .collect();
    let mut all = Line {
        name: "all".to_owned(),
        tally: verdict.all,
        ..Line::default()
    };
    for posted in &seen.posted {
        for line in [&mut lines[posted.planned.tenant], &mut all] {
            line.waits.join(posted.waits);
            match &posted.accepted {
                Some(accepted) => {
                    line.accepted += 1;
                    line.acknowledged.push(accepted.took);
                }
                None => line.refused += 1,
            }
        }
    }
    // The service itself has found out that it sent something twice.
    let mut troubles = seen.troubles;
    if let Some(count) = told.steps.get("double") {
        troubles.push(format!("the service tells of {count} doubles"));
    }
    troubles.extend(told.troubles);
    let waiting = told.deliveries.into_iter();
    let waiting = waiting.filter(|d| d.hold.as_deref() == Some("person"));
    let doubts = waiting.map(|d| Doubt {
        delivery: d.id,
        key: (d.account, d.to, d.text),
    });
    Report {
        tenants: lines,
        all,
        findings: verdict.findings,
        troubles,
        refusals: seen.refusals.into_iter().collect(),
        repeats: seen.repeats,
        steps: told.steps.into_iter().collect(),
        doubts: doubts.collect(),
        ..Report::default()
    }
}

/// The messages that a webhook should lead to.
fn wishes(tenants: &[Tenant], posted: &Posted) -> Vec<Wish> {
    let accepted = posted.accepted.as_ref();
    let wishes = posted.planned.wishes().into_iter();
    let wishes = wishes.map(|(to, text)| Wish {
        tenant: posted.planned.tenant,
        account: tenants[posted.planned.tenant].account.clone(),
        to,
        text,
        accepted: accepted.map(|a| (a.event.clone(), a.at)),
    });
    wishes.collect()
}
