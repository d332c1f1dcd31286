//! The names under which values are stored and sent: a renamed variant must not rename what stands in rows,
//! webhook URLs and the API.

use strum::VariantArray;

use super::channel::Channel;
use super::connection::ConnectionState;
use super::day::DateFormat;
use super::decision::DecisionKind;
use super::delivery::{DeliveryState, Hold, StepKind};
use super::document::DocumentKind;
use super::event::{EventSource, EventState, EventType};
use super::permission::Basis;
use super::replay::ReplayKind;
use super::reply::Wish;
use super::report::Status;
use super::rule::{EmailPart, Op, RuleChannel, Who};
use super::sender_dns::RecordKind;
use super::sender_rest::Concerns;
use super::suppression::Source;
use super::transition::ClaimKind;
use super::user::Role;

fn names<T: VariantArray + Copy + Into<&'static str>>() -> String {
    let names = T::VARIANTS.iter().map(|variant| match (*variant).into() {
        "" => "-",
        name => name,
    });
    names.collect::<Vec<_>>().join(" ")
}

#[test]
fn stored_names_never_change() {
    assert_eq!(names::<ConnectionState>(), "new ready broken");
    assert_eq!(names::<DateFormat>(), "- day_first month_first");
    assert_eq!(
        names::<DecisionKind>(),
        "rule already_told already_handled baseline contradiction nothing_new unrecognised no_rule"
    );
    assert_eq!(names::<Channel>(), "sms email");
    assert_eq!(
        names::<DeliveryState>(),
        "queued held sending unknown accepted sent delivered read failed undelivered suppressed canceled expired"
    );
    assert_eq!(
        names::<Hold>(),
        "stopped no_connection broken suspended rehearsal own_number opt_out hours turn person"
    );
    assert_eq!(
        names::<StepKind>(),
        "accepted refused retry unknown lease_expired held released expired suppressed canceled untrue renewed look found absent needs_person resolved waits double unconfirmed gave_up reader_stopped reader_resumed"
    );
    assert_eq!(
        names::<DocumentKind>(),
        "invoice customer_payment bill purchase_order vendor_payment expense"
    );
    assert_eq!(
        names::<EventType>(),
        "invoice.created invoice.sent invoice.due_soon invoice.overdue invoice.paid payment.received bill.created bill.due_soon bill.overdue purchase_order.created purchase_order.issued vendor_payment.sent expense.recorded"
    );
    assert_eq!(names::<EventSource>(), "webhook sweep schedule test");
    assert_eq!(
        names::<EventState>(),
        "received matched unmatched settled unrecognised"
    );
    assert_eq!(names::<Basis>(), "given contract asked");
    assert_eq!(names::<ReplayKind>(), "replay_event replay_delivery");
    assert_eq!(names::<Wish>(), "stop start help unclear read");
    assert_eq!(
        names::<Status>(),
        "accepted scheduled queued sending sent delivered read failed undelivered canceled"
    );
    assert_eq!(
        names::<RuleChannel>(),
        "sms email both sms_else_email email_else_sms"
    );
    assert_eq!(
        names::<Op>(),
        "eq ne gt gte lt lte contains starts_with in not_in before after present absent"
    );
    assert_eq!(names::<EmailPart>(), "subject preview body");
    assert_eq!(names::<Who>(), "first primary all");
    assert_eq!(names::<RecordKind>(), "CNAME TXT");
    assert_eq!(names::<Concerns>(), "sender carrier account");
    assert_eq!(names::<Source>(), "stop reader provider bounce hand asked");
    assert_eq!(names::<ClaimKind>(), "told passed_over baseline");
    assert_eq!(names::<Role>(), "viewer editor admin owner");
}
