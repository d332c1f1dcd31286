//! How a failed command is told: what happened, why, and what to do.

use std::error::Error;
use std::fmt::{self, Write};

/// An error that knows what the reader can do about it.
#[derive(Debug)]
pub struct Advised {
    what: String,
    advice: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl Advised {
    /// `what` happened, as a clause; `advice` as a request.
    pub fn new(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            advice: advice.into(),
            source: None,
        }
    }

    /// Adds the cause.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}

impl fmt::Display for Advised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl Error for Advised {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn Error + 'static))
    }
}

/// The lines to print. Causes that the line above already told in full are left out; of several
/// pieces of advice the innermost knows most.
pub fn text(error: &anyhow::Error) -> String {
    let mut text = format!("error: {error}");
    let mut last = error.to_string();
    for cause in error.chain().skip(1) {
        let told = cause.to_string();
        if !last.ends_with(&told) {
            // Writing to a String cannot fail.
            let _ = write!(text, "\n  because: {}", told.replace('\n', "\n  "));
            last = told;
        }
    }
    let advice = error
        .chain()
        .filter_map(|e| e.downcast_ref::<Advised>())
        .last();
    if let Some(advised) = advice {
        let _ = write!(text, "\n  what to do: {}", advised.advice);
    }
    text
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn a_failure_tells_what_why_and_what_to_do() {
        let io = std::io::Error::other("no space left on device");
        let error = Err::<(), _>(
            Advised::new("the database could not be opened", "free some space").because(io),
        )
        .context("could not start")
        .unwrap_err();
        assert_eq!(
            text(&error),
            "error: could not start\n  because: the database could not be opened\n  \
             because: no space left on device\n  what to do: free some space"
        );
    }

    #[test]
    fn a_cause_is_not_told_twice() {
        let inner = std::io::Error::other("refused");
        let error = anyhow::Error::new(inner).context("could not connect: refused");
        assert_eq!(text(&error), "error: could not connect: refused");
    }

    #[test]
    fn the_innermost_advice_counts() {
        let inner = Advised::new("the key is wrong", "put the right key back");
        let outer = Advised::new("could not start", "read the log").because(inner);
        assert!(text(&outer.into()).ends_with("\n  what to do: put the right key back"));
    }
}
