//! What happened at the demo's company before somebody came to look: office hours, weekends, invoices
//! that are paid days later or not at all, and one of each kind of trouble at the end.
//!
//! Only a plan, which the real pipeline plays: see `player`.

use chrono::{DateTime, Datelike as _, Days, NaiveDate, NaiveTime, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};

use super::books::{self, Books, CUSTOMERS, Entry, UNREACHABLE, VENDORS};
use crate::domain::document::DocumentKind;
use crate::sandbox::samples::Standing;

/// What happens at one moment.
#[derive(Debug)]
pub(super) enum Act {
    InvoiceSent(Entry),
    InvoicePaid(Entry),
    InvoiceOverdue(Entry),
    BillEntered(Entry),
    BillPaid(Entry),
    Other(DocumentKind, Standing, usize),
    /// A customer writes back.
    Reply(usize, &'static str),
    /// Somebody posts what Zoho Books did not sign.
    Forged,
    /// The owner has looked at what failed so far, and rung those people up.
    Dealt,
    /// Zoho Books posts a document of a kind that we do not know.
    NotUnderstood,
    /// Invoice sent; Twilio takes the message, and its answer is lost.
    AnswerLost(Entry),
    /// Invoice sent; the call breaks off, and a colleague writes to the same number from Twilio's console.
    AnswerDoubtful(Entry),
}

/// The past, in order.
pub(super) struct Past {
    pub(super) acts: Vec<(DateTime<Utc>, Act)>,
    /// What customers still owe.
    pub(super) unpaid: Vec<Entry>,
}

/// When the first day's office opens, an hour before which the company was set up.
pub(super) fn beginning(now: DateTime<Utc>, zone: Tz, days: u8) -> DateTime<Utc> {
    let first = day_before(now.with_timezone(&zone).date_naive(), u64::from(days));
    at_local(zone, first, NaiveTime::MIN + TimeDelta::hours(8)).unwrap_or(now)
}

/// Plans that many days, and today up to `now`; nothing for none.
pub(super) fn plan(books: &mut Books, now: DateTime<Utc>, zone: Tz, days: u8) -> Past {
    let mut planner = Planner {
        // Another plan each day, the same for whoever starts twice in a day.
        chance: StdRng::seed_from_u64(now.timestamp().unsigned_abs() / 86_400),
        end: now - TimeDelta::minutes(3),
        zone,
        invoices: Vec::new(),
        bills: Vec::new(),
        acts: Vec::new(),
    };
    if days > 0 {
        let today = now.with_timezone(&zone).date_naive();
        for back in (0..=u64::from(days)).rev() {
            planner.day(day_before(today, back));
        }
        let weekdays: Vec<NaiveDate> = (1..=u64::from(days))
            .rev()
            .map(|back| day_before(today, back))
            .filter(|day| !is_weekend(*day))
            .collect();
        planner.people(&weekdays);
        planner.troubles(now);
    }
    planner.finish(books)
}

/// What becomes of an invoice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    Sent,
    /// Sent before the past begins.
    Before,
    AnswerLost,
    AnswerDoubtful,
}

/// An invoice without its number: those are given in order of time.
struct Invoice {
    customer: usize,
    created: DateTime<Utc>,
    terms: i64,
    start: Start,
    overdue: Option<DateTime<Utc>>,
    paid: Option<DateTime<Utc>>,
}

struct Bill {
    vendor: usize,
    created: DateTime<Utc>,
    paid: DateTime<Utc>,
}

struct Planner {
    chance: StdRng,
    end: DateTime<Utc>,
    zone: Tz,
    invoices: Vec<Invoice>,
    bills: Vec<Bill>,
    acts: Vec<(DateTime<Utc>, Act)>,
}

impl Planner {
    /// What happens on an ordinary day.
    fn day(&mut self, day: NaiveDate) {
        let is_weekend = is_weekend(day);
        let count = if is_weekend {
            1
        } else {
            self.chance.random_range(4..=6)
        };
        for _ in 0..count {
            let customer = CUSTOMERS.choose(&mut self.chance).copied().unwrap_or(0);
            let terms = [0, 7, 14, 14, 30]
                .choose(&mut self.chance)
                .copied()
                .unwrap_or(14);
            let created = self.office_hour(day);
            let is_paid = self.chance.random_bool(0.7);
            let later = self.chance.random_range(1..=5);
            let paid_at = self.office_hour(day + Days::new(later));
            let reminded_on = day + Days::new(u64::try_from(terms).unwrap_or(0) + 7);
            let reminded_at = self.reminder_hour(reminded_on);
            self.invoices.push(Invoice {
                customer,
                created,
                terms,
                start: Start::Sent,
                overdue: (!is_paid).then_some(reminded_at),
                paid: is_paid.then_some(paid_at),
            });
        }
        if is_weekend {
            return;
        }
        // Somebody's two weeks were over a week ago.
        let customer = CUSTOMERS.choose(&mut self.chance).copied().unwrap_or(0);
        let reminded_at = self.reminder_hour(day);
        let later = self.chance.random_range(1..=4);
        let paid = self.office_hour(day + Days::new(later));
        self.old_invoice(customer, reminded_at, Some(paid));

        let vendor = VENDORS.choose(&mut self.chance).copied().unwrap_or(21);
        let (created, later) = (self.office_hour(day), self.chance.random_range(1..=4));
        let paid = self.office_hour(day + Days::new(later));
        self.bills.push(Bill {
            vendor,
            created,
            paid,
        });
        let (kind, standing, trader) = match day.weekday().num_days_from_monday() % 3 {
            0 => (DocumentKind::PurchaseOrder, Standing::Sent, vendor),
            1 => (DocumentKind::Expense, Standing::Sent, CUSTOMERS[1]),
            _ => (DocumentKind::Invoice, Standing::Draft, CUSTOMERS[2]),
        };
        let at = self.office_hour(day);
        self.acts.push((at, Act::Other(kind, standing, trader)));
    }

    /// Those to whom something particular happens, spread over the first working days.
    fn people(&mut self, weekdays: &[NaiveDate]) {
        let sent = [
            (0, UNREACHABLE[0].0, 10),
            (0, books::UNCLEAR, 11),
            (1, books::OPTED_OUT, 9),
            (2, books::WITHOUT_NUMBER, 14),
            (3, UNREACHABLE[1].0, 13),
            (4, books::OPTED_OUT, 11),
            (5, UNREACHABLE[2].0, 15),
        ];
        for (nth, customer, hour) in sent {
            if let Some(created) = weekdays.get(nth).map(|day| self.about(*day, hour)) {
                self.invoices.push(Invoice {
                    customer,
                    created,
                    terms: 30,
                    start: Start::Sent,
                    overdue: None,
                    paid: None,
                });
            }
        }
        if let Some(day) = weekdays.get(2) {
            let (stop, forged) = (self.about(*day, 9), self.about(*day, 16));
            self.acts.push((stop, Act::Reply(books::OPTED_OUT, "STOP")));
            self.acts.push((forged, Act::Forged));
        }
    }

    /// One of each kind that needs a person, within the last hours of daylight.
    fn troubles(&mut self, now: DateTime<Utc>) {
        let (from, to) = last_daytime(now, self.zone);
        let at = |percent: i32| from + (to - from) * percent / 100;
        self.acts.push((from, Act::Dealt));
        self.acts.push((at(8), Act::Forged));
        let unclear = "Please stop these texts, we paid this last week.";
        self.acts
            .push((at(20), Act::Reply(books::UNCLEAR, unclear)));
        self.old_invoice(books::UNCLEAR, at(34), None);
        self.acts.push((at(42), Act::NotUnderstood));
        let lost = [
            (books::UNKNOWN, at(50), Start::AnswerDoubtful),
            (books::FOUND, at(62), Start::AnswerLost),
            (UNREACHABLE[0].0, at(72), Start::Sent),
        ];
        for (customer, created, start) in lost {
            self.invoices.push(Invoice {
                customer,
                created,
                terms: 14,
                start,
                overdue: None,
                paid: None,
            });
        }
        let thanks = "Thanks! Could you send us the invoice by e-mail as well?";
        self.acts.push((at(85), Act::Reply(CUSTOMERS[0], thanks)));
    }

    /// An invoice of three weeks before, due a week before it is reminded of.
    fn old_invoice(
        &mut self,
        customer: usize,
        overdue: DateTime<Utc>,
        paid: Option<DateTime<Utc>>,
    ) {
        self.invoices.push(Invoice {
            customer,
            created: overdue - TimeDelta::days(21) + TimeDelta::minutes(95),
            terms: 14,
            start: Start::Before,
            overdue: Some(overdue),
            paid,
        });
    }

    /// Gives the numbers, and puts everything in order up to the end.
    fn finish(self, books: &mut Books) -> Past {
        let (mut acts, end) = (self.acts, self.end);
        let (mut invoices, mut bills) = (self.invoices, self.bills);
        invoices.sort_by_key(|i| i.created);
        bills.sort_by_key(|b| b.created);
        let mut unpaid = Vec::new();
        for invoice in invoices.iter().filter(|i| i.created <= end) {
            let entry = books.new_invoice(invoice.customer, invoice.created, invoice.terms);
            let posted = invoice.created + TimeDelta::seconds(4);
            let act = match invoice.start {
                Start::Before => None,
                Start::Sent => Some(Act::InvoiceSent(entry.clone())),
                Start::AnswerLost => Some(Act::AnswerLost(entry.clone())),
                Start::AnswerDoubtful => Some(Act::AnswerDoubtful(entry.clone())),
            };
            acts.extend(act.map(|act| (posted, act)));
            let overdue = invoice
                .overdue
                .map(|at| (at, Act::InvoiceOverdue(entry.clone())));
            acts.extend(overdue);
            match invoice.paid {
                Some(paid) if paid <= end => acts.push((paid, Act::InvoicePaid(entry))),
                _ if CUSTOMERS.contains(&invoice.customer) => unpaid.push(entry),
                _ => {}
            }
        }
        for bill in bills.iter().filter(|b| b.created <= end) {
            let entry = books.new_bill(bill.vendor, bill.created);
            let posted = bill.created + TimeDelta::seconds(4);
            acts.push((posted, Act::BillEntered(entry.clone())));
            acts.push((bill.paid, Act::BillPaid(entry)));
        }
        acts.retain(|(at, _)| *at <= end);
        acts.sort_by_key(|(at, _)| *at);
        Past { acts, unpaid }
    }

    /// Any moment from eight to six.
    fn office_hour(&mut self, day: NaiveDate) -> DateTime<Utc> {
        let second = self.chance.random_range(8 * 3600 + 300..18 * 3600 - 300);
        self.at(day, second)
    }

    /// Zoho Books sends its reminders at nine.
    fn reminder_hour(&mut self, day: NaiveDate) -> DateTime<Utc> {
        let second = self.chance.random_range(0..90);
        self.at(day, 9 * 3600 + second)
    }

    fn about(&mut self, day: NaiveDate, hour: i64) -> DateTime<Utc> {
        let second = self.chance.random_range(0..3600);
        self.at(day, hour * 3600 + second)
    }

    fn at(&self, day: NaiveDate, second: i64) -> DateTime<Utc> {
        let time = NaiveTime::MIN + TimeDelta::seconds(second);
        at_local(self.zone, day, time).unwrap_or(self.end)
    }
}

/// The last office hours before `now`: today's so far, or what of yesterday's is less than a day ago, so that
/// nothing that waits has expired and the Overview still counts it.
fn last_daytime(now: DateTime<Utc>, zone: Tz) -> (DateTime<Utc>, DateTime<Utc>) {
    let today = now.with_timezone(&zone).date_naive();
    let (oldest, end) = (now - TimeDelta::hours(20), now - TimeDelta::minutes(10));
    let hours_of = |day| {
        let hour = |hour| at_local(zone, day, NaiveTime::MIN + TimeDelta::hours(hour));
        Some((hour(8)?.max(oldest), hour(18)?.min(end)))
    };
    [today, day_before(today, 1)]
        .into_iter()
        .filter_map(hours_of)
        .find(|(from, to)| *to - *from >= TimeDelta::hours(3))
        .unwrap_or((now - TimeDelta::hours(5), end))
}

fn at_local(zone: Tz, day: NaiveDate, time: NaiveTime) -> Option<DateTime<Utc>> {
    let local = zone.from_local_datetime(&day.and_time(time)).earliest();
    local.map(|at| at.with_timezone(&Utc))
}

fn day_before(day: NaiveDate, days: u64) -> NaiveDate {
    day.checked_sub_days(Days::new(days)).unwrap_or(day)
}

fn is_weekend(day: NaiveDate) -> bool {
    day.weekday().num_days_from_monday() >= 5
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW_YORK: Tz = Tz::America__New_York;

    fn past(now: &str) -> (DateTime<Utc>, Past) {
        let now: DateTime<Utc> = now.parse().unwrap();
        let offset = chrono::FixedOffset::west_opt(5 * 3600).unwrap();
        (now, plan(&mut Books::new(7, offset), now, NEW_YORK, 10))
    }

    /// A Monday before dawn, a Wednesday at noon, a Saturday evening, and the days around which clocks
    /// are set.
    const STARTS: [&str; 5] = [
        "2026-11-30T08:17:00Z",
        "2026-12-02T17:00:00Z",
        "2026-12-05T23:30:00Z",
        "2027-03-15T14:00:00Z",
        "2026-11-02T03:00:00Z",
    ];

    #[test]
    fn working_days_are_busy_and_weekends_quiet() {
        for start in STARTS {
            let (now, past) = past(start);
            let today = now.with_timezone(&NEW_YORK).date_naive();
            for back in 1..=10 {
                let day = day_before(today, back);
                let of_day = |(at, _): &&(DateTime<Utc>, Act)| {
                    at.with_timezone(&NEW_YORK).date_naive() == day
                };
                let count = past.acts.iter().filter(of_day).count();
                let is_right = if is_weekend(day) {
                    (1..=15).contains(&count)
                } else {
                    (7..=24).contains(&count)
                };
                assert!(is_right, "{count} on {day}, from {start}");
            }
        }
    }

    #[test]
    fn everything_happens_in_order_by_day_and_before_now() {
        for start in STARTS {
            let (now, past) = past(start);
            let begins = beginning(now, NEW_YORK, 10);
            assert!(past.acts.is_sorted_by_key(|(at, _)| *at), "{start}");
            for (at, act) in &past.acts {
                assert!(begins <= *at && *at < now, "{act:?} at {at}, from {start}");
                let hour = at.with_timezone(&NEW_YORK).time();
                let (from, to) = (NaiveTime::MIN + TimeDelta::hours(8), TimeDelta::hours(18));
                assert!(
                    from <= hour && hour <= NaiveTime::MIN + to,
                    "{act:?} at {at}"
                );
                let (Act::InvoiceSent(of) | Act::InvoicePaid(of) | Act::InvoiceOverdue(of)) = act
                else {
                    continue;
                };
                assert!(of.created <= *at, "{act:?} at {at}");
            }
        }
    }

    #[test]
    fn each_kind_of_trouble_stands_at_the_end() {
        for start in STARTS {
            let (now, past) = past(start);
            let count = |is: fn(&Act) -> bool| {
                let late = |at: DateTime<Utc>| now - at < TimeDelta::hours(22);
                past.acts
                    .iter()
                    .filter(|(at, act)| late(*at) && is(act))
                    .count()
            };
            let kinds: [fn(&Act) -> bool; 6] = [
                |a| matches!(a, Act::Reply(books::UNCLEAR, _)),
                |a| matches!(a, Act::InvoiceOverdue(of) if of.trader == books::UNCLEAR),
                |a| matches!(a, Act::AnswerDoubtful(_)),
                |a| matches!(a, Act::AnswerLost(_)),
                |a| matches!(a, Act::NotUnderstood),
                |a| matches!(a, Act::InvoiceSent(of) if of.trader == UNREACHABLE[0].0),
            ];
            for (nth, kind) in kinds.into_iter().enumerate() {
                assert_eq!(count(kind), 1, "kind {nth}, from {start}");
            }
            assert!(count(|a| matches!(a, Act::Forged)) >= 1, "{start}");
        }
    }

    #[test]
    fn nobody_pays_twice_or_is_reminded_of_what_is_paid() {
        for start in STARTS {
            let (_, past) = past(start);
            let mut paid = std::collections::HashSet::new();
            for (at, act) in &past.acts {
                match act {
                    Act::InvoicePaid(of) => assert!(paid.insert(of.created), "{act:?} at {at}"),
                    Act::InvoiceOverdue(of) => assert!(!paid.contains(&of.created), "{act:?}"),
                    _ => {}
                }
            }
            assert!(past.unpaid.iter().all(|of| !paid.contains(&of.created)));
        }
    }

    #[test]
    fn no_days_have_no_past() {
        let now = STARTS[0].parse().unwrap();
        let mut books = Books::new(7, chrono::Offset::fix(&Utc));
        assert!(plan(&mut books, now, NEW_YORK, 0).acts.is_empty());
    }
}
