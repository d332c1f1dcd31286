//! The service's own e-mails, over SMTP. Nothing here knows what they are about.
//!
//! An e-mail may arrive twice when a server takes it and the line breaks before it says so; both then
//! bear the same `Message-ID`, by which readers fold them.

mod layout;
mod sender_test;
pub mod untrusted;

use std::error::Error as _;
use std::time::Duration;

use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::transport::smtp::{Error as SmtpError, PoolConfig};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use secrecy::ExposeSecret as _;
use tokio::time::timeout;

use crate::config::mail::{MailConfig, SmtpConfig, SmtpTls};
use crate::redact::Secrets;

pub use layout::Outgoing;
pub use sender_test::sender_test;

/// How long a server may take for one answer.
const ANSWER: Duration = Duration::from_secs(15);

/// How long handing over one letter may take in all; shorter than its lease.
pub const HANDING_OVER: Duration = Duration::from_mins(1);

/// Codes by which a server refuses *us*, not the e-mail: the operator has to mend the set-up, and the
/// e-mail can wait for that.
const REFUSES_US: [u16; 4] = [530, 534, 535, 538];

/// Hands e-mails over.
#[derive(Debug, Clone)]
pub struct Mailer {
    way: Way,
}

#[derive(Debug, Clone)]
enum Way {
    Smtp {
        transport: AsyncSmtpTransport<Tokio1Executor>,
        from: Mailbox,
        host: String,
        /// What a server may echo of how we sign in.
        secrets: Secrets,
    },
    /// To the log, links included: nobody but the operator's own machine reaches them.
    Log,
    Nowhere,
}

/// Why an e-mail has not left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotSent {
    /// It may go better later.
    Temporary(String),
    /// This e-mail never will.
    Permanent(String),
}

/// The set-up cannot work.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    #[error("TLS to the mail server cannot be set up")]
    Tls(#[source] SmtpError),
    #[error("e-mails have no sender; set MAIL_FROM")]
    NoSender,
}

impl Mailer {
    /// Prepares the way over SMTP, if there is one; the server need not answer yet. Otherwise e-mails
    /// are shown in the log where `may_log` says that only this machine reaches us.
    pub fn new(config: &MailConfig, may_log: bool) -> Result<Self, MailError> {
        let way = match &config.smtp {
            Some(smtp) => Way::Smtp {
                transport: transport(smtp)?,
                from: config.from.clone().ok_or(MailError::NoSender)?,
                host: smtp.host.clone(),
                secrets: smtp.credentials.as_ref().map_or_else(
                    Secrets::default,
                    |(user, password)| {
                        Secrets::default().with_plain(user, password.expose_secret())
                    },
                ),
            },
            None if may_log => Way::Log,
            None => Way::Nowhere,
        };
        Ok(Self { way })
    }

    /// Shows e-mails in the log.
    pub const fn to_log() -> Self {
        Self { way: Way::Log }
    }

    /// Whether e-mails reach anybody.
    pub const fn can_send(&self) -> bool {
        !matches!(self.way, Way::Nowhere)
    }

    /// Whether e-mails only reach the log.
    pub const fn is_log(&self) -> bool {
        matches!(self.way, Way::Log)
    }

    /// The server's name, where there is one.
    pub const fn host(&self) -> Option<&str> {
        match &self.way {
            Way::Smtp { host, .. } => Some(host.as_str()),
            Way::Log | Way::Nowhere => None,
        }
    }

    /// Hands an e-mail over; `Ok` means that the server has taken responsibility for it.
    pub async fn send(&self, mail: &Outgoing<'_>) -> Result<(), NotSent> {
        match &self.way {
            Way::Smtp {
                transport,
                from,
                secrets,
                ..
            } => {
                let message = mail.message(from)?;
                match timeout(HANDING_OVER, transport.send(message)).await {
                    Ok(Ok(_)) => Ok(()),
                    Ok(Err(error)) => Err(not_sent(&error, secrets)),
                    Err(_) => Err(NotSent::Temporary("the server took too long".to_owned())),
                }
            }
            Way::Log => {
                show(mail);
                Ok(())
            }
            Way::Nowhere => Err(NotSent::Temporary("SMTP_URL is not set".to_owned())),
        }
    }

    /// Connects, greets, secures the line and signs in; what is wrong, in words.
    pub async fn probe(&self) -> Result<(), String> {
        let Way::Smtp {
            transport, secrets, ..
        } = &self.way
        else {
            return Ok(());
        };
        match timeout(ANSWER * 2, transport.test_connection()).await {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false)) => Err("it hung up".to_owned()),
            Ok(Err(error)) => Err(words(&error, secrets)),
            Err(_) => Err("it took too long".to_owned()),
        }
    }
}

fn transport(smtp: &SmtpConfig) -> Result<AsyncSmtpTransport<Tokio1Executor>, MailError> {
    let tls = || TlsParameters::new(smtp.host.clone()).map_err(MailError::Tls);
    let tls = match smtp.tls {
        SmtpTls::Wrapped => Tls::Wrapper(tls()?),
        SmtpTls::StartTls => Tls::Required(tls()?),
        SmtpTls::None => Tls::None,
    };
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&smtp.host)
        .port(smtp.port)
        .tls(tls)
        .timeout(Some(ANSWER))
        .pool_config(PoolConfig::new().max_size(4));
    if let Some((user, password)) = &smtp.credentials {
        let password = password.expose_secret().to_owned();
        builder = builder.credentials(Credentials::new(user.clone(), password));
    }
    Ok(builder.build())
}

/// A refusal of this e-mail is final; everything else, a lost line above all, may go better later.
fn not_sent(error: &SmtpError, secrets: &Secrets) -> NotSent {
    let refuses_us = error
        .status()
        .is_some_and(|code| REFUSES_US.contains(&u16::from(code)));
    if error.is_permanent() && !refuses_us {
        NotSent::Permanent(words(error, secrets))
    } else {
        NotSent::Temporary(words(error, secrets))
    }
}

/// An error with its causes, without what it echoes of how we signed in.
fn words(error: &SmtpError, secrets: &Secrets) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(deeper) = cause {
        let more = deeper.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = deeper.source();
    }
    let text = secrets.clean_text(&text);
    text.chars().filter(|c| !c.is_control()).take(400).collect()
}

/// The one case in which an e-mail, and so a link that is a credential, may stand in a log.
fn show(mail: &Outgoing<'_>) {
    tracing::warn!(
        "THIS LETTER WAS NOT MAILED BUT IS SHOWN HERE, WITH ITS LINKS, since SMTP_URL is not set and \
         only this machine reaches the service.\nTo: {}\nSubject: {}\n\n{}\n",
        mail.to,
        mail.subject,
        mail.text.trim_end(),
    );
}
