//! Visits to Zoho's consent page in the sandbox, there and back.

use super::*;
use crate::app::connections::zoho_connection::tests::{account, conflict, organisation, settings};
use crate::app::keys::REFRESH_TOKEN;
use crate::domain::actor::Actor;
use crate::domain::connection::ConnectionState;
use crate::sandbox::zoho::ZohoCredentials;
use crate::testing::company::TestCompany;

const SESSION: &str = "the cookie of the owner's browser";

impl TestCompany {
    /// Goes to the consent page, accepts, and comes back with what Zoho adds to the address.
    async fn consent(&self, who: &ZohoCredentials) -> ConsentCallback {
        let input = ConsentInput {
            region: "us".to_owned(),
            client_id: who.client_id.clone(),
            client_secret: Some(who.client_secret.clone().into()),
            organization_id: None,
        };
        let owner = Actor::named("owner");
        let url = self.app.begin_books(self.tenant, SESSION, input, &owner);
        let http = crate::http::client().unwrap();
        let answer = http.get(url.await.unwrap()).send().await.unwrap();
        let back = Url::parse(answer.headers()["location"].to_str().unwrap()).unwrap();
        assert!(
            back.as_str().starts_with(&self.app.books_redirect()),
            "{back}"
        );
        let value = |name: &str| {
            let found = back.query_pairs().find(|(n, _)| n == name);
            found.map(|(_, value)| value.into_owned())
        };
        ConsentCallback {
            state: value("state").unwrap(),
            code: value("code").map(SecretString::from),
            error: value("error"),
            location: value("location"),
            accounts_server: value("accounts-server"),
        }
    }
}

#[tokio::test]
async fn consent_in_the_browser_connects_the_data_centre_that_the_callback_names() {
    let company = TestCompany::begin().await;
    let who = account(&company, &["11"]);
    let callback = company.consent(&who).await;
    let began = company.app.consent_tenant(SESSION, &callback.state).await;
    assert_eq!(began.unwrap(), Some(company.tenant));
    let done = company
        .app
        .finish_books(SESSION, callback.clone())
        .await
        .unwrap();
    assert_eq!(
        done,
        (company.tenant, BooksConnected::Ready(organisation("11")))
    );
    // It began in the United States; the user lives in Europe.
    assert_eq!(settings(&company.zoho().await).region, "eu");
    let says = conflict(company.app.finish_books(SESSION, callback).await);
    assert!(says.contains("Start again"), "{says}");
}

#[tokio::test]
async fn a_consent_belongs_to_its_session_and_ends_after_ten_minutes() {
    let company = TestCompany::begin().await;
    let who = account(&company, &["11"]);
    let callback = company.consent(&who).await;
    let forged = ConsentCallback {
        state: "made up".to_owned(),
        ..callback.clone()
    };
    for (session, callback) in [("another browser", callback.clone()), (SESSION, forged)] {
        let began = company.app.consent_tenant(session, &callback.state).await;
        assert_eq!(began.unwrap(), None);
        let says = conflict(company.app.finish_books(session, callback).await);
        assert!(says.contains("Start again"), "{says}");
    }
    // Neither used it up; time does.
    let began = company.app.consent_tenant(SESSION, &callback.state).await;
    assert_eq!(began.unwrap(), Some(company.tenant));
    company.clock.advance(TimeDelta::minutes(10));
    conflict(company.app.finish_books(SESSION, callback).await);
    assert_eq!(company.calls_to("/oauth/v2/token"), 0);
}

#[tokio::test]
async fn a_code_older_than_two_minutes_is_told_as_such() {
    let company = TestCompany::begin().await;
    let who = account(&company, &["11"]);
    let callback = company.consent(&who).await;
    company.clock.advance(TimeDelta::minutes(3));
    let says = conflict(company.app.finish_books(SESSION, callback).await);
    assert!(says.contains("too old"), "{says}");
    assert_eq!(company.calls_to("/oauth/v2/token"), 1);
    assert_eq!(company.secret(REFRESH_TOKEN).await, None);
}

#[tokio::test]
async fn a_refused_consent_and_an_unknown_server_send_nothing_anywhere() {
    let company = TestCompany::begin().await;
    let who = account(&company, &["11"]);
    let callback = company.consent(&who).await;
    let declined = ConsentCallback {
        code: None,
        error: Some("access_denied".to_owned()),
        ..callback
    };
    let says = conflict(company.app.finish_books(SESSION, declined).await);
    assert!(says.contains("rejected"), "{says}");
    let stranger = ConsentCallback {
        accounts_server: Some("https://accounts.zoho.eu.evil.example".to_owned()),
        ..company.consent(&who).await
    };
    let says = conflict(company.app.finish_books(SESSION, stranger).await);
    assert!(says.contains("do not know"), "{says}");
    assert_eq!(company.calls_to("/oauth/v2/token"), 0);
    assert_eq!(company.zoho().await.state, ConnectionState::New);
}

#[tokio::test]
async fn a_consent_begun_in_one_process_ends_once_in_whichever_gets_the_browser() {
    let company = TestCompany::begin().await;
    let others = [company.process().await, company.process().await];
    let who = account(&company, &["11"]);
    let callback = company.consent(&who).await;
    let stored = company.database.contents().await;
    let shows = |text: &str| stored.windows(text.len()).any(|w| w == text.as_bytes());
    assert!(shows(&who.client_id) && !shows(&who.client_secret));
    assert!(!shows(&callback.state), "its digest is enough");

    let [one, other] = &others;
    let began = one.consent_tenant(SESSION, &callback.state).await;
    assert_eq!(began.unwrap(), Some(company.tenant));
    let (first, second) = tokio::join!(
        one.finish_books(SESSION, callback.clone()),
        other.finish_books(SESSION, callback.clone()),
    );
    let ended = [first, second];
    assert_eq!(ended.iter().filter(|e| e.is_ok()).count(), 1, "{ended:?}");
    assert_eq!(company.calls_to("/oauth/v2/token"), 1);
    assert_eq!(company.database.count("consents").await, 0);
}

#[tokio::test]
async fn consents_that_nobody_ends_are_swept_out_and_are_few() {
    let company = TestCompany::begin().await;
    let who = account(&company, &["11"]);
    let first = company.consent(&who).await;
    for _ in 0..24 {
        company.clock.advance(TimeDelta::seconds(1));
        company.consent(&who).await;
    }
    assert_eq!(company.database.count("consents").await, 20);
    let dropped = company.app.consent_tenant(SESSION, &first.state).await;
    assert_eq!(dropped.unwrap(), None);
    company
        .clock
        .advance(TimeDelta::minutes(10) - TimeDelta::seconds(10));
    company.app.sweep_consents().await.unwrap();
    assert_eq!(company.database.count("consents").await, 10);
    company.clock.advance(TimeDelta::seconds(10));
    let over = company.app.sweep_consents();
    over.await.unwrap();
    assert_eq!(company.database.count("consents").await, 0);
}
