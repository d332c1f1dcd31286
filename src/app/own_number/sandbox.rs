//! The code for an own number over the sandbox, where no phone can show it.
//!
//! The database has only a hash of it, here as anywhere, so the sandbox is asked for what it was given.

use chrono::TimeDelta;

use super::{CALL, CODES, Detail, VALID, hash};
use crate::app::{App, AppError};
use crate::domain::ids::UserId;
use crate::store::{PhoneCode, TenantStore};
use crate::twilio::messages::CallTime;
use crate::twilio::{ListQuery, Message};

impl App {
    /// The code that was sent and counts; never over the real Twilio, which is not even asked.
    pub(super) async fn sandbox_code(
        &self,
        store: &TenantStore,
        user: UserId,
        kept: &PhoneCode,
    ) -> Result<Option<String>, AppError> {
        if !self.parts.twilio.is_sandbox() {
            return Ok(None);
        }
        let Ok(detail) = serde_json::from_str::<Detail>(&kept.detail) else {
            return Ok(None);
        };
        let Some((_, account)) = self.twilio_account(store).await? else {
            return Ok(None);
        };
        let query = ListQuery {
            to: Some(&detail.phone),
            page_size: 100,
            max_pages: 3,
            // The sandbox dates by the second.
            not_before: kept.expires_at - VALID - TimeDelta::seconds(1),
        };
        let twilio = &self.parts.twilio;
        // A sandbox that does not answer shows no code, and the page is there all the same.
        let Ok(listing) = twilio.list(&account, &query, CallTime::of(CALL)).await else {
            return Ok(None);
        };
        let key = self.parts.vault.derive(CODES)?;
        let counts = |code: &&str| {
            let digest = hash(&key, user, &detail, code);
            digest.as_bytes().as_slice() == kept.hash.as_slice()
        };
        let mut codes = listing.messages.iter().filter_map(code_in);
        Ok(codes.find(|code| counts(code)).map(str::to_owned))
    }
}

/// The word that a text begins with: of a text with a code, the code.
fn code_in(message: &Message) -> Option<&str> {
    message.body.as_deref()?.split_whitespace().next()
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::net::TcpListener;

    use secrecy::SecretString;

    use super::*;
    use crate::app::connections::TwilioInput;
    use crate::app::test_house::House;
    use crate::domain::actor::Actor;
    use crate::sandbox::DEMO_NUMBER;
    use crate::sandbox::twilio::NewAccount;
    use crate::store::User;
    use crate::twilio::Twilio;

    const OWN: &str = "+16175550199";

    impl House {
        async fn owner(&self) -> User {
            let platform = self.app.store().platform();
            let owner = platform.user_by_email("owner@example.com").await;
            owner.unwrap().unwrap()
        }

        async fn connect_sandbox(&self) {
            let account = NewAccount {
                numbers: vec![DEMO_NUMBER.to_owned()],
                ..NewAccount::default()
            };
            let account = self.sandbox.twilio().register(account).unwrap();
            let input = TwilioInput {
                account_sid: account.account_sid,
                auth_token: Some(SecretString::from(account.auth_token)),
                from: DEMO_NUMBER.to_owned(),
                ..TwilioInput::default()
            };
            let amy = Actor::named("amy");
            let done = self.app.connect_twilio(self.tenant, input, &amy).await;
            done.unwrap();
        }

        async fn code_shown_by(&self, app: &App) -> Option<String> {
            let user = self.owner().await;
            let page = app.own_number(self.tenant, &user).await.unwrap();
            assert!(page.pending.is_some());
            page.sandbox_code
        }
    }

    #[tokio::test]
    async fn over_the_sandbox_the_newest_code_is_shown_and_counts() {
        let house = House::build().await;
        house.connect_sandbox().await;
        let user = house.owner().await;
        for _ in 0..2 {
            let sent = house.app.send_number_code(house.tenant, &user, OWN).await;
            sent.unwrap();
        }
        let texts = house
            .sandbox
            .twilio()
            .messages(&crate::sandbox::twilio::MessageFilter::default());
        assert_eq!(texts.len(), 2);
        let code = house.code_shown_by(&house.app).await.expect("a code");
        let amy = Actor::named("amy");
        let confirmed = house.app.confirm_number(house.tenant, &user, &code, &amy);
        assert_eq!(confirmed.await.unwrap().as_str(), OWN);
    }

    #[tokio::test]
    async fn over_the_real_twilio_no_code_is_shown_and_nobody_is_asked_for_it() {
        let house = House::build().await;
        house.connect_sandbox().await;
        let user = house.owner().await;
        let sent = house.app.send_number_code(house.tenant, &user, OWN).await;
        sent.unwrap();
        assert!(house.code_shown_by(&house.app).await.is_some());

        // The same code, where Twilio's own addresses are in force. Whatever went there would come by
        // this proxy.
        let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
        proxy.set_nonblocking(true).unwrap();
        let http = crate::http::client_through(proxy.local_addr().unwrap());
        let real = house.neighbour_with(Twilio::new(http, None)).await;
        assert_eq!(house.code_shown_by(&real).await, None);
        let asked = proxy.accept().map(|(_, from)| from);
        assert_eq!(asked.unwrap_err().kind(), ErrorKind::WouldBlock);
    }
}
