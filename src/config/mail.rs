//! The service's own mail: links, invitations and notices.

use lettre::message::Mailbox;
use percent_encoding::percent_decode_str;
use secrecy::SecretString;
use url::{Host, Url};

use super::reader::{self, Reader};

/// How mail leaves.
#[derive(Debug, Clone)]
pub struct MailConfig {
    /// `SMTP_URL`: `smtps://user:password@host`, or `smtp://…`, which begins in the open and must
    /// then be able to STARTTLS, except on this machine. Default: none; pages that need mail say so.
    pub smtp: Option<SmtpConfig>,
    /// `MAIL_FROM`: who e-mails are from. Default: the user of `SMTP_URL`, where that is an address.
    pub from: Option<Mailbox>,
}

/// The server that takes our e-mails.
#[derive(Debug, Clone)]
pub struct SmtpConfig {
    pub host: String,
    pub port: u16,
    pub tls: SmtpTls,
    pub credentials: Option<(String, SecretString)>,
}

/// How the connection is kept private.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpTls {
    /// From the first byte.
    Wrapped,
    /// After a greeting in the open; nothing is sent to a server that cannot.
    StartTls,
    /// Not at all: the server is on this machine.
    None,
}

impl MailConfig {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let write = "write smtps://user:password@mail.example.com, or leave it out";
        let smtp = reader.parsed("SMTP_URL", write, SmtpConfig::parse);
        let write = "write Company <sms@example.com>";
        let from = reader.parsed("MAIL_FROM", write, |text| {
            text.parse::<Mailbox>()
                .map_err(|_| "is not an e-mail address".to_owned())
        });
        let user = smtp.as_ref().and_then(SmtpConfig::user_address);
        if smtp.is_some() && from.is_none() && user.is_none() && !reader.has_mistake("MAIL_FROM") {
            let wrong = "is not set, and the user of SMTP_URL is not an e-mail address";
            reader.wrong("MAIL_FROM", wrong, write);
        }
        Self {
            smtp,
            from: from.or(user),
        }
    }
}

impl SmtpConfig {
    fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|e| format!("is not an address ({e})"))?;
        let host = match url.host() {
            Some(Host::Domain(name)) => name.to_owned(),
            Some(Host::Ipv4(ip)) => ip.to_string(),
            Some(Host::Ipv6(ip)) => ip.to_string(),
            None => return Err("names no server".to_owned()),
        };
        let (tls, port) = match url.scheme() {
            "smtps" => (SmtpTls::Wrapped, 465),
            // Other schemes than the web's leave an address of four numbers a name.
            "smtp" if is_this_machine(&host) || reader::is_loopback(&url) => (SmtpTls::None, 25),
            "smtp" => (SmtpTls::StartTls, 587),
            _ => return Err("begins neither with smtp:// nor with smtps://".to_owned()),
        };
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err("goes on after the host".to_owned());
        }
        Ok(Self {
            host,
            port: url.port().unwrap_or(port),
            tls,
            credentials: credentials(&url)?,
        })
    }

    fn user_address(&self) -> Option<Mailbox> {
        self.credentials.as_ref()?.0.parse().ok()
    }
}

fn is_this_machine(host: &str) -> bool {
    host.parse::<std::net::IpAddr>()
        .is_ok_and(|ip| ip.to_canonical().is_loopback())
}

/// User and password, which bear `@`, `:` and `/` written as `%40`, `%3A` and `%2F`.
fn credentials(url: &Url) -> Result<Option<(String, SecretString)>, String> {
    let decode = |text: &str| {
        let decoded = percent_decode_str(text).decode_utf8();
        decoded
            .map(std::borrow::Cow::into_owned)
            .map_err(|_| "is not UTF-8".to_owned())
    };
    match (url.username(), url.password()) {
        ("", None) => Ok(None),
        (user, Some(password)) if !user.is_empty() => {
            Ok(Some((decode(user)?, SecretString::from(decode(password)?))))
        }
        _ => Err("has a user or a password, but not both".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::super::tests::{mistake, parse};
    use super::*;

    fn smtp(url: &str) -> SmtpConfig {
        let set = [("SMTP_URL", url), ("MAIL_FROM", "sms@example.com")];
        parse(&set).unwrap().mail.smtp.unwrap()
    }

    #[test]
    fn mail_is_optional_and_goes_over_smtp() {
        assert!(parse(&[]).unwrap().mail.smtp.is_none());
        let smtp = smtp("smtps://me%40example.com:h%2Fush@mail.example.com");
        assert_eq!(
            (smtp.host.as_str(), smtp.port, smtp.tls),
            ("mail.example.com", 465, SmtpTls::Wrapped)
        );
        let (user, password) = smtp.credentials.unwrap();
        assert_eq!(
            (user.as_str(), password.expose_secret()),
            ("me@example.com", "h/ush")
        );
    }

    #[test]
    fn only_this_machine_is_spoken_to_in_the_open() {
        let way = |url: &str| (smtp(url).tls, smtp(url).port);
        assert_eq!(way("smtp://mail.example.com"), (SmtpTls::StartTls, 587));
        assert_eq!(way("smtp://10.0.0.8:2525"), (SmtpTls::StartTls, 2525));
        assert_eq!(way("smtp://localhost"), (SmtpTls::None, 25));
        assert_eq!(way("smtp://127.0.0.1:1025"), (SmtpTls::None, 1025));
        assert_eq!(way("smtp://[::1]:1025"), (SmtpTls::None, 1025));
    }

    #[test]
    fn mails_are_from_somebody() {
        let from = |set: &[(&str, &str)]| parse(set).unwrap().mail.from.unwrap().to_string();
        assert_eq!(
            from(&[("SMTP_URL", "smtps://me%40example.com:hush@mail")]),
            "me@example.com"
        );
        let both = [
            ("SMTP_URL", "smtps://me:hush@mail"),
            ("MAIL_FROM", "Connector <sms@example.com>"),
        ];
        assert_eq!(from(&both), "Connector <sms@example.com>");
        assert_eq!(
            mistake(&[("SMTP_URL", "smtps://me:hush@mail")]).variable,
            "MAIL_FROM"
        );
        assert_eq!(mistake(&[("MAIL_FROM", "nobody")]).variable, "MAIL_FROM");
    }

    #[test]
    fn what_is_no_smtp_address_is_refused() {
        for url in [
            "mail.example.com:25",
            "https://mail.example.com",
            "smtp://me@mail.example.com",
            "smtps://me:hush@mail.example.com/inbox",
            "smtps://me:hush@mail.example.com?tls=no",
        ] {
            let set = [("SMTP_URL", url), ("MAIL_FROM", "sms@example.com")];
            assert_eq!(mistake(&set).variable, "SMTP_URL", "{url}");
        }
    }
}
