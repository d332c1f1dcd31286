//! Visits: a person with cookies, pages and forms, against the real routes on a fresh database.

mod books;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::http::{Method, StatusCode, header};
use actix_web::web::Data;
use actix_web::{ResponseError as _, cookie::Cookie, test};
use chrono::{DateTime, Utc};
use scraper::{Html, Selector};
use secrecy::{ExposeSecret as _, SecretString};

use super::NewInstance;
use super::error::PageError;
use crate::app::accounts::throttle::Gate;
use crate::app::accounts::{Beginning, CreatedTenant, TenantInput};
use crate::app::pipeline::{HookRequest, Received};
use crate::app::{App, AppError, Parts};
use crate::config::web::{PublicUrl, Signup};
use crate::crypto::master_key::MasterKey;
use crate::crypto::password::{PasswordError, Passwords};
use crate::crypto::token::SetupCode;
use crate::crypto::vault::Vault;
use crate::domain::actor::Actor;
use crate::domain::clock::{FixedClock, SharedClock};
use crate::domain::event::{Body, EventSource, EventType, NewEvent};
use crate::domain::hours::Hours;
use crate::domain::ids::{EventId, new_v7};
use crate::mail::Mailer;
use crate::queue::JobQueue;
use crate::queue::absent::Absent;
use crate::store::Store;
use crate::testing::TestDatabase;
use crate::testing::queue::test_queue;
use crate::transport::Transports;
use crate::twilio::Twilio;
use crate::zoho;
use crate::zoho::oauth::ZohoOAuth;
use crate::zoho::secret::WebhookSecret;
use crate::zoho::tokens::AccessTokens;
use crate::zoho::webhook::sign;

const PASSWORD: &str = "a sentence is good";

struct World {
    app: App,
    new_instance: Data<NewInstance>,
    _database: TestDatabase,
}

impl World {
    async fn with_code(code: Option<SetupCode>) -> Self {
        Self::build(code, None).await
    }

    /// With a queue that is away.
    async fn without_queue(absent: Absent) -> Self {
        Self::on_queue(None, None, |_| Arc::new(absent)).await
    }

    /// With Zoho's stand-in at an address.
    async fn build(code: Option<SetupCode>, zoho: Option<url::Url>) -> Self {
        Self::on_queue(code, zoho, test_queue).await
    }

    async fn on_queue(
        code: Option<SetupCode>,
        zoho: Option<url::Url>,
        queue: impl FnOnce(SharedClock) -> Arc<dyn JobQueue>,
    ) -> Self {
        Self::of(code, zoho, queue, Passwords::default()).await
    }

    /// Where so many passwords are checked that nobody else is let in.
    async fn overrun() -> Self {
        Self::of(None, None, test_queue, Passwords::overrun()).await
    }

    async fn of(
        code: Option<SetupCode>,
        zoho: Option<url::Url>,
        queue: impl FnOnce(SharedClock) -> Arc<dyn JobQueue>,
        passwords: Passwords,
    ) -> Self {
        let database = TestDatabase::migrated().await;
        let store = Store::open(&database.url()).await.unwrap();
        let at: DateTime<Utc> = "2026-06-01T10:00:00Z".parse().unwrap();
        let clock: SharedClock = Arc::new(FixedClock::at(at));
        let vault = Vault::new(MasterKey::generate(), &[]).unwrap();
        let key = vault.new_data_key(new_v7(at)).unwrap();
        vault.admit(&key).unwrap();
        let store = store.with_hasher(vault.address_hasher().unwrap());
        let http = crate::http::client().unwrap();
        let parts = Parts {
            store,
            queue: queue(clock.clone()),
            vault,
            passwords,
            transports: Transports::alone(Twilio::new(http.clone(), None), clock.clone()),
            dns: crate::dns::Dns::system(),
            mailer: Mailer::to_log(),
            zoho_tokens: AccessTokens::new(ZohoOAuth::new(http), clock.clone()),
            zoho_sandbox: zoho,
            public_url: PublicUrl::parse("http://127.0.0.1:8080").unwrap(),
            signup: Signup::Open,
            is_sandboxed: false,
            lease_owner: "test".to_owned(),
            runtime: tokio::runtime::Handle::current(),
            clock,
        };
        Self {
            app: App::new(parts),
            new_instance: Data::new(NewInstance::new(code)),
            _database: database,
        }
    }

    async fn new() -> Self {
        Self::with_code(None).await
    }

    async fn tenant(&self, name: &str, owner: &str) -> CreatedTenant {
        let input = TenantInput {
            name: name.to_owned(),
            owner_email: owner.to_owned(),
            password: SecretString::from(PASSWORD),
            country: "GB".to_owned(),
            zone: "Europe/London".to_owned(),
            currency: "GBP".to_owned(),
            beginning: Beginning::LiveAtAnyHour,
        };
        self.app.create_tenant(input).await.unwrap()
    }

    /// An event of the sample invoice, decided with the rules of this moment.
    async fn event(&self, of: &CreatedTenant) -> EventId {
        let now = self.app.now();
        let store = self.app.store().tenant(of.id);
        let zoho = store.connection(zoho::PROVIDER).await.unwrap().unwrap();
        let event = NewEvent {
            id: EventId::new(now),
            tenant: of.id,
            connection: zoho.id,
            source: EventSource::Webhook,
            path_type: Some(EventType::InvoiceSent),
            label: String::new(),
            body: Body {
                content_type: "application/json".to_owned(),
                query: String::new(),
                bytes: include_bytes!("../../../tests/samples/webhook-invoice.json")[..].into(),
            },
            digest: [7; 32],
            day_digest: None,
            received_at: now,
        };
        let event = self.app.store().ingest(event).await.unwrap().event;
        self.app.route_event(of.id, event).await.unwrap();
        event
    }

    fn visitor(&self) -> Visitor<'_> {
        Visitor {
            world: self,
            cookies: BTreeMap::new(),
        }
    }

    async fn signed_in(&self, email: &str) -> Visitor<'_> {
        let mut visitor = self.visitor();
        let page = visitor.get("/sign-in").await;
        let answer = visitor
            .post(
                &page,
                "/sign-in",
                &[("email", email), ("password", PASSWORD)],
            )
            .await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.html);
        visitor
    }
}

struct Visitor<'a> {
    world: &'a World,
    cookies: BTreeMap<String, String>,
}

struct Answer {
    status: StatusCode,
    to: String,
    html: String,
}

impl Answer {
    /// The value of a hidden field, of the first form that has it.
    fn hidden(&self, name: &str) -> String {
        let selector = Selector::parse(&format!("input[type=hidden][name={name}]")).unwrap();
        let page = Html::parse_document(&self.html);
        let field = page.select(&selector).next();
        field
            .and_then(|f| f.attr("value"))
            .unwrap_or_default()
            .to_owned()
    }
}

impl Visitor<'_> {
    async fn get(&mut self, path: &str) -> Answer {
        self.call(Method::GET, path, None).await
    }

    /// Posts what a form of `page` would, with its token.
    async fn post(&mut self, page: &Answer, path: &str, fields: &[(&str, &str)]) -> Answer {
        let token = page.hidden("csrf");
        let all = [("csrf", token.as_str())];
        self.post_bare(path, &[&all, fields].concat()).await
    }

    async fn post_bare(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(fields);
        self.call(Method::POST, path, Some(body.finish())).await
    }

    async fn call(&mut self, method: Method, path: &str, body: Option<String>) -> Answer {
        let service = test::init_service(
            actix_web::App::new()
                .app_data(Data::new(self.world.app.clone()))
                .app_data(self.world.new_instance.clone())
                .configure(crate::web::routes),
        )
        .await;
        let here = std::net::SocketAddr::from(([203, 0, 113, 9], 4711));
        let mut request = test::TestRequest::with_uri(path)
            .method(method)
            .peer_addr(here);
        for (name, value) in &self.cookies {
            request = request.cookie(Cookie::new(name.clone(), value.clone()));
        }
        if let Some(body) = body {
            request = request
                .insert_header((header::CONTENT_TYPE, "application/x-www-form-urlencoded"))
                .set_payload(body);
        }
        let answer = test::call_service(&service, request.to_request()).await;
        for cookie in answer.response().cookies() {
            if cookie.value().is_empty() {
                self.cookies.remove(cookie.name());
            } else {
                self.cookies
                    .insert(cookie.name().to_owned(), cookie.value().to_owned());
            }
        }
        let to = answer.headers().get(header::LOCATION);
        let to = to.map_or("", |t| t.to_str().unwrap()).to_owned();
        Answer {
            status: answer.status(),
            to,
            html: String::from_utf8(test::read_body(answer).await.to_vec()).unwrap(),
        }
    }
}

const RULE: [(&str, &str); 8] = [
    ("name", "Every invoice"),
    ("event_type", "invoice.sent"),
    ("joint", "all"),
    ("recipient", "fixed"),
    ("addresses", "07700 900456"),
    ("sender", "default"),
    ("template", "Invoice {{ invoice_number }} is there"),
    ("enabled", "1"),
];

#[actix_web::test]
async fn a_member_signs_in_sees_the_company_and_signs_out() {
    let world = World::new().await;
    world.tenant("Acme", "ann@example.com").await;
    let mut ann = world.visitor();
    let away = ann.get("/t/acme/history?state=matched").await;
    assert_eq!(
        away.to,
        "/sign-in?next=%2Ft%2Facme%2Fhistory%3Fstate%3Dmatched"
    );
    let page = ann.get(&away.to).await;
    let next = page.hidden("next");
    let fields = [
        ("email", "Ann@example.com"),
        ("password", PASSWORD),
        ("next", &next),
    ];
    let answer = ann.post(&page, "/sign-in", &fields).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(answer.to, "/t/acme/history?state=matched");
    assert_eq!(ann.get("/").await.to, "/t/acme/");
    for path in [
        "/",
        "/history",
        "/rejected",
        "/rules",
        "/rules/new",
        "/connections",
        "/settings",
    ] {
        let page = ann.get(&format!("/t/acme{path}")).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
    }
    let page = ann.get("/t/acme/").await;
    let answer = ann.post(&page, "/sign-out", &[]).await;
    assert_eq!(answer.to, "/sign-in");
    assert!(!ann.cookies.contains_key("mlc_session"));
    assert!(
        ann.get("/sign-in")
            .await
            .html
            .contains("You are signed out.")
    );
    assert!(
        !ann.get("/sign-in")
            .await
            .html
            .contains("You are signed out.")
    );
}

#[actix_web::test]
async fn who_finds_too_many_signing_in_is_told_to_try_again() {
    let world = World::overrun().await;
    let mut visitor = world.visitor();
    let page = visitor.get("/sign-in").await;
    let fields = [("email", "ann@example.com"), ("password", PASSWORD)];
    let answer = visitor.post(&page, "/sign-in", &fields).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.html.contains("Too many people at once"));
    assert!(answer.html.contains("try once more"));
    let busy = PageError::from(AppError::from(PasswordError::Busy)).error_response();
    assert_eq!(busy.headers().get(header::RETRY_AFTER).unwrap(), "5");
}

#[actix_web::test]
async fn a_wrong_password_and_an_unknown_address_sound_alike_and_become_slow() {
    let world = World::new().await;
    world.tenant("Acme", "ann@example.com").await;
    let mut visitor = world.visitor();
    let page = visitor.get("/sign-in").await;
    for email in ["ann@example.com", "nobody@example.com"] {
        let fields = [("email", email), ("password", "wrong wrong wrong")];
        let answer = visitor.post(&page, "/sign-in", &fields).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(answer.html.contains("The e-mail or the password is wrong."));
        assert!(!answer.html.contains("wrong wrong"));
    }
    for _ in 0..40 {
        let elsewhere = Some(std::net::IpAddr::from([10, 0, 0, 1]));
        let tried = world.app.admit(Gate::SignIn, elsewhere, "ann@example.com");
        tried.await.unwrap();
    }
    let fields = [("email", "ann@example.com"), ("password", PASSWORD)];
    let answer = visitor.post(&page, "/sign-in", &fields).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "she comes from here");

    let mut visitor = world.visitor();
    let page = visitor.get("/sign-in").await;
    let wrong = [
        ("email", "ann@example.com"),
        ("password", "wrong wrong wrong"),
    ];
    for _ in 0..10 {
        let answer = visitor.post(&page, "/sign-in", &wrong).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let answer = visitor.post(&page, "/sign-in", &fields).await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
}

#[actix_web::test]
async fn another_company_is_not_found_on_every_page() {
    let world = World::new().await;
    let acme = world.tenant("Acme", "ann@example.com").await;
    let event = world.event(&acme).await;
    world.tenant("Other", "eve@example.com").await;
    let mut eve = world.signed_in("eve@example.com").await;
    let own = eve.get("/t/other/rules/new").await;
    for path in [
        "/",
        "/history",
        "/rules",
        "/connections",
        "/settings",
        "/rejected",
    ] {
        let answer = eve.get(&format!("/t/acme{path}")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        let missing = eve.get(&format!("/t/nowhere{path}")).await;
        assert_eq!(answer.html, missing.html, "{path}");
    }
    let answer = eve.get(&format!("/t/other/events/{event}")).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    let answer = eve.get("/t/other/events/evt_1").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    let answer = eve.post(&own, "/t/acme/rules", &RULE).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    let path = format!("/t/other/events/{event}/replays");
    let answer = eve.post(&own, &path, &[("nonce", "1")]).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert!(world.app.rules(acme.id).await.unwrap().is_empty());
}

#[actix_web::test]
async fn an_operator_looks_but_does_not_touch() {
    let world = World::new().await;
    let acme = world.tenant("Acme", "ann@example.com").await;
    let password = SecretString::from(PASSWORD);
    world
        .app
        .create_operator("op@example.com", password)
        .await
        .unwrap();
    let mut op = world.signed_in("op@example.com").await;
    let page = op.get("/t/acme/settings").await;
    assert_eq!(page.status, StatusCode::OK);
    let posts = ["/rules", "/stop-switch", "/settings", "/connections/twilio"];
    for path in posts {
        let answer = op.post(&page, &format!("/t/acme{path}"), &RULE).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
        assert!(
            answer.html.contains("Your role does not allow this"),
            "{path}"
        );
    }
    assert!(world.app.rules(acme.id).await.unwrap().is_empty());
}

#[actix_web::test]
async fn a_form_without_its_token_changes_nothing() {
    let world = World::new().await;
    let acme = world.tenant("Acme", "ann@example.com").await;
    let mut ann = world.signed_in("ann@example.com").await;
    let answer = ann.post_bare("/t/acme/rules", &RULE).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(answer.html.contains("This form is too old"));
    let forged = [("csrf", "forged"), ("stopped", "1")];
    let answer = ann.post_bare("/t/acme/stop-switch", &forged).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let answer = ann.call(Method::POST, "/t/acme/rules", None).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    let large = format!("csrf={}", "x".repeat(200_000));
    let answer = ann.call(Method::POST, "/t/acme/rules", Some(large)).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(world.app.rules(acme.id).await.unwrap().is_empty());
    let mut stranger = world.visitor();
    let fields = [("email", "ann@example.com"), ("password", PASSWORD)];
    let answer = stranger.post_bare("/sign-in", &fields).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
}

#[actix_web::test]
async fn a_rule_is_written_corrected_switched_and_deleted() {
    let world = World::new().await;
    let acme = world.tenant("Acme", "ann@example.com").await;
    let mut ann = world.signed_in("ann@example.com").await;
    let page = ann.get("/t/acme/rules/new").await;
    let wrong = [
        ("name", "<b>"),
        ("event_type", "invoice.sent"),
        ("recipient", "fixed"),
        ("addresses", "12"),
        ("condition.1.field", "total"),
        ("condition.1.op", "gte"),
        ("condition.1.value", "much"),
        ("template", "Hello {{ invoice_nummer }}"),
    ];
    let answer = ann.post(&page, "/t/acme/rules", &wrong).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        answer.html.contains("Type a number such as 1000"),
        "{}",
        answer.html
    );
    assert!(answer.html.contains("value=\"much\"") && answer.html.contains("&lt;b&gt;"));
    let answer = ann.post(&page, "/t/acme/rules", &RULE).await;
    assert_eq!(answer.to, "/t/acme/rules", "{}", answer.html);
    let rule = world.app.rules(acme.id).await.unwrap().remove(0);
    assert!(rule.enabled);
    let list = ann.get("/t/acme/rules").await;
    assert!(list.html.contains("The rule is saved.") && list.html.contains("Every invoice"));
    let base = format!("/t/acme/rules/{}", rule.id);
    assert_eq!(ann.get(&base).await.status, StatusCode::OK);
    ann.post(&list, &format!("{base}/activation"), &[("enabled", "0")])
        .await;
    assert!(!world.app.rules(acme.id).await.unwrap()[0].enabled);
    let answer = ann
        .post(&list, &format!("{base}/deletion"), &[("name", "Every")])
        .await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    let name = [("name", "Every invoice")];
    ann.post(&list, &format!("{base}/deletion"), &name).await;
    assert!(world.app.rules(acme.id).await.unwrap().is_empty());
    assert_eq!(ann.get(&base).await.status, StatusCode::NOT_FOUND);
}

/// What is posted by a page that asks, with whom it ticked.
fn confirming(page: &Answer) -> Vec<(String, String)> {
    let mut fields = vec![
        ("nonce".to_owned(), page.hidden("nonce")),
        ("confirm".to_owned(), page.hidden("confirm")),
    ];
    let boxes = page.html.split("name=\"to-").skip(1);
    for key in boxes.filter_map(|rest| rest.split('"').next()) {
        fields.push((format!("to-{key}"), "1".to_owned()));
    }
    fields
}

#[actix_web::test]
async fn a_double_click_replays_once_and_an_open_message_refuses_another() {
    let world = World::new().await;
    let acme = world.tenant("Acme", "ann@example.com").await;
    let event = world.event(&acme).await;
    let mut ann = world.signed_in("ann@example.com").await;
    let page = ann.get("/t/acme/rules/new").await;
    ann.post(&page, "/t/acme/rules", &RULE).await;
    let at = format!("/t/acme/events/{event}");
    let page = ann.get(&at).await;
    assert!(page.html.contains("Show the whole body"), "{}", page.html);
    let page = ann.get(&format!("{at}/replays/new")).await;
    let fields = confirming(&page);
    let fields: Vec<_> = fields
        .iter()
        .map(|(n, v)| (n.as_str(), v.as_str()))
        .collect();
    for _ in 0..2 {
        let answer = ann.post(&page, &format!("{at}/replays"), &fields).await;
        assert_eq!(answer.to, at, "{}", answer.html);
    }
    let story = world
        .app
        .store()
        .tenant(acme.id)
        .story(event)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((story.replays.len(), story.deliveries.len()), (1, 1));
    let answer = ann
        .post(&page, &format!("{at}/replays"), &[("nonce", "another")])
        .await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert!(answer.html.contains("is still open"));
    let delivery = format!("/t/acme/deliveries/{}", story.deliveries[0].id);
    let asked = ann.get(&format!("{delivery}/replays/new")).await;
    assert_eq!(asked.status, StatusCode::CONFLICT);
    let answer = ann
        .post(&page, &format!("{delivery}/cancellation"), &[])
        .await;
    assert_eq!(answer.to, at);
    let asked = ann.get(&format!("{delivery}/replays/new")).await;
    assert_eq!(asked.status, StatusCode::OK);
    let fields = confirming(&asked);
    let fields: Vec<_> = fields
        .iter()
        .map(|(n, v)| (n.as_str(), v.as_str()))
        .collect();
    for _ in 0..2 {
        let answer = ann
            .post(&asked, &format!("{delivery}/replays"), &fields)
            .await;
        assert_eq!(answer.to, at, "{}", answer.html);
    }
    let story = world
        .app
        .store()
        .tenant(acme.id)
        .story(event)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((story.replays.len(), story.deliveries.len()), (2, 2));
    assert!(
        ann.get(&at)
            .await
            .html
            .contains("Sent again by ann@example.com")
    );
}

#[actix_web::test]
async fn the_history_is_searched_by_parts_of_names_and_by_results() {
    let world = World::new().await;
    let acme = world.tenant("Acme", "ann@example.com").await;
    let event = world.event(&acme).await;
    let mut ann = world.signed_in("ann@example.com").await;
    let stored = world
        .app
        .store()
        .tenant(acme.id)
        .event(event)
        .await
        .unwrap()
        .unwrap();
    let part = stored.document_number[1..4].to_lowercase();
    for (query, found) in [
        (String::new(), true),
        (format!("?document={part}"), true),
        (format!("?document={}", stored.document_id), true),
        ("?document=%25".to_owned(), false),
        ("?customer=nobody+of+ours".to_owned(), false),
        ("?result=delivered".to_owned(), false),
        ("?result=bogus&at=bogus".to_owned(), true),
    ] {
        let page = ann.get(&format!("/t/acme/history{query}")).await;
        assert_eq!(page.status, StatusCode::OK, "{query}");
        assert_eq!(page.html.contains(&event.to_string()), found, "{query}");
    }
}

#[actix_web::test]
async fn a_new_hook_secret_is_shown_once_and_twilio_is_refused_field_by_field() {
    let world = World::new().await;
    let acme = world.tenant("Acme", "ann@example.com").await;
    let mut ann = world.signed_in("ann@example.com").await;
    let page = ann.get("/t/acme/connections").await;
    let zoho = world.app.hook_details(acme.id).await.unwrap();
    let path = format!("/t/acme/connections/{}/secret", zoho.connection);
    let shown = ann.post(&page, &path, &[]).await;
    assert_eq!(shown.status, StatusCode::OK);
    assert!(shown.html.contains("Copy the secret now."));
    let again = ann.get("/t/acme/connections").await;
    assert!(!again.html.contains("Copy the secret now."));
    let fields = [
        ("account_sid", "AC1"),
        ("auth_token", "hushhushhush"),
        ("sender", "12"),
    ];
    let answer = ann.post(&page, "/t/acme/connections/twilio", &fields).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(!answer.html.contains("hushhushhush"));
    assert!(
        answer.html.contains("need another look") || answer.html.contains("needs another look")
    );
}

#[actix_web::test]
async fn an_empty_instance_is_set_up_once_with_the_code() {
    let code = SetupCode::derived(&rand::random());
    let text = code.to_text();
    let world = World::with_code(Some(code)).await;
    let mut ann = world.visitor();
    assert_eq!(ann.get("/").await.to, "/setup");
    let page = ann.get("/setup").await;
    let fields = |code: &str| {
        [
            ("code", code.to_owned()),
            ("company", "Acme".to_owned()),
            ("country", "GB".to_owned()),
            ("zone", "Europe/London".to_owned()),
            ("currency", "GBP".to_owned()),
            ("email", "ann@example.com".to_owned()),
            ("password", PASSWORD.to_owned()),
        ]
    };
    let wrong = fields("AAAA-BBBB");
    let answer = ann
        .post(
            &page,
            "/setup",
            &wrong.each_ref().map(|(n, v)| (*n, v.as_str())),
        )
        .await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    let right = fields(&text);
    let answer = ann
        .post(
            &page,
            "/setup",
            &right.each_ref().map(|(n, v)| (*n, v.as_str())),
        )
        .await;
    assert_eq!(answer.to, "/t/acme/", "{}", answer.html);
    assert!(
        ann.get("/t/acme/")
            .await
            .html
            .contains("Make the webhook in Zoho Books")
    );
    assert!(ann.get("/tenants").await.html.contains("operator"));
    // Nobody can be written to by it before its owner says so, and by night not even then.
    let made = world.app.store().platform().tenants().await.unwrap();
    assert_eq!(made.len(), 1);
    assert!(made[0].is_rehearsal);
    assert_eq!(
        made[0].hours.map(Hours::label).as_deref(),
        Some("08:00 to 20:00")
    );
    let mut late = world.visitor();
    assert_eq!(late.get("/setup").await.to, "/sign-in");
}

#[actix_web::test]
async fn a_set_up_in_another_process_closes_the_page_here() {
    let code = SetupCode::derived(&rand::random());
    let text = code.to_text();
    let world = World::with_code(Some(code)).await;
    let mut ann = world.visitor();
    let page = ann.get("/setup").await;
    assert_eq!(page.status, StatusCode::OK);
    // Made by whoever else is on this database.
    let password = SecretString::from(PASSWORD);
    let made = world
        .app
        .create_first_operator("bob@example.com", password, "");
    assert!(made.await.unwrap().is_some());
    let fields = [
        ("code", text.as_str()),
        ("company", "Acme"),
        ("country", "GB"),
        ("zone", "Europe/London"),
        ("currency", "GBP"),
        ("email", "ann@example.com"),
        ("password", PASSWORD),
    ];
    let answer = ann.post(&page, "/setup", &fields).await;
    assert_eq!(
        (answer.status, answer.to.as_str()),
        (StatusCode::SEE_OTHER, "/sign-in")
    );
    assert_eq!(ann.get("/setup").await.to, "/sign-in");
    let platform = world.app.store().platform();
    let ann = platform.user_by_email("ann@example.com").await.unwrap();
    assert!(ann.is_none());
}

#[actix_web::test]
async fn a_queue_that_is_away_is_told_while_events_are_kept() {
    for absent in [Absent::Refusing, Absent::Hanging] {
        let world = World::without_queue(absent).await;
        let acme = world.tenant("Acme", "ann@example.com").await;
        let mut ann = world.signed_in("ann@example.com").await;
        let began = Instant::now();
        let ready = ann.get("/readyz").await;
        assert_eq!(ready.status, StatusCode::OK);
        assert!(
            ready.html.starts_with("ready, but Redis does not answer"),
            "{}",
            ready.html
        );
        assert!(
            ready.html.contains("look into the database"),
            "{}",
            ready.html
        );
        assert!(began.elapsed() < Duration::from_secs(5), "{absent:?}");

        let overview = ann.get("/t/acme/").await;
        let page = Html::parse_document(&overview.html);
        let notice = Selector::parse("#overview .notice").unwrap();
        let told = page.select(&notice).next().expect("a notice");
        let told = told.text().collect::<String>();
        assert!(told.contains("Messages may be late"), "{told}");
        assert!(told.contains("is kept"), "{told}");

        let secret = WebhookSecret::parse(acme.hook_secret.expose_secret()).unwrap();
        let token = acme.hook_url.rsplit('/').next().unwrap();
        let hook = world.app.hook(token).await.unwrap().unwrap();
        let body = bytes::Bytes::from_static(b"{}");
        let kind = "application/json".to_owned();
        let request = HookRequest {
            path_type: None,
            label: String::new(),
            query: String::new(),
            signature: Some(sign(&secret, "", Some(&kind), &body).into_bytes()),
            content_type: Some(kind),
            body,
            client: [127, 0, 0, 1].into(),
        };
        let kept = world
            .app
            .receive(EventSource::Webhook, &hook, request)
            .await
            .unwrap();
        assert!(matches!(kept, Received::Kept(kept) if !kept.is_duplicate));
        assert!(began.elapsed() < Duration::from_secs(10), "{absent:?}");
    }
}

#[actix_web::test]
async fn a_queue_that_answers_is_not_mentioned() {
    let world = World::new().await;
    world.tenant("Acme", "ann@example.com").await;
    let mut ann = world.signed_in("ann@example.com").await;
    let store = world.app.store();
    store.make_partitions(world.app.now()).await.unwrap();
    assert_eq!(ann.get("/readyz").await.html, "ready\n");
    let overview = ann.get("/t/acme/").await;
    assert!(!overview.html.contains("Messages may be late"));
}

#[actix_web::test]
async fn a_suspended_account_says_so_on_every_page() {
    let world = World::new().await;
    let acme = world.tenant("Acme", "ann@example.com").await;
    let mut ann = world.signed_in("ann@example.com").await;
    let why = "March is not paid <yet>.";
    let operator = Actor::operator();
    let suspended = world.app.suspend_tenant(acme.id, why, &operator);
    assert!(suspended.await.unwrap());
    for path in ["/t/acme/", "/t/acme/history", "/t/acme/settings"] {
        let html = ann.get(path).await.html;
        assert!(html.contains("This account is suspended"), "{path}");
        assert!(html.contains("March is not paid &lt;yet&gt;"), "{path}");
    }
    let lifted = world.app.reinstate_tenant(acme.id, &operator);
    assert!(lifted.await.unwrap());
    let html = ann.get("/t/acme/").await.html;
    assert!(!html.contains("This account is suspended"));
}

#[actix_web::test]
async fn sending_is_stopped_and_resumed() {
    let world = World::new().await;
    world.tenant("Acme", "ann@example.com").await;
    let mut ann = world.signed_in("ann@example.com").await;
    let page = ann.get("/t/acme/").await;
    ann.post(&page, "/t/acme/stop-switch", &[("stopped", "1")])
        .await;
    let page = ann.get("/t/acme/").await;
    assert!(page.html.contains("All sending is stopped") && page.html.contains("Resume sending"));
    ann.post(&page, "/t/acme/stop-switch", &[("stopped", "0")])
        .await;
    assert!(
        !ann.get("/t/acme/history")
            .await
            .html
            .contains("Resume sending")
    );
    let answer = ann.post(&page, "/t/acme/stop-switch", &[]).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
}
