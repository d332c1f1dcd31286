//! Tenants: customers of the service.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use super::day::DateFormat;
use super::hours::Hours;
use super::ids::TenantId;

/// A customer of the service.
#[derive(Debug, Clone)]
pub struct Tenant {
    pub id: TenantId,
    /// What stands in dashboard addresses.
    pub slug: String,
    pub name: String,
    /// Nothing is taken from its books and nothing is sent.
    pub is_suspended: bool,
    /// Why, in the operator's words; empty otherwise.
    pub suspended_for: String,
    /// ISO 3166 code, upper case: how national phone numbers are read.
    pub country: String,
    /// The zone in which days begin and times are shown.
    pub zone: Tz,
    /// ISO 4217 code.
    pub currency: String,
    /// How dates such as 05/11/2026 are read.
    pub date_format: DateFormat,
    /// Raised by every edit of a rule; routing starts over when it changed meanwhile.
    pub rule_set: i64,
    /// Since when, and by whom, all sending is stopped.
    pub stopped: Option<(DateTime<Utc>, String)>,
    /// Messages go to the owner's own number instead of to contacts and fixed addresses.
    pub is_rehearsal: bool,
    /// When contacts may be written to, in the tenant's zone; `None` is at any time.
    pub hours: Option<Hours>,
    pub created_at: DateTime<Utc>,
}

impl Tenant {
    /// When a live message may go: `None` is now. Only contacts have hours.
    pub fn opening_for(&self, is_to_contact: bool, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let hours = self.hours.filter(|_| is_to_contact)?;
        hours.next_opening(now, self.zone)
    }
}

/// A web-safe short name made from a company's name: `Bowman & Co` gives `bowman-co`.
pub fn slug_from_name(name: &str) -> String {
    let mut slug = String::new();
    let plain = name.nfd().filter(|c| !is_combining_mark(*c));
    for c in plain.flat_map(char::to_lowercase) {
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
        if slug.len() >= 40 {
            break;
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() {
        "company".to_owned()
    } else {
        slug.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_a_plain_slug() {
        assert_eq!(slug_from_name("Bowman & Co"), "bowman-co");
        assert_eq!(slug_from_name("Müller & Söhne"), "muller-sohne");
        assert_eq!(slug_from_name("株式会社"), "company");
    }
}
