//! Numbers and e-mail addresses on a page: whole where they are needed, shortened where they only identify.

use maud::{Markup, html};

/// "+1617 … 0123" or "b…@example.com": enough to know the person by, too little to copy.
pub fn short(address: &str) -> String {
    if let Some((local, domain)) = address.rsplit_once('@') {
        let first: String = local.chars().take(1).collect();
        return format!("{first}\u{2026}@{domain}");
    }
    let number = address;
    let digits: Vec<char> = number.chars().collect();
    if digits.len() < 10 {
        return number.to_owned();
    }
    let head: String = digits[..5].iter().collect();
    let tail: String = digits[digits.len() - 4..].iter().collect();
    format!("{head} \u{2026} {tail}")
}

/// The whole address, in the type of numbers to call.
pub fn whole(address: &str) -> Markup {
    let is_number = !address.contains('@');
    html! { span class={ "mono" @if is_number { " nowrap" } } { (address) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_number_hides_its_middle() {
        assert_eq!(short("+16175550123"), "+1617 \u{2026} 0123");
        assert_eq!(short("+4930"), "+4930");
        assert_eq!(short("ben@example.com"), "b\u{2026}@example.com");
    }
}
