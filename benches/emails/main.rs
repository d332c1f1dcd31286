//! How many e-mails two cores render a second, and in how much memory: the ready text *invoice sent* over
//! an invoice with 20 items. `README.md` beside it has the method and what came out.

#![expect(clippy::print_stdout, reason = "the figures are the result")]

mod documents;
#[expect(dead_code, reason = "it tells more than is asked here")]
#[path = "../load/usage.rs"]
mod usage;

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use chrono::NaiveDate;
use ml_connector::domain::brand::Brand;
use ml_connector::domain::currency::Currency;
use ml_connector::domain::document::{DocumentKind, Person};
use ml_connector::domain::rule::{Facts, ReadyEmail};
use ml_connector::render::email::{EmailTemplate, Reader, Surroundings};

const ITEMS: usize = 20;
const THREADS: usize = 2;
const FOR: Duration = Duration::from_secs(5);

fn main() -> Result<()> {
    let ready = ReadyEmail::find("invoice-sent").context("there is such a text")?;
    let template = EmailTemplate::parse(&ready.source(), DocumentKind::Invoice)
        .map_err(|problem| anyhow!("{problem}"))?;
    let fields = documents::invoice("Bowman & Co", "USD", ITEMS);
    let person = Person {
        first_name: Some("Ada".to_owned()),
        ..Person::default()
    };
    let facts = Facts {
        fields: &fields,
        payment_link: fields.get("invoice_url").and_then(|link| link.as_str()),
        contact: Some(&person),
        label: None,
        currency: Currency::parse("USD").ok(),
        today: NaiveDate::from_ymd_opt(2026, 11, 30).context("a day")?,
    };
    let brand = Brand::plain("Northwind Paper");
    let bank = BTreeMap::from([("USD".to_owned(), "ABA 021000021\nAccount 1234".to_owned())]);
    let around = Surroundings {
        brand: &brand,
        signature: "Kind regards,\n**Northwind Paper**",
        bank_details: &bank,
        answers_to: Some("billing@northwind.example"),
        reader: Reader::Contact,
        stop_link: None,
        language: "en",
        pay_hosts: &[],
    };
    let started = Instant::now();
    let first = template.render(&facts, &around)?;
    let first_took = started.elapsed();
    let before = usage::of(&[std::process::id()]);
    let started = Instant::now();
    let rendered: usize = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                scope.spawn(|| {
                    let mut count = 0;
                    while started.elapsed() < FOR {
                        if template
                            .render(&facts, &around)
                            .is_ok_and(|email| email == first)
                        {
                            count += 1;
                        }
                    }
                    count
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or(0))
            .sum()
    });
    let took = started.elapsed();
    let after = usage::of(&[std::process::id()]);
    let cpu = after.cpu_since(before);
    println!(
        "first e-mail, layout included   {:.2} ms",
        first_took.as_secs_f64() * 1000.0
    );
    println!(
        "HTML, text                      {} and {} bytes",
        first.html.len(),
        first.text.len()
    );
    println!(
        "e-mails a second, {THREADS} threads    {}",
        per_second(rendered, took)
    );
    println!(
        "processor time each             {:.3} ms",
        cpu.as_secs_f64() * 1000.0 / f64::from(u32::try_from(rendered.max(1))?)
    );
    println!(
        "most memory, of which before    {} and {} KiB",
        after.peak_kib, before.peak_kib
    );
    Ok(())
}

fn per_second(count: usize, took: Duration) -> u128 {
    (count as u128) * 1000 / took.as_millis().max(1)
}
