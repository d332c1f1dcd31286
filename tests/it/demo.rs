//! The demo as somebody looks around in it: a history that could be true.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike as _, NaiveDate, TimeDelta, Utc, Weekday};
use chrono_tz::America::New_York;
use ml_connector::domain::clock::{Clock as _, SystemClock};

use crate::harness::demo::Demo;
use crate::harness::visitor::Visitor;

const COMPANY: &str = "/t/northwind-paper";

/// When each event of the history was received, the newest first, all pages of it.
async fn history(owner: &Visitor<'_>) -> Vec<DateTime<Utc>> {
    let (mut times, mut at) = (Vec::new(), format!("{COMPANY}/history"));
    loop {
        let page = owner.get(&at).await;
        let of_page = page.attributes("#history tbody time", "datetime");
        times.extend(of_page.iter().map(|t| t.parse::<DateTime<Utc>>().unwrap()));
        match page.attribute(".pager a[rel=next]", "href") {
            Some(older) => at = older,
            None => return times,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_tells_ten_days_and_what_needs_a_person() {
    let started = SystemClock.now();
    let demo = Demo::after(10);
    let owner = demo.visitor(&demo.email, &demo.password).await;

    let times = history(&owner).await;
    assert!((60..250).contains(&times.len()), "{}", times.len());
    assert!(times.is_sorted_by(|newer, older| newer >= older));
    let ten_days = started - TimeDelta::days(10);
    let oldest = *times.last().unwrap();
    assert!(oldest < ten_days + TimeDelta::days(1), "{oldest}");
    assert!(oldest > ten_days - TimeDelta::days(1), "{oldest}");
    assert!(times[0] < SystemClock.now() + TimeDelta::seconds(1));
    let mut days: BTreeMap<NaiveDate, usize> = BTreeMap::new();
    for at in &times {
        let there = at.with_timezone(&New_York);
        *days.entry(there.date_naive()).or_default() += 1;
    }
    let today = started.with_timezone(&New_York).date_naive();
    for day in today.iter_days().map(|d| d - TimeDelta::days(10)).take(10) {
        let is_weekend = matches!(day.weekday(), Weekday::Sat | Weekday::Sun);
        assert!(is_weekend || days.contains_key(&day), "{day}: {days:?}");
    }

    let overview = owner.get(&format!("{COMPANY}/")).await;
    let said = overview.text();
    for sentence in [
        "nothing goes out until somebody says whether that means stop",
        "Twilio may or may not have it",
        "Does that mean stop?",
    ] {
        assert!(said.contains(sentence), "{sentence}: {said}");
    }
    let rejected = owner.get(&format!("{COMPANY}/rejected")).await;
    assert_eq!(rejected.texts("main tbody tr").len(), 2);
    for (filter, least, most) in [
        ("result=needs_you", 4, 8),
        ("result=failed", 3, 8),
        ("customer=Quinn+Dental", 2, 2),
    ] {
        let page = owner.get(&format!("{COMPANY}/history?{filter}")).await;
        let rows = page.texts("#history tbody tr");
        assert!((least..=most).contains(&rows.len()), "{filter}: {rows:?}");
    }
    let stopped = owner.get(&format!("{COMPANY}/suppressions")).await.text();
    assert!(stopped.contains("STOP"), "{stopped}");

    let (email, password) = &demo.operator;
    let operator = demo.visitor(email, password).await;
    let companies = operator.get("/operator").await.text();
    assert!(companies.contains("Northwind Paper"), "{companies}");
}
