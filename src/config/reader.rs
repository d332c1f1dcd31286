//! Reads variables one by one and collects what is wrong with them.

use std::fmt;

use secrecy::SecretString;
use url::{Host, Url};

/// One variable that is wrong. Values are not repeated: some of them are secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    pub variable: &'static str,
    /// What is wrong, to be read after the name: "is not a port".
    pub wrong: String,
    /// What to write instead.
    pub write: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.variable, self.wrong, self.write)
    }
}

/// Everything that is wrong with the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    pub mistakes: Vec<Mistake>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mistakes.len() {
            1 => f.write_str("1 variable is wrong:")?,
            n => write!(f, "{n} variables are wrong:")?,
        }
        for mistake in &self.mistakes {
            write!(f, "\n  {mistake}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// A look-up with a memory for mistakes.
pub(super) struct Reader<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
    mistakes: Vec<Mistake>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(lookup: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self {
            lookup,
            mistakes: Vec::new(),
        }
    }

    pub(super) fn finish<T>(self, value: T) -> Result<T, ConfigError> {
        if self.mistakes.is_empty() {
            Ok(value)
        } else {
            Err(ConfigError {
                mistakes: self.mistakes,
            })
        }
    }

    /// The trimmed text, unless it is empty.
    pub(super) fn text(&self, variable: &'static str) -> Option<String> {
        let text = (self.lookup)(variable)?;
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    pub(super) fn secret(&self, variable: &'static str) -> Option<SecretString> {
        self.text(variable).map(SecretString::from)
    }

    pub(super) fn wrong(
        &mut self,
        variable: &'static str,
        wrong: impl Into<String>,
        write: impl Into<String>,
    ) {
        self.mistakes.push(Mistake {
            variable,
            wrong: wrong.into(),
            write: write.into(),
        });
    }

    /// Whether this variable is wrong already.
    pub(super) fn has_mistake(&self, variable: &str) -> bool {
        self.mistakes.iter().any(|m| m.variable == variable)
    }

    /// The parsed value; a text that does not parse is remembered as a mistake.
    pub(super) fn parsed<T>(
        &mut self,
        variable: &'static str,
        write: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = self.text(variable)?;
        match parse(&text) {
            Ok(value) => Some(value),
            Err(wrong) => {
                self.wrong(variable, wrong, write);
                None
            }
        }
    }

    /// One of a few words.
    pub(super) fn one_of<T: Copy>(
        &mut self,
        variable: &'static str,
        words: &[(&str, T)],
        default: T,
    ) -> T {
        let names: Vec<_> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
        let write = format!("write {}", names.join(" or "));
        self.parsed(variable, &write, |text| {
            let found = words.iter().find(|(word, _)| *word == text);
            found
                .map(|(_, value)| *value)
                .ok_or_else(|| "is not a known word".to_owned())
        })
        .unwrap_or(default)
    }

    /// The base of a sandbox, which stands in for every host of a provider. Whoever can set it
    /// elsewhere would be sent the credentials, so it must be on this machine or be allowed.
    pub(super) fn sandbox(&mut self, variable: &'static str) -> Option<Url> {
        let allowed = self.text("ALLOW_SANDBOX").as_deref() == Some("1");
        self.parsed(
            variable,
            "write the address that `sandbox` prints, like http://127.0.0.1:8090, or set \
             ALLOW_SANDBOX=1 if another machine shall really stand in for the provider",
            |text| {
                let url = bare_url(text)?;
                if is_loopback(&url) || allowed {
                    Ok(url)
                } else {
                    Err("is not on this machine".to_owned())
                }
            },
        )
    }
}

/// An http or https address without a path, query, fragment, name or password.
pub(super) fn bare_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|e| format!("is not an address ({e})"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("does not begin with http:// or https://".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("holds a user name or password".to_owned());
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err("goes on after the host".to_owned());
    }
    Ok(url)
}

/// Whether the host of `url` is this machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => std::net::IpAddr::from(ip).to_canonical().is_loopback(),
        None => false,
    }
}
