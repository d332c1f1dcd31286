//! However a company begins: nobody but its owner is written to, and later by day only.

use reqwest::StatusCode;
use reqwest::header::{ACCEPT_LANGUAGE, HeaderValue};

use crate::harness::TestApp;
use crate::harness::company::PASSWORD;
use crate::harness::page::Page;
use crate::harness::process::Service;
use crate::harness::visitor::Visitor;

/// What an owner tells of a new company.
const COMPANY: [(&str, &str); 4] = [
    ("company", "Acme"),
    ("country", "GB"),
    ("zone", "Europe/London"),
    ("currency", "GBP"),
];

/// The companies that begin as they should.
const SAFE: &str = "tenants WHERE is_rehearsal = TRUE AND hours = '08:00-20:00'";

const EMAIL: &str = "ann@acme.example";

async fn fill(ann: &Visitor<'_>, path: &str, more: &[(&str, &str)]) -> Page {
    let page = ann.get(path).await;
    ann.submit(&page, path, &[&COMPANY[..], more].concat())
        .await
}

#[tokio::test]
async fn the_first_company_of_an_installation_begins_in_rehearsal_and_by_day() {
    let app = TestApp::spawn().await;
    let code = app.running.setup_code.clone().expect("nobody is there yet");
    let ann = Visitor::stranger(&app);
    let typed = [
        ("code", code.as_str()),
        ("email", EMAIL),
        ("password", PASSWORD),
    ];
    let overview = fill(&ann, "/setup", &typed).await;
    assert_eq!(overview.path, "/t/acme/", "{}", overview.text());
    assert_eq!((app.rows("tenants").await, app.rows(SAFE).await), (1, 1));
}

#[tokio::test]
async fn who_signs_up_begins_in_rehearsal_and_by_day_and_so_does_their_second_company() {
    let app = TestApp::spawn().await;
    // Live at any hour, so that a stranger is not led to the set-up.
    app.company("Globex").await;
    let ann = Visitor::stranger(&app);
    fill(
        &ann,
        "/sign-up",
        &[("email", EMAIL), ("password", PASSWORD)],
    )
    .await;
    let mails = app.mails().await;
    let mail = mails.iter().find(|m| m.to == EMAIL).expect("an e-mail");
    let link = mail.link().strip_prefix(&app.url("")).unwrap();
    let page = ann.get(link).await;
    let overview = ann.submit(&page, link, &[("password", PASSWORD)]).await;
    assert_eq!(overview.path, "/t/acme/", "{}", overview.text());
    assert_eq!((app.rows("tenants").await, app.rows(SAFE).await), (2, 1));

    let second = fill(&ann, "/tenants/new", &[]).await;
    assert_eq!(second.path, "/t/acme-2/", "{}", second.text());
    assert_eq!((app.rows("tenants").await, app.rows(SAFE).await), (3, 2));
}

#[tokio::test]
async fn a_company_made_from_a_shell_begins_as_on_a_page_unless_told_otherwise() {
    let service = Service::new("http://127.0.0.1:9").await;
    let make = |name: &str, more: &[&str]| {
        let email = format!("owner@{name}.example");
        let args = ["admin", "create-tenant", "--name", name];
        let owner = ["--owner-email", &email, "--password-stdin"];
        let made = service.run(
            &[&args[..], &owner, more].concat(),
            &format!("{PASSWORD}\n"),
        );
        let complaint = String::from_utf8_lossy(&made.stderr).into_owned();
        assert!(made.status.success(), "{complaint}");
        String::from_utf8(made.stdout).unwrap()
    };
    let rows = async |such: &str| service.database.count(such).await;

    let said = make("acme", &[]);
    assert!(said.contains("begins in rehearsal"), "{said}");
    assert!(said.contains("08:00 to 20:00"), "{said}");
    assert_eq!(rows(SAFE).await, 1);

    let said = make("globex", &["--live"]);
    assert!(said.contains("begins live"), "{said}");
    let live = "tenants WHERE is_rehearsal = FALSE AND";
    assert_eq!(rows(&format!("{live} hours = '08:00-20:00'")).await, 1);
    let said = make("initech", &["--live", "--any-hour", "--json"]);
    assert!(said.contains(r#""is_rehearsal":false"#), "{said}");
    let any_hour = format!("{live} (hours IS NULL OR hours = '')");
    assert_eq!(rows(&any_hour).await, 1);
}

/// The country and the zone that a form proposes to a browser without scripts.
async fn proposed(app: &TestApp, path: &str, languages: &[u8]) -> [Option<String>; 2] {
    let languages = HeaderValue::from_bytes(languages).unwrap();
    let asked = app
        .http
        .get(app.url(path))
        .header(ACCEPT_LANGUAGE, languages);
    let page = Page::of(asked.send().await.unwrap()).await;
    assert_eq!((page.status, page.path.as_str()), (StatusCode::OK, path));
    ["country", "zone"].map(|name| {
        let chosen = format!("select[name={name}] option[selected]");
        page.attribute(&chosen, "value")
    })
}

#[tokio::test]
async fn a_form_proposes_the_country_of_the_browser_and_its_zone_where_it_has_one() {
    let app = TestApp::spawn().await;
    for path in ["/setup", "/sign-up"] {
        if path == "/sign-up" {
            app.company("Globex").await;
        }
        for (languages, country, zone) in [
            (&b"de-AT,de;q=0.9,en-US;q=0.8"[..], "AT", "Europe/Vienna"),
            (b"en-CA", "CA", "UTC"),
            (b"de,en-US;q=0.7", "US", "UTC"),
            (b"en-GB\xff", "US", "UTC"),
            (b"en-ZZ;;;q,,=", "US", "UTC"),
            // Ascension has numbers, but is not among the countries that can be chosen.
            (b"en-AC", "US", "UTC"),
        ] {
            let found = proposed(&app, path, languages).await;
            let told = String::from_utf8_lossy(languages);
            let wanted = [country, zone].map(|v| Some(v.to_owned()));
            assert_eq!(found, wanted, "{path} {told}");
        }
    }
}

#[tokio::test]
async fn the_set_up_code_stays_typed_when_it_was_right_and_the_password_never() {
    let app = TestApp::spawn().await;
    let code = app.running.setup_code.clone().expect("nobody is there yet");
    let ann = Visitor::stranger(&app);
    let try_with = async |code: &str, password: &str| {
        let typed = [("code", code), ("email", EMAIL), ("password", password)];
        let page = fill(&ann, "/setup", &typed).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(!page.source().contains(password), "the password returns");
        page.attribute("input[name=code]", "value")
    };
    assert_eq!(try_with(&code, "password123").await.as_ref(), Some(&code));
    let wrong = try_with("my-own-secret", "correct horse battery").await;
    assert_eq!(wrong.unwrap_or_default(), "");
    let both = try_with("my-own-secret", "password123").await;
    assert_eq!(both.unwrap_or_default(), "");
    assert_eq!(app.rows("users").await, 0);
}
