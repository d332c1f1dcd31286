//! The integration tests: people and machines that talk to the service over HTTP.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on should say where"
)]

mod accessibility;
mod accounts;
mod architecture;
mod beginnings;
mod bounds;
mod browser;
mod chaos_promises;
mod chaos_verdict;
mod clocks;
mod command_line;
mod consent;
mod crash;
mod deletion;
mod demo;
mod deploy;
mod documents;
mod email_clocks;
mod email_pages;
mod emails;
mod figures;
mod full_disk;
mod harness;
mod held_up;
mod hooks;
mod hostile;
mod hostile_data;
mod hours;
mod intake;
mod isolation;
mod limits;
mod locked;
mod mail;
mod many;
mod many_recipients;
mod memory;
mod messages;
mod notices;
mod onboarding;
mod operator;
mod opt_outs;
mod people;
mod permissions;
mod postgres;
mod postgres_faults;
mod postgres_roles;
#[path = "../chaos/promises.rs"]
mod promises;
mod redis;
mod rehearsal;
mod reminder_stops;
mod replays;
mod rotation;
mod same_account;
mod schema;
mod secrets;
#[path = "../chaos/small_disk.rs"]
#[expect(dead_code, reason = "the chaos harness uses all of it")]
mod small_disk;
mod stop;
mod story;
mod suspension;
mod teams;
mod tenancy;
mod texts;
mod truth;
mod twilio_trial;
mod undelivered;
#[path = "../chaos/verdict.rs"]
mod verdict;
mod walk;
mod web_security;
mod whole_run;

/// What a server of a test's own has to say when it cannot be stopped.
fn say(text: &str) {
    eprintln!("{text}");
}
