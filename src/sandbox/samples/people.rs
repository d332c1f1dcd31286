//! Companies and people of the generated documents; an index is the same company in every run.
//!
//! Firms bear the name of those who run them: whoever is written to has the firm's name, an address at
//! its domain, and numbers of its town. Phone numbers: US 555-0100 to 555-0199 in any area, UK mobiles
//! 07700 900000 to 900999 and a thousand numbers in each of the larger cities; these ranges are
//! reserved for fiction by their regulators. E-mail addresses end in `.example`.

const FIRST: [&str; 20] = [
    "Ada", "Amir", "Bea", "Carlos", "Chidi", "Dana", "Elif", "Femi", "Grace", "Hugo", "Ines",
    "Jonas", "Kemi", "Lena", "Marco", "Nadia", "Owen", "Priya", "Rosa", "Zoë",
];
const LAST: [&str; 17] = [
    "Abara", "Bauer", "Castillo", "Dlamini", "Evans", "Fischer", "Garcia", "Hughes", "Ivanova",
    "Jensen", "Kaya", "Larsen", "Moreau", "Novak", "Okafor", "Patel", "Quinn",
];
const COMPANY: [&str; 13] = [
    "& Co",
    "& Sons",
    "Bakery",
    "Dental",
    "Engineering",
    "Flowers",
    "Joinery",
    "Landscapes",
    "Ltd",
    "Motors",
    "Partners",
    "Studio",
    "Veterinary",
];
const SUPPLY: [&str; 11] = [
    "Cleaning",
    "Electrical",
    "Fasteners",
    "Freight",
    "Logistics",
    "Office Supplies",
    "Packaging",
    "Paper Supply",
    "Steel",
    "Timber",
    "Wholesale",
];
const STREET: [&str; 12] = [
    "Station Road",
    "High Street",
    "Mill Lane",
    "Oak Avenue",
    "Harbour Way",
    "Church Street",
    "Market Square",
    "Elm Drive",
    "Victoria Road",
    "Park Lane",
    "Canal Walk",
    "Hill Rise",
];
/// City, state, state code, ZIP, area code.
const US_CITY: [[&str; 5]; 10] = [
    ["Portland", "Oregon", "OR", "97205", "503"],
    ["Austin", "Texas", "TX", "78701", "512"],
    ["Boston", "Massachusetts", "MA", "02108", "617"],
    ["Denver", "Colorado", "CO", "80202", "303"],
    ["Madison", "Wisconsin", "WI", "53703", "608"],
    ["Oakland", "California", "CA", "94607", "510"],
    ["Savannah", "Georgia", "GA", "31401", "912"],
    ["Tacoma", "Washington", "WA", "98402", "253"],
    ["Chicago", "Illinois", "IL", "60602", "312"],
    ["Phoenix", "Arizona", "AZ", "85004", "602"],
];
/// City, postcode, and the beginning of its landlines, of which three digits are missing.
const UK_CITY: [[&str; 3]; 10] = [
    ["Leeds", "LS1 1AA", "+44 113 496 0"],
    ["Cardiff", "CF10 1AA", "+44 29 2018 0"],
    ["Sheffield", "S1 1AA", "+44 114 496 0"],
    ["London", "WC1A 1AA", "+44 20 7946 0"],
    ["Glasgow", "G1 1AA", "+44 141 496 0"],
    ["Leicester", "LE1 1AA", "+44 116 496 0"],
    ["Liverpool", "L1 1AA", "+44 151 496 0"],
    ["Edinburgh", "EH1 1AA", "+44 131 496 0"],
    ["Manchester", "M1 1AA", "+44 161 496 0"],
    ["Reading", "RG1 1AA", "+44 118 496 0"],
];

/// What is sold.
pub(super) const ITEMS: [&str; 14] = [
    "Annual maintenance",
    "Brand workshop",
    "Bread rolls (tray)",
    "Cabling, per metre",
    "Consulting, half day",
    "Desk lamp",
    "Garden design",
    "Hosting, one month",
    "Oak shelf",
    "Printer toner",
    "Router installation",
    "Signage",
    "Steel bracket",
    "Winter tyres (set)",
];

/// A customer or vendor with its primary contact person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trader {
    pub id: String,
    pub company: String,
    pub contact_person_id: String,
    pub first_name: &'static str,
    pub last_name: &'static str,
    pub email: String,
    pub phone: String,
    pub mobile: String,
    pub currency_code: &'static str,
    pub currency_symbol: &'static str,
    pub country: &'static str,
    pub country_code: &'static str,
    street: String,
    city: &'static str,
    state: &'static str,
    state_code: &'static str,
    zip: &'static str,
}

impl Trader {
    /// The customer of that index: in the US when even, in the UK when odd.
    pub fn customer(index: usize) -> Self {
        let last = LAST[index % LAST.len()];
        let company = format!("{last} {}", COMPANY[index % COMPANY.len()]);
        Self::new(index, 6_900_000, last, company)
    }

    /// The vendor of that index, likewise.
    pub fn vendor(index: usize) -> Self {
        let last = LAST[(index + 5) % LAST.len()];
        let company = format!("{last} {}", SUPPLY[index % SUPPLY.len()]);
        Self::new(index + 37, 7_900_000, last, company)
    }

    fn new(index: usize, first_id: usize, last_name: &'static str, company: String) -> Self {
        let first_name = FIRST[index % FIRST.len()];
        let domain: String = company
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .map(|c| c.to_ascii_lowercase())
            .collect();
        let mailbox = first_name.to_lowercase().replace('ë', "e");
        let is_us = index.is_multiple_of(2);
        let nth = index / 2;
        let (phone, mobile) = if is_us {
            us_phones(nth)
        } else {
            uk_phones(nth)
        };
        let [american, state, state_code, zip, _] = US_CITY[nth % US_CITY.len()];
        let [british, postcode, _] = UK_CITY[nth % UK_CITY.len()];
        let pick = |us: &'static str, uk: &'static str| if is_us { us } else { uk };
        Self {
            id: format!("87543100000{:08}", first_id + index * 11),
            company,
            contact_person_id: format!("87543100000{:08}", first_id + index * 11 + 1),
            first_name,
            last_name,
            email: format!("{mailbox}@{domain}.example"),
            phone,
            mobile,
            currency_code: pick("USD", "GBP"),
            currency_symbol: pick("$", "£"),
            country: pick("U.S.A", "U.K."),
            country_code: pick("US", "GB"),
            street: format!("{} {}", 1 + index * 7 % 180, STREET[index % STREET.len()]),
            city: pick(american, british),
            state: pick(state, ""),
            state_code: pick(state_code, ""),
            zip: pick(zip, postcode),
        }
    }
}

/// Phone and mobile, both of the hundred fictional numbers of the city's area.
fn us_phones(nth: usize) -> (String, String) {
    let city = nth % US_CITY.len();
    let area = US_CITY[city][4];
    // Each city begins elsewhere among its numbers, so that few of a list end alike.
    let line = 100 + (nth / US_CITY.len() * 2 + city * 14) % 100;
    (
        format!("+1-{area}-555-0{line}"),
        format!("+1-{area}-555-0{}", line + 1),
    )
}

/// Written as people write them: with a plus and blanks, and without a plus.
fn uk_phones(nth: usize) -> (String, String) {
    // Even, and another one for each of five hundred.
    let line = nth * 74 % 1000;
    let landline = UK_CITY[nth % UK_CITY.len()][2];
    (
        format!("{landline}{line:03}"),
        format!("447700900{:03}", line + 1),
    )
}

/// Which value of the templates becomes which of the trader's.
pub(super) fn exchanges(trader: &Trader) -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    let mut exchange = |old: &[&'static str], new: &str| {
        all.extend(old.iter().map(|old| (*old, new.to_owned())));
    };
    // Ids first: of the invoice, the payment and expense, the bill and purchase order.
    exchange(
        &["8754310000006945057", "982000000567001", "460000000026049"],
        &trader.id,
    );
    exchange(
        &["8754310000006945058", "982000000567003", "460000000031001"],
        &trader.contact_person_id,
    );
    exchange(&["Bowman & Co", "Harbour Paper Supply"], &trader.company);
    exchange(&["David", "Petra"], trader.first_name);
    exchange(&["John", "Parker"], trader.last_name);
    exchange(
        &["david.john@example.com", "accounts@harbourpaper.example"],
        &trader.email,
    );
    exchange(&["+1-202-555-0143", "+44 7700 900123"], &trader.phone);
    exchange(&["+1-202-555-0187", "447700900456"], &trader.mobile);
    exchange(&["USD", "GBP"], trader.currency_code);
    exchange(&["$", "£"], trader.currency_symbol);
    let currency = if trader.currency_code == "USD" {
        "USD- US Dollar"
    } else {
        "GBP- Pound Sterling"
    };
    exchange(&["USD- US Dollar", "GBP- Pound Sterling"], currency);
    exchange(&["4900 Hopyard Rd", "12 Quay Street"], &trader.street);
    exchange(&["Pleasanton", "Bristol"], trader.city);
    exchange(&["California"], trader.state);
    exchange(&["CA"], trader.state_code);
    exchange(&["94588", "BS1 4DJ"], trader.zip);
    exchange(&["U.S.A", "U.K."], trader.country);
    exchange(&["US"], trader.country_code);
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::phone::{CountryCode, to_e164};

    fn is_fiction(phone: &str) -> bool {
        let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
        let us = digits.len() == 11 && digits.starts_with('1') && digits[4..].starts_with("55501");
        let in_cities = UK_CITY.iter().any(|[_, _, landline]| {
            let begins: String = landline.chars().filter(char::is_ascii_digit).collect();
            digits.starts_with(&begins)
        });
        let uk = digits.len() == 12 && (digits.starts_with("447700900") || in_cities);
        us || uk
    }

    #[test]
    fn every_phone_number_is_reserved_for_fiction() {
        for index in 0..5000 {
            for trader in [Trader::customer(index), Trader::vendor(index)] {
                assert!(
                    is_fiction(&trader.phone) && is_fiction(&trader.mobile),
                    "{trader:?}"
                );
            }
        }
    }

    #[test]
    fn people_belong_to_their_firm_and_its_town() {
        for index in 0..900 {
            for trader in [Trader::customer(index), Trader::vendor(index)] {
                let company = trader.company.to_lowercase();
                let (mailbox, domain) = trader.email.split_once('@').unwrap();
                let firm = domain.strip_suffix(".example").unwrap();
                let plain: String = company
                    .chars()
                    .filter(char::is_ascii_alphanumeric)
                    .collect();
                assert_eq!(firm, plain, "{trader:?}");
                assert!(
                    company.starts_with(&trader.last_name.to_lowercase()),
                    "{trader:?}"
                );
                assert_eq!(mailbox, trader.first_name.to_lowercase().replace('ë', "e"));
                let country = CountryCode::parse(trader.country_code).unwrap();
                for number in [&trader.phone, &trader.mobile] {
                    let read = to_e164(number, Some(country)).unwrap();
                    // No numbering plan has the range of the UK's fictional mobiles.
                    let is_uk_mobile = read.as_str().starts_with("+447700900");
                    assert!(read.is_valid() || is_uk_mobile, "{number} of {trader:?}");
                    assert_eq!(read.country(), Some(country), "{trader:?}");
                }
                let town = |number: &str| {
                    let us = US_CITY
                        .iter()
                        .find(|c| number.starts_with(&format!("+1-{}-", c[4])));
                    let uk = UK_CITY.iter().find(|c| number.starts_with(c[2]));
                    us.map(|c| c[0]).or(uk.map(|c| c[0]))
                };
                assert_eq!(town(&trader.phone), Some(trader.city), "{trader:?}");
                if trader.country_code == "US" {
                    assert_eq!(town(&trader.mobile), Some(trader.city), "{trader:?}");
                }
            }
        }
    }

    #[test]
    fn customers_differ_and_stay_who_they_are() {
        assert_eq!(Trader::customer(12), Trader::customer(12));
        let mobiles: std::collections::HashSet<_> = (0..900)
            .map(|index| Trader::customer(index).mobile)
            .collect();
        assert_eq!(mobiles.len(), 900);
        let ids: std::collections::HashSet<_> = (0..900)
            .flat_map(|index| [Trader::customer(index).id, Trader::vendor(index).id])
            .collect();
        assert_eq!(ids.len(), 1800);
    }
}
