//! Teams: people come by invitation, act as far as their role goes, and leave.

use std::fmt::Write as _;
use std::path::Path;

use chrono::TimeDelta;
use ml_connector::domain::actor::Actor;
use ml_connector::domain::delivery::Channel;
use ml_connector::domain::provider::Providers;
use ml_connector::domain::user::{Ability, Role};
use ml_connector::twilio::transport::WORDS;
use reqwest::{Method, StatusCode};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::harness::TestApp;
use crate::harness::company::{Company, PASSWORD};
use crate::harness::page::Page;
use crate::harness::visitor::Visitor;

const NEW_PASSWORD: &str = "the quick brown fox of march";

/// The link of the newest e-mail to somebody, as a path.
async fn link(app: &TestApp, to: &str) -> String {
    let mails = app.mails().await;
    let mail = mails.iter().rev().find(|l| l.to == to);
    let mail = mail.unwrap_or_else(|| panic!("no mail to {to}: {mails:?}"));
    let at = mail.link().find("/invitations/").expect("an invitation");
    mail.link()[at..].to_owned()
}

async fn invite(by: &Visitor<'_>, company: &Company<'_>, email: &str, role: Role) -> Page {
    let team = by.get(&format!("/t/{}/team", company.slug)).await;
    let action = format!("/t/{}/team/invitations", company.slug);
    let typed = [("email", email), ("role", role.as_str())];
    by.submit(&team, &action, &typed).await
}

/// A person of the company, who came by an invitation and typed a password.
async fn person<'a>(
    owner: &Visitor<'_>,
    company: &Company<'a>,
    email: &str,
    role: Role,
) -> Visitor<'a> {
    let sent = invite(owner, company, email, role).await;
    assert_eq!(sent.status, StatusCode::OK, "{}", sent.text());
    let path = link(company.app, email).await;
    let guest = Visitor::stranger(company.app);
    let door = guest.get(&path).await;
    let typed = [("name", "Somebody New"), ("password", NEW_PASSWORD)];
    let inside = guest.submit(&door, &path, &typed).await;
    assert_eq!(
        inside.path,
        format!("/t/{}/", company.slug),
        "{}",
        inside.text()
    );
    guest
}

/// The id of a member, as it stands in the team page's addresses.
async fn member_id(by: &Visitor<'_>, company: &Company<'_>, email: &str) -> String {
    let team = by.get(&format!("/t/{}/team", company.slug)).await;
    let rows = team.attributes("tr[id]", "id");
    let texts = team.texts("tr[id]");
    let found = rows.into_iter().zip(texts).find(|(_, t)| t.contains(email));
    found
        .unwrap_or_else(|| panic!("{email} is not in the team"))
        .0
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_comes_by_invitation_though_nobody_may_sign_up() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let owner = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let sent = invite(&owner, &acme, " Ben@Example.com ", Role::Editor).await;
    assert!(
        sent.text().contains("The invitation is on its way."),
        "{}",
        sent.text()
    );
    assert!(
        sent.text().contains("ben@example.com Editor"),
        "{}",
        sent.text()
    );

    let path = link(&app, "ben@example.com").await;
    let ben = Visitor::stranger(&app);
    let door = ben.get(&path).await;
    assert!(door.text().contains("Join Acme"), "{}", door.text());
    let typed = [("name", "Ben Okafor"), ("password", "short")];
    let again = ben.submit(&door, &path, &typed).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(again.error("password").is_some());
    assert_eq!(
        again.attribute("[name=name]", "value").as_deref(),
        Some("Ben Okafor")
    );

    let typed = [("name", "Ben Okafor"), ("password", NEW_PASSWORD)];
    let inside = ben.submit(&again, &path, &typed).await;
    assert_eq!(inside.path, "/t/acme/", "{}", inside.text());
    assert!(inside.text().contains("Welcome to the team."));
    assert!(
        inside.texts(".rail .who-name") == ["Ben OkaforEditor: your account"],
        "{}",
        inside.text()
    );
    // It is used up, and the account is one like any other.
    let used = ben.get(&path).await;
    assert_eq!(used.status, StatusCode::NOT_FOUND);
    assert!(
        used.text().contains("is no longer valid"),
        "{}",
        used.text()
    );
    Visitor::signed_in(&app, "ben@example.com", NEW_PASSWORD).await;
    let team = owner.get("/t/acme/team").await.text();
    assert!(team.contains("Ben Okafor"), "{team}");
    assert!(!team.contains("Valid until"), "no invitation waits: {team}");
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_with_an_account_signs_in_first_and_accepts_by_one_button() {
    let app = TestApp::spawn().await;
    let (acme, other) = (app.company("Acme").await, app.company("Other").await);
    let owner = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    invite(&owner, &acme, &other.email, Role::Viewer).await;
    let path = link(&app, &other.email).await;

    // Somebody else who is signed in is told so, and cannot take it.
    let wrong = owner.get(&path).await;
    assert!(
        wrong.text().contains("You are signed in as"),
        "{}",
        wrong.text()
    );
    let csrf = wrong.attribute("[name=csrf]", "value").unwrap();
    let taken = owner.post(&path, &[("csrf", csrf.as_str())]).await;
    assert_eq!(taken.status, StatusCode::CONFLICT, "{}", taken.text());

    // Without a session there is no form, only the way to sign in; a forged one changes nothing.
    let guest = Visitor::stranger(&app);
    let door = guest.get(&path).await;
    assert!(
        door.text()
            .contains("There is an account with this address")
    );
    let forged = guest
        .post(&path, &[("name", "X"), ("password", NEW_PASSWORD)])
        .await;
    assert_eq!(forged.status, StatusCode::FORBIDDEN);
    let sign_in = door.attribute("a.primary", "href").unwrap();
    let form = guest.get(&sign_in).await;
    let typed = [("email", other.email.as_str()), ("password", PASSWORD)];
    let back = guest.submit(&form, "/sign-in", &typed).await;
    assert_eq!(back.path, path, "signing in leads back: {}", back.text());
    let inside = guest.submit(&back, &path, &[]).await;
    assert_eq!(inside.path, "/t/acme/", "{}", inside.text());

    // Two companies now: the switcher offers both, with the role in each.
    let links = inside.attributes(".rail .switcher a", "href");
    assert_eq!(links, ["/t/acme/", "/t/other/", "/tenants"]);
    let words = inside.texts(".rail .switcher a");
    assert_eq!(words, ["Acme Viewer", "Other Owner", "All companies"]);
    let marked = inside.texts(".rail .switcher a[aria-current]");
    assert_eq!(marked, ["Acme Viewer"]);
    assert_eq!(guest.get("/t/other/").await.status, StatusCode::OK);
    let all = guest.get("/tenants").await.text();
    assert!(all.contains("Acme") && all.contains("Other"), "{all}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_ends_when_it_is_old_revoked_or_replaced() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let owner = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let stranger = Visitor::stranger(&app);
    let gone = async |path: &str| {
        let page = stranger.get(path).await;
        page.status == StatusCode::NOT_FOUND && page.text().contains("no longer valid")
    };

    invite(&owner, &acme, "a@example.com", Role::Viewer).await;
    let first = link(&app, "a@example.com").await;
    let again = invite(&owner, &acme, "a@example.com", Role::Admin).await;
    assert!(
        again.error("email").unwrap().contains("just now"),
        "{}",
        again.text()
    );
    app.advance(TimeDelta::minutes(2));
    invite(&owner, &acme, "a@example.com", Role::Admin).await;
    let second = link(&app, "a@example.com").await;
    assert_ne!(first, second);
    assert!(gone(&first).await, "replaced");
    assert!(
        stranger
            .get(&second)
            .await
            .text()
            .contains("with the role Admin")
    );
    assert_eq!(app.rows("invitations").await, 1);

    let team = owner.get("/t/acme/team").await;
    let revoke = team
        .attribute("form[action$='/revocation']", "action")
        .unwrap();
    let revoked = owner.submit(&team, &revoke, &[]).await;
    assert!(revoked.text().contains("taken back"), "{}", revoked.text());
    assert!(gone(&second).await, "revoked");

    invite(&owner, &acme, "b@example.com", Role::Viewer).await;
    let path = link(&app, "b@example.com").await;
    let door = stranger.get(&path).await;
    app.advance(TimeDelta::days(7));
    assert!(gone(&path).await, "expired");
    let typed = [("name", "Late"), ("password", NEW_PASSWORD)];
    let late = stranger.submit(&door, &path, &typed).await;
    assert_eq!(late.status, StatusCode::NOT_FOUND);
    assert_eq!(app.rows("users WHERE email = 'b@example.com'").await, 0);
    assert!(gone("/invitations/nothing-like-it").await);
    assert!(gone(&format!("/invitations/{}", "x".repeat(500))).await);

    // The database holds a digest of the token, never the token.
    let token = path.rsplit('/').next().unwrap();
    let stored = app.database.contents().await;
    assert!(!stored.windows(token.len()).any(|w| w == token.as_bytes()));
    let member = invite(&owner, &acme, &acme.email, Role::Viewer).await;
    assert!(
        member.error("email").unwrap().contains("already"),
        "{}",
        member.text()
    );
}

/// What a role may do, asked at the pages.
async fn pages_agree(visitor: &Visitor<'_>, role: Role, some_rule: &str) {
    let home = visitor.get("/t/acme/").await;
    let csrf = home.attribute("[name=csrf]", "value").unwrap();
    let field = ("csrf", csrf.as_str());
    // A form that lacks its fields is refused as such only where the role would have been enough.
    let posts = [
        ("/t/acme/rules", Ability::EditRules),
        ("/t/acme/stop-switch", Ability::StopSending),
        ("/t/acme/connections/twilio", Ability::Connect),
        ("/t/acme/settings", Ability::ChangeSettings),
        ("/t/acme/tokens", Ability::ManageTokens),
        ("/t/acme/team/invitations", Ability::ManageTeam),
        ("/t/acme/deletion", Ability::DeleteTenant),
    ];
    for (path, ability) in posts {
        let answer = visitor.post(path, &[field]).await;
        let refused = answer.status == StatusCode::FORBIDDEN;
        assert_eq!(
            refused,
            !role.may(ability),
            "{role} {path}: {}",
            answer.status
        );
        assert!(!answer.status.is_server_error(), "{role} {path}");
    }
    let editor = format!("/t/acme/rules/{some_rule}");
    let gets = [
        ("/t/acme/", Ability::View),
        ("/t/acme/history", Ability::View),
        ("/t/acme/team", Ability::View),
        (editor.as_str(), Ability::View),
        ("/t/acme/rules/new", Ability::EditRules),
        ("/t/acme/tokens", Ability::ManageTokens),
        ("/t/acme/security-log", Ability::ReadSecurityLog),
        ("/t/acme/deletion/new", Ability::DeleteTenant),
    ];
    for (path, ability) in gets {
        let answer = visitor.get(path).await;
        let expected = if role.may(ability) {
            StatusCode::OK
        } else {
            StatusCode::FORBIDDEN
        };
        assert_eq!(answer.status, expected, "{role} {path}");
    }
    // What a role may not do is not offered either.
    let offered = |page: &Page, to: &str| {
        !page
            .attributes(&format!("form[action='{to}']"), "action")
            .is_empty()
    };
    let team = visitor.get("/t/acme/team").await;
    assert_eq!(
        offered(&team, "/t/acme/team/invitations"),
        role.may(Ability::ManageTeam)
    );
    let settings = visitor.get("/t/acme/settings").await;
    for (to, ability) in [
        ("/t/acme/tokens", Ability::ManageTokens),
        ("/t/acme/security-log", Ability::ReadSecurityLog),
        ("/t/acme/deletion/new", Ability::DeleteTenant),
    ] {
        let links = settings.attributes(&format!("a[href='{to}']"), "href");
        assert_eq!(!links.is_empty(), role.may(ability), "{role} {to}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_role_may_do_what_the_table_says_and_no_more() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let rule = acme.rule("invoice.sent", "Hello").await;
    let rule = rule["id"].as_str().unwrap();
    let owner = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    for role in [Role::Viewer, Role::Editor, Role::Admin] {
        let email = format!("{role}@example.com");
        let visitor = person(&owner, &acme, &email, role).await;
        pages_agree(&visitor, role, rule).await;
    }
    pages_agree(&owner, Role::Owner, rule).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_may_do_what_its_role_may() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    for role in Role::ALL {
        let token = app.app().create_token(acme.id, "t", role).await.unwrap();
        let of_role = Company {
            token,
            ..acme.at(&app)
        };
        let calls = [
            (Method::GET, "/rules", Ability::View),
            (Method::POST, "/rules", Ability::EditRules),
            (Method::PUT, "/stop", Ability::StopSending),
            (Method::DELETE, "/stop", Ability::StopSending),
            (Method::PUT, "/connections/twilio", Ability::Connect),
            (Method::GET, "/audit-entries", Ability::ReadSecurityLog),
        ];
        for (method, path, ability) in calls {
            let body = (method != Method::GET).then(|| json!({}));
            let status = of_role.api(method.clone(), path, body).await.status();
            let refused = status == StatusCode::FORBIDDEN;
            assert_eq!(
                refused,
                !role.may(ability),
                "{role} {method} {path}: {status}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_company_always_keeps_an_owner() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let owner = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let own = member_id(&owner, &acme, &acme.email).await;
    let team = owner.get("/t/acme/team").await;

    // The only owner can neither step down nor leave.
    let action = format!("/t/acme/team/{own}/role");
    let kept = owner.submit(&team, &action, &[("role", "viewer")]).await;
    assert!(
        kept.text().contains("a company needs an owner"),
        "{}",
        kept.text()
    );
    let ask = owner.get(&format!("/t/acme/team/{own}/removal/new")).await;
    assert!(
        ask.text().contains("You are the only owner"),
        "{}",
        ask.text()
    );
    let removal = format!("/t/acme/team/{own}/removal");
    let csrf = team.attribute("[name=csrf]", "value").unwrap();
    let stays = owner.post(&removal, &[("csrf", csrf.as_str())]).await;
    assert!(
        stays.text().contains("a company needs an owner"),
        "{}",
        stays.text()
    );

    // With a second one, both ways are open.
    let ben = person(&owner, &acme, "ben@example.com", Role::Owner).await;
    let changed = owner.submit(&team, &action, &[("role", "admin")]).await;
    assert!(
        changed.text().contains("The role is changed."),
        "{}",
        changed.text()
    );
    assert!(
        changed.text().contains("Acme Admin") || changed.texts(".who").join(" ").contains("Admin")
    );
    let refused = owner.submit(&team, &action, &[("role", "owner")]).await;
    assert_eq!(
        refused.status,
        StatusCode::FORBIDDEN,
        "an admin manages no team"
    );

    // Ben removes them; the next request finds nothing.
    let page = ben.get(&format!("/t/acme/team/{own}/removal/new")).await;
    let removed = ben.submit(&page, &removal, &[]).await;
    assert!(
        removed.text().contains("out of the team"),
        "{}",
        removed.text()
    );
    for path in ["/t/acme/", "/t/acme/team", "/t/acme/history"] {
        assert_eq!(
            owner.get(path).await.status,
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
    let home = owner.get("/").await;
    assert!(
        home.text().contains("You are in no company yet"),
        "{}",
        home.text()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_owners_who_leave_at_once_do_not_both_get_away() {
    let app = TestApp::spawn().await;
    for round in 0..5 {
        let company = app.company(&format!("Pair {round}")).await;
        let owner = Visitor::signed_in(&app, &company.email, PASSWORD).await;
        let email = format!("second{round}@example.com");
        let second = person(&owner, &company, &email, Role::Owner).await;
        let mut both = Vec::new();
        for (who, address) in [(&owner, company.email.as_str()), (&second, email.as_str())] {
            let id = member_id(who, &company, address).await;
            let action = format!("/t/{}/team/{id}/removal", company.slug);
            both.push((who, who.get(&format!("{action}/new")).await, action));
        }
        let leave = both
            .iter()
            .map(|(who, page, action)| who.submit(page, action, &[]));
        futures::future::join_all(leave).await;
        let owners = "members m JOIN tenants t ON t.id = m.tenant_id WHERE m.role = 'owner'";
        let left = format!("{owners} AND t.slug = '{}'", company.slug);
        assert_eq!(app.rows(&left).await, 1, "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn anybody_leaves_and_may_come_back() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let owner = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let ben = person(&owner, &acme, "ben@example.com", Role::Viewer).await;
    let id = member_id(&ben, &acme, "ben@example.com").await;
    let action = format!("/t/acme/team/{id}/removal");
    let ask = ben.get(&format!("{action}/new")).await;
    assert!(ask.text().contains("Leave Acme?"), "{}", ask.text());
    let left = ben.submit(&ask, &action, &[]).await;
    assert!(
        left.text().contains("You left the company."),
        "{}",
        left.text()
    );
    assert_eq!(ben.get("/t/acme/").await.status, StatusCode::NOT_FOUND);

    invite(&owner, &acme, "ben@example.com", Role::Editor).await;
    let path = link(&app, "ben@example.com").await;
    let back = ben.get(&path).await;
    let inside = ben.submit(&back, &path, &[]).await;
    assert!(inside.text().contains("Editor"), "{}", inside.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_shown_once_used_and_revoked() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let owner = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let page = owner.get("/t/acme/tokens").await;
    let typed = [
        ("name", "Month-end export"),
        ("role", "viewer"),
        ("days", "30"),
    ];
    let made = owner.submit(&page, "/t/acme/tokens", &typed).await;
    let token = made.texts("#new-token").concat();
    assert!(token.starts_with("mlc_"), "{}", made.text());
    let again = owner.get("/t/acme/tokens").await;
    assert!(!again.text().contains(&token), "shown once");
    assert!(
        again.text().contains("Month-end export Viewer"),
        "{}",
        again.text()
    );
    assert!(
        again.text().contains("never"),
        "not used yet: {}",
        again.text()
    );

    let program = Company {
        token: SecretString::from(token.clone()),
        ..acme.at(&app)
    };
    let status = async || program.api(Method::GET, "/rules", None).await.status();
    assert_eq!(status().await, StatusCode::OK);
    let written = "api_tokens WHERE name = 'Month-end export' AND used_at IS NOT NULL";
    for _ in 0..200 {
        if app.rows(written).await == 1 {
            break;
        }
        tokio::task::yield_now().await;
    }
    let used = owner.get("/t/acme/tokens").await.text();
    assert!(used.contains("just now"), "{used}");

    app.advance(TimeDelta::days(30));
    assert_eq!(status().await, StatusCode::UNAUTHORIZED, "expired");
    let owner = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let listed = owner.get("/t/acme/tokens").await;
    assert!(listed.text().contains("Expired"), "{}", listed.text());

    let typed = [("name", "For good"), ("role", "owner"), ("days", "0")];
    let made = owner.submit(&listed, "/t/acme/tokens", &typed).await;
    let token = made.texts("#new-token").concat();
    let program = Company {
        token: SecretString::from(token),
        ..acme.at(&app)
    };
    assert_eq!(
        program.api(Method::GET, "/rules", None).await.status(),
        StatusCode::OK
    );
    let revoke = made
        .attribute("form[action$='/revocation']", "action")
        .unwrap();
    let revoked = owner.submit(&made, &revoke, &[]).await;
    assert!(
        revoked.text().contains("The token is revoked"),
        "{}",
        revoked.text()
    );
    let refused = program.api(Method::GET, "/rules", None).await.status();
    assert_eq!(refused, StatusCode::UNAUTHORIZED);
    assert_eq!(app.rows("api_tokens WHERE revoked_at IS NOT NULL").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_makes_a_token_above_their_own_role() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let owner = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let admin = person(&owner, &acme, "admin@example.com", Role::Admin).await;
    let page = admin.get("/t/acme/tokens").await;
    let before = app.rows("api_tokens").await;
    for (name, role, days, wrong) in [
        ("x", "owner", "30", "role"),
        ("x", "king", "30", "role"),
        ("x", "viewer", "7", "days"),
        (" ", "viewer", "30", "name"),
    ] {
        let typed = [("name", name), ("role", role), ("days", days)];
        let refused = admin.submit(&page, "/t/acme/tokens", &typed).await;
        assert_eq!(
            refused.status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{role} {days}"
        );
        assert!(
            refused.error(wrong).is_some(),
            "{wrong}: {}",
            refused.text()
        );
    }
    assert_eq!(app.rows("api_tokens").await, before);
    // What is another company's is not there to revoke.
    let other = app.company("Other").await;
    let theirs = app.app().tokens(other.id).await.unwrap()[0].id;
    let csrf = page.attribute("[name=csrf]", "value").unwrap();
    let path = format!("/t/acme/tokens/{theirs}/revocation");
    let missing = admin.post(&path, &[("csrf", csrf.as_str())]).await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    assert_eq!(app.rows("api_tokens WHERE revoked_at IS NOT NULL").await, 0);
}

/// The sentences of the log, newest first.
async fn log(by: &Visitor<'_>, query: &str) -> Vec<String> {
    by.get(&format!("/t/acme/security-log{query}"))
        .await
        .texts("td.card-lead")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_tells_who_changed_what_from_what_to_what_without_a_secret() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let owner = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let big = |amount: &str| {
        json!({
            "name": "Big invoices", "event_type": "invoice.sent", "channel": "sms",
            "conditions": { "all": [{ "field": "total", "op": "gte", "value": amount }] },
            "recipient": { "kind": "contact" }, "template": { "body": "Hello" },
        })
    };
    let rule = acme.create_rule(big("1000")).await;
    acme.rule("invoice.paid", "Thanks").await;
    let path = format!("/rules/{}", rule["id"].as_str().unwrap());
    let change = |body: Value| acme.api(Method::PATCH, &path, Some(body));
    assert_eq!(
        change(json!({ "conditions": big("2000")["conditions"] }))
            .await
            .status(),
        200
    );
    let rules = owner.get("/t/acme/rules").await;
    let csrf = rules.attribute("[name=csrf]", "value").unwrap();
    let position = format!("/t/acme{path}/position");
    let down = [("csrf", csrf.as_str()), ("move", "down")];
    owner.post(&position, &down).await;
    let switch = format!("/t/acme{path}/activation");
    owner.submit(&rules, &switch, &[]).await;
    acme.api(Method::DELETE, &path, None).await;
    acme.api(Method::PUT, "/stop", None).await;
    acme.api(Method::DELETE, "/stop", None).await;
    acme.connect_twilio().await;
    let connections = owner.get("/t/acme/connections").await;
    let rotate = connections
        .attribute("form[action$='/secret']", "action")
        .unwrap();
    let rotated = owner.submit(&connections, &rotate, &[]).await;
    assert_eq!(rotated.status, StatusCode::OK);
    let settings = owner.get("/t/acme/settings").await;
    let typed = [
        ("company", "Acme"),
        ("country", "GB"),
        ("zone", "Europe/London"),
        ("currency", "GBP"),
    ];
    let saved = owner.submit(&settings, "/t/acme/settings", &typed).await;
    assert!(saved.text().contains("saved"), "{}", saved.text());
    let tokens = owner.get("/t/acme/tokens").await;
    let typed = [("name", "Export"), ("role", "viewer"), ("days", "30")];
    let made = owner.submit(&tokens, "/t/acme/tokens", &typed).await;
    let token = made.texts("#new-token").concat();
    let ben = person(&owner, &acme, "ben@example.com", Role::Viewer).await;
    let id = member_id(&owner, &acme, "ben@example.com").await;
    let team = owner.get("/t/acme/team").await;
    owner
        .submit(
            &team,
            &format!("/t/acme/team/{id}/role"),
            &[("role", "admin")],
        )
        .await;

    let said = log(&owner, "").await;
    let tells = |sentence: &str| {
        let found = said.iter().any(|line| line.starts_with(sentence));
        assert!(found, "{sentence:?} is not in {said:#?}");
    };
    tells("Changed the role of ben@example.com role: Viewer → Admin");
    tells("ben@example.com joined the team as Viewer");
    tells("Invited ben@example.com as Viewer");
    tells("Made the API token “Export” as Viewer");
    tells("Changed the settings of the company country: US → GB currency: USD → GBP");
    tells("Made a new secret for the webhooks of Zoho Books");
    tells("Changed the connection to Twilio, with a new auth token");
    tells("Resumed sending");
    tells("Stopped all sending");
    tells("Deleted the rule “Big invoices”");
    tells("Turned off the rule “Big invoices”");
    tells("Changed the order of the rules order:");
    tells(
        "Changed the rule “Big invoices” conditions: total is at least 1000 → total is at least 2000",
    );
    tells("Wrote the rule “Big invoices”");
    tells("Made the company");

    // Filters live in the address.
    let rules = log(&owner, "?kind=rules").await;
    assert!(
        !rules.is_empty() && rules.iter().all(|l| l.contains("rule")),
        "{rules:#?}"
    );
    let bens = log(&owner, "?who=ben@example.com").await;
    assert!(bens.iter().any(|l| l.contains("joined")), "{bens:#?}");
    assert!(bens.len() < 4, "{bens:#?}");
    let from = owner
        .get("/t/acme/security-log?kind=team")
        .await
        .texts("td code");
    assert!(from.iter().all(|a| a == "127.0.0.1"), "{from:?}");

    // Nothing that anybody typed in as a secret stands in it, in no form.
    let entries = acme.get("/audit-entries?limit=100").await;
    let whole = format!("{entries} {said:?}");
    for secret in [
        acme.auth_token.as_str(),
        acme.hook_secret.expose(),
        PASSWORD,
        NEW_PASSWORD,
        token.as_str(),
    ] {
        assert!(!secret.is_empty() && !whole.contains(secret));
    }
    assert_eq!(
        entries["data"][0]["action"], "member.role_changed",
        "{entries:#}"
    );
    assert_eq!(entries["data"][0]["detail"]["old"], "viewer");
    drop(ben);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_goes_on_by_page_and_none_is_lost_between() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    for n in 0..60 {
        let actor = Actor::named(format!("somebody {n}"));
        app.app().stop_sending(acme.id, &actor).await.unwrap();
        app.app().resume_sending(acme.id, &actor).await.unwrap();
    }
    let owner = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let mut path = "/t/acme/security-log?kind=messages".to_owned();
    let mut seen = Vec::new();
    loop {
        let page = owner.get(&path).await;
        seen.extend(page.texts("tbody td:nth-child(3)"));
        match page.attribute("a[rel=next]", "href") {
            Some(next) => path = next,
            None => break,
        }
    }
    assert_eq!(seen.len(), 120);
    assert_eq!(
        (seen[0].as_str(), seen[119].as_str()),
        ("somebody 59", "somebody 0")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_who_looks_stands_in_the_log_once_a_day() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let secret = SecretString::from(PASSWORD);
    app.app()
        .create_operator("op@service.example", secret)
        .await
        .unwrap();
    let operator = Visitor::signed_in(&app, "op@service.example", PASSWORD).await;
    let looked = "audit_entries WHERE action = 'operator.looked'";
    for path in ["/t/acme/", "/t/acme/history", "/t/acme/team"] {
        assert_eq!(operator.get(path).await.status, StatusCode::OK);
    }
    assert_eq!(app.rows(looked).await, 1);
    let team = operator.get("/t/acme/team").await.text();
    assert!(!team.contains("op@service.example"), "no member: {team}");
    assert_eq!(
        operator.get("/t/acme/security-log").await.status,
        StatusCode::FORBIDDEN
    );
    app.advance(TimeDelta::days(1));
    operator.get("/t/acme/").await;
    assert_eq!(app.rows(looked).await, 2);
    let owner = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let said = log(&owner, "?kind=company").await;
    assert!(
        said.iter().any(|l| l.starts_with("Looked at the company")),
        "{said:#?}"
    );
}

#[test]
fn the_docs_show_the_table_that_the_code_goes_by() {
    let mut table = String::from("| | owner | admin | editor | viewer |\n|---|---|---|---|---|\n");
    let providers = Providers::new([(Channel::Sms, &WORDS)]);
    for ability in Ability::ALL {
        let cells = Role::ALL.map(|role| if role.may(ability) { "yes" } else { "" });
        writeln!(
            table,
            "| {} | {} |",
            ability.label(&providers),
            cells.join(" | ")
        )
        .unwrap();
    }
    let docs = include_str!("../../docs/security.md");
    assert!(
        docs.contains(&table),
        "docs/security.md lacks this table:\n{table}"
    );
}

/// Texts in the code that are actions of the log: two words and a point between them.
fn actions(below: &std::path::Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(below).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if path.file_name().is_some_and(|n| n != "tests") {
                actions(&path, found);
            }
            continue;
        }
        let code = std::fs::read_to_string(&path).unwrap_or_default();
        let code = code.split("#[cfg(test)]\nmod").next().unwrap_or_default();
        for text in code.split('"').skip(1).step_by(2) {
            let subjects = [
                "tenant",
                "settings",
                "sending",
                "rule",
                "rules",
                "connection",
                "secret",
                "token",
                "invitation",
                "member",
                "event",
                "delivery",
                "operator",
                "rehearsal",
                "number",
                "suppression",
                "reply",
                "hours",
                "hook",
            ];
            let is_action = text.split_once('.').is_some_and(|(subject, verb)| {
                subjects.contains(&subject)
                    && !verb.is_empty()
                    && verb.chars().all(|c| c.is_ascii_lowercase() || c == '_')
            });
            if is_action && Path::new(text).extension().is_none_or(|e| e != "html") {
                found.push(text.to_owned());
            }
        }
    }
}

#[test]
fn every_action_has_a_sentence_and_a_filter() {
    use ml_connector::domain::event::EventType;
    use ml_connector::web::areas::security::words::{KINDS, is_known};
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    actions(&root.join("store"), &mut found);
    actions(&root.join("app"), &mut found);
    found.retain(|action| action.parse::<EventType>().is_err());
    assert!(found.len() > 20, "{found:?}");
    for action in found {
        assert!(is_known(&action), "{action} has no sentence");
        let listed = KINDS.iter().any(|k| {
            k.actions.iter().any(|a| match a.strip_suffix('%') {
                Some(begin) => action.starts_with(begin),
                None => action == **a,
            })
        });
        assert!(listed, "{action} is under no filter");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_may_do_no_more_than_whoever_made_it_may_today_and_ends_with_them() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let owner = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let ben = person(&owner, &acme, "ben@example.com", Role::Admin).await;
    let made = async |name: &str| {
        let page = ben.get("/t/acme/tokens").await;
        let typed = [("name", name), ("role", "admin"), ("days", "0")];
        let made = ben.submit(&page, "/t/acme/tokens", &typed).await;
        Company {
            token: SecretString::from(made.texts("#new-token").concat()),
            ..acme.at(&app)
        }
    };
    let program = made("Export").await;
    let connects = async || {
        program
            .api(Method::PUT, "/connections/twilio", Some(json!({})))
            .await
    };
    let reads = async || program.api(Method::GET, "/rules", None).await;
    assert_eq!(connects().await.status(), StatusCode::UNPROCESSABLE_ENTITY);

    let ben_id = member_id(&owner, &acme, "ben@example.com").await;
    let action = format!("/t/acme/team/{ben_id}/role");
    let becomes = async |role: &str| {
        let team = owner.get("/t/acme/team").await;
        let changed = owner.submit(&team, &action, &[("role", role)]).await;
        assert_eq!(changed.status, StatusCode::OK, "{}", changed.text());
    };
    becomes("viewer").await;
    let refused = connects().await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    let says = refused.text().await.unwrap();
    let why = "the token was made as admin, but whoever made it is viewer today";
    assert!(says.contains(why), "{says}");
    assert_eq!(reads().await.status(), StatusCode::OK);
    let page = owner.get("/t/acme/tokens").await.text();
    let why = "Export Admin now Viewer, as ben@example.com is";
    assert!(page.contains(why), "{page}");
    let by_operator = "tests Owner goes by no person’s role";
    assert!(page.contains(by_operator), "{page}");
    let told = log(&owner, "?kind=team").await;
    let with =
        "Changed the role of ben@example.com, and with it what these API tokens may do: Export";
    assert!(told[0].starts_with(with), "{told:?}");

    becomes("editor").await;
    assert_eq!(connects().await.status(), StatusCode::FORBIDDEN);
    becomes("owner").await;
    let back = connects().await.status();
    assert_eq!(back, StatusCode::UNPROCESSABLE_ENTITY, "as an admin may");

    let removal = format!("/t/acme/team/{ben_id}/removal");
    let ask = owner.get(&format!("{removal}/new")).await;
    owner.submit(&ask, &removal, &[]).await;
    let refused = reads().await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    let says = refused.text().await.unwrap();
    assert!(says.contains("no longer in the company's team"), "{says}");
    let page = owner.get("/t/acme/tokens").await;
    let why = "Export Admin ben@example.com is no longer in the team";
    assert!(page.text().contains(why), "{}", page.text());
    assert!(page.text().contains("Ended"), "{}", page.text());
    let told = log(&owner, "?kind=tokens").await;
    let with = "The API token “Export” ended, since ben@example.com made it";
    assert!(told[0].starts_with(with), "{told:?}");

    // Whoever comes back makes new ones.
    invite(&owner, &acme, "ben@example.com", Role::Owner).await;
    let path = link(&app, "ben@example.com").await;
    let door = ben.get(&path).await;
    ben.submit(&door, &path, &[]).await;
    assert_eq!(ben.get("/t/acme/team").await.status, StatusCode::OK);
    assert_eq!(reads().await.status(), StatusCode::UNAUTHORIZED);
    let other = made("New").await;
    let read = other.api(Method::GET, "/rules", None).await;
    assert_eq!(read.status(), StatusCode::OK);
    let revoke = format!("/t/acme/tokens/{}/revocation", ended(&app, &acme).await);
    let removed = owner.submit(&page, &revoke, &[]).await;
    assert!(!removed.text().contains("Export"), "{}", removed.text());
}

/// The token of somebody who left.
async fn ended(app: &TestApp, of: &Company<'_>) -> String {
    let tokens = app.app().tokens(of.id).await.unwrap();
    let ended = tokens.iter().find(|t| t.reach.is_none());
    ended.unwrap().id.to_string()
}

/// Also when they left under another e-mail address than the one that they had when they made it.
#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_made_ends_with_them_whatever_their_address_is() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let owner = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let ben = person(&owner, &acme, "ben@example.com", Role::Owner).await;
    let page = ben.get("/t/acme/tokens").await;
    let typed = [("name", "Export"), ("role", "owner"), ("days", "0")];
    let made = ben.submit(&page, "/t/acme/tokens", &typed).await;
    let program = Company {
        token: SecretString::from(made.texts("#new-token").concat()),
        ..acme.at(&app)
    };
    invite(&ben, &acme, "eve@example.com", Role::Owner).await;
    let change = "UPDATE users SET email = 'benjamin@example.com' WHERE email = 'ben@example.com'";
    app.database.run(change).await;
    let id = member_id(&owner, &acme, "benjamin@example.com").await;
    let removal = format!("/t/acme/team/{id}/removal");
    let ask = owner.get(&format!("{removal}/new")).await;
    owner.submit(&ask, &removal, &[]).await;
    let read = program.api(Method::GET, "/rules", None).await;
    assert_eq!(read.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(app.rows("invitations").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_ends_when_whoever_sent_it_may_no_longer_invite() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let owner = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let ben = person(&owner, &acme, "ben@example.com", Role::Owner).await;
    invite(&ben, &acme, "eve@example.com", Role::Owner).await;
    invite(&owner, &acme, "kim@example.com", Role::Viewer).await;
    let path = link(&app, "eve@example.com").await;
    let id = member_id(&owner, &acme, "ben@example.com").await;
    let action = format!("/t/acme/team/{id}/role");
    let team = owner.get("/t/acme/team").await;
    owner.submit(&team, &action, &[("role", "viewer")]).await;
    let eve = Visitor::stranger(&app);
    assert_eq!(eve.get(&path).await.status, StatusCode::NOT_FOUND);
    assert_eq!(app.rows("invitations").await, 1, "the other one stays");
}
