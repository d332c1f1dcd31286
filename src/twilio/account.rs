//! The connection test: is this credential good, and is there something the tenant should know?
//!
//! The surprise: a good API key is refused (401, code 20003) when it asks for its own account, so
//! a key is tried on what it needs instead, and only "refused everywhere" is a bad key.

use chrono::{DateTime, Utc};
use reqwest::RequestBuilder;
use secrecy::ExposeSecret as _;
use serde::de::DeserializeOwned;

use super::call::exchange;
use super::credentials::User;
use super::error::{CallError, CallFailure, Doubt, Refusal};
use super::kept::cut;
use super::wire::AccountJson;
use super::{Account, CallTime, Twilio};
use crate::redact::Secrets;

/// Longest answer read, in bytes.
const LONGEST_ANSWER: usize = 64 * 1024;

/// The state of an account (`account` enum `status` of Twilio's spec).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountStatus {
    Active,
    Suspended,
    Closed,
    /// Not told: an API key cannot ask, or the word is new.
    Unknown,
}

/// What the tenant should know although the credential is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountWarning {
    /// A trial writes to verified numbers only and puts a prefix before each text.
    Trial,
    /// Twilio sends nothing for a suspended account.
    Suspended,
    /// Twilio sends nothing for a closed account.
    Closed,
    /// The credential cannot list messages, so a lost answer will wait for a person.
    CannotList,
}

impl AccountWarning {
    /// What to tell the tenant.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Trial => {
                "This is a Twilio trial account: it writes only to numbers verified in the Twilio \
                 Console and adds a line before each text. Upgrade it before you go live."
            }
            Self::Suspended => {
                "Twilio has suspended this account: nothing will be sent until Twilio lifts that."
            }
            Self::Closed => "This Twilio account is closed. Connect another one.",
            Self::CannotList => {
                "This credential cannot read the list of messages. When an answer of Twilio is \
                 lost, we cannot look it up and will ask you."
            }
        }
    }
}

/// What a successful test found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountReport {
    pub status: AccountStatus,
    /// The name given in the Twilio Console; an API key cannot see it.
    pub friendly_name: Option<String>,
    pub warnings: Vec<AccountWarning>,
    /// Twilio's clock (`Date` header).
    pub date: Option<DateTime<Utc>>,
}

impl AccountReport {
    /// Whether Twilio will send for this account, as far as can be seen.
    pub const fn is_usable(&self) -> bool {
        matches!(self.status, AccountStatus::Active | AccountStatus::Unknown)
    }

    /// Whether it is a trial account, as far as can be seen.
    pub fn is_trial(&self) -> bool {
        self.warnings.contains(&AccountWarning::Trial)
    }
}

impl Twilio {
    /// Tries the credential without sending anything. [`CallFailure::Credentials`] means that it
    /// was refused everywhere; other errors say nothing about it. At most two calls.
    pub async fn test(
        &self,
        account: &Account,
        time: CallTime,
    ) -> Result<AccountReport, CallError> {
        match account.user {
            User::AuthToken => self.test_token(account, time).await,
            User::ApiKey(_) => self.test_key(account, time).await,
        }
    }

    /// The answer bears the Auth Token in clear: its body ends here.
    async fn test_token(
        &self,
        account: &Account,
        time: CallTime,
    ) -> Result<AccountReport, CallError> {
        let (body, date) = self
            .read(account, &self.account_url(account, ".json"), time)
            .await?;
        let json: AccountJson = serde_json::from_slice(&body)
            .ok()
            .filter(|json: &AccountJson| json.sid.as_deref() == Some(account.account_sid.as_str()))
            .ok_or(CallError {
                kind: CallFailure::Unavailable(Doubt::Garbage),
                date,
            })?;
        let status = match json.status.as_deref() {
            Some("active") => AccountStatus::Active,
            Some("suspended") => AccountStatus::Suspended,
            Some("closed") => AccountStatus::Closed,
            _ => AccountStatus::Unknown,
        };
        let mut warnings = Vec::new();
        match status {
            AccountStatus::Suspended => warnings.push(AccountWarning::Suspended),
            AccountStatus::Closed => warnings.push(AccountWarning::Closed),
            AccountStatus::Active | AccountStatus::Unknown => {}
        }
        if json
            .kind
            .as_deref()
            .is_some_and(|kind| kind.eq_ignore_ascii_case("trial"))
        {
            warnings.push(AccountWarning::Trial);
        }
        let friendly_name = json.friendly_name.map(|name| cut(&name, 100).to_owned());
        Ok(AccountReport {
            status,
            friendly_name,
            warnings,
            date,
        })
    }

    async fn test_key(
        &self,
        account: &Account,
        time: CallTime,
    ) -> Result<AccountReport, CallError> {
        let good = |warnings, date| AccountReport {
            status: AccountStatus::Unknown,
            friendly_name: None,
            warnings,
            date,
        };
        let messages = self.account_url(account, "/Messages.json?PageSize=1");
        let is_known = match self.read(account, &messages, time).await {
            Ok((_, date)) => return Ok(good(Vec::new(), date)),
            Err(error) => match &error.kind {
                CallFailure::Credentials(refusal) => is_limited(refusal),
                _ => return Err(error),
            },
        };
        // A restricted key may be allowed one and not the other.
        let numbers = self.account_url(account, "/IncomingPhoneNumbers.json?PageSize=1");
        match self.read(account, &numbers, time).await {
            Ok((_, date)) => Ok(good(vec![AccountWarning::CannotList], date)),
            Err(error) => match &error.kind {
                CallFailure::Credentials(refusal) if is_known || is_limited(refusal) => {
                    Ok(good(vec![AccountWarning::CannotList], error.date))
                }
                _ => Err(error),
            },
        }
    }

    /// A GET below the account; a list that is not there means that the Account SID is wrong.
    async fn read(
        &self,
        account: &Account,
        url: &str,
        time: CallTime,
    ) -> Result<(Vec<u8>, Option<DateTime<Utc>>), CallError> {
        let answer = self.fetch(account, url, time).await;
        answer.map_err(|error| match error.kind {
            CallFailure::NotFound(refusal) => CallError {
                kind: CallFailure::Credentials(refusal),
                ..error
            },
            _ => error,
        })
    }

    /// A GET as the account, its answer up to 64 KiB.
    pub(super) async fn fetch(
        &self,
        account: &Account,
        url: &str,
        time: CallTime,
    ) -> Result<(Vec<u8>, Option<DateTime<Utc>>), CallError> {
        let request = signed_in(self.http.get(url), account);
        let answer = exchange(request, &secrets(account), time, LONGEST_ANSWER).await?;
        answer.success()
    }

    /// A GET whose answer is read as `T`.
    pub(super) async fn list_of<T: DeserializeOwned>(
        &self,
        account: &Account,
        url: &str,
        time: CallTime,
    ) -> Result<T, CallError> {
        let (body, date) = self.fetch(account, url, time).await?;
        serde_json::from_slice(&body).map_err(|_| CallError {
            kind: CallFailure::Unavailable(Doubt::Garbage),
            date,
        })
    }
}

/// Twilio knows the key and does not let it do this: 403, unless the account itself is shut (20005,
/// 10001) or the credentials are for tests only (20008).
fn is_limited(refusal: &Refusal) -> bool {
    refusal.http == 403 && !matches!(refusal.code, Some(20005 | 10001 | 20008))
}

/// Adds Basic auth; reqwest marks the header as sensitive, so it is not shown by `Debug`.
pub(super) fn signed_in(request: RequestBuilder, account: &Account) -> RequestBuilder {
    request.basic_auth(account.user_name(), Some(account.secret.expose_secret()))
}

/// What a call that is signed in so bears of secrets.
pub(super) fn secrets(account: &Account) -> Secrets {
    Secrets::default().with_basic(account.user_name(), account.secret.expose_secret())
}

#[cfg(test)]
mod tests {
    use super::super::test_server::{Reply, TestServer, account, key_account, soon};
    use super::*;

    #[tokio::test]
    async fn an_auth_token_asks_for_its_account_and_reports_a_trial() {
        let server = TestServer::start(vec![Reply::json(
            200,
            &format!(
                r#"{{"sid":"{}","status":"active","type":"Trial","friendly_name":"Bowman",
                    "auth_token":"leak"}}"#,
                account().account_sid
            ),
        )])
        .await;
        let report = server.twilio().test(&account(), soon()).await.unwrap();
        assert_eq!(report.status, AccountStatus::Active);
        assert_eq!(report.warnings, [AccountWarning::Trial]);
        assert!(report.is_usable() && report.date.is_some());
        assert!(!format!("{report:?}").contains("leak"));
        let asked = server.requests();
        assert!(asked[0].starts_with(&format!(
            "GET /2010-04-01/Accounts/{}.json HTTP/1.1",
            account().account_sid
        )));
    }

    #[tokio::test]
    async fn a_suspended_account_is_not_usable() {
        let body = format!(
            r#"{{"sid":"{}","status":"suspended","type":"Full"}}"#,
            account().account_sid
        );
        let server = TestServer::start(vec![Reply::json(200, &body)]).await;
        let report = server.twilio().test(&account(), soon()).await.unwrap();
        assert_eq!(report.warnings, [AccountWarning::Suspended]);
        assert!(!report.is_usable());
    }

    #[tokio::test]
    async fn a_key_refused_for_messages_but_not_for_numbers_is_good() {
        let refused = r#"{"code":20003,"message":"Authenticate","status":401}"#;
        let server = TestServer::start(vec![
            Reply::json(401, refused),
            Reply::json(200, r#"{"incoming_phone_numbers":[]}"#),
        ])
        .await;
        let report = server.twilio().test(&key_account(), soon()).await.unwrap();
        assert_eq!(report.warnings, [AccountWarning::CannotList]);
        let asked = server.requests();
        assert!(asked[0].contains("/Messages.json?PageSize=1 "));
        assert!(asked[1].contains("/IncomingPhoneNumbers.json?PageSize=1 "));
    }

    #[tokio::test]
    async fn a_key_that_may_read_nothing_is_good_where_twilio_says_so() {
        let forbidden = || Reply::json(403, r#"{"code":20403,"message":"Forbidden","status":403}"#);
        let server = TestServer::start(vec![forbidden(), forbidden()]).await;
        let report = server.twilio().test(&key_account(), soon()).await.unwrap();
        assert_eq!(report.warnings, [AccountWarning::CannotList]);
        let shut = || Reply::json(403, r#"{"code":20005,"message":"not active","status":403}"#);
        let server = TestServer::start(vec![shut(), shut()]).await;
        let error = server.twilio().test(&key_account(), soon()).await;
        assert!(error.is_err(), "the account is not active");
    }

    #[tokio::test]
    async fn a_key_refused_everywhere_is_bad() {
        let refused = r#"{"code":20003,"message":"Authenticate","status":401}"#;
        let server =
            TestServer::start(vec![Reply::json(401, refused), Reply::json(401, refused)]).await;
        let error = server
            .twilio()
            .test(&key_account(), soon())
            .await
            .unwrap_err();
        assert!(matches!(error.kind, CallFailure::Credentials(r) if r.code == Some(20003)));
    }

    #[tokio::test]
    async fn an_account_that_twilio_does_not_know_is_a_bad_connection() {
        let unknown = r#"{"code":20404,"message":"not found","status":404}"#;
        let server =
            TestServer::start(vec![Reply::json(404, unknown), Reply::json(404, unknown)]).await;
        let error = server
            .twilio()
            .test(&key_account(), soon())
            .await
            .unwrap_err();
        assert!(matches!(error.kind, CallFailure::Credentials(r) if r.code == Some(20404)));
    }

    #[tokio::test]
    async fn a_success_that_is_not_this_account_proves_nothing() {
        let server = TestServer::start(vec![Reply::json(200, "<html>hello</html>")]).await;
        let error = server.twilio().test(&account(), soon()).await.unwrap_err();
        assert_eq!(error.kind, CallFailure::Unavailable(Doubt::Garbage));
    }
}
