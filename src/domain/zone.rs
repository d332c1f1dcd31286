//! The time zone of a country that has only one worth proposing.
//!
//! `only.txt` is made from the tz database's `zone.tab`: countries whose zones all keep the same time,
//! and those where nearly everybody lives by one of them (Spain without the Canaries). The others are
//! left out: whoever lives in the United States is asked without a proposal.

use chrono_tz::Tz;

use super::phone::CountryCode;

const ONLY: &str = include_str!("zone/only.txt");

/// The zone by which a country lives, if it is one.
pub fn only_zone_of(country: CountryCode) -> Option<Tz> {
    let zone = ONLY
        .lines()
        .find_map(|line| line.strip_prefix(country.as_str()))?;
    zone.trim_start().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(country: &str) -> Option<Tz> {
        only_zone_of(CountryCode::parse(country).unwrap())
    }

    #[test]
    fn a_country_that_lives_by_one_clock_has_a_zone() {
        assert_eq!(zone("GB"), Some(Tz::Europe__London));
        assert_eq!(zone("DE"), Some(Tz::Europe__Berlin));
        assert_eq!(zone("IN"), Some(Tz::Asia__Kolkata));
        for several in ["US", "CA", "AU", "BR", "RU", "MX"] {
            assert_eq!(zone(several), None, "{several}");
        }
    }

    #[test]
    fn every_line_names_a_zone_that_exists() {
        for line in ONLY.lines() {
            let (country, zone) = line.split_once(' ').unwrap();
            assert!(zone.parse::<Tz>().is_ok(), "{line}");
            assert!(country.len() == 2 && country.bytes().all(|b| b.is_ascii_uppercase()));
        }
    }
}
