//! Visits to the card of Zoho Books' API, with Zoho's stand-in behind it.

use serde_json::Map;

use super::*;
use crate::domain::connection::{Connection, ConnectionState};
use crate::sandbox::zoho::{
    NewZohoAccount, ZohoCredentials, ZohoFaultKind, ZohoFaultOrder, ZohoOn,
};
use crate::sandbox::{Sandbox, SandboxConfig, SandboxHandle};
use crate::zoho;

const PAGE: &str = "/t/acme/connections";
const BOOKS: &str = "/t/acme/connections/books";
const CONSENT: &str = "/t/acme/connections/books/consent";
const DISCONNECTION: &str = "/t/acme/connections/books/disconnection";

/// A company, Zoho, and a user there who belongs to some organisations.
struct Scene {
    world: World,
    sandbox: SandboxHandle,
    acme: CreatedTenant,
    who: ZohoCredentials,
}

impl Scene {
    async fn with(organisations: &[&str]) -> Self {
        let at: DateTime<Utc> = "2026-06-01T10:00:00Z".parse().unwrap();
        let clock: SharedClock = Arc::new(FixedClock::at(at));
        let http = crate::http::client().unwrap();
        let sandbox = Sandbox::start(SandboxConfig::new(clock, http))
            .await
            .unwrap();
        let world = World::build(None, Some(sandbox.base_url().parse().unwrap())).await;
        let acme = world.tenant("Acme", "ann@example.com").await;
        let organisation = |id: &&str| {
            let mut fields = Map::new();
            fields.insert("organization_id".to_owned(), (*id).into());
            fields.insert("name".to_owned(), format!("Company {id}").into());
            fields
        };
        let account = NewZohoAccount {
            region: Some("eu".to_owned()),
            organizations: organisations.iter().map(organisation).collect(),
            codes: vec!["code-1".to_owned(), "code-2".to_owned()],
            auto_consent: true,
            ..NewZohoAccount::default()
        };
        let who = sandbox.zoho().register(account).unwrap();
        Self {
            world,
            sandbox,
            acme,
            who,
        }
    }

    async fn ann(&self) -> (Visitor<'_>, Answer) {
        let mut ann = self.world.signed_in("ann@example.com").await;
        let page = ann.get(PAGE).await;
        (ann, page)
    }

    fn fields<'a>(&'a self, secret: &'a str, code: &'a str) -> [(&'static str, &'a str); 4] {
        [
            ("region", "eu"),
            ("client_id", &self.who.client_id),
            ("client_secret", secret),
            ("code", code),
        ]
    }

    async fn connected(&self) -> (Visitor<'_>, Answer) {
        let (mut ann, page) = self.ann().await;
        let fields = self.fields(&self.who.client_secret, "code-1");
        let answer = ann.post(&page, BOOKS, &fields).await;
        assert_eq!(answer.to, "/t/acme/connections#books", "{}", answer.html);
        let page = ann.get(PAGE).await;
        (ann, page)
    }

    async fn zoho(&self) -> Connection {
        let app = &self.world.app;
        let connection = app.connection(self.acme.id, zoho::PROVIDER).await;
        connection.unwrap().unwrap()
    }

    /// What the next wish for a token meets.
    fn token_fault(&self, kind: ZohoFaultKind, error: Option<&str>) {
        let order = ZohoFaultOrder {
            on: ZohoOn::Token,
            error: error.map(str::to_owned),
            ..ZohoFaultOrder::once(kind)
        };
        self.sandbox.zoho().next(order).unwrap();
    }

    /// Goes to Zoho by the link of the page, accepts, and gives the address that leads back.
    async fn consent(&self, ann: &mut Visitor<'_>, page: &Answer) -> String {
        let fields = self.fields(&self.who.client_secret, "");
        let answer = ann.post(page, CONSENT, &fields).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.html);
        let link = attribute(&answer.html, "a[rel=external]", "href");
        let http = crate::http::client().unwrap();
        let answer = http.get(link).send().await.unwrap();
        let back = answer.headers()["location"].to_str().unwrap();
        let back = back.strip_prefix("http://127.0.0.1:8080").unwrap();
        assert!(back.starts_with("/zoho/callback?"), "{back}");
        back.to_owned()
    }
}

fn attribute(html: &str, css: &str, name: &str) -> String {
    let page = Html::parse_document(html);
    let found = page.select(&Selector::parse(css).unwrap()).next();
    found.unwrap().attr(name).unwrap().to_owned()
}

fn text(html: &str, css: &str) -> Vec<String> {
    let page = Html::parse_document(html);
    let selector = Selector::parse(css).unwrap();
    page.select(&selector)
        .map(|e| e.text().collect::<String>().trim().to_owned())
        .collect()
}

#[actix_web::test]
async fn a_wrong_secret_is_told_at_its_field_and_never_returns() {
    let scene = Scene::with(&["11"]).await;
    let (mut ann, page) = scene.ann().await;
    assert!(page.html.contains("http://127.0.0.1:8080/zoho/callback"));
    let fields = scene.fields("not-the-secret", "code-1");
    let answer = ann.post(&page, BOOKS, &fields).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    let said = text(&answer.html, "#f-client_secret-error");
    assert!(
        said[0].starts_with("The client secret is wrong"),
        "{said:?}"
    );
    assert!(answer.html.contains(&scene.who.client_id));
    for secret in ["not-the-secret", "code-1"] {
        assert!(!answer.html.contains(secret), "{secret}");
    }
    assert_eq!(scene.zoho().await.state, ConnectionState::New);
}

#[actix_web::test]
async fn what_was_left_empty_is_asked_for_at_each_field() {
    let scene = Scene::with(&["11"]).await;
    let (mut ann, page) = scene.ann().await;
    for (path, wanted) in [(BOOKS, 4), (CONSENT, 3)] {
        let answer = ann.post(&page, path, &[("region", "mars")]).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        let said = text(&answer.html, "#books .field-error");
        assert_eq!(said.len(), wanted, "{said:?}");
    }
    let fields = [("organization", "11")];
    let answer = ann.post(&page, BOOKS, &fields).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    let said = text(&answer.html, "#books [role=alert]");
    assert_eq!(said, ["Zoho Books is not connected yet."]);
    assert!(scene.sandbox.zoho().requests().is_empty());
}

#[actix_web::test]
async fn a_code_connects_the_only_organisation_and_a_used_one_is_refused() {
    let scene = Scene::with(&["11"]).await;
    let (mut ann, page) = scene.connected().await;
    assert!(page.html.contains("Zoho Books is connected, for reading."));
    let facts = text(&page.html, "#books dd");
    assert_eq!(facts[0], "Company 11");
    assert_eq!(text(&page.html, "#books .sheet-head .badge"), ["Working"]);
    assert_eq!(scene.zoho().await.account, "11");
    // The stored secret serves when its field stays empty.
    let answer = ann.post(&page, BOOKS, &scene.fields("", "code-1")).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(text(&answer.html, "#f-code-error").len(), 1);
    let answer = ann.post(&page, BOOKS, &scene.fields("", "code-2")).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.html);
}

#[actix_web::test]
async fn of_two_organisations_a_person_chooses_one_and_later_the_other() {
    let scene = Scene::with(&["11", "22"]).await;
    let (mut ann, page) = scene.connected().await;
    assert!(page.html.contains("Choose the organisation below"));
    let options = text(&page.html, "#f-organization option");
    assert_eq!(options, ["Company 11", "Company 22"]);
    assert_eq!(
        text(&page.html, "#books .sheet-head .badge"),
        ["Not finished"]
    );
    // There is nothing to check yet.
    let zoho = scene.zoho().await;
    let check = format!("{PAGE}/{}/checks", zoho.id);
    assert!(!page.html.contains(&check));
    let answer = ann.post(&page, &check, &[]).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);

    let answer = ann.post(&page, BOOKS, &[("organization", "33")]).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(text(&answer.html, "#f-organization-error").len(), 1);
    assert_eq!(text(&answer.html, "#f-organization option").len(), 2);
    assert_eq!(scene.zoho().await.account, "");

    for (id, name) in [("22", "Company 22"), ("11", "Company 11")] {
        ann.post(&page, BOOKS, &[("organization", id)]).await;
        let page = ann.get(PAGE).await;
        assert_eq!(text(&page.html, "#books dd")[0], name);
        assert!(text(&page.html, "#f-organization").is_empty());
    }
    let page = ann.get(&format!("{PAGE}?books=organisations")).await;
    let chosen = text(&page.html, "#f-organization option[selected]");
    assert_eq!(chosen, ["Company 11"]);
}

#[actix_web::test]
async fn a_revoked_access_is_found_by_the_check_and_shown_with_the_way_out() {
    let scene = Scene::with(&["11"]).await;
    let (mut ann, page) = scene.connected().await;
    let check = format!("{PAGE}/{}/checks", scene.zoho().await.id);
    assert!(page.html.contains(&check));
    ann.post(&page, &check, &[]).await;
    let page = ann.get(PAGE).await;
    assert!(
        page.html.contains("Zoho Books lets us read."),
        "{}",
        page.html
    );

    scene.sandbox.zoho().expire_access_tokens();
    scene.token_fault(ZohoFaultKind::Drop, None);
    let answer = ann.post(&page, &check, &[]).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    let said = text(&answer.html, "#books [role=alert]").concat();
    assert!(said.contains("Try again in a minute."), "{said}");
    assert_eq!(scene.zoho().await.state, ConnectionState::Ready);

    scene.token_fault(ZohoFaultKind::TokenError, Some("invalid_code"));
    let answer = ann.post(&page, &check, &[]).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.html);
    let page = ann.get(PAGE).await;
    assert_eq!(text(&page.html, "#books .sheet-head .badge"), ["Broken"]);
    assert_eq!(
        text(&page.html, "#books details[open] summary"),
        ["Connect again"]
    );
    let reason = text(&page.html, "#books .notice").concat();
    assert!(reason.contains("no longer accepts our access"), "{reason}");
    // Connecting again mends it.
    let fields = scene.fields("", "code-2");
    ann.post(&page, BOOKS, &fields).await;
    assert_eq!(scene.zoho().await.state, ConnectionState::Ready);
}

#[actix_web::test]
async fn consent_goes_by_a_link_and_comes_back_once() {
    let scene = Scene::with(&["11"]).await;
    let (mut ann, page) = scene.ann().await;
    let back = scene.consent(&mut ann, &page).await;
    // Somebody else's browser cannot end it, with or without a session.
    scene.world.tenant("Other", "eve@example.com").await;
    let mut eve = scene.world.signed_in("eve@example.com").await;
    let answer = eve.get(&back).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert!(answer.html.contains("Begin again on the page Connections."));
    let answer = scene.world.visitor().get(&back).await;
    assert_eq!(answer.to, "/sign-in");
    assert_eq!(scene.zoho().await.state, ConnectionState::New);

    let answer = ann.get(&back).await;
    assert_eq!(answer.to, "/t/acme/connections#books", "{}", answer.html);
    assert_eq!(scene.zoho().await.account, "11");
    assert_eq!(ann.get(&back).await.status, StatusCode::CONFLICT);
}

#[actix_web::test]
async fn a_consent_that_zoho_refuses_is_told_on_the_card() {
    let scene = Scene::with(&["11"]).await;
    let (mut ann, page) = scene.ann().await;
    let back = scene.consent(&mut ann, &page).await;
    let state = form_urlencoded::parse(back.split_once('?').unwrap().1.as_bytes())
        .find(|(name, _)| name == "state")
        .unwrap()
        .1
        .into_owned();
    let declined = format!("/zoho/callback?error=access_denied&state={state}");
    let answer = ann.get(&declined).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    let said = text(&answer.html, "#books [role=alert]");
    assert_eq!(
        said,
        ["The request was rejected in Zoho. Nothing was connected."]
    );
}

#[actix_web::test]
async fn disconnecting_asks_first_and_leaves_the_webhook() {
    let scene = Scene::with(&["11"]).await;
    let (mut ann, _) = scene.connected().await;
    let ask = format!("{DISCONNECTION}/new");
    let page = ann.get(&ask).await;
    assert!(page.html.contains("Company 11"), "{}", page.html);
    assert_eq!(scene.zoho().await.state, ConnectionState::Ready);
    let answer = ann.post(&page, DISCONNECTION, &[]).await;
    assert_eq!(answer.to, "/t/acme/connections#books", "{}", answer.html);
    let page = ann.get(PAGE).await;
    assert!(page.html.contains("Zoho Books is disconnected."));
    assert_eq!(
        text(&page.html, "#books .sheet-head .badge"),
        ["Not connected"]
    );
    assert!(page.html.contains("/hooks/zoho/"));
    assert_eq!(ann.get(&ask).await.status, StatusCode::SEE_OTHER);
}

#[actix_web::test]
async fn only_an_admin_with_the_forms_token_touches_the_access() {
    let scene = Scene::with(&["11", "22"]).await;
    let (mut ann, _) = scene.connected().await;
    let password = SecretString::from(PASSWORD);
    let app = &scene.world.app;
    app.create_operator("op@example.com", password)
        .await
        .unwrap();
    let mut op = scene.world.signed_in("op@example.com").await;
    let asked = scene.sandbox.zoho().requests().len();
    let page = op.get(PAGE).await;
    assert!(text(&page.html, "#books form").is_empty());
    let settings = op.get("/t/acme/settings").await;
    let check = format!("{PAGE}/{}/checks", scene.zoho().await.id);
    let fields = scene.fields(&scene.who.client_secret, "code-2");
    for path in [BOOKS, CONSENT, DISCONNECTION, &check] {
        let answer = op.post(&settings, path, &fields).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
        let answer = ann.post_bare(path, &fields).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
        assert!(answer.html.contains("This form is too old"), "{path}");
    }
    let answer = op.get(&format!("{DISCONNECTION}/new")).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    // Nor does their look at the page make us ask Zoho.
    assert_eq!(scene.sandbox.zoho().requests().len(), asked);
}
