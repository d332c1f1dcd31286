//! Twilio: only the sandbox in its place, since accounts belong to tenants.

use url::Url;

use super::reader::Reader;

/// How Twilio is reached.
#[derive(Debug, Clone)]
pub struct TwilioConfig {
    /// `TWILIO_SANDBOX_URL`: replaces every Twilio host. Default: none. Loopback, unless
    /// `ALLOW_SANDBOX=1`.
    pub sandbox: Option<Url>,
}

impl TwilioConfig {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            sandbox: reader.sandbox("TWILIO_SANDBOX_URL"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{mistake, parse};

    #[test]
    fn a_sandbox_is_an_address_on_this_machine() {
        let config = parse(&[("TWILIO_SANDBOX_URL", "http://127.0.0.1:8090")]).unwrap();
        assert_eq!(
            config.twilio.sandbox.unwrap().as_str(),
            "http://127.0.0.1:8090/"
        );
        let elsewhere = mistake(&[("TWILIO_SANDBOX_URL", "https://api.twilio.com")]);
        assert_eq!(elsewhere.variable, "TWILIO_SANDBOX_URL");
    }
}
