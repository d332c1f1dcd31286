//! Nobody reaches another company: every address that bears a tenant, walked as a member of another
//! one, as somebody whose role does not reach, and signed out.

use std::fs;
use std::path::{Path, PathBuf};

use ml_connector::domain::user::Role;
use ml_connector::web::areas::routes::Entry;
use reqwest::{Method, StatusCode, header};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::harness::TestApp;
use crate::harness::company::PASSWORD;
use crate::harness::visitor::Visitor;
use crate::walk::{self, Walk};

#[test]
fn every_address_of_the_dashboard_stands_in_the_lists() {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web/areas")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
        let (inner, here): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
        // Whoever stops reminders is nobody's member: that page is asked for by a signed link.
        let is_dashboard = |f: &PathBuf| !f.ends_with("tests") && !f.ends_with("reminder_stops");
        folders.extend(inner.into_iter().filter(is_dashboard));
        files.extend(here);
    }
    let mut seen = 0;
    for path in files {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name == "routes.rs" || name.ends_with("tests.rs") {
            continue;
        }
        let code = fs::read_to_string(&path).unwrap();
        let code = code.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
        for served in [".route(", "web::resource(", "#[get(", "#[post("] {
            assert!(
                !code.contains(served),
                "{name} serves an address by {served}…): put it into the list TENANT or OUTSIDE of \
                 src/web/areas/routes.rs instead, as `get \"/path\", Ability => handler;`, so that \
                 the tests of tenancy and web security walk it"
            );
        }
        seen += 1;
    }
    assert!(seen > 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_of_another_company_finds_nothing() {
    let app = TestApp::spawn().await;
    let acme = Walk::of(&app, "Acme").await;
    let globex = Walk::of(&app, "Globex").await;
    let eve = Visitor::signed_in(&app, &globex.company.email, PASSWORD).await;
    let token = eve.token(&format!("/t/{}/", globex.company.slug)).await;
    let before = audit_entries(&app).await;
    for (method, path, _) in acme.addresses() {
        let answer = eve.ask(method.clone(), &path, &[("csrf", &token)]).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{method} {path}");
    }
    // Nor by her own company's address with what belongs to the other.
    let (own, other) = (&globex.company.slug, &acme.company.slug);
    for (method, path, route) in acme.addresses().filter(|(_, _, d)| d.path.contains('{')) {
        let path = path.replacen(&format!("/t/{other}/"), &format!("/t/{own}/"), 1);
        let answer = eve.ask(method.clone(), &path, &[("csrf", &token)]).await;
        let status = answer.status();
        // A form of which nothing but the token was typed may be told so first, or be led to its
        // question, which is not found either.
        let is_unread = method == Method::POST && status == StatusCode::UNPROCESSABLE_ENTITY;
        let is_led = match answer.headers().get(header::LOCATION) {
            Some(to) => eve.get(to.to_str().unwrap()).await.status == StatusCode::NOT_FOUND,
            None => false,
        };
        assert!(
            status == StatusCode::NOT_FOUND || is_unread || is_led,
            "{method} {path} ({}): {status}",
            route.path
        );
    }
    assert_eq!(audit_entries(&app).await, before, "something was changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_opens_what_its_abilities_name_and_no_more() {
    let app = TestApp::spawn().await;
    let acme = Walk::of(&app, "Acme").await;
    let mut refused = 0;
    for role in [Role::Viewer, Role::Editor, Role::Admin] {
        let email = acme.teammate(role).await;
        let visitor = Visitor::signed_in(&app, &email, PASSWORD).await;
        let token = visitor.token(&format!("/t/{}/", acme.company.slug)).await;
        for (method, path, route) in acme.addresses() {
            // Whether somebody may be removed depends on who it is: everybody may leave.
            if route.path.starts_with("/team/{member}/removal") {
                continue;
            }
            let fields = [("csrf", token.as_str())];
            let answer = visitor.ask(method.clone(), &path, &fields).await;
            let status = answer.status();
            let may = role.may(route.needs);
            assert_eq!(
                status == StatusCode::FORBIDDEN,
                !may,
                "{method} {path} as {role}: {status}, though src/web/areas/routes.rs says {:?}",
                route.needs
            );
            assert!(!status.is_server_error(), "{method} {path}: {status}");
            refused += usize::from(!may);
        }
    }
    assert!(refused > 20, "only {refused} addresses need a role");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_signed_out_is_led_to_the_sign_in_page() {
    let app = TestApp::spawn().await;
    let acme = Walk::of(&app, "Acme").await;
    let before = audit_entries(&app).await;
    for (method, path, _) in acme.addresses() {
        let stranger = Visitor::stranger(&app);
        let answer = stranger.ask(method.clone(), &path, &[]).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{method} {path}");
        let to = answer.headers()[header::LOCATION].to_str().unwrap();
        assert!(to.starts_with("/sign-in"), "{method} {path} leads to {to}");
    }
    for (method, path, needs) in walk::outside() {
        if needs == Entry::Anyone {
            continue;
        }
        let stranger = Visitor::stranger(&app);
        let answer = stranger.ask(method.clone(), &path, &[]).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{method} {path}");
    }
    assert_eq!(audit_entries(&app).await, before, "something was changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_another_company_finds_nothing() {
    let app = TestApp::spawn().await;
    let acme = Walk::of(&app, "Acme").await;
    let globex = Walk::of(&app, "Globex").await;
    let event = acme.id("event");
    let openapi: Value = {
        let answer = app.http.get(app.url("/api/openapi.json")).send().await;
        answer.unwrap().json().await.unwrap()
    };
    let paths = openapi["paths"].as_object().unwrap();
    let mut walked = 0;
    for (path, methods) in paths {
        if !path.contains('{') {
            continue;
        }
        let kinds = [
            "rules",
            "events",
            "deliveries",
            "suppressions",
            "senders",
            "groups",
        ];
        let id = match path.split('/').find(|p| kinds.contains(p)) {
            Some("senders") => acme.id("sender"),
            Some("groups") => acme.id("group"),
            Some("suppressions") => acme.id("suppression"),
            Some("rules") => acme.id("rule"),
            Some("events") => event,
            Some("deliveries") => acme.id("delivery"),
            _ => panic!("say here what stands for the id in {path}"),
        };
        let path = path.trim_start_matches("/api/v1").replace("{id}", id);
        for method in methods.as_object().unwrap().keys() {
            let Ok(method) = method.to_uppercase().parse::<Method>() else {
                continue;
            };
            if !["GET", "POST", "PUT", "PATCH", "DELETE"].contains(&method.as_str()) {
                continue;
            }
            let body = match path.rsplit('/').next() {
                Some("resolution") => json!({ "resolution": "arrived" }),
                _ => json!({}),
            };
            let body = (method != Method::GET).then_some(body);
            let answer = globex.company.api(method.clone(), &path, body).await;
            assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{method} {path}");
            walked += 1;
        }
    }
    assert!(walked >= 6, "only {walked} addresses bear an id");
    assert_ne!(
        acme.company.token.expose_secret(),
        globex.company.token.expose_secret()
    );
}

async fn audit_entries(app: &TestApp) -> i64 {
    app.rows("audit_entries").await
}
