//! Strangers become users, and users look after their accounts.

use argon2::password_hash::PasswordHasher as _;
use argon2::{Algorithm, Argon2, Params, Version};
use chrono::TimeDelta;
use ml_connector::app::accounts::throttle::Gate;
use ml_connector::crypto::{password, totp};
use ml_connector::sandbox::samples::Standing;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use reqwest::{Method, StatusCode, header};
use secrecy::{ExposeSecret as _, SecretString};

use crate::harness::TestApp;
use crate::harness::company::{PASSWORD, invoice};
use crate::harness::log::Log;
use crate::harness::page::Page;
use crate::harness::process::Service;
use crate::harness::smtp::{self, ReceivedMail};
use crate::harness::visitor::Visitor;

/// Another that is hard to guess.
const OTHER: &str = "seven mellow anvils";

const COMPANY: [(&str, &str); 4] = [
    ("company", "Harbour Light"),
    ("country", "GB"),
    ("zone", "Europe/London"),
    ("currency", "GBP"),
];

async fn sign_up(stranger: &Visitor<'_>, email: &str, password: &str) -> Page {
    let form = stranger.get("/sign-up").await;
    let own = [("email", email), ("password", password)];
    let typed = [&COMPANY[..], &own].concat();
    stranger.submit(&form, "/sign-up", &typed).await
}

async fn reset(stranger: &Visitor<'_>, email: &str) -> Page {
    let form = stranger.get("/reset").await;
    stranger.submit(&form, "/reset", &[("email", email)]).await
}

async fn sign_in(stranger: &Visitor<'_>, email: &str, password: &str) -> Page {
    let door = stranger.get("/sign-in").await;
    let typed = [("email", email), ("password", password)];
    stranger.submit(&door, "/sign-in", &typed).await
}

/// The e-mails to an address.
async fn mails_to(app: &TestApp, email: &str) -> Vec<ReceivedMail> {
    let mut mails = app.mails().await;
    mails.retain(|mail| mail.to == email);
    mails
}

/// The path of the link in the newest e-mail to an address.
async fn link(app: &TestApp, email: &str) -> String {
    let mails = mails_to(app, email).await;
    let mail = mails.last().expect("an e-mail");
    let path = mail.link().strip_prefix(&app.url(""));
    path.expect("a link to us").to_owned()
}

#[tokio::test]
async fn a_stranger_signs_up_and_comes_in_by_the_link() {
    let app = TestApp::spawn().await;
    app.company("Acme").await;
    let ann = Visitor::stranger(&app);
    let said = sign_up(&ann, "Ann@Harbour.example", OTHER).await;
    assert_eq!(said.texts("h1"), ["Check your e-mail"]);
    let link = link(&app, "ann@harbour.example").await;

    // A program that looks into e-mails follows the link; nobody is made by that.
    let scanner = Visitor::stranger(&app);
    let page = scanner.get(&link).await;
    assert!(
        page.text().contains("ann@harbour.example"),
        "{}",
        page.text()
    );
    assert_eq!(app.rows("users").await, 1);

    // Whoever has the e-mail alone, and did not choose the password, makes nothing either.
    let guess = scanner
        .submit(&page, &link, &[("password", PASSWORD)])
        .await;
    assert_eq!(guess.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(guess.error("password").is_some());
    assert_eq!(app.rows("users").await, 1);

    let page = ann.get(&link).await;
    let inside = ann.submit(&page, &link, &[("password", OTHER)]).await;
    assert_eq!(inside.path, "/t/harbour-light/", "{}", inside.text());
    let such = "tenants WHERE slug = 'harbour-light' AND is_rehearsal AND hours <> ''";
    assert_eq!(app.rows(such).await, 1);
    for action in ["tenant.created", "account.signed_in"] {
        let such = format!(
            "audit_entries a JOIN tenants t ON t.id = a.tenant_id WHERE t.slug = 'harbour-light' \
             AND action = '{action}' AND actor = 'ann@harbour.example' AND address = '127.0.0.1'"
        );
        assert_eq!(app.rows(&such).await, 1, "{action}");
    }
    let again = scanner
        .submit(&page_of(&scanner, &link).await, &link, &[])
        .await;
    assert_eq!(again.texts("h1"), ["This link no longer works"]);
    // The password that was chosen is the one.
    Visitor::signed_in(&app, "ann@harbour.example", OTHER).await;
}

/// A page with a form to `action`, made from any page of the visit: the link is over.
async fn page_of(visitor: &Visitor<'_>, action: &str) -> Page {
    let other = visitor.get("/reset").await;
    other.with_form_to(action)
}

#[tokio::test]
async fn nobody_learns_who_has_an_account() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let eve = Visitor::stranger(&app);
    let known = sign_up(&eve, &acme.email, OTHER).await;
    let unknown = sign_up(&eve, "new@example.com", OTHER).await;
    assert_eq!(known.status, unknown.status);
    assert_eq!(known.source(), unknown.source());
    let known = reset(&eve, &acme.email).await;
    let unknown = reset(&eve, "nobody@example.com").await;
    assert_eq!(known.status, unknown.status);
    assert_eq!(known.source(), unknown.source());
    let known = sign_in(&eve, &acme.email, "wrong wrong wrong").await;
    let unknown = sign_in(&eve, "nobody@example.com", "wrong wrong wrong").await;
    assert_eq!(known.status, unknown.status);
    let without_address = |page: &Page, email: &str| page.source().replace(email, "");
    assert_eq!(
        without_address(&known, &acme.email),
        without_address(&unknown, "nobody@example.com")
    );

    // The e-mails tell, to whom they belong.
    let said = mails_to(&app, &acme.email).await;
    assert!(
        said[0].text.contains("There is one already"),
        "{}",
        said[0].text
    );
    assert!(said[1].link().contains("/reset/"), "{}", said[1].text);
    assert!(mails_to(&app, "nobody@example.com").await.is_empty());
    // And as much is kept in either case.
    assert_eq!(app.rows("user_tokens WHERE purpose = 'sign_up'").await, 2);
}

#[tokio::test]
async fn a_sign_up_says_what_to_type() {
    let app = TestApp::spawn().await;
    app.company("Acme").await;
    let ann = Visitor::stranger(&app);
    let said = sign_up(&ann, "ann@harbour.example", "harbourlight").await;
    assert_eq!(said.status, StatusCode::UNPROCESSABLE_ENTITY);
    let why = said.error("password").unwrap();
    assert!(why.starts_with("Too easy to guess"), "{why}");
    let said = sign_up(&ann, "not an address", OTHER).await;
    assert!(said.error("email").unwrap().contains("ann@example.com"));
    assert!(app.mails().await.is_empty());
}

#[tokio::test]
async fn where_sign_up_is_closed_only_invitations_lead_in() {
    let app = TestApp::spawn_with(&[("SIGNUP", "closed")]).await;
    app.company("Acme").await;
    let ann = Visitor::stranger(&app);
    let said = ann.get("/sign-up").await;
    assert_eq!(said.texts("h1"), ["By invitation only"]);
    assert!(!ann.get("/sign-in").await.text().contains("Open an account"));
    let form = ann.get("/reset").await.with_form_to("/sign-up");
    let typed = [
        &COMPANY[..],
        &[("email", "a@b.example"), ("password", OTHER)],
    ]
    .concat();
    let said = ann.submit(&form, "/sign-up", &typed).await;
    assert_eq!(said.texts("h1"), ["By invitation only"]);
    assert_eq!(app.rows("user_tokens").await, 0);
}

#[tokio::test]
async fn where_no_mail_leaves_the_pages_say_what_to_do() {
    let bare = [("SMTP_URL", ""), ("PUBLIC_URL", "https://sms.example.com")];
    let app = TestApp::spawn_with(&bare).await;
    app.company("Acme").await;
    let ann = Visitor::stranger(&app);
    assert!(ann.get("/sign-up").await.text().contains("SMTP_URL"));
    assert!(ann.get("/reset").await.text().contains("reset-password"));
}

#[tokio::test]
async fn a_forgotten_password_is_replaced_once() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let elsewhere = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let ann = Visitor::stranger(&app);
    reset(&ann, &acme.email).await;
    let older = link(&app, &acme.email).await;
    reset(&ann, &acme.email).await;
    let newer = link(&app, &acme.email).await;
    // Who asks for another does not end the first: anybody may ask.
    assert_eq!(ann.get(&older).await.texts("h1"), ["Choose a new password"]);

    let page = ann.get(&newer).await;
    let weak = ann
        .submit(&page, &newer, &[("password", "password123")])
        .await;
    assert_eq!(weak.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(weak.error("password").is_some());
    let done = ann.submit(&page, &newer, &[("password", OTHER)]).await;
    assert_eq!(done.path, "/sign-in");
    assert!(
        done.text().contains("Your password is changed"),
        "{}",
        done.text()
    );
    // With one of them used, all are over.
    for link in [&older, &newer] {
        assert_eq!(
            ann.get(link).await.texts("h1"),
            ["This link no longer works"]
        );
    }

    // Every session ended; the old password opens nothing.
    assert_eq!(elsewhere.get("/account").await.path, "/sign-in");
    let refused = sign_in(&ann, &acme.email, PASSWORD).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    Visitor::signed_in(&app, &acme.email, OTHER).await;
    let note = mails_to(&app, &acme.email).await.pop().unwrap();
    assert!(note.subject.contains("was changed"), "{}", note.subject);
    assert_eq!(
        app.rows("audit_entries WHERE action = 'account.password_reset'")
            .await,
        1
    );
}

#[tokio::test]
async fn a_link_to_a_new_password_is_good_for_an_hour() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let ann = Visitor::stranger(&app);
    reset(&ann, &acme.email).await;
    let link = link(&app, &acme.email).await;
    app.advance(TimeDelta::minutes(59));
    let page = ann.get(&link).await;
    app.advance(TimeDelta::minutes(2));
    let late = ann.submit(&page, &link, &[("password", OTHER)]).await;
    assert_eq!(late.texts("h1"), ["This link no longer works"]);
    Visitor::signed_in(&app, &acme.email, PASSWORD).await;
}

#[tokio::test]
async fn a_new_address_counts_once_it_is_confirmed() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let other = app.company("Other").await;
    let ann = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let ask = async |email: &str, password: &str| {
        let form = ann.get("/account/email").await;
        let typed = [("email", email), ("password", password)];
        ann.submit(&form, "/account/email", &typed).await
    };
    let wrong = ask("ann@new.example", "wrong wrong wrong").await;
    assert_eq!(
        wrong.error("password").unwrap(),
        "This is not your password."
    );
    // Somebody's address answers like anybody's; its owner is told.
    let taken = ask(&other.email, PASSWORD).await;
    let free = ask("ann@new.example", PASSWORD).await;
    assert_eq!(taken.texts("[role=status]"), free.texts("[role=status]"));
    assert!(
        free.text().contains("Check the e-mail at the new"),
        "{}",
        free.text()
    );
    let told = mails_to(&app, &other.email).await.pop().unwrap();
    assert!(told.text.contains("nothing was changed"), "{}", told.text);
    let note = mails_to(&app, &acme.email).await.pop().unwrap();
    assert!(note.text.contains("ann[@]new[.]example"), "{}", note.text);

    // Not before the link is followed and the button pressed, from any browser.
    let link = link(&app, "ann@new.example").await;
    let phone = Visitor::stranger(&app);
    let page = phone.get(&link).await;
    assert_eq!(app.rows("users WHERE email = 'ann@new.example'").await, 0);
    phone.submit(&page, &link, &[]).await;
    assert_eq!(
        phone.get(&link).await.texts("h1"),
        ["This link no longer works"]
    );
    let refused = sign_in(&phone, &acme.email, PASSWORD).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    Visitor::signed_in(&app, "ann@new.example", PASSWORD).await;
    let such =
        "audit_entries WHERE action = 'account.email_changed' AND detail LIKE '%new.example%'";
    assert_eq!(app.rows(such).await, 1);
}

#[tokio::test]
async fn name_and_password_are_changed_by_their_owner() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let ann = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let elsewhere = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let page = ann.get("/account").await;
    let saved = ann
        .submit(&page, "/account/name", &[("name", "Ann Lee")])
        .await;
    assert!(saved.texts(".who-name b").contains(&"Ann Lee".to_owned()));

    let form = ann.get("/account/password").await;
    let change = async |old: &str, new: &str| {
        let typed = [("password", old), ("new_password", new)];
        ann.submit(&form, "/account/password", &typed).await
    };
    let wrong = change("wrong wrong wrong", OTHER).await;
    assert_eq!(
        wrong.error("password").unwrap(),
        "This is not your password."
    );
    let weak = change(PASSWORD, "qwertyuiop").await;
    assert!(weak.error("new_password").is_some(), "{}", weak.text());
    let done = change(PASSWORD, OTHER).await;
    assert_eq!(
        (done.status, done.path.as_str()),
        (StatusCode::OK, "/account")
    );
    assert_eq!(elsewhere.get("/account").await.path, "/sign-in");
    Visitor::signed_in(&app, &acme.email, OTHER).await;
    let note = mails_to(&app, &acme.email).await.pop().unwrap();
    assert!(note.subject.contains("was changed"));
}

#[tokio::test]
async fn sessions_are_listed_and_ended() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let other = app.company("Other").await;
    let ann = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let phone = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let tablet = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    app.advance(TimeDelta::minutes(6));
    let page = ann.get("/account").await;
    let lines = page.texts("section[aria-labelledby=sessions] li");
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(
        lines[0].contains("this one") && lines[0].contains("127.0.0.1"),
        "{lines:?}"
    );
    assert!(lines[0].contains("last seen just now"), "{lines:?}");
    assert!(lines[1].contains("last seen 6 minutes ago"), "{lines:?}");

    let action = page
        .attribute("form[action$='/revocation']", "action")
        .unwrap();
    // Another person's session is not found, even with its name.
    let eve = Visitor::signed_in(&app, &other.email, PASSWORD).await;
    let eves = eve.get("/account").await.with_form_to(&action);
    let refused = eve.submit(&eves, &action, &[]).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND);
    for odd in [
        "/account/sessions/zz/revocation",
        "/account/sessions/ab/revocation",
    ] {
        let page = ann.get("/account").await.with_form_to(odd);
        assert_eq!(
            ann.submit(&page, odd, &[]).await.status,
            StatusCode::NOT_FOUND
        );
    }

    let left = ann.submit(&page, &action, &[]).await;
    assert_eq!(left.texts("section[aria-labelledby=sessions] li").len(), 2);
    let still = [&phone, &tablet];
    let paths = [
        still[0].get("/account").await.path,
        still[1].get("/account").await.path,
    ];
    assert!(paths.contains(&"/account".to_owned()) && paths.contains(&"/sign-in".to_owned()));

    let all = ann.get("/account").await;
    let (to, csrf) = ("/account/sessions/revocation", token(&all));
    let rest = ann.post(to, &[("csrf", &csrf), ("which", "others")]).await;
    assert_eq!(rest.texts("section[aria-labelledby=sessions] li").len(), 1);
    let out = ann.post(to, &[("csrf", &csrf), ("which", "all")]).await;
    assert!(out.text().contains("You are signed out everywhere."));
    assert_eq!(ann.get("/account").await.path, "/sign-in");
    let such = "sessions s JOIN users u ON u.id = s.user_id WHERE u.email = ";
    assert_eq!(app.rows(&format!("{such}'{}'", acme.email)).await, 0);
    assert_eq!(app.rows(&format!("{such}'{}'", other.email)).await, 1);
}

fn token(page: &Page) -> String {
    page.attribute("input[name=csrf]", "value").unwrap()
}

#[tokio::test]
async fn signing_in_rotates_the_session_and_is_told_to_the_company() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let ann = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let before = ann.cookie("mlc_session").unwrap();
    // The sign-in form of a browser that is signed in already: another tab had it open.
    let form = ann.get("/reset").await.with_form_to("/sign-in");
    let typed = [("email", acme.email.as_str()), ("password", PASSWORD)];
    let inside = ann.submit(&form, "/sign-in", &typed).await;
    assert_eq!(inside.status, StatusCode::OK);
    assert_ne!(ann.cookie("mlc_session").unwrap(), before);
    assert_eq!(app.rows("sessions").await, 1);
    assert_eq!(
        app.rows("audit_entries WHERE action = 'account.signed_in'")
            .await,
        2
    );

    // Nobody is led away from us.
    for next in ["//evil.example", "/\\evil.example", "https://evil.example"] {
        let door = Visitor::stranger(&app);
        let page = door.get(&format!("/sign-in?next={next}")).await;
        assert_eq!(page.attribute("input[name=next]", "value"), None, "{next}");
    }
}

/// Turns the second factor on; its secret and the recovery codes.
pub(crate) async fn with_second_factor(
    app: &TestApp,
    who: &Visitor<'_>,
) -> (SecretString, Vec<String>) {
    let page = who.get("/account/second-factor").await;
    let page = who.submit(&page, "/account/second-factor", &[]).await;
    assert_eq!(page.texts("svg.qr title").len(), 1);
    let secret = SecretString::from(page.texts("#secret")[0].replace(' ', ""));
    let to = "/account/second-factor/confirmation";
    let typed = [("code", "000000"), ("password", PASSWORD)];
    let wrong = who.submit(&page, to, &typed).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    let code = totp::code(&secret, app.now()).unwrap();
    // An open browser is not enough.
    let stranger = who
        .submit(&page, to, &[("code", &code), ("password", OTHER)])
        .await;
    assert!(stranger.error("password").is_some(), "{}", stranger.text());
    let typed = [("code", code.as_str()), ("password", PASSWORD)];
    let on = who.submit(&page, to, &typed).await;
    let codes = on.texts(".codes code");
    assert_eq!(codes.len(), 10, "{}", on.text());
    (secret, codes)
}

async fn step(who: &Visitor<'_>, asked: &Page, code: &str) -> Page {
    assert_eq!(asked.path, "/sign-in/second-step", "{}", asked.text());
    who.submit(asked, "/sign-in/second-step", &[("code", code)])
        .await
}

#[tokio::test]
async fn a_second_factor_takes_a_fresh_code() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let ann = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let (secret, _) = with_second_factor(&app, &ann).await;
    let code = || totp::code(&secret, app.now()).unwrap();
    assert!(
        ann.get("/account/second-factor")
            .await
            .texts("#secret")
            .is_empty()
    );

    // The code that turned it on is spent.
    let phone = Visitor::stranger(&app);
    let asked = sign_in(&phone, &acme.email, PASSWORD).await;
    let replayed = step(&phone, &asked, &code()).await;
    assert_eq!(replayed.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(replayed.error("code").is_some());
    assert_eq!(phone.get("/account").await.path, "/sign-in");
    app.advance(TimeDelta::seconds(30));
    let inside = step(&phone, &asked, &code()).await;
    assert_eq!(inside.path, format!("/t/{}/", acme.slug));

    // And so is the one that let somebody in.
    let tablet = Visitor::stranger(&app);
    let asked = sign_in(&tablet, &acme.email, PASSWORD).await;
    let replayed = step(&tablet, &asked, &code()).await;
    assert_eq!(replayed.status, StatusCode::UNPROCESSABLE_ENTITY);
    let failed = "audit_entries WHERE action = 'account.second_step_failed'";
    assert_eq!(app.rows(failed).await, 2);

    // A step that took too long begins again.
    app.advance(TimeDelta::minutes(6));
    let late = step(&tablet, &asked, &code()).await;
    assert_eq!(late.path, "/sign-in");
    let note = mails_to(&app, &acme.email).await.pop().unwrap();
    assert!(note.subject.contains("is on"), "{}", note.subject);
}

#[tokio::test]
async fn a_recovery_code_is_good_once() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let ann = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let (secret, codes) = with_second_factor(&app, &ann).await;
    let phone = Visitor::stranger(&app);
    let asked = sign_in(&phone, &acme.email, PASSWORD).await;
    let typed = codes[3].to_lowercase().replace('-', " ");
    let inside = step(&phone, &asked, &typed).await;
    assert_eq!(
        inside.path,
        format!("/t/{}/", acme.slug),
        "{}",
        inside.text()
    );
    let left = phone.get("/account").await;
    assert!(
        left.text().contains("9 recovery codes left"),
        "{}",
        left.text()
    );
    let again = Visitor::stranger(&app);
    let asked = sign_in(&again, &acme.email, PASSWORD).await;
    let refused = step(&again, &asked, &codes[3]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);

    // New ones end the old ones.
    app.advance(TimeDelta::minutes(1));
    let page = ann.get("/account/second-factor").await;
    let code = totp::code(&secret, app.now()).unwrap();
    let to = "/account/second-factor/recovery-codes";
    let fresh = ann.submit(&page, to, &[("code", &code)]).await;
    let fresh = fresh.texts(".codes code");
    assert_eq!(fresh.len(), 10);
    let refused = step(&again, &asked, &codes[4]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let inside = step(&again, &asked, &fresh[0]).await;
    assert_eq!(inside.path, format!("/t/{}/", acme.slug));

    // Off it goes with password and code, and not with one of them.
    let to = "/account/second-factor/removal";
    let page = ann.get("/account/second-factor/removal/new").await;
    let typed = [
        ("password", "wrong wrong wrong"),
        ("code", fresh[1].as_str()),
    ];
    assert!(
        ann.submit(&page, to, &typed)
            .await
            .error("password")
            .is_some()
    );
    let typed = [("password", PASSWORD), ("code", fresh[0].as_str())];
    assert!(ann.submit(&page, to, &typed).await.error("code").is_some());
    let typed = [("password", PASSWORD), ("code", fresh[1].as_str())];
    let off = ann.submit(&page, to, &typed).await;
    assert_eq!(off.path, "/account", "{}", off.text());
    assert_eq!(
        app.rows("recovery_codes").await + app.rows("second_factors").await,
        0
    );
    Visitor::signed_in(&app, &acme.email, PASSWORD).await;
}

#[tokio::test]
async fn wrong_codes_lead_back_to_the_password_and_then_nowhere() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let ann = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let (secret, _) = with_second_factor(&app, &ann).await;
    app.advance(TimeDelta::minutes(1));
    let eve = Visitor::stranger(&app);
    for _ in 0..2 {
        let asked = sign_in(&eve, &acme.email, PASSWORD).await;
        for _ in 0..5 {
            let wrong = step(&eve, &asked, "000000").await;
            assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
        }
        // Even the right code comes too late.
        let code = totp::code(&secret, app.now()).unwrap();
        let late = step(&eve, &asked, &code).await;
        assert_eq!(late.path, "/sign-in", "{}", late.text());
    }
    // Beginning again and again meets the limit of all rounds together.
    let asked = sign_in(&eve, &acme.email, PASSWORD).await;
    for _ in 0..3 {
        step(&eve, &asked, "000000").await;
    }
    let code = totp::code(&secret, app.now()).unwrap();
    let stopped = step(&eve, &asked, &code).await;
    assert_eq!(stopped.status, StatusCode::TOO_MANY_REQUESTS);
    // With another password nobody else comes this far, and its owner need not wait.
    let ann = Visitor::stranger(&app);
    reset(&ann, &acme.email).await;
    let mails = mails_to(&app, &acme.email).await;
    let link = mails.last().unwrap().link();
    let path = format!("/reset/{}", link.split_once("/reset/").unwrap().1);
    let page = ann.get(&path).await;
    ann.submit(&page, &path, &[("password", OTHER)]).await;
    let asked = sign_in(&ann, &acme.email, OTHER).await;
    let code = totp::code(&secret, app.now()).unwrap();
    let inside = step(&ann, &asked, &code).await;
    assert_eq!(
        inside.path,
        format!("/t/{}/", acme.slug),
        "{}",
        inside.text()
    );
}

#[tokio::test]
async fn a_reset_keeps_the_second_factor() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let ann = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let (secret, _) = with_second_factor(&app, &ann).await;
    reset(&ann, &acme.email).await;
    let link = link(&app, &acme.email).await;
    let page = ann.get(&link).await;
    ann.submit(&page, &link, &[("password", OTHER)]).await;
    app.advance(TimeDelta::minutes(1));
    let asked = sign_in(&ann, &acme.email, OTHER).await;
    let code = totp::code(&secret, app.now()).unwrap();
    assert_eq!(step(&ann, &asked, &code).await.status, StatusCode::OK);

    // Whoever runs the service can take it off.
    let app_of = app.app();
    let password = SecretString::from(PASSWORD);
    app_of
        .reset_by_operator(&acme.email, password, true)
        .await
        .unwrap();
    assert_eq!(ann.get("/account").await.path, "/sign-in");
    Visitor::signed_in(&app, &acme.email, PASSWORD).await;
}

#[tokio::test]
async fn nothing_that_opens_an_account_can_be_read_in_the_database_or_the_log() {
    let log = Log::listen();
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let ann = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let (secret, codes) = with_second_factor(&app, &ann).await;
    let phone = Visitor::stranger(&app);
    sign_in(&phone, &acme.email, PASSWORD).await;
    sign_up(&phone, "new@harbour.example", OTHER).await;
    let new = link(&app, "new@harbour.example").await;
    reset(&phone, &acme.email).await;
    let forgotten = link(&app, &acme.email).await;
    let team = format!("/t/{}/team", acme.slug);
    let invitation = [("email", "guest@harbour.example"), ("role", "editor")];
    let page = ann.get(&team).await;
    ann.submit(&page, &format!("{team}/invitations"), &invitation)
        .await;
    let invited = link(&app, "guest@harbour.example").await;
    let tokens = format!("/t/{}/tokens", acme.slug);
    let page = ann.get(&tokens).await;
    let named = [("name", "Till"), ("role", "viewer"), ("days", "30")];
    let made = ann.submit(&page, &tokens, &named).await;
    let api_token = made.texts("#new-token").concat();
    assert!(api_token.starts_with("mlc_"), "{}", made.text());
    acme.rule("invoice.sent", "Hello").await;
    let body = invoice(3, Standing::Sent, app.now());
    acme.told("", &body).await;
    app.run_due_jobs().await;
    let own = format!("/t/{}/own-number", acme.slug);
    let page = ann.get(&own).await;
    let page = ann
        .submit(&page, &own, &[("phone", "+1 617 555 0199")])
        .await;
    let phone_code = acme.messages().last().unwrap().body[..6].to_owned();
    let confirmation = format!("{own}/confirmation");
    let typed = [("code", phone_code.as_str())];
    let confirmed = ann.submit(&page, &confirmation, &typed).await;
    assert!(confirmed.text().contains("The number is confirmed."));
    assert_eq!(acme.messages().len(), 2, "a code and a message");
    let token = |link: &str| link.rsplit('/').next().unwrap().to_owned();
    let mut secrets = vec![
        token(&invited),
        api_token,
        acme.auth_token.clone(),
        acme.hook_secret.expose().to_owned(),
        acme.token.expose_secret().to_owned(),
        PASSWORD.to_owned(),
        OTHER.to_owned(),
        token(&new),
        token(&forgotten),
        secret.expose_secret().to_owned(),
        ann.cookie("mlc_session").unwrap(),
        phone.cookie("mlc_step").unwrap(),
        smtp::PASSWORD.to_owned(),
        smtp::credentials(),
        format!("{phone_code} is your code"),
    ];
    secrets.extend(codes.iter().map(|code| code.replace('-', "")));
    secrets.extend(codes);
    let stored = app.database.contents().await;
    let holds = |text: &str| stored.windows(text.len()).any(|w| w == text.as_bytes());
    assert!(holds("new@harbour.example"), "what is no secret is there");
    let said = log.text();
    assert!(said.contains("Sent an e-mail"), "{said}");
    for secret in secrets {
        assert!(!holds(&secret), "{secret} is stored");
        assert!(!said.contains(&secret), "{secret} is logged");
    }
    // Six digits stand within longer numbers by chance.
    assert!(!stands_alone(&stored, &phone_code), "its code is stored");
    let is_logged = stands_alone(said.as_bytes(), &phone_code);
    assert!(!is_logged, "its code is logged");
}

/// Whether a number is there as itself, not as a part of a longer one, of a time or of an id.
fn stands_alone(text: &[u8], number: &str) -> bool {
    let is_part = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'.');
    let mut places = text.windows(number.len()).enumerate();
    places.any(|(at, window)| {
        let before = at.checked_sub(1).and_then(|at| text.get(at));
        window == number.as_bytes() && !is_part(before) && !is_part(text.get(at + number.len()))
    })
}

#[tokio::test]
async fn processes_count_tries_together() {
    let Some([a, b]) = TestApp::pair_with(&[PROXY]).await else {
        return;
    };
    let acme = a.company("Acme").await;
    for n in 0..10 {
        let at = if n % 2 == 0 { &a } else { &b };
        let eve = Visitor::stranger(at).at_address("198.51.100.7");
        let refused = sign_in(&eve, &acme.email, "wrong wrong wrong").await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{n}");
    }
    for app in [&a, &b] {
        let eve = Visitor::stranger(app).at_address("198.51.100.7");
        let stopped = sign_in(&eve, &acme.email, PASSWORD).await;
        assert_eq!(stopped.status, StatusCode::TOO_MANY_REQUESTS);
    }
    a.advance(TimeDelta::minutes(16));
    Visitor::signed_in(&b, &acme.email, PASSWORD).await;
}

#[tokio::test]
async fn a_weak_hash_is_made_anew_at_the_next_sign_in() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let platform = app.app().store().platform();
    let user = platform.user_by_email(&acme.email).await.unwrap().unwrap();
    let weak = Argon2::new(
        Algorithm::Argon2id,
        Version::V0x13,
        Params::new(8192, 1, 1, None).unwrap(),
    );
    let weak = weak.hash_password(PASSWORD.as_bytes()).unwrap().to_string();
    platform
        .rehash(user.id, user.password_hash, weak.clone())
        .await
        .unwrap();
    Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let user = platform.user(user.id).await.unwrap().unwrap();
    assert!(!password::needs_rehash(&user.password_hash));
    Visitor::signed_in(&app, &acme.email, PASSWORD).await;
}

/// A proxy on this machine, whose word is believed.
const PROXY: (&str, &str) = ("TRUSTED_PROXIES", "127.0.0.1");

#[tokio::test]
async fn mails_are_not_sent_without_end_and_the_limit_is_silent() {
    let app = TestApp::spawn_with(&[PROXY]).await;
    let acme = app.company("Acme").await;
    let eve = Visitor::stranger(&app).at_address("198.51.100.7");
    let first = reset(&eve, &acme.email).await;
    for _ in 0..9 {
        let again = reset(&eve, &acme.email).await;
        assert_eq!((again.status, again.text()), (StatusCode::OK, first.text()));
    }
    let ann = Visitor::stranger(&app).at_address("203.0.113.4");
    let hers = reset(&ann, &acme.email).await;
    assert_eq!((hers.status, hers.text()), (StatusCode::OK, first.text()));
    let mails = mails_to(&app, &acme.email).await;
    assert_eq!(mails.len(), 5);
    // Any of them lets its reader in, whoever asked for it.
    for mail in [&mails[4], &mails[0]] {
        let path = mail.link().split_once("/reset/").unwrap().1;
        let page = ann.get(&format!("/reset/{path}")).await;
        assert!(page.text().contains("password"), "{}", page.text());
        assert_eq!(page.path, format!("/reset/{path}"));
    }
    let first = sign_up(&ann, "new@harbour.example", OTHER).await;
    for _ in 0..7 {
        let again = sign_up(&ann, "new@harbour.example", OTHER).await;
        assert_eq!((again.status, again.text()), (StatusCode::OK, first.text()));
    }
    assert_eq!(mails_to(&app, "new@harbour.example").await.len(), 5);
}

#[tokio::test]
async fn a_stranger_behind_a_proxy_that_nobody_named_shuts_nobody_out() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let eve = Visitor::stranger(&app).at_address("198.51.100.7");
    for n in 0..35 {
        let email = if n % 3 == 0 {
            &acme.email
        } else {
            "x@y.example"
        };
        let refused = sign_in(&eve, email, "wrong wrong wrong").await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{n}");
    }
    Visitor::signed_in(&app, &acme.email, PASSWORD).await;
}

#[tokio::test]
async fn however_many_guess_an_owner_comes_in_by_a_known_browser_or_a_mail() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let known = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    for _ in 0..300 {
        let tried = app.app().admit(Gate::SignIn, None, &acme.email).await;
        tried.unwrap();
    }
    let new = Visitor::stranger(&app);
    let stopped = sign_in(&new, &acme.email, PASSWORD).await;
    assert_eq!(stopped.status, StatusCode::TOO_MANY_REQUESTS);
    let here = known.get("/account").await;
    known.submit(&here, "/sign-out", &[]).await;
    let inside = sign_in(&known, &acme.email, PASSWORD).await;
    assert_eq!(inside.path, format!("/t/{}/", acme.slug));
    reset(&new, &acme.email).await;
    let path = link(&app, &acme.email).await;
    let page = new.get(&path).await;
    new.submit(&page, &path, &[("password", OTHER)]).await;
    let inside = sign_in(&new, &acme.email, OTHER).await;
    assert_eq!(inside.path, format!("/t/{}/", acme.slug));
}

#[tokio::test]
async fn behind_a_proxy_that_is_named_a_stranger_shuts_only_themselves_out() {
    let app = TestApp::spawn_with(&[PROXY]).await;
    let acme = app.company("Acme").await;
    let eve = Visitor::stranger(&app).at_address("198.51.100.7");
    for _ in 0..30 {
        sign_in(&eve, "x@y.example", "wrong wrong wrong").await;
    }
    let stopped = sign_in(&eve, "x@y.example", "wrong wrong wrong").await;
    assert_eq!(stopped.status, StatusCode::TOO_MANY_REQUESTS);
    let ann = Visitor::stranger(&app).at_address("203.0.113.4");
    let inside = sign_in(&ann, &acme.email, PASSWORD).await;
    assert_eq!(inside.path, format!("/t/{}/", acme.slug));
}

#[tokio::test]
async fn another_company_cannot_keep_one_from_inviting_somebody() {
    let app = TestApp::spawn().await;
    let (evil, acme) = (app.company("Evil").await, app.company("Acme").await);
    let eve = Visitor::signed_in(&app, &evil.email, PASSWORD).await;
    let invite = async |who: &Visitor<'_>, slug: &str| {
        let team = who.get(&format!("/t/{slug}/team")).await;
        let form = format!("/t/{slug}/team/invitations");
        let fields = [("email", "ben@example.com"), ("role", "editor")];
        who.submit(&team, &form, &fields).await.status
    };
    for _ in 0..5 {
        assert_eq!(invite(&eve, &evil.slug).await, StatusCode::OK);
        app.advance(TimeDelta::seconds(61));
    }
    let stopped = invite(&eve, &evil.slug).await;
    assert_eq!(stopped, StatusCode::TOO_MANY_REQUESTS);
    let ann = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    assert_eq!(invite(&ann, &acme.slug).await, StatusCode::OK);
}

#[tokio::test]
async fn a_shell_resets_a_password() {
    let service = Service::new("http://127.0.0.1:9").await;
    service.tenant("acme");
    let reset = |email: &str, password: &str| {
        let args = ["admin", "reset-password", "--email", email];
        let more = ["--password-stdin", "--without-second-factor", "--json"];
        service.run(&[&args[..], &more].concat(), &format!("{password}\n"))
    };
    let done = reset("owner@acme.example", OTHER);
    assert!(done.status.success(), "{done:?}");
    let said: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(said["second_factor_removed"], true);
    let weak = reset("owner@acme.example", "password123");
    assert!(String::from_utf8_lossy(&weak.stderr).contains("many people use this one"));
    let nobody = reset("nobody@acme.example", OTHER);
    assert!(String::from_utf8_lossy(&nobody.stderr).contains("nobody has this"));
}

#[tokio::test]
async fn no_bytes_in_cookies_and_tokens_break_a_page() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let ann = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let session = ann.cookie("mlc_session").unwrap();
    let mut runner = TestRunner::deterministic();
    let any = proptest::collection::vec(any::<u8>(), 0..160);
    for _ in 0..60 {
        let bytes = any.new_tree(&mut runner).unwrap().current();
        let printable: Vec<u8> = bytes
            .iter()
            .copied()
            .filter(|b| (32..127).contains(b) || *b > 127)
            .collect();
        let cookie = |name: &str| {
            let text = [name.as_bytes(), b"=", &printable].concat();
            header::HeaderValue::from_bytes(&text).unwrap()
        };
        let call = async |method: Method, path: &str, cookie, body: Vec<u8>| {
            let call = app.http.request(method, app.url(path));
            let call = call
                .header(header::COOKIE, cookie)
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
            call.body(body).send().await.unwrap().status()
        };
        let fine = |status: StatusCode, what: &str| {
            assert!(!status.is_server_error(), "{what}: {status} for {bytes:?}");
        };
        let encoded: String = form_urlencoded::byte_serialize(&bytes).collect();
        let form = format!("csrf={encoded}&code=1&email=a@b.example&password=x").into_bytes();
        let get = Method::GET;
        fine(
            call(get.clone(), "/account", cookie("mlc_session"), vec![]).await,
            "session",
        );
        fine(
            call(
                get.clone(),
                "/sign-in/second-step",
                cookie("mlc_step"),
                vec![],
            )
            .await,
            "step",
        );
        fine(
            call(
                get,
                &format!("/reset/x{encoded}"),
                cookie("mlc_visit"),
                vec![],
            )
            .await,
            "link",
        );
        for path in ["/sign-in", "/sign-in/second-step", "/reset"] {
            fine(
                call(Method::POST, path, cookie("mlc_visit"), form.clone()).await,
                path,
            );
            fine(
                call(Method::POST, path, cookie("mlc_visit"), bytes.clone()).await,
                path,
            );
        }
        let own = header::HeaderValue::from_str(&format!("mlc_session={session}")).unwrap();
        fine(
            call(Method::POST, "/account/name", own, form).await,
            "token",
        );
    }
    // The session that was used all the while is still good.
    assert_eq!(ann.get("/account").await.path, "/account");
}

#[tokio::test]
async fn a_name_that_is_a_web_address_is_refused_in_words() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let ann = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let account = ann.get("/account").await;
    let name = [("name", "Ann https://evil.example/login")];
    let refused = ann.submit(&account, "/account/name", &name).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(
        refused.error("name").unwrap(),
        "Type your name, without a web or e-mail address in it."
    );
    let door = ann.get("/tenants/new").await;
    let typed = [
        &[("company", "Co … https://evil.example/login")],
        &COMPANY[1..],
    ]
    .concat();
    let refused = ann.submit(&door, "/tenants/new", &typed).await;
    assert_eq!(
        refused.error("company").unwrap(),
        "Type the company's name, without a web or e-mail address in it."
    );
    let typed = [&[("company", "Booking.com S.p.A.")], &COMPANY[1..]].concat();
    let made = ann.submit(&door, "/tenants/new", &typed).await;
    assert_eq!(made.status, StatusCode::OK, "{}", made.text());
}
