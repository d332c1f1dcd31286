use proptest::prelude::*;

use super::*;

fn read(text: &str, country: &str) -> Result<String, PhoneProblem> {
    to_e164(text, country_from_text(country)).map(|number| number.to_string())
}

#[test]
fn national_numbers_are_read_in_the_default_country() {
    assert_eq!(read("(617) 555-0123", "US"), Ok("+16175550123".to_owned()));
    assert_eq!(read("07700 900456", "GB"), Ok("+447700900456".to_owned()));
    assert_eq!(
        read("０７７００ ９００４５６", "GB"),
        Ok("+447700900456".to_owned())
    );
    assert_eq!(read("98765 43210", "India"), Ok("+919876543210".to_owned()));
    assert_eq!(read("06 12 34 56 78", "FR"), Ok("+33612345678".to_owned()));
    assert_eq!(read("02 1234 5678", "IT"), Ok("+390212345678".to_owned()));
}

#[test]
fn digits_without_a_plus_are_international_only_where_nothing_national_begins_them() {
    assert_eq!(read("447700900456", "GB"), Ok("+447700900456".to_owned()));
    assert_eq!(read("2348099915238", "NG"), Ok("+2348099915238".to_owned()));
    assert_eq!(read("8613800138000", "US"), Ok("+8613800138000".to_owned()));
    for prefixed in ["00447911123456", "011 44 7911 123456"] {
        for country in ["US", "GB", "NG", ""] {
            assert_eq!(
                read(prefixed, country),
                Ok("+447911123456".to_owned()),
                "{country}"
            );
        }
    }
    // A digit too many, or a number that begins as a neighbour's does: nobody abroad is meant.
    for (typo, country) in [
        ("336-555-01234", "US"),
        ("919-555-0123-45", "US"),
        ("61755501234", "US"),
        ("447700900456", "US"),
        ("2348099915238", "US"),
    ] {
        assert_eq!(
            read(typo, country),
            Err(PhoneProblem::TooManyDigits),
            "{typo}"
        );
    }
    assert_eq!(read("508-555-123", "US"), Err(PhoneProblem::TooShort));
    assert_eq!(read("030 123456.0", "DE"), Ok("+4930123456".to_owned()));
    for typed in ["3365550123.0", "6175550123.0", "6175550123.00"] {
        let digits = &typed[..10];
        assert_eq!(read(typed, "US"), Ok(format!("+1{digits}")), "{typed}");
    }
    assert_eq!(read("+16175550123.0", ""), Ok("+16175550123".to_owned()));
}

#[test]
fn digits_and_marks_of_other_scripts_are_read() {
    for text in [
        "（６１７）５５５ー０１２３",
        "(६१७) ५५५-०१२३",
        "617～555／0123",
        "６１７．５５５．０１２３",
        "617\u{ad}-555\u{2060}-0123",
        "٦١٧ ٥٥٥ ٠١٢٣",
    ] {
        assert_eq!(read(text, "US"), Ok("+16175550123".to_owned()), "{text}");
    }
    assert_eq!(
        read("０３ー１２３４ー５６７８", "JP"),
        Ok("+81312345678".to_owned())
    );
}

#[test]
fn two_spellings_of_one_persons_number_have_one_key() {
    let key = |text: &str| to_e164(text, None).unwrap().key().into_owned();
    assert_eq!(key("+52 1 55 1234 5678"), key("+52 55 1234 5678"));
    assert_eq!(key_of("+5215512345678"), "+525512345678");
    assert_eq!(spellings("+525512345678")[1], "+5215512345678");
    assert_eq!(key("+54 9 11 2345 6789"), key("+54 11 2345 6789"));
    assert_ne!(key("+1 617 555 0123"), key("+1 617 555 0124"));
    assert_eq!(key_of("+525512345678"), "+525512345678");
    assert_eq!(key_of("nobody"), "nobody");
}

#[test]
fn a_plus_sign_wins_over_the_default_country() {
    assert_eq!(
        read("+44 7700 900456", "US"),
        Ok("+447700900456".to_owned())
    );
    assert_eq!(
        read("+44 (0)20 7946 0018", "US"),
        Ok("+442079460018".to_owned())
    );
    assert_eq!(
        read("\u{202a}+1 (617) 555‑0123\u{202c}", ""),
        Ok("+16175550123".to_owned())
    );
    assert_eq!(read("tel:+16175550123", ""), Ok("+16175550123".to_owned()));
}

#[test]
fn the_captured_nigerian_number_with_its_national_zero_is_read() {
    assert_eq!(
        read("+234-0900998877", "US"),
        Ok("+2340900998877".to_owned())
    );
    assert_eq!(
        read("+234-08099915238", "US"),
        Ok("+2348099915238".to_owned())
    );
}

#[test]
fn what_is_no_number_is_refused_with_the_reason() {
    assert_eq!(read("", "US"), Err(PhoneProblem::Empty));
    assert_eq!(read(" + ", "US"), Err(PhoneProblem::Empty));
    assert_eq!(read("617 555 0123 ext 4", "US"), Err(PhoneProblem::Letters));
    assert_eq!(read("1-800-FLOWERS", "US"), Err(PhoneProblem::Letters));
    assert_eq!(
        read("617 555 0123;617 555 0124", "US"),
        Err(PhoneProblem::Character(';'))
    );
    assert_eq!(read("1+2", "US"), Err(PhoneProblem::Character('+')));
    assert_eq!(read("555-0123", "US"), Err(PhoneProblem::LocalOnly));
    // Not Germany: incomplete numbers are not guessed at.
    assert_eq!(read("491-2345", "US"), Err(PhoneProblem::LocalOnly));
    assert_eq!(read("12", "US"), Err(PhoneProblem::TooShort));
    assert_eq!(
        read("+1 617 555 01234", "US"),
        Err(PhoneProblem::TooManyDigits)
    );
    assert_eq!(
        read("+999 1234567", "US"),
        Err(PhoneProblem::UnknownCallingCode)
    );
    assert_eq!(read("6175550123", ""), Err(PhoneProblem::NoCountry));
    assert_eq!(read(&"1".repeat(1000), "US"), Err(PhoneProblem::TooLong));
}

#[test]
fn a_possible_number_of_an_unknown_range_only_warns() {
    let fictional = to_e164("+1 617 111 0123", None).unwrap();
    assert!(!fictional.is_valid());
    assert!(to_e164("+1 617 253 1000", None).unwrap().is_valid());
}

#[test]
fn a_masked_number_hides_its_middle() {
    let masked = |text: &str| to_e164(text, None).unwrap().masked();
    assert_eq!(masked("+16175550123"), "+1 617 … 0123");
    assert_eq!(masked("+447700900456"), "+44 770 … 0456");
    assert_eq!(masked("+4531234567"), "+45 31 … 567");
    assert_eq!(
        format!("{:?}", to_e164("+16175550123", None).unwrap()),
        "+1 617 … 0123"
    );
}

#[test]
fn a_number_knows_its_country() {
    let country = |text: &str| {
        to_e164(text, None)
            .unwrap()
            .country()
            .map(|c| c.to_string())
    };
    assert_eq!(country("+447700900456").as_deref(), Some("GB"));
    assert_eq!(country("+16045550123").as_deref(), Some("CA"));
    assert_eq!(country("+2348099915238").as_deref(), Some("NG"));
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,70}") {
        let _ = to_e164(&text, CountryCode::parse("US").ok());
        let _ = to_e164(&text, None);
        let _ = country_from_text(&text);
        if let Some(number) = Phone::from_stored(&text) {
            let _ = (number.masked(), number.country(), number.grouped());
        }
    }

    /// A valid national number with more digits behind reaches nobody in another country.
    #[test]
    fn more_digits_never_lead_abroad(more in "[0-9]{1,4}", at in 0..1000_usize) {
        let countries = CountryCode::all();
        let country = countries[at % countries.len()];
        let example = country.region().map(|r| PHONE_NUMBER_UTIL.get_example_number(r));
        if let Some(Ok(example)) = example {
            let typed = example.format_as(PhoneNumberFormat::National).into_owned();
            let own = to_e164(&typed, Some(country));
            prop_assume!(own.as_ref().is_ok_and(Phone::is_valid));
            if let Ok(read) = to_e164(&format!("{typed}{more}"), Some(country)) {
                let code = |n: &Phone| n.number().map(|n| n.country_code);
                prop_assert_eq!(code(&read), code(&own.unwrap()), "{}{} in {}", typed, more, country);
            }
        }
    }

    #[test]
    fn what_is_accepted_reads_as_itself_again(
        text in "[+]?[0-9]{5,16}",
        country in proptest::sample::select(CountryCode::all()),
    ) {
        if let Ok(number) = to_e164(&text, Some(country)) {
            prop_assert_eq!(to_e164(number.as_str(), None), Ok(number.clone()));
            prop_assert_eq!(to_e164(number.as_str(), Some(country)), Ok(number.clone()));
            prop_assert!(!number.masked().contains(&number.as_str()[2..]));
        }
    }
}
