//! The service's own mail: invitations and resets.

use secrecy::SecretString;
use url::Url;

use super::reader::Reader;

/// How mail leaves.
#[derive(Debug, Clone)]
pub struct MailConfig {
    /// `SMTP_URL`: `smtps://user:password@host` or `smtp://…`. Default: none; pages that need mail
    /// say so.
    pub smtp_url: Option<SecretString>,
}

impl MailConfig {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let write = "write smtps://user:password@mail.example.com, or leave it out";
        let smtp_url = reader.parsed("SMTP_URL", write, |text| {
            let url = Url::parse(text).map_err(|e| format!("is not an address ({e})"))?;
            if !matches!(url.scheme(), "smtp" | "smtps") || !url.has_host() {
                return Err("begins neither with smtp:// nor with smtps://".to_owned());
            }
            Ok(SecretString::from(text))
        });
        Self { smtp_url }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{mistake, parse};

    #[test]
    fn mail_is_optional_and_goes_over_smtp() {
        assert!(parse(&[]).unwrap().mail.smtp_url.is_none());
        assert!(
            parse(&[("SMTP_URL", "smtps://me:hush@mail")])
                .unwrap()
                .mail
                .smtp_url
                .is_some()
        );
        assert_eq!(
            mistake(&[("SMTP_URL", "mail.example.com:25")]).variable,
            "SMTP_URL"
        );
    }
}
