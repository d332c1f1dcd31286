//! Settings: the company, and how its times, numbers and money are read.

use askama::Template;

use crate::domain::user::Ability;
use crate::web::chrome::Chrome;
use crate::web::form::FormState;
use crate::web::ui::field::{Choice, field};
use crate::web::ui::{filters, icon, notice};

/// `GET /t/{tenant}/settings`; posts `company`, `country`, `zone`, `currency` and `date_format`, or the switch of the
/// reader's own morning letter.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/settings/index.html")]
pub struct SettingsPage {
    pub chrome: Chrome,
    pub form: FormState,
    /// `from`, `to` and `any_time`; posted to `/settings/hours`.
    pub hours: FormState,
    pub is_rehearsal: bool,
    pub countries: Vec<Choice>,
    pub zones: Vec<Choice>,
    pub currencies: Vec<Choice>,
    pub morning: Option<Morning>,
}

impl SettingsPage {
    fn date_formats() -> Vec<Choice> {
        vec![
            Choice::new("", "Only as 2026-11-05"),
            Choice::new("day_first", "Day first: 05/11/2026 is 5 November"),
            Choice::new("month_first", "Month first: 05/11/2026 is 11 May"),
        ]
    }
}

/// The reader's morning letter; none for an operator who is no member.
#[derive(Debug, Clone)]
pub struct Morning {
    pub is_on: bool,
    /// Whether letters leave at all.
    pub can_mail: bool,
    /// Where it goes.
    pub email: String,
}

/// Every country, by name; the value is its ISO 3166 code.
pub fn countries() -> Vec<Choice> {
    use iso_currency::{Currency, IntoEnumIterator};
    let mut list: Vec<Choice> = Currency::iter()
        .flat_map(Currency::used_by)
        .filter(|country| !country.to_string().is_empty())
        .map(|country| Choice::new(country.to_string(), country.name()))
        .collect();
    list.sort_by(|a, b| a.words.cmp(&b.words));
    list.dedup();
    list
}

/// Every currency in use, by code: "EUR, Euro".
pub fn currencies() -> Vec<Choice> {
    use iso_currency::{Currency, IntoEnumIterator};
    let mut list: Vec<Choice> = Currency::iter()
        .filter(|c| !c.is_fund() && !c.is_special() && c.is_superseded().is_none())
        .map(|c| Choice::new(c.code(), format!("{}, {}", c.code(), c.name())))
        .collect();
    list.sort_by(|a, b| a.value.cmp(&b.value));
    list
}

/// Every zone of the tz database that is named after a place, and UTC.
pub fn zones() -> Vec<Choice> {
    chrono_tz::TZ_VARIANTS
        .iter()
        .map(|zone| zone.name())
        .filter(|name| *name == "UTC" || (name.contains('/') && !name.starts_with("Etc/")))
        .map(|name| Choice::new(name, name.replace('_', " ")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::phone::CountryCode;
    use crate::domain::zone::only_zone_of;

    #[test]
    fn lists_hold_what_people_look_for() {
        let has = |list: &[Choice], value: &str| list.iter().any(|c| c.value == value);
        assert!(has(&countries(), "DE") && has(&countries(), "US") && has(&countries(), "IN"));
        assert!(has(&currencies(), "EUR") && has(&currencies(), "JPY"));
        assert!(has(&zones(), "Europe/Berlin") && has(&zones(), "UTC"));
    }

    #[test]
    fn every_zone_that_is_proposed_can_be_chosen() {
        let zones = zones();
        for zone in CountryCode::all().into_iter().filter_map(only_zone_of) {
            assert!(zones.iter().any(|c| c.value == zone.name()), "{zone}");
        }
    }
}
