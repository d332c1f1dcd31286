//! Twilio as a provider of accounts: how one is connected, tried out and believed, whatever is sent over it.

use std::sync::Arc;

use async_trait::async_trait;
use secrecy::SecretString;
use serde_json::json;

use super::credentials::Account;
use super::email::EmailKind;
use super::login::{AUTH_TOKEN, accounts};
use super::settings::TwilioSettings;
use super::signature::{self, Signed};
use super::transport::{self, MessagesKind};
use super::{Twilio, callback, codes, inbound, set_up};
use crate::domain::account_figures::AccountFigures;
use crate::domain::ids::DeliveryId;
use crate::domain::provider::ProviderWords;
use crate::domain::report::Report;
use crate::transport::{
    Before, Examined, Inbound, Login, Problem, ProviderKind, ProviderReport, Secrets, SetUp,
    SignedRequest, TransportKind, Trial, Trust, Typed,
};

#[async_trait]
impl ProviderKind for Twilio {
    fn words(&self) -> &'static ProviderWords {
        &transport::WORDS
    }

    fn transports(&self) -> Vec<Arc<dyn TransportKind>> {
        vec![
            Arc::new(MessagesKind(self.clone())),
            Arc::new(EmailKind(self.clone())),
        ]
    }

    fn read_set_up(&self, typed: &Typed, before: &Before<'_>) -> Result<SetUp, Vec<Problem>> {
        set_up::read(typed, before)
    }

    async fn try_out(&self, login: &Login<'_>) -> Trial {
        let sender = TwilioSettings::of(login.settings).default_sender();
        let logins: Vec<Account> = accounts(login).collect();
        self.try_logins(&logins, sender.as_ref()).await
    }

    async fn examine(&self, login: &Login<'_>) -> Examined {
        match accounts(login).next() {
            Some(account) => self.examine_account(&account).await,
            None => Examined {
                verdict: Err((
                    "The credentials are not whole.".to_owned(),
                    "Enter them again on the page Connections.",
                )),
                date: None,
            },
        }
    }

    async fn figures(&self, login: &Login<'_>) -> AccountFigures {
        let logins: Vec<Account> = accounts(login).collect();
        self.figures(&logins).await
    }

    fn trust(&self, request: &SignedRequest, origin: &str, secrets: &Secrets) -> Trust {
        let tokens = secrets.iter().filter(|(name, _)| name == AUTH_TOKEN);
        let tokens: Vec<SecretString> = tokens.map(|(_, token)| token.clone()).collect();
        if tokens.is_empty() {
            return Trust::Unproven;
        }
        let url = signature::full_url(origin, &request.path_and_query);
        let signed = Signed::Form(&request.body);
        match signature::verify(&url, signed, request.signature.as_deref(), &tokens) {
            Ok(()) => Trust::Signed,
            Err(_) => Trust::Forged,
        }
    }

    fn read_reports(&self, request: &SignedRequest) -> Option<Vec<ProviderReport>> {
        let told = callback::parse(&request.body).ok()?;
        let (delivery, attempt_no) = marked(&request.path_and_query);
        let error_code = told.error_code.unwrap_or_default();
        let detail = json!({
            "error_message": told.error_message,
            "from": told.from,
            "carrier_done": told.carrier_done,
        });
        Some(vec![ProviderReport {
            transport: transport::NAME,
            id: told.message_sid.to_string(),
            delivery,
            attempt_no,
            report: Report {
                status: told.status,
                word: told.status_word,
                error_code: error_code.into(),
                said: told.error_message,
                is_opt_out: codes::explain(error_code).is_opt_out(),
                limit: codes::hit_limit(error_code),
                detail: detail.to_string(),
            },
        }])
    }

    fn read_inbound(&self, request: &SignedRequest) -> Option<Inbound> {
        inbound::parse(&request.body).ok()
    }
}

/// Our ids in the address that we gave for reports.
fn marked(path_and_query: &str) -> (Option<DeliveryId>, Option<i64>) {
    let query = path_and_query
        .split_once('?')
        .map_or("", |(_, query)| query);
    let (mut delivery, mut attempt_no) = (None, None);
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match name.as_ref() {
            "d" => delivery = delivery.or_else(|| value.parse().ok()),
            "a" => attempt_no = attempt_no.or_else(|| value.parse().ok()),
            _ => {}
        }
    }
    (delivery, attempt_no)
}
