//! Whether a sender belongs to an account, asked before it is kept.
//!
//! The surprise: not finding a sender proves less than it seems. A trial's lent number may be missing
//! from the list, sender names stand in no list, and a restricted key may be refused it.

use super::account::AccountReport;
use super::error::{CallError, CallFailure};
use super::wire::{NumbersJson, ShortCodesJson};
use super::{Account, CallTime, Sender, Twilio};
use crate::domain::phone::Phone;

/// How a sender stands with an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SenderStanding {
    /// Twilio lists it as the account's.
    Owned,
    /// The account has no such sender.
    Foreign,
    /// The account's number cannot send SMS (its `capabilities`).
    Mute,
    /// Twilio cannot tell: a name, which no list holds.
    Name,
    /// Twilio does not let this credential look.
    Hidden,
    /// A trial account does not list it, which may be so for a number that Twilio lent.
    Lent,
}

impl Twilio {
    /// Asks how a sender stands with an account whose credential was found good in `report`. Sends
    /// nothing; at most one call. An error says nothing about the sender.
    pub async fn standing(
        &self,
        account: &Account,
        report: &AccountReport,
        sender: Sender<'_>,
        time: CallTime,
    ) -> Result<SenderStanding, CallError> {
        let found = match sender {
            Sender::MessagingService(sid) => {
                let url = format!("{}/v1/Services/{sid}", self.messaging());
                match self.fetch(account, &url, time).await {
                    Ok(_) => Ok(SenderStanding::Owned),
                    Err(error) => match error.kind {
                        CallFailure::NotFound(_) => Ok(SenderStanding::Foreign),
                        _ => Err(error),
                    },
                }
            }
            // A name may begin with a plus, too.
            Sender::From(number) if Phone::from_stored(number).is_some() => {
                self.standing_of_number(account, number, time).await
            }
            Sender::From(code) if code.bytes().all(|b| b.is_ascii_digit()) => {
                self.standing_of_short_code(account, code, time).await
            }
            Sender::From(_) => return Ok(SenderStanding::Name),
        };
        match found {
            Ok(SenderStanding::Foreign) if report.is_trial() => Ok(SenderStanding::Lent),
            Ok(standing) => Ok(standing),
            Err(error) => match error.kind {
                CallFailure::Credentials(_) | CallFailure::NotFound(_) => {
                    Ok(SenderStanding::Hidden)
                }
                _ => Err(error),
            },
        }
    }

    /// `IncomingPhoneNumber` of Twilio's spec; its filter also finds parts, so we compare whole.
    async fn standing_of_number(
        &self,
        account: &Account,
        number: &str,
        time: CallTime,
    ) -> Result<SenderStanding, CallError> {
        let digits = number.trim_start_matches('+');
        let below = format!("/IncomingPhoneNumbers.json?PhoneNumber=%2B{digits}&PageSize=50");
        let url = self.account_url(account, &below);
        let list: NumbersJson = self.list_of(account, &url, time).await?;
        let found = list
            .incoming_phone_numbers
            .into_iter()
            .find(|one| one.phone_number.as_deref() == Some(number));
        Ok(match found {
            None => SenderStanding::Foreign,
            Some(one) if one.capabilities.is_some_and(|c| c.sms == Some(false)) => {
                SenderStanding::Mute
            }
            Some(_) => SenderStanding::Owned,
        })
    }

    /// `ShortCode` of Twilio's spec.
    async fn standing_of_short_code(
        &self,
        account: &Account,
        code: &str,
        time: CallTime,
    ) -> Result<SenderStanding, CallError> {
        let below = format!("/SMS/ShortCodes.json?ShortCode={code}&PageSize=50");
        let url = self.account_url(account, &below);
        let list: ShortCodesJson = self.list_of(account, &url, time).await?;
        let is_listed = list
            .short_codes
            .iter()
            .any(|one| one.short_code.as_deref() == Some(code));
        Ok(if is_listed {
            SenderStanding::Owned
        } else {
            SenderStanding::Foreign
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::account::AccountStatus;
    use super::super::credentials::MessagingServiceSid;
    use super::super::test_server::{Reply, TestServer, account, soon};
    use super::*;
    use crate::twilio::account::AccountWarning;

    const NUMBER: Sender<'_> = Sender::From("+15017122661");

    fn report(warnings: Vec<AccountWarning>) -> AccountReport {
        AccountReport {
            status: AccountStatus::Active,
            friendly_name: None,
            warnings,
            date: None,
        }
    }

    async fn standing(
        reply: Reply,
        sender: Sender<'_>,
        warnings: Vec<AccountWarning>,
    ) -> (Result<SenderStanding, CallError>, Vec<String>) {
        let server = TestServer::start(vec![reply]).await;
        let twilio = server.twilio();
        let (account, report) = (account(), report(warnings));
        let found = twilio.standing(&account, &report, sender, soon()).await;
        (found, server.requests())
    }

    fn numbers(number: &str, sms: &str) -> Reply {
        Reply::json(
            200,
            &format!(
                r#"{{"incoming_phone_numbers":[{{"phone_number":"{number}",
                    "capabilities":{{"voice":true,"sms":{sms}}}}}]}}"#
            ),
        )
    }

    #[tokio::test]
    async fn a_number_is_the_accounts_when_it_is_listed_whole() {
        let (found, asked) = standing(numbers("+15017122661", "true"), NUMBER, vec![]).await;
        assert_eq!(found.unwrap(), SenderStanding::Owned);
        assert!(asked[0].contains("/IncomingPhoneNumbers.json?PhoneNumber=%2B15017122661&"));
        let (part, _) = standing(numbers("+150171226615", "true"), NUMBER, vec![]).await;
        assert_eq!(part.unwrap(), SenderStanding::Foreign);
        let (mute, _) = standing(numbers("+15017122661", "false"), NUMBER, vec![]).await;
        assert_eq!(mute.unwrap(), SenderStanding::Mute);
    }

    #[tokio::test]
    async fn what_twilio_does_not_show_is_not_called_foreign() {
        let none = || Reply::json(200, r#"{"incoming_phone_numbers":[]}"#);
        let (trial, _) = standing(none(), NUMBER, vec![AccountWarning::Trial]).await;
        assert_eq!(trial.unwrap(), SenderStanding::Lent);
        let refused = Reply::json(403, r#"{"code":20403,"message":"Forbidden","status":403}"#);
        let (hidden, _) = standing(refused, NUMBER, vec![]).await;
        assert_eq!(hidden.unwrap(), SenderStanding::Hidden);
        let (name, asked) = standing(none(), Sender::From("ACME"), vec![]).await;
        assert_eq!(name.unwrap(), SenderStanding::Name);
        assert!(asked.is_empty(), "no list holds names");
        let (name, asked) = standing(none(), Sender::From("+A&B"), vec![]).await;
        assert_eq!(name.unwrap(), SenderStanding::Name);
        assert!(asked.is_empty(), "nor what is no number");
        let (down, _) = standing(Reply::DropAfter, NUMBER, vec![]).await;
        assert!(down.is_err(), "an outage says nothing");
    }

    #[tokio::test]
    async fn short_codes_and_services_have_lists_of_their_own() {
        let codes = Reply::json(200, r#"{"short_codes":[{"short_code":"894546"}]}"#);
        let (code, asked) = standing(codes, Sender::From("894546"), vec![]).await;
        assert_eq!(code.unwrap(), SenderStanding::Owned);
        assert!(asked[0].contains("/SMS/ShortCodes.json?ShortCode=894546&"));
        let sid = MessagingServiceSid::parse(&format!("MG{}", "0c".repeat(16))).unwrap();
        let sender = Sender::MessagingService(&sid);
        let known = Reply::json(200, r#"{"sid":"MG"}"#);
        let (service, asked) = standing(known, sender, vec![]).await;
        assert_eq!(service.unwrap(), SenderStanding::Owned);
        assert!(asked[0].starts_with(&format!("GET /v1/Services/{sid} ")));
        let unknown = Reply::json(404, r#"{"code":20404,"message":"not found","status":404}"#);
        let (service, _) = standing(unknown, sender, vec![]).await;
        assert_eq!(service.unwrap(), SenderStanding::Foreign);
    }
}
