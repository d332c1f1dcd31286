//! The code for an own number over the sandbox, where no phone can show it.
//!
//! The database has only a hash of it, here as anywhere, so the sandbox is asked for what it was given.

use chrono::TimeDelta;

use super::{CODES, Detail, VALID, hash};
use crate::app::{App, AppError};
use crate::domain::delivery::Channel;
use crate::domain::ids::UserId;
use crate::store::{PhoneCode, TenantStore};

impl App {
    /// The code that was sent and counts; never over the real provider, which is not even asked.
    pub(super) async fn sandbox_code(
        &self,
        store: &TenantStore,
        user: UserId,
        kept: &PhoneCode,
    ) -> Result<Option<String>, AppError> {
        let Ok(detail) = serde_json::from_str::<Detail>(&kept.detail) else {
            return Ok(None);
        };
        let Some(link) = self.link_for(store, Channel::Sms).await? else {
            return Ok(None);
        };
        // The sandbox dates by the second.
        let since = kept.expires_at - VALID - TimeDelta::seconds(1);
        let texts = link.transport.sandbox_texts(&detail.phone, since).await;
        let key = self.parts.vault.derive(CODES)?;
        let counts = |code: &&str| {
            let digest = hash(&key, user, &detail, code);
            digest.as_bytes().as_slice() == kept.hash.as_slice()
        };
        let mut codes = texts.iter().filter_map(|text| code_in(text));
        Ok(codes.find(|code| counts(code)).map(str::to_owned))
    }
}

/// The word that a text begins with: of a text with a code, the code.
fn code_in(text: &str) -> Option<&str> {
    text.split_whitespace().next()
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::net::TcpListener;

    use secrecy::SecretString;

    use super::*;
    use crate::app::Parts;
    use crate::domain::actor::Actor;
    use crate::sandbox::DEMO_NUMBER;
    use crate::sandbox::twilio::NewAccount;
    use crate::store::User;
    use crate::testing::company::TestCompany;
    use crate::transport::Transports;
    use crate::twilio;
    use crate::twilio::Twilio;
    use crate::twilio::set_up::TwilioInput;

    const OWN: &str = "+16175550199";

    impl TestCompany {
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
            let account = self.sandbox().twilio().register(account).unwrap();
            let input = TwilioInput {
                account_sid: account.account_sid,
                auth_token: Some(SecretString::from(account.auth_token)),
                from: DEMO_NUMBER.to_owned(),
                ..TwilioInput::default()
            };
            let amy = Actor::named("amy");
            let typed = (&input.into(), false);
            let done = self
                .app
                .connect(self.tenant, twilio::PROVIDER, typed, &amy)
                .await;
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
        let company = TestCompany::begin().await;
        company.connect_sandbox().await;
        let user = company.owner().await;
        for _ in 0..2 {
            let sent = company
                .app
                .send_number_code(company.tenant, &user, OWN)
                .await;
            sent.unwrap();
        }
        let texts = company
            .sandbox()
            .twilio()
            .messages(&crate::sandbox::twilio::MessageFilter::default());
        assert_eq!(texts.len(), 2);
        let code = company.code_shown_by(&company.app).await.expect("a code");
        let amy = Actor::named("amy");
        let confirmed = company
            .app
            .confirm_number(company.tenant, &user, &code, &amy);
        assert_eq!(confirmed.await.unwrap().as_str(), OWN);
    }

    #[tokio::test]
    async fn over_the_real_twilio_no_code_is_shown_and_nobody_is_asked_for_it() {
        let company = TestCompany::begin().await;
        company.connect_sandbox().await;
        let user = company.owner().await;
        let sent = company
            .app
            .send_number_code(company.tenant, &user, OWN)
            .await;
        sent.unwrap();
        assert!(company.code_shown_by(&company.app).await.is_some());

        // The same code, where Twilio's own addresses are in force. Whatever went there would come by
        // this proxy.
        let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
        proxy.set_nonblocking(true).unwrap();
        let http = crate::http::client_through(proxy.local_addr().unwrap());
        let real = App::new(Parts {
            transports: Transports::alone(Twilio::new(http, None), company.clock.clone()),
            ..company.parts().await
        });
        assert_eq!(company.code_shown_by(&real).await, None);
        let asked = proxy.accept().map(|(_, from)| from);
        assert_eq!(asked.unwrap_err().kind(), ErrorKind::WouldBlock);
    }
}
