//! Texts of several lines that people type, and that others read.

/// Lines without what is not seen: neither control characters nor marks that turn the direction.
///
/// # Errors
///
/// What to type instead.
pub(super) fn lines(typed: &str, longest: usize) -> Result<String, String> {
    let text = typed.replace("\r\n", "\n");
    let lines: Vec<&str> = text.trim().lines().map(str::trim_end).collect();
    let text = lines.join("\n");
    if text.chars().count() > longest {
        return Err(format!("at most {longest} characters"));
    }
    let is_hidden = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    if text.chars().any(is_hidden) {
        return Err("there are characters in it that are not seen; type it anew".to_owned());
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_kept_and_what_is_not_seen_is_refused() {
        assert_eq!(lines(" a \r\n\r\nb ", 10).as_deref(), Ok("a\n\nb"));
        assert!(lines("abcdef", 5).is_err());
        for hidden in ["a\u{202e}b", "a\u{200b}b", "a\u{7}b", "a\tb"] {
            assert!(lines(hidden, 10).is_err(), "{hidden:?}");
        }
    }
}
