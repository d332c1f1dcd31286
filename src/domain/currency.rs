//! The currencies of ISO 4217, with their places and symbols.

use std::fmt;
use std::str::FromStr;

/// A currency of ISO 4217.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency(iso_currency::Currency);

/// A text that is no currency code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a currency code; type three letters such as USD, EUR or INR")]
pub struct UnknownCurrency;

impl Currency {
    /// Reads a three-letter code in any case.
    pub fn parse(code: &str) -> Result<Self, UnknownCurrency> {
        let code = code.trim();
        if code.len() != 3 {
            return Err(UnknownCurrency);
        }
        iso_currency::Currency::from_code(&code.to_ascii_uppercase())
            .map(Self)
            .ok_or(UnknownCurrency)
    }

    /// The code, upper case.
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// Decimal places in use: 2 for USD, 0 for JPY, 3 for KWD.
    pub fn places(self) -> u32 {
        self.0.exponent().map_or(2, u32::from)
    }

    /// The symbol, where it names this currency alone and costs nothing in an SMS: other dollars
    /// share `$`, and `₹` would turn the whole message to UCS-2.
    pub fn plain_symbol(self) -> Option<&'static str> {
        match self.code() {
            "USD" => Some("$"),
            "EUR" => Some("€"),
            "GBP" => Some("£"),
            "JPY" => Some("¥"),
            _ => None,
        }
    }

    /// The usual symbol, whatever it costs; the code where there is none.
    pub fn symbol(self) -> String {
        let symbol = self.0.symbol().symbol;
        if symbol.is_empty() {
            self.code().to_owned()
        } else {
            symbol
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl FromStr for Currency {
    type Err = UnknownCurrency;

    fn from_str(code: &str) -> Result<Self, UnknownCurrency> {
        Self::parse(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_codes_of_iso_4217_are_currencies() {
        assert_eq!(Currency::parse(" eur ").map(Currency::code), Ok("EUR"));
        assert_eq!(Currency::parse("EURO"), Err(UnknownCurrency));
        assert_eq!(Currency::parse("€€"), Err(UnknownCurrency));
        assert_eq!(Currency::parse("QQQ"), Err(UnknownCurrency));
    }
}
