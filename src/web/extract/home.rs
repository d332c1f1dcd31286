//! Where somebody seems to be at home, by the languages that their browser asks for.
//!
//! Only ever a proposal: pages show it in a field, to be changed. A script of the page knows more and
//! overrides it.

use actix_web::HttpRequest;
use actix_web::http::header::ACCEPT_LANGUAGE;

use crate::domain::phone::CountryCode;

/// The country of the language that the browser likes best; none when it names none that we know.
pub fn country_of(request: &HttpRequest) -> Option<CountryCode> {
    let wanted = request.headers().get(ACCEPT_LANGUAGE)?.to_str().ok()?;
    country_in(wanted)
}

/// `de-AT,de;q=0.9,en-US;q=0.8` is Austria, and so is `de,de-AT;q=0.9`; `de,en-US;q=0.8` is none, since
/// German is not spoken in the United States by whoever likes it best.
fn country_in(wanted: &str) -> Option<CountryCode> {
    let mut ranges: Vec<(&str, f32)> = wanted.split(',').filter_map(range).collect();
    // Stable: of equal weights the first stays first.
    ranges.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    let language = language(ranges.first()?.0);
    let same = |tag: &&str| self::language(tag).eq_ignore_ascii_case(language);
    let mut tags = ranges.iter().map(|(tag, _)| *tag).filter(same);
    tags.find_map(region)
}

/// A tag and its weight. What is malformed counts as not said.
fn range(text: &str) -> Option<(&str, f32)> {
    let mut parts = text.split(';').map(str::trim);
    let tag = parts.next().filter(|tag| is_language(language(tag)))?;
    let weight = match parts.next() {
        None => 1.0,
        Some(weight) => weight.strip_prefix("q=")?.parse().ok()?,
    };
    (weight > 0.0 && weight <= 1.0).then_some((tag, weight))
}

fn language(tag: &str) -> &str {
    tag.split('-').next().unwrap_or_default()
}

fn is_language(text: &str) -> bool {
    (2..=8).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphabetic())
}

/// The two letters after language and script. What follows a single letter is an extension.
fn region(tag: &str) -> Option<CountryCode> {
    let mut subtags = tag.split('-').skip(1).take_while(|s| s.len() > 1);
    CountryCode::parse(subtags.find(|s| s.len() == 2)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn country(wanted: &str) -> Option<String> {
        country_in(wanted).map(|c| c.to_string())
    }

    #[test]
    fn the_language_that_is_liked_best_names_the_country() {
        for (wanted, named) in [
            ("de-AT,de;q=0.9,en-US;q=0.8", "AT"),
            ("en-us;q=0.5, en-gb", "GB"),
            ("fr,fr-CH;q=0.9,de-DE;q=0.8", "CH"),
            ("zh-Hant-TW", "TW"),
            ("EN-IN , *;q=0.1", "IN"),
            ("de-DE-u-co-phonebk", "DE"),
            ("pt-BR;q=1.0,pt-PT;q=1.0", "BR"),
            ("*,fr-BE;q=0.5", "BE"),
            ("??,en-NZ;q=0.x,en-IE;q=0.5", "IE"),
        ] {
            assert_eq!(country(wanted).as_deref(), Some(named), "{wanted}");
        }
    }

    #[test]
    fn what_names_no_country_or_makes_no_sense_is_none() {
        for wanted in [
            "",
            ",",
            ";q=1",
            "*",
            "de",
            "de,en-US;q=0.7",
            "es-419",
            "en-ZZ",
            "en-u-rg-gbzzzz",
            "en-GB;q=0",
            "en-GB;q=NaN",
            "en-GB;q=inf",
            "en-GB;q=2",
            "en-GB;q=",
            "en-GB;level=1",
            "-GB-",
            "en--GB",
            "en-G\u{df}",
            "<script>-US",
            "\u{1F1EC}\u{1F1E7}",
        ] {
            assert_eq!(country(wanted), None, "{wanted}");
        }
    }
}
