//! One scenario from the first server to the last figure.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;

use crate::args::Args;
use crate::load::{Load, Posted, Seen};
use crate::plan;
use crate::rest::{self, Told};
use crate::scenarios::{At, Scenario};
use crate::stage::{Folder, Stage};
use crate::table::{Line, Report};
use crate::tenants::{self, Tenant};
use crate::verdict::{self, Message, Wish};

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
    let mut stage = Stage::start(args, &folder.path()).await?;
    let (admin, base) = (stage.binary(), stage.base());
    let made = tenants::make(args.tenants, &plan::rules(), stage.place(&admin, &base)).await?;
    let tenants: Arc<[Tenant]> = made.into();
    crate::say(&format!("   set up after {} s", began.elapsed().as_secs()));

    let load = Load::new(tenants.clone(), stage.http.clone(), args.at_once);
    let (posted_all, faults_over) = (CancellationToken::new(), CancellationToken::new());
    let stop = CancellationToken::new();
    let posting = async {
        let planned = plan::main_load(args.seed, args.events, args.tenants, args.recipients);
        load.run(planned, args.rate()).await;
        crate::say(&format!("   {} webhooks posted", args.events));
        posted_all.cancel();
        load.go_on(args.events, args.recipients, &stop).await;
    };
    let breaking = async {
        let broken = break_things(&mut stage, scenario.faults()).await;
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
    stage.end().await;
    let mut report = report(&tenants, seen, told, &messages);
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
async fn break_things(stage: &mut Stage, faults: Vec<At>) -> anyhow::Result<()> {
    let began = Instant::now();
    for (second, fault) in faults {
        let wait = Duration::from_secs(second).saturating_sub(began.elapsed());
        tokio::time::sleep(wait).await;
        crate::say(&format!("   {:>3} s  {fault:?}", began.elapsed().as_secs()));
        stage
            .bring(fault)
            .await
            .with_context(|| format!("{fault:?}"))?;
    }
    Ok(())
}

/// Holds what was wanted against what was got.
fn report(tenants: &[Tenant], seen: Seen, told: Told, messages: &[Message]) -> Report {
    let wishes: Vec<Wish> = seen
        .posted
        .iter()
        .filter_map(|p| wish(tenants, p))
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
    Report {
        tenants: lines,
        all,
        findings: verdict.findings,
        troubles,
        refusals: seen.refusals.into_iter().collect(),
        repeats: seen.repeats,
        steps: told.steps.into_iter().collect(),
        ..Report::default()
    }
}

/// The message that a webhook should lead to, if any.
fn wish(tenants: &[Tenant], posted: &Posted) -> Option<Wish> {
    let (to, text) = posted.planned.wish()?;
    let accepted = posted.accepted.as_ref();
    Some(Wish {
        tenant: posted.planned.tenant,
        account: tenants[posted.planned.tenant].account.clone(),
        to,
        text,
        accepted: accepted.map(|a| (a.event.clone(), a.at)),
    })
}
