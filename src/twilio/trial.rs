//! Twilio asked whether credentials and a sender are good: before they are kept, and when a person
//! checks them. Nothing is sent, nothing is stored, and no transaction waits for it.

use std::time::Duration;

use super::credentials::{Account, MessagingServiceSid, User};
use super::error::{CallError, CallFailure};
use super::figures::balance_words;
use super::login::{API_KEY_SECRET, AUTH_TOKEN};
use super::messages;
use super::senders::SenderStanding;
use super::{AccountReport, Twilio};
use crate::domain::account_figures::Sum;
use crate::domain::rule::Sender;
use crate::transport::{CallTime, Examined, Problem, Trial};

/// For all questions together.
const TRIAL: Duration = Duration::from_secs(10);

/// For an examination, which nobody waits for at a page.
const EXAMINATION: Duration = Duration::from_secs(15);

impl Twilio {
    /// Tries the credentials, and whether `sender` is the account's. `logins` are an API key, an Auth
    /// Token or both; the first is what messages are sent with.
    pub(super) async fn try_logins(&self, logins: &[Account], sender: Option<&Sender>) -> Trial {
        let asked = tokio::time::timeout(TRIAL, self.ask(logins, sender)).await;
        asked.unwrap_or_else(|_| {
            let seconds = TRIAL.as_secs();
            Trial::Unasked(format!("Twilio did not answer within {seconds} seconds"))
        })
    }

    async fn ask(&self, logins: &[Account], sender: Option<&Sender>) -> Trial {
        let mut first = None;
        for login in logins {
            match self.test(login, CallTime::of(TRIAL)).await {
                Ok(report) if report.is_usable() => {
                    first.get_or_insert((login, report));
                }
                Ok(_) => {
                    let why = "Twilio knows this account, but it is suspended or closed; open \
                               Twilio's Console to see why";
                    return Trial::Refused(Problem::new("account_sid", why));
                }
                Err(error) => {
                    return match error.kind {
                        CallFailure::Credentials(refusal) => refused(login, refusal.code),
                        _ => unasked(&error),
                    };
                }
            }
        }
        let Some((login, report)) = first else {
            return Trial::Unasked("there is nothing to sign in with".to_owned());
        };
        let standing = match sender {
            Some(sender) => match self.standing_of(login, &report, sender, TRIAL).await {
                Ok(standing) => Some((sender, standing)),
                Err(error) => return unasked(&error),
            },
            None => None,
        };
        let mut remark = None;
        if let Some((sender, standing)) = standing {
            if let Some(problem) = sender_problem(sender, standing) {
                return Trial::NotTheirs(problem);
            }
            remark = sender_remark(sender, standing);
        }
        Trial::Good(good(report, remark, self.balance(login).await.as_ref()))
    }

    /// What is wrong with a rule's own sender, where Twilio knows it within a moment. When it cannot be
    /// asked nothing is said: the rule is kept, and its first message tells.
    pub(super) async fn refused_sender(&self, login: &Account, sender: &Sender) -> Option<Problem> {
        /// A rule is edited more often than an account, and need not wait as long.
        const MOMENT: Duration = Duration::from_secs(4);
        let asked = tokio::time::timeout(MOMENT, async {
            let report = self.test(login, CallTime::of(MOMENT)).await?;
            self.standing_of(login, &report, sender, MOMENT).await
        });
        let standing = asked.await.ok()?.ok()?;
        sender_problem(sender, standing)
    }

    /// How the account stands, for whoever runs this service.
    pub(super) async fn examine_account(&self, account: &Account) -> Examined {
        let tested = self.test(account, CallTime::of(EXAMINATION)).await;
        let date = match &tested {
            Ok(report) => report.date,
            Err(error) => error.date,
        };
        let verdict = match tested {
            Ok(report) if report.is_usable() => {
                let mut says = "Twilio accepts the credentials.".to_owned();
                for warning in &report.warnings {
                    says.push(' ');
                    says.push_str(warning.sentence());
                }
                Ok(says)
            }
            Ok(_) => Err((
                "The account is suspended or closed.".to_owned(),
                "Open the Twilio Console to see why.",
            )),
            Err(error) if matches!(error.kind, CallFailure::Credentials(_)) => Err((
                "Twilio refuses the credentials.".to_owned(),
                "Copy the Account SID and the Auth Token, or the API key and its secret, from the \
                 Twilio Console again.",
            )),
            Err(error) => Err((
                format!("Twilio could not be asked: {error}."),
                "See that this machine reaches api.twilio.com, then check again.",
            )),
        };
        Examined { verdict, date }
    }

    async fn standing_of(
        &self,
        login: &Account,
        report: &AccountReport,
        sender: &Sender,
        time: Duration,
    ) -> Result<SenderStanding, CallError> {
        let time = CallTime::of(time);
        match sender {
            Sender::From(from) => {
                let sender = messages::Sender::From(from);
                self.standing(login, report, sender, time).await
            }
            Sender::MessagingService(sid) => match MessagingServiceSid::parse(sid) {
                Ok(sid) => {
                    let sender = messages::Sender::MessagingService(&sid);
                    self.standing(login, report, sender, time).await
                }
                Err(_) => Ok(SenderStanding::Foreign),
            },
        }
    }
}

fn unasked(error: &CallError) -> Trial {
    Trial::Unasked(format!("Twilio could not be asked: {error}"))
}

/// At the secret, since a SID is seldom mistyped and still well formed.
fn refused(login: &Account, code: Option<i32>) -> Trial {
    let test_only = code == Some(20008);
    let (field, why) = match (&login.user, test_only) {
        (_, true) => (
            AUTH_TOKEN,
            "these are Twilio's test credentials, which send nothing; take the live ones from \
             Twilio's Console",
        ),
        (User::AuthToken, _) => (
            AUTH_TOKEN,
            "Twilio refuses this Auth Token for this Account SID; copy both again from the first \
             page of Twilio's Console",
        ),
        (User::ApiKey(_), _) => (
            API_KEY_SECRET,
            "Twilio refuses this API key for this Account SID; copy the key's SID and secret again, \
             or allow a restricted key to read messages",
        ),
    };
    let code = code.map_or_else(String::new, |code| format!(" (code {code})"));
    Trial::Refused(Problem::new(field, format!("{why}{code}")))
}

fn sender_problem(sender: &Sender, standing: SenderStanding) -> Option<Problem> {
    let (field, name) = match sender {
        Sender::From(from) => ("from", from),
        Sender::MessagingService(sid) => ("messaging_service_sid", sid),
    };
    let why = match (standing, sender) {
        (SenderStanding::Foreign, Sender::From(_)) => format!(
            "this Twilio account has no number {name}; type one of its own, as its Console lists \
             them under Phone Numbers, or the SID of a Messaging Service"
        ),
        (SenderStanding::Foreign, Sender::MessagingService(_)) => format!(
            "this Twilio account has no Messaging Service {name}; copy the SID again from its \
             Console, or type a number to send from"
        ),
        (SenderStanding::Mute, _) => {
            format!("Twilio says that {name} cannot send SMS; type another number of the account")
        }
        _ => return None,
    };
    Some(Problem::new(field, why))
}

/// What nobody could find out about the sender.
fn sender_remark(sender: &Sender, standing: SenderStanding) -> Option<String> {
    let (Sender::From(name) | Sender::MessagingService(name)) = sender;
    match standing {
        SenderStanding::Name => Some(format!(
            "Twilio lists no sender names, so the first message shows whether {name} may be used"
        )),
        SenderStanding::Hidden => Some(format!(
            "this credential may not list the account's senders, so the first message shows whether \
             {name} is one of them"
        )),
        SenderStanding::Lent => Some(format!(
            "this trial account does not list {name}, as may be with a number that Twilio lent; the \
             first message shows it"
        )),
        SenderStanding::Owned | SenderStanding::Foreign | SenderStanding::Mute => None,
    }
}

fn good(report: AccountReport, remark: Option<String>, balance: Option<&Sum>) -> String {
    let mut words = vec!["Twilio accepts these credentials".to_owned()];
    words.extend(
        report
            .friendly_name
            .map(|n| format!("the account is called “{n}”")),
    );
    let warnings = report.warnings.iter().map(|w| w.sentence());
    words.extend(warnings.map(|w| w.trim_end_matches('.').to_owned()));
    words.extend(remark);
    words.extend(balance.map(balance_words));
    format!("{}.", words.join("; "))
}
