//! Made-up values for every page: empty, one, many, hostile. Tests render them all, and
//! `examples/pictures.rs` takes pictures of them to be looked at.

mod account;
mod connections;
mod event;
mod history;
mod messages;
mod operator;
mod overview;
mod permissions;
mod rehearsal;
mod reminder_stops;
mod replay;
mod rules;
mod security;
mod suppressions;

use askama::Template;
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use crate::domain::delivery::Channel;
use crate::domain::provider::Providers;
use crate::domain::user::Role;
use crate::twilio::{email, transport};
use crate::web::areas::error_page::ErrorPage;
use crate::web::chrome::{AccountChrome, Banner, Chrome, CompanyLink, Place, Section};
use crate::web::form::FormState;

/// A text that would run as a script, break an attribute, or break a line, if it were believed.
pub const HOSTILE: &str = "<script>alert(1)</script>\"'>&{{7*7}}\u{202e}\nX-Evil: 1";

/// A page as HTML, under the name of its sample.
pub struct Sample {
    /// `history-many`: area, page, variant.
    pub name: &'static str,
    pub html: askama::Result<String>,
}

/// Every page in each of its variants.
pub fn all() -> Vec<Sample> {
    let mut samples = Vec::new();
    account::add(&mut samples);
    overview::add(&mut samples);
    history::add(&mut samples);
    event::add(&mut samples);
    replay::add(&mut samples);
    rules::add(&mut samples);
    connections::add(&mut samples);
    operator::add(&mut samples);
    security::add(&mut samples);
    rehearsal::add(&mut samples);
    suppressions::add(&mut samples);
    permissions::add(&mut samples);
    reminder_stops::add(&mut samples);
    messages::add(&mut samples);
    for (name, status) in [
        ("error-403", 403),
        ("error-404", 404),
        ("error-422", 422),
        ("error-500", 500),
        ("error-503", 503),
    ] {
        push(&mut samples, name, &ErrorPage::of(status, "019a-4c1e"));
    }
    samples
}

fn push(samples: &mut Vec<Sample>, name: &'static str, page: &impl Template) {
    samples.push(Sample {
        name,
        html: page.render(),
    });
}

/// 12 May 2026, 08:42 in Berlin.
fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_778_568_132, 0).unwrap_or_default()
}

fn ago(minutes: i64) -> DateTime<Utc> {
    now() - TimeDelta::minutes(minutes)
}

fn providers() -> Providers {
    Providers::new([
        (Channel::Sms, &transport::WORDS),
        (Channel::Email, &email::WORDS),
    ])
}

fn chrome(section: Section) -> Chrome {
    Chrome {
        tenant_name: "Northwind Paper".into(),
        slug: "northwind".into(),
        user_name: "Ada Lindqvist".into(),
        role: Role::Owner,
        can_switch: true,
        companies: vec![
            CompanyLink {
                name: "Harbour Light Trading".into(),
                slug: "harbour-light".into(),
                role: Role::Editor,
            },
            CompanyLink {
                name: "Northwind Paper".into(),
                slug: "northwind".into(),
                role: Role::Owner,
            },
        ],
        csrf: "csrf-token".into(),
        section,
        flash: None,
        banners: Vec::new(),
        needs_you: 0,
        providers: providers(),
        zone: Tz::Europe__Berlin,
        now: now(),
    }
}

fn hostile_chrome(section: Section) -> Chrome {
    Chrome {
        tenant_name: HOSTILE.into(),
        user_name: HOSTILE.into(),
        banners: vec![
            Banner::Sandbox,
            Banner::Stopped {
                by: Some(HOSTILE.into()),
                at: ago(30),
            },
        ],
        ..chrome(section)
    }
}

fn account_chrome(section: Place) -> AccountChrome {
    AccountChrome {
        user_name: "Ada Lindqvist".into(),
        email: "ada@northwind.example".into(),
        is_operator: false,
        csrf: "csrf-token".into(),
        section,
        flash: None,
        is_sandboxed: false,
        providers: providers(),
        now: now(),
    }
}

fn hostile_account_chrome(section: Place) -> AccountChrome {
    AccountChrome {
        user_name: HOSTILE.into(),
        email: HOSTILE.into(),
        is_operator: true,
        is_sandboxed: true,
        ..account_chrome(section)
    }
}

fn form(values: &[(&str, &str)]) -> FormState {
    values.iter().fold(FormState::new(), |form, (name, value)| {
        form.with(*name, *value)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use scraper::{Html, Selector};

    use super::*;

    fn each(check: impl Fn(&str, &str, &Html)) {
        for sample in all() {
            let html = sample.html.unwrap();
            check(sample.name, &html, &Html::parse_document(&html));
        }
    }

    fn select(css: &str) -> Selector {
        Selector::parse(css).unwrap()
    }

    #[test]
    fn a_hostile_text_is_only_ever_text() {
        each(|name, html, page| {
            assert!(!html.contains("<script>alert"), "{name}");
            for script in page.select(&select("script")) {
                assert!(
                    script
                        .attr("src")
                        .is_some_and(|s| s.starts_with("/static/")),
                    "{name}"
                );
            }
        });
        let hostile = all()
            .into_iter()
            .filter(|s| s.name.ends_with("hostile"))
            .count();
        assert!(hostile >= 8, "only {hostile} hostile samples");
    }

    #[test]
    fn no_page_needs_unsafe_inline_or_another_host() {
        each(|name, _, page| {
            for element in page.select(&select("*")) {
                // A link that a person follows may lead elsewhere; nothing that is loaded or posted may.
                let leads_out =
                    element.value().name() == "a" && element.attr("rel") == Some("external");
                for (attribute, value) in element.value().attrs() {
                    assert!(
                        attribute != "style" && !attribute.starts_with("on"),
                        "{name}: {attribute}"
                    );
                    if leads_out && attribute == "href" {
                        assert!(
                            value.starts_with("https://accounts.zoho."),
                            "{name}: {value}"
                        );
                    } else if ["href", "src", "action", "formaction"].contains(&attribute) {
                        assert!(value.starts_with(['/', '#']), "{name}: {attribute}={value}");
                    }
                }
            }
            assert!(page.select(&select("style")).next().is_none(), "{name}");
        });
    }

    #[test]
    fn every_posting_form_bears_the_token() {
        let (forms, token) = (select("form"), select("input[name=csrf]"));
        each(|name, _, page| {
            for form in page.select(&forms) {
                // The link is the token of whoever stops reminders.
                let is_reader = form.attr("action").is_some_and(|a| a.starts_with("/stop/"));
                if form.attr("method") == Some("post") && !is_reader {
                    assert!(
                        form.select(&token).count() == 1,
                        "{name}: {:?}",
                        form.attr("action")
                    );
                }
            }
        });
    }

    #[test]
    fn every_control_has_a_name_to_be_called_by() {
        let controls = select("input:not([type=hidden]), select, textarea");
        each(|name, _, page| {
            for control in page.select(&controls) {
                let labelled = control.attr("aria-label").is_some()
                    || control.attr("id").is_some_and(|id| {
                        page.select(&select(&format!("label[for='{id}']")))
                            .next()
                            .is_some()
                    });
                assert!(labelled, "{name}: {:?}", control.attr("name"));
            }
            for button in page.select(&select("button, a")) {
                let text: String = button.text().collect();
                let called = button.attr("aria-label").is_some() || !text.trim().is_empty();
                assert!(called, "{name}: {}", button.html());
            }
        });
    }

    #[test]
    fn ids_are_unique_and_each_page_has_one_heading_and_one_primary_button() {
        each(|name, _, page| {
            let mut seen = BTreeSet::new();
            for element in page.select(&select("[id]")) {
                assert!(
                    seen.insert(element.attr("id").unwrap()),
                    "{name}: {:?}",
                    element.attr("id")
                );
            }
            assert_eq!(page.select(&select("h1")).count(), 1, "{name}");
            assert!(
                page.select(&select(".button.primary")).count() <= 1,
                "{name}"
            );
        });
    }

    #[test]
    fn every_link_within_a_page_leads_to_something_on_it() {
        let (links, refusals) = (select("a[href^='#']"), select(".refusal a"));
        let led = std::cell::Cell::new(0);
        each(|name, _, page| {
            for link in page.select(&links) {
                let id = &link.attr("href").unwrap()[1..];
                let place = select(&format!("[id='{id}']"));
                assert!(page.select(&place).next().is_some(), "{name}: #{id}");
            }
            led.set(led.get() + page.select(&refusals).count());
        });
        assert!(led.get() > 10, "refusals lead to their fields");
    }

    #[test]
    fn no_secret_field_is_filled_in() {
        each(|name, _, page| {
            for field in page.select(&select("input[type=password]")) {
                assert_eq!(field.attr("value").unwrap_or(""), "", "{name}");
            }
        });
    }

    #[test]
    fn no_two_samples_share_a_name() {
        let names: Vec<_> = all().into_iter().map(|s| s.name).collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
    }
}
