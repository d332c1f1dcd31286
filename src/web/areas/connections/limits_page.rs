//! The limits of an account: what there is, what is used now, and until when something waits.

use maud::{Markup, html};

use crate::app::limits::StoredFigures;
use crate::app::limits::{AccountLimits, Pace};
use crate::domain::account_figures::Sum;
use crate::domain::delivery::Channel;
use crate::domain::sender_rest::{Concerns, SenderRest};
use crate::web::ui::badge;
use crate::web::ui::figure::counted;
use crate::web::ui::money;
use crate::web::ui::time::{self, Moment};
use crate::web::ui::tone::Tone;

/// One table; `provider` is how the account's provider is called.
pub fn table(of: &AccountLimits, provider: &str, moment: Moment) -> Markup {
    html! {
        div class="table-wrap" { table class="cards" {
            thead { tr {
                th scope="col" { "Limit" } th scope="col" { "Now" } th scope="col" { "Allowed" }
                th scope="col" { "When" }
            } }
            tbody {
                (money_rows(of.figures.as_ref(), provider, moment))
                @for calls in &of.calls {
                    (row([
                        html! { "Calls at once, " (channel(calls.channel)) },
                        html! { (calls.now) " of ours" },
                        html! { "At most " (calls.most) " of ours" (counted_there(of, provider, calls.channel)) },
                        html! { @if let Some(until) = calls.paused_until {
                            (badge::state(Tone::Held, "Paused")) " " (time::long(moment, until))
                        } },
                    ]))
                }
                @for pace in &of.paces { (pace_row(pace)) }
                @for rest in &of.carriers { (carrier_row(rest, moment)) }
            }
        } }
    }
}

fn row([what, now, allowed, until]: [Markup; 4]) -> Markup {
    html! { tr {
        td class="card-lead" { (what) } td class="card-line" { (now) }
        td class="card-line wrap" { (allowed) } td class="card-line" { (until) }
    } }
}

fn money_rows(of: Option<&StoredFigures>, provider: &str, moment: Moment) -> Markup {
    let Some(of) = of else {
        return html! {};
    };
    let told = html! { @if let Some(at) = of.told_at { "as of " (time::short(moment, at)) } };
    let untold =
        html! { span class="muted" { (provider) " does not tell it to these credentials" } };
    let balance = html! {
        @match &of.figures.balance {
            Some(balance) => {
                (sum(balance))
                @if of.low_at.is_some() { " " (badge::state(Tone::Needs, "Little is left")) }
            }
            None => (untold),
        }
    };
    let cost = html! {
        @match &of.figures.month_cost { Some(cost) => (sum(cost)), None => (untold), }
        @if let Some(n) = of.figures.month_messages {
            div class="muted small" { (counted(n.unsigned_abs(), "SMS", "SMS")) }
        }
    };
    let allowed = html! {
        "Owners are told below 10, and below what three days of this month cost. At nothing "
        (provider) " sends nothing."
    };
    html! {
        (row([html! { "Balance" }, balance, allowed, told.clone()]))
        (row([html! { "Spent this month" }, cost, html! { "No limit" }, told]))
    }
}

fn sum(of: &Sum) -> Markup {
    money::amount(of.amount(), Some(of.currency()))
}

/// What the provider counts of the whole account, told once.
fn counted_there(of: &AccountLimits, provider: &str, channel: Channel) -> Markup {
    let told = of.figures.as_ref().and_then(|f| f.figures.calls_at_once);
    html! {
        @if let Some(n) = told && channel == Channel::Sms {
            div class="muted small" {
                (provider) " last counted " (n) " of the whole account; from 80 on we slow down."
            }
        }
    }
}

fn pace_row(pace: &Pace) -> Markup {
    let allowed = html! {
        "At most " (counted(u64::from(pace.segments_per_second), "part of a text", "parts of texts")) " a second"
    };
    let waiting = html! {
        @if pace.waiting == 0 { "None waits" } @else {
            (counted(pace.waiting.unsigned_abs(), "message waits", "messages wait")) " for their turn"
        }
    };
    row([
        html! { "Pace of a sender" div class="muted small" { bdi { (pace.sender) } } },
        waiting,
        allowed,
        html! { div class="muted small" { "Set by you under Senders" } },
    ])
}

fn carrier_row(rest: &SenderRest, moment: Moment) -> Markup {
    let (what, then) = match rest.concerns {
        Concerns::Sender => ("Messages in a short time", "Its messages wait"),
        Concerns::Carrier => (
            "Messages to T-Mobile within a day",
            "Others go on; send these again then",
        ),
        Concerns::Account => ("Messages of the account within a day", "All messages wait"),
    };
    let hits = html! {
        (badge::state(Tone::Needs, "Reached")) " "
        (counted(rest.hits.unsigned_abs(), "message", "messages"))
        " refused since " (time::short(moment, rest.since))
    };
    row([
        html! { (what) div class="muted small" { bdi { (rest.sender_words()) } } },
        hits,
        html! { "Set by carriers (" (rest.code) ")" },
        html! { (time::long(moment, rest.until)) div class="muted small" { (then) } },
    ])
}

const fn channel(of: Channel) -> &'static str {
    match of {
        Channel::Sms => "SMS",
        Channel::Email => "e-mail",
    }
}
