//! Zoho: the OAuth client of this instance, and the sandbox in its place.

use secrecy::SecretString;
use url::Url;

use super::reader::Reader;

/// How Zoho Books is reached.
#[derive(Debug, Clone)]
pub struct ZohoConfig {
    /// `ZOHO_CLIENT_ID` and `ZOHO_CLIENT_SECRET`, from <https://api-console.zoho.com>. Default:
    /// none; webhooks work, but nobody can connect the API.
    pub client: Option<ZohoClientConfig>,
    /// `ZOHO_SANDBOX_URL`: replaces every Zoho host. Default: none. Loopback, unless
    /// `ALLOW_SANDBOX=1`.
    pub sandbox: Option<Url>,
}

/// The OAuth client of this instance.
#[derive(Debug, Clone)]
pub struct ZohoClientConfig {
    /// `ZOHO_CLIENT_ID`, like `1000.ABC…`.
    pub id: String,
    /// `ZOHO_CLIENT_SECRET`.
    pub secret: SecretString,
}

impl ZohoConfig {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let client = match (
            reader.text("ZOHO_CLIENT_ID"),
            reader.secret("ZOHO_CLIENT_SECRET"),
        ) {
            (None, None) => None,
            (Some(id), Some(secret)) => Some(ZohoClientConfig { id, secret }),
            (id, _) => {
                let (missing, present) = if id.is_some() {
                    ("ZOHO_CLIENT_SECRET", "ZOHO_CLIENT_ID")
                } else {
                    ("ZOHO_CLIENT_ID", "ZOHO_CLIENT_SECRET")
                };
                reader.wrong(
                    missing,
                    format!("is missing, while {present} is set"),
                    "set both, from the client's page at https://api-console.zoho.com, or neither",
                );
                None
            }
        };
        Self {
            client,
            sandbox: reader.sandbox("ZOHO_SANDBOX_URL"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{mistake, parse};

    #[test]
    fn a_client_is_whole_or_absent() {
        assert!(parse(&[]).unwrap().zoho.client.is_none());
        let both = [("ZOHO_CLIENT_ID", "1000.X"), ("ZOHO_CLIENT_SECRET", "hush")];
        assert_eq!(parse(&both).unwrap().zoho.client.unwrap().id, "1000.X");
        assert_eq!(mistake(&both[..1]).variable, "ZOHO_CLIENT_SECRET");
        assert_eq!(mistake(&both[1..]).variable, "ZOHO_CLIENT_ID");
    }

    #[test]
    fn a_sandbox_elsewhere_must_be_allowed() {
        for local in [
            "http://127.0.0.1:8090",
            "http://localhost:1",
            "http://[::1]:8090",
        ] {
            let config = parse(&[("ZOHO_SANDBOX_URL", local)]).unwrap();
            assert!(config.is_sandboxed() && config.twilio.sandbox.is_none());
        }
        let remote = ("ZOHO_SANDBOX_URL", "http://sandbox.example.com");
        assert_eq!(mistake(&[remote]).wrong, "is not on this machine");
        assert_eq!(
            mistake(&[remote, ("ALLOW_SANDBOX", "0")]).variable,
            "ZOHO_SANDBOX_URL"
        );
        assert!(
            parse(&[remote, ("ALLOW_SANDBOX", "1")])
                .unwrap()
                .zoho
                .sandbox
                .is_some()
        );
        let dressed = ("ZOHO_SANDBOX_URL", "http://127.0.0.1@evil.example/");
        assert_eq!(mistake(&[dressed]).wrong, "holds a user name or password");
    }
}
