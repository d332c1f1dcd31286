//! Phone numbers on a page: whole where they are needed, shortened where they only identify.

use maud::{Markup, html};

/// "+1617 … 0123": enough to know the person by, too little to copy.
pub fn short(number: &str) -> String {
    let digits: Vec<char> = number.chars().collect();
    if digits.len() < 10 {
        return number.to_owned();
    }
    let head: String = digits[..5].iter().collect();
    let tail: String = digits[digits.len() - 4..].iter().collect();
    format!("{head} \u{2026} {tail}")
}

/// The whole number, in the type of numbers to call.
pub fn whole(number: &str) -> Markup {
    html! { span class="mono nowrap" { (number) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_number_hides_its_middle() {
        assert_eq!(short("+16175550123"), "+1617 \u{2026} 0123");
        assert_eq!(short("+4930"), "+4930");
    }
}
