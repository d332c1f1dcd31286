//! Visits to Zoho's sandbox by self client, and what breaks later.

use chrono::TimeDelta;
use serde_json::{Map, Value};

use super::*;
use crate::app::keys::HOOK_SECRET;
use crate::domain::actor::Actor;
use crate::sandbox::zoho::{
    NewZohoAccount, ZohoCredentials, ZohoFaultKind, ZohoFaultOrder, ZohoOn,
};
use crate::testing::company::TestCompany;
use crate::zoho;

/// Registers a client in Europe whose user has these organisations, with five self-client codes.
pub(in crate::app) fn account(company: &TestCompany, organisations: &[&str]) -> ZohoCredentials {
    let organisation = |id: &&str| {
        let mut fields = Map::new();
        fields.insert("organization_id".to_owned(), (*id).into());
        fields.insert("name".to_owned(), format!("Company {id}").into());
        fields
    };
    let new = NewZohoAccount {
        region: Some("eu".to_owned()),
        organizations: organisations.iter().map(organisation).collect(),
        codes: (1..=5).map(|n| format!("code-{n}")).collect(),
        auto_consent: true,
        ..NewZohoAccount::default()
    };
    company.sandbox().zoho().register(new).unwrap()
}

pub(in crate::app) fn settings(connection: &Connection) -> BooksSettings {
    BooksSettings::of(&connection.settings)
}

impl BooksInput {
    pub(in crate::app) fn of(who: &ZohoCredentials, code: &str) -> Self {
        Self {
            region: who.region.clone(),
            client_id: who.client_id.clone(),
            client_secret: Some(who.client_secret.clone().into()),
            code: code.into(),
            organization_id: None,
        }
    }
}

impl TestCompany {
    async fn connect(&self, input: BooksInput) -> Result<BooksConnected, AppError> {
        self.app
            .connect_books_self_client(self.tenant, input, &Actor::named("owner"))
            .await
    }

    pub(super) async fn zoho(&self) -> Connection {
        let connection = self.app.connection(self.tenant, zoho::PROVIDER).await;
        connection.unwrap().unwrap()
    }

    pub(super) async fn secret(&self, name: &str) -> Option<String> {
        let secrets = self.app.secrets(self.tenant, self.zoho().await.id).await;
        let found = secrets.unwrap().into_iter().find(|(n, _)| n == name);
        found.map(|(_, secret)| secret.expose_secret().to_owned())
    }

    fn token_fault(&self, kind: ZohoFaultKind, error: Option<&str>) {
        let order = ZohoFaultOrder {
            on: ZohoOn::Token,
            error: error.map(str::to_owned),
            ..ZohoFaultOrder::once(kind)
        };
        self.sandbox().zoho().next(order).unwrap();
    }

    pub(super) fn calls_to(&self, path: &str) -> usize {
        let requests = self.sandbox().zoho().requests();
        requests.iter().filter(|r| r.path.contains(path)).count()
    }
}

pub(super) fn organisation(id: &str) -> Organisation {
    Organisation {
        id: id.to_owned(),
        name: format!("Company {id}"),
    }
}

/// The one field that is refused, with what is said about it.
fn refused<T: fmt::Debug>(result: Result<T, AppError>) -> (String, String) {
    match result.unwrap_err() {
        AppError::Invalid(problems) if problems.len() == 1 => {
            let problem = problems.into_iter().next().unwrap();
            (problem.field, problem.message)
        }
        other => panic!("{other:?}"),
    }
}

pub(super) fn conflict<T: fmt::Debug>(result: Result<T, AppError>) -> String {
    match result.unwrap_err() {
        AppError::Conflict(says) => says,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_code_and_one_organisation_make_a_connection_and_leave_the_hook_alone() {
    let company = TestCompany::begin().await;
    let who = account(&company, &["11"]);
    let hook = company.app.hook_details(company.tenant).await.unwrap().url;
    let hook_secret = company.secret(HOOK_SECRET).await;
    assert!(hook_secret.is_some());

    let connected = company
        .connect(BooksInput::of(&who, "code-1"))
        .await
        .unwrap();
    assert_eq!(connected, BooksConnected::Ready(organisation("11")));
    let connection = company.zoho().await;
    assert_eq!(connection.state, ConnectionState::Ready);
    assert_eq!(connection.account, "11");
    assert_eq!(settings(&connection).region, "eu");
    assert_eq!(settings(&connection).client_id, who.client_id);
    assert_eq!(settings(&connection).organisation, "Company 11");
    // The exchange brought an access token: nothing was refreshed.
    assert_eq!(company.calls_to("/oauth/v2/token"), 1);

    assert_eq!(
        company.app.hook_details(company.tenant).await.unwrap().url,
        hook
    );
    assert_eq!(company.secret(HOOK_SECRET).await, hook_secret);
}

#[tokio::test]
async fn secrets_cannot_be_read_in_the_database() {
    let company = TestCompany::begin().await;
    let who = account(&company, &["11"]);
    company
        .connect(BooksInput::of(&who, "code-1"))
        .await
        .unwrap();
    let refresh_token = company.secret(REFRESH_TOKEN).await.unwrap();
    assert!(refresh_token.starts_with("1000."));
    let bytes = company.database.contents().await;
    let holds = |text: &str| bytes.windows(text.len()).any(|w| w == text.as_bytes());
    // What is no secret is there, so these are the right files.
    assert!(holds(&who.client_id));
    assert!(!holds(&who.client_secret));
    assert!(!holds(&refresh_token));
    assert!(!holds("code-1"));
}

#[tokio::test]
async fn each_refusal_of_zoho_points_to_its_field_and_stores_nothing() {
    let company = TestCompany::begin().await;
    let who = account(&company, &["11"]);

    let (field, says) = refused(company.connect(BooksInput::of(&who, "expired")).await);
    assert_eq!(field, "code");
    assert!(says.contains("too old"), "{says}");

    let wrong = BooksInput {
        client_secret: Some("wrong".into()),
        ..BooksInput::of(&who, "code-1")
    };
    let (field, says) = refused(company.connect(wrong).await);
    assert_eq!(field, "client_secret");
    assert!(says.contains("accounts.zoho.eu"), "{says}");

    // As a client of Europe is unknown in India.
    company.token_fault(ZohoFaultKind::TokenError, Some("invalid_client"));
    let elsewhere = BooksInput {
        region: "in".to_owned(),
        ..BooksInput::of(&who, "code-1")
    };
    let (field, says) = refused(company.connect(elsewhere).await);
    assert_eq!(field, "region");
    assert!(says.contains("accounts.zoho.in"), "{says}");

    company.token_fault(ZohoFaultKind::Throttled, None);
    let says = conflict(company.connect(BooksInput::of(&who, "code-1")).await);
    assert!(says.contains("in 10 minutes"), "{says}");

    assert_eq!(company.zoho().await.state, ConnectionState::New);
    assert_eq!(company.secret(REFRESH_TOKEN).await, None);
    assert_eq!(company.secret(CLIENT_SECRET).await, None);
}

#[tokio::test]
async fn what_cannot_be_right_is_refused_before_zoho_is_asked() {
    let company = TestCompany::begin().await;
    let input = BooksInput {
        region: "moon".to_owned(),
        client_id: " ".to_owned(),
        client_secret: None,
        code: "two words".into(),
        organization_id: None,
    };
    let Err(AppError::Invalid(problems)) = company.connect(input).await else {
        panic!("it was taken");
    };
    let fields: Vec<_> = problems.iter().map(|p| p.field.as_str()).collect();
    assert_eq!(fields, ["region", "client_id", "client_secret", "code"]);
    assert_eq!(company.calls_to("/"), 0);
}

#[tokio::test]
async fn of_two_organisations_a_person_chooses_and_may_choose_again() {
    let company = TestCompany::begin().await;
    let who = account(&company, &["11", "22"]);
    let connected = company
        .connect(BooksInput::of(&who, "code-1"))
        .await
        .unwrap();
    let both = vec![organisation("11"), organisation("22")];
    assert_eq!(connected, BooksConnected::Choose(both.clone()));
    assert_eq!(company.zoho().await.state, ConnectionState::New);
    assert!(company.secret(REFRESH_TOKEN).await.is_some());
    let says = conflict(company.app.check_books(company.tenant).await);
    assert!(says.contains("Choose the organisation"), "{says}");
    let listed = company
        .app
        .books_organisations(company.tenant)
        .await
        .unwrap();
    assert_eq!(listed, both);

    let owner = Actor::named("owner");
    let choose = |id: &'static str| company.app.choose_organisation(company.tenant, id, &owner);
    assert_eq!(refused(choose("33").await).0, "organization");
    for id in ["22", "11"] {
        assert_eq!(choose(id).await.unwrap(), organisation(id));
        let connection = company.zoho().await;
        assert_eq!(connection.account, id);
        assert_eq!(connection.state, ConnectionState::Ready);
        assert_eq!(settings(&connection).client_id, who.client_id);
    }
    // Connecting again keeps the choice, unless another is wished for.
    let again = company
        .connect(BooksInput::of(&who, "code-2"))
        .await
        .unwrap();
    assert_eq!(again, BooksConnected::Ready(organisation("11")));
    let wished = BooksInput {
        organization_id: Some(" 22 ".to_owned()),
        ..BooksInput::of(&who, "code-3")
    };
    let wished = company.connect(wished).await.unwrap();
    assert_eq!(wished, BooksConnected::Ready(organisation("22")));
}

#[tokio::test]
async fn a_user_without_organisations_leaves_the_old_connection_as_it_was() {
    let company = TestCompany::begin().await;
    let good = account(&company, &["11"]);
    company
        .connect(BooksInput::of(&good, "code-1"))
        .await
        .unwrap();
    let before = company.secret(REFRESH_TOKEN).await;
    let poor = account(&company, &[]);
    let says = conflict(company.connect(BooksInput::of(&poor, "code-2")).await);
    assert!(says.contains("no organisation"), "{says}");
    assert_eq!(company.secret(REFRESH_TOKEN).await, before);
    assert!(
        company
            .app
            .check_books(company.tenant)
            .await
            .unwrap()
            .is_good
    );
}

#[tokio::test]
async fn a_grant_whose_organisations_cannot_be_listed_yet_is_kept() {
    let company = TestCompany::begin().await;
    let who = account(&company, &["11"]);
    let order = ZohoFaultOrder::once(ZohoFaultKind::InternalError);
    company.sandbox().zoho().next(order).unwrap();
    let says = conflict(company.connect(BooksInput::of(&who, "code-1")).await);
    assert!(
        says.contains("Choose the organisation in a minute"),
        "{says}"
    );
    let owner = Actor::named("owner");
    let chosen = company
        .app
        .choose_organisation(company.tenant, "11", &owner);
    assert_eq!(chosen.await.unwrap(), organisation("11"));
}

#[tokio::test]
async fn connecting_again_keeps_a_blank_secret_and_revokes_the_old_access() {
    let company = TestCompany::begin().await;
    let who = account(&company, &["11"]);
    company
        .connect(BooksInput::of(&who, "code-1"))
        .await
        .unwrap();
    let first = company.secret(REFRESH_TOKEN).await.unwrap();
    let blank = BooksInput {
        client_secret: Some(" ".into()),
        ..BooksInput::of(&who, "code-2")
    };
    company.connect(blank.clone()).await.unwrap();
    assert_ne!(company.secret(REFRESH_TOKEN).await.unwrap(), first);
    // The sandbox no longer knows it.
    assert!(!company.sandbox().zoho().revoke_refresh_token(&first));
    // Another data centre may have a secret of its own.
    let elsewhere = BooksInput {
        region: "us".to_owned(),
        ..blank
    };
    assert_eq!(refused(company.connect(elsewhere).await).0, "client_secret");
}

#[tokio::test]
async fn a_check_refreshes_once_and_soon_after_makes_do_with_the_token_at_hand() {
    let company = TestCompany::begin().await;
    let says = conflict(company.app.check_books(company.tenant).await);
    assert!(says.contains("not connected"), "{says}");
    let who = account(&company, &["11"]);
    company
        .connect(BooksInput::of(&who, "code-1"))
        .await
        .unwrap();
    company.clock.advance(TimeDelta::minutes(5));
    for _ in 0..20 {
        let result = company.app.check_books(company.tenant).await.unwrap();
        assert!(
            result.is_good && result.says.contains("“Company 11”"),
            "{result:?}"
        );
    }
    // The exchange and one refresh.
    assert_eq!(company.calls_to("/oauth/v2/token"), 2);
    assert_eq!(company.zoho().await.checked_at, Some(company.app.now()));
}

#[tokio::test]
async fn a_revoked_access_is_broken_until_connected_again_and_the_hook_still_answers() {
    for pause in [TimeDelta::seconds(1), TimeDelta::minutes(30)] {
        let company = TestCompany::begin().await;
        let who = account(&company, &["11"]);
        company
            .connect(BooksInput::of(&who, "code-1"))
            .await
            .unwrap();
        let token = company.secret(REFRESH_TOKEN).await.unwrap();
        assert!(company.sandbox().zoho().revoke_refresh_token(&token));
        company.clock.advance(pause);
        let result = company.app.check_books(company.tenant).await.unwrap();
        assert!(!result.is_good);
        assert!(
            result.says.contains("Connect Zoho Books again"),
            "{result:?}"
        );
        let connection = company.zoho().await;
        assert_eq!(connection.state, ConnectionState::Broken);
        assert_eq!(connection.reason, result.says);

        let url = company.app.hook_details(company.tenant).await.unwrap().url;
        let token = url.rsplit('/').next().unwrap();
        let hook = company.app.hook(token).await.unwrap().unwrap();
        assert_eq!(hook.target.connection, connection.id);
        assert!(!hook.target.is_suspended);

        company
            .connect(BooksInput::of(&who, "code-2"))
            .await
            .unwrap();
        assert_eq!(company.zoho().await.state, ConnectionState::Ready);
        assert!(
            company
                .app
                .check_books(company.tenant)
                .await
                .unwrap()
                .is_good
        );
    }
}

#[tokio::test]
async fn trouble_at_zoho_says_nothing_about_the_access() {
    let company = TestCompany::begin().await;
    let who = account(&company, &["11"]);
    company
        .connect(BooksInput::of(&who, "code-1"))
        .await
        .unwrap();
    company.clock.advance(TimeDelta::minutes(30));
    for kind in [
        ZohoFaultKind::Throttled,
        ZohoFaultKind::Html,
        ZohoFaultKind::Drop,
    ] {
        company.token_fault(kind, None);
        let says = conflict(company.app.check_books(company.tenant).await);
        assert!(says.contains("Try again in"), "{says}");
        assert_eq!(company.zoho().await.state, ConnectionState::Ready);
    }
}

#[tokio::test]
async fn an_organisation_that_was_left_is_noticed() {
    let company = TestCompany::begin().await;
    let who = account(&company, &["11"]);
    company
        .connect(BooksInput::of(&who, "code-1"))
        .await
        .unwrap();
    let mut other = Map::<String, Value>::new();
    other.insert("organization_id".to_owned(), "22".into());
    let moved = NewZohoAccount {
        client_id: Some(who.client_id.clone()),
        client_secret: Some(who.client_secret.clone()),
        organizations: vec![other],
        ..NewZohoAccount::default()
    };
    company.sandbox().zoho().register(moved).unwrap();
    let result = company.app.check_books(company.tenant).await.unwrap();
    assert!(
        !result.is_good && result.says.contains("does not belong"),
        "{result:?}"
    );
}

#[tokio::test]
async fn disconnecting_takes_the_access_back_and_keeps_the_hook() {
    let company = TestCompany::begin().await;
    let who = account(&company, &["11"]);
    company
        .connect(BooksInput::of(&who, "code-1"))
        .await
        .unwrap();
    let token = company.secret(REFRESH_TOKEN).await.unwrap();
    let hook_secret = company.secret(HOOK_SECRET).await;
    let done = company
        .app
        .disconnect_books(company.tenant, &Actor::named("owner"))
        .await
        .unwrap();
    assert!(done.is_good, "{done:?}");
    assert!(!company.sandbox().zoho().revoke_refresh_token(&token));
    assert_eq!(company.secret(REFRESH_TOKEN).await, None);
    assert_eq!(company.secret(CLIENT_SECRET).await, None);
    assert_eq!(company.secret(HOOK_SECRET).await, hook_secret);
    let connection = company.zoho().await;
    assert_eq!(
        (connection.state, connection.account.as_str()),
        (ConnectionState::New, "")
    );
    let says = conflict(company.app.check_books(company.tenant).await);
    assert!(says.contains("not connected"), "{says}");
}

#[tokio::test]
async fn disconnecting_forgets_even_when_zoho_cannot_be_told() {
    let mut company = TestCompany::begin().await;
    let who = account(&company, &["11"]);
    company
        .connect(BooksInput::of(&who, "code-1"))
        .await
        .unwrap();
    let (app, tenant) = (company.app.clone(), company.tenant);
    company.stop_sandbox().await;
    let done = app
        .disconnect_books(tenant, &Actor::named("owner"))
        .await
        .unwrap();
    assert!(
        !done.is_good && done.says.contains("Connected Apps"),
        "{done:?}"
    );
    let (_, login) = app.books_of(&app.tenant(tenant)).await.unwrap();
    assert!(login.is_none());
}

#[test]
fn what_was_not_granted_is_told_and_odd_organisations_are_left_out() {
    let settings = BooksSettings {
        missing_scopes: vec!["ZohoBooks.bills.READ".to_owned()],
        ..BooksSettings::default()
    };
    assert_eq!(
        words(&organisation("1"), &settings),
        "Zoho Books lets us read the organisation “Company 1”. Not granted: ZohoBooks.bills.READ."
    );
    let listed = serde_json::json!([
        { "organization_id": 7, "name": "By\u{202e} number" },
        { "organization_id": "8", "name": "" },
        { "organization_id": "../x", "name": "Odd" },
        { "name": "None" },
    ]);
    let read = read_organisations(listed.as_array().unwrap());
    let read: Vec<_> = read
        .iter()
        .map(|o| (o.id.as_str(), o.name.as_str()))
        .collect();
    assert_eq!(read, [("7", "By  number"), ("8", "8")]);
}
