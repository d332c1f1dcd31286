//! What a company keeps for its messages, on its pages: groups, senders, brand and bank details.

use chrono::TimeDelta;
use image::{ImageFormat, Rgba, RgbaImage};
use ml_connector::crypto::totp;
use ml_connector::domain::user::Role;
use ml_connector::sandbox::samples::{Standing, Trader};
use ml_connector::sandbox::twilio::EmailFilter;
use reqwest::{Method, StatusCode, header};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::accounts::with_second_factor;
use crate::harness::TestApp;
use crate::harness::company::{PASSWORD, invoice};
use crate::harness::page::Page;
use crate::harness::visitor::Visitor;
use crate::walk::Walk;

/// Where the only link of a list leads.
fn first_link(page: &Page) -> String {
    page.attribute("td.card-lead a", "href").expect("a link")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_made_filled_switched_and_deleted_on_its_pages() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let ann = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let list = ann.get("/t/acme/groups").await;
    assert!(list.text().contains("No groups yet"), "{}", list.text());
    let made = ann.submit(&list, "/t/acme/groups", &[("name", "Finance")]);
    let page = made.await;
    let at = page.path.clone();
    assert!(
        page.text().contains("Nobody is in it yet"),
        "{}",
        page.text()
    );

    let to = format!("{at}/members");
    let typed = [("name", "Bo"), ("phone", "12"), ("email", "bo")];
    let wrong = ann.submit(&page, &to, &typed).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.error("phone").is_some() && wrong.error("email").is_some());
    let typed = [
        ("name", "Bo Lee"),
        ("phone", "(617) 555-0123"),
        ("email", "bo@acme.example"),
    ];
    let page = ann.submit(&wrong, &to, &typed).await;
    assert!(page.text().contains("+1 617-555-0123"), "{}", page.text());
    let twice = ann.submit(&page, &to, &typed).await;
    assert!(twice.error("name").is_some(), "{}", twice.text());

    // The owner, of the team: what their account says.
    let me = page.attribute("select[name=user] option", "value").unwrap();
    let page = ann.submit(&page, &to, &[("user", &me)]).await;
    assert!(page.text().contains(&acme.email), "{}", page.text());
    assert!(page.texts("select[name=user]").is_empty(), "all are in it");

    let switch = page.attributes("form[action$='/activation']", "action");
    let off = ann.submit(&page, &switch[0], &[]).await;
    assert!(
        off.text().contains("They get no messages"),
        "{}",
        off.text()
    );
    assert_eq!(
        off.attributes("[role=switch]", "aria-checked"),
        ["false", "true"]
    );
    let edit = first_edit(&off);
    let form = ann.get(&edit).await;
    let typed = [
        ("name", "Bo Lee"),
        ("phone", ""),
        ("email", "bo.lee@acme.example"),
    ];
    let changed = ann.submit(&form, &edit, &typed).await;
    assert!(
        changed.text().contains("bo.lee@acme.example"),
        "{}",
        changed.text()
    );
    assert_eq!(
        changed.attributes("[role=switch]", "aria-checked"),
        ["false", "true"],
        "who was off stays off"
    );
    let removal = changed.attributes("form[action$='/removal']", "action");
    let left = ann.submit(&changed, &removal[0], &[]).await;
    assert!(!left.text().contains("bo.lee@"), "{}", left.text());

    let ask = ann.get(&format!("{at}/deletion/new")).await;
    let to = format!("{at}/deletion");
    let unsure = ann.submit(&ask, &to, &[("name", "finance")]).await;
    assert!(unsure.error("name").is_some());
    let gone = ann.submit(&ask, &to, &[("name", "Finance")]).await;
    assert_eq!(gone.path, "/t/acme/groups");
    assert_eq!(
        app.rows("groups").await + app.rows("group_members").await,
        0
    );
}

fn first_edit(page: &Page) -> String {
    page.attribute("td.cell-act a", "href")
        .expect("a person to change")
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_typed_one_a_line_when_a_group_is_made() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let ann = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let groups = "/t/acme/groups";
    let list = ann.get(groups).await;
    let typed = |people| [("name", "Finance"), ("people", people)];
    let people = "Ann Lee, ann@acme.example\r\nBo <bo@>\r\nCy, 12";
    let wrong = ann.submit(&list, groups, &typed(people)).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    let why = wrong.error("people").unwrap();
    assert!(
        why.contains("“Bo <bo@>”: This ") && why.contains("“Cy, 12”: This number"),
        "{why}"
    );
    assert_eq!(app.rows("groups").await, 0);
    let people = "Ann Lee, ann@acme.example\r\n\r\nBo <bo@acme.example>\r\nCy, (617) 555-0123";
    let made = ann.submit(&wrong, groups, &typed(people)).await;
    let people = made.texts("td.card-lead");
    assert_eq!(people, ["Ann Lee", "Bo", "Cy"], "{}", made.text());
    assert!(made.text().contains("+1 617-555-0123"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_customers_of_a_sender_are_typed_by_name() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    acme.told("", &invoice(1, Standing::Sent, app.now())).await;
    app.run_due_jobs().await;
    let name = Trader::customer(4).company;
    let ann = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let senders = "/t/acme/senders";
    let list = ann.get(senders).await;
    assert!(list.text().contains(&name), "it is offered");
    let typed = |customers| {
        [
            ("transport", "twilio_email"),
            ("address", "billing@acme.example"),
            ("name", "Acme Billing"),
            ("customers", customers),
        ]
    };
    let wrong = ann.submit(&list, senders, &typed("Nobody Ltd")).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    let why = wrong.error("customers").unwrap();
    assert!(why.contains("“Nobody Ltd” has come in lately"), "{why}");
    let two = format!("{}\r\n460000000026049", name.to_uppercase());
    let added = ann.submit(&wrong, senders, &typed(&two)).await;
    let kept = added.texts("textarea[name=customers]").concat();
    assert_eq!(
        kept.split_whitespace().count(),
        name.split(' ').count() + 1,
        "{kept}"
    );
    assert!(kept.contains(&name), "{kept}");
    let by_program = acme.get("/senders").await;
    let ids = by_program["data"][1]["customers"].as_array().unwrap();
    let is_id = |id: &Value| id.as_str().unwrap().bytes().all(|b| b.is_ascii_digit());
    assert!(ids.len() == 2 && ids.iter().all(is_id), "{ids:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_the_team_leaves_its_groups() {
    let app = TestApp::spawn().await;
    let acme = Walk::of(&app, "Acme").await;
    let email = acme.teammate(Role::Editor).await;
    let team = app.app().team(acme.company.id).await.unwrap();
    let mate = team.members.iter().find(|m| m.email == email).unwrap();
    let group = json!({"name": "Team", "members": [{"user": mate.user}]});
    let answer = acme.company.api(Method::POST, "/groups", Some(group)).await;
    assert_eq!(answer.status(), StatusCode::CREATED);
    let such = "group_members WHERE user_id IS NOT NULL";
    assert_eq!(app.rows(such).await, 1);
    let owner = Visitor::signed_in(&app, &acme.company.email, PASSWORD).await;
    let ask = owner
        .get(&format!("/t/acme/team/{}/removal/new", mate.user))
        .await;
    let to = format!("/t/acme/team/{}/removal", mate.user);
    owner.submit(&ask, &to, &[("password", PASSWORD)]).await;
    assert_eq!(app.rows(such).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_number_of_a_connection_is_the_default_sender_and_follows_it() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let ann = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let list = ann.get("/t/acme/senders").await;
    assert!(list.text().contains("+1 500-555-0006"), "{}", list.text());
    let page = ann.get(&first_link(&list)).await;
    assert!(page.text().contains("Default"), "{}", page.text());
    assert!(
        page.texts("#dns").is_empty(),
        "DNS has nothing to do with numbers"
    );

    // A second one, which the account does not have, is refused in words.
    let typed = [
        ("transport", "twilio_messages"),
        ("address", "+15005550001"),
    ];
    let refused = ann.submit(&list, "/t/acme/senders", &typed).await;
    assert_eq!(
        refused.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "{}",
        refused.text()
    );
    assert!(refused.error("address").is_some());
    let typed = [
        ("transport", "twilio_messages"),
        ("address", "ACME"),
        ("countries", "gb, ie"),
        ("customers", "460000000026049"),
    ];
    let added = ann.submit(&list, "/t/acme/senders", &typed).await;
    assert!(
        added.text().contains("GB, IE · 1 customer"),
        "{}",
        added.text()
    );
    let at = added.path.clone();

    // The default cannot go while there is another.
    let first = first_link(&list);
    let page = ann.get(&first).await;
    let kept = ann.submit(&page, &format!("{first}/deletion"), &[]).await;
    assert_eq!(kept.status, StatusCode::CONFLICT);
    assert!(
        kept.text().contains("make another one the default"),
        "{}",
        kept.text()
    );
    let added = ann.get(&at).await;
    let typed = [("address", "ACME"), ("is_default", "1")];
    let default = ann.submit(&added, &at, &typed).await;
    assert!(default.text().contains("Default"), "{}", default.text());
    let page = ann.get(&first).await;
    let gone = ann.submit(&page, &format!("{first}/deletion"), &[]).await;
    assert_eq!(gone.path, "/t/acme/senders");
    assert_eq!(app.rows("senders").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_from_an_address_goes_to_whoever_asks_and_says_why_it_cannot() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let ann = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let add = async |address: &str| {
        let list = ann.get("/t/acme/senders").await;
        let typed = [
            ("transport", "twilio_email"),
            ("address", address),
            ("name", "Acme Billing"),
        ];
        ann.submit(&list, "/t/acme/senders", &typed).await
    };
    let nameless = [("transport", "twilio_email"), ("address", "b@acme.example")];
    let list = ann.get("/t/acme/senders").await;
    let nameless = ann.submit(&list, "/t/acme/senders", &nameless).await;
    assert!(nameless.error("name").is_some(), "{}", nameless.text());

    let page = add("billing@acme.example").await;
    let (at, test) = (page.path.clone(), format!("{}/tests", page.path));
    assert!(page.text().contains("em….acme.example"), "{}", page.text());
    let tested = ann.submit(&page, &test, &[]).await;
    assert!(
        tested.text().contains("on its way to your own"),
        "{}",
        tested.text()
    );
    assert!(ann.get(&at).await.text().contains("Tested"));
    let sent = app.sandbox.twilio().emails(&EmailFilter::default());
    assert_eq!(sent.len(), 1);
    let (from, to) = (sent[0].from.as_str(), sent[0].to.as_str());
    assert_eq!((from, to), ("billing@acme.example", acme.email.as_str()));
    let list = acme.api(Method::GET, "/senders", None).await;
    let list: Value = list.json().await.unwrap();
    let address = list["data"].as_array().unwrap().iter();
    let mut address = address.filter(|s| s["transport"] == "twilio_email");
    let sender = address.next().unwrap();
    assert_eq!(
        (&sender["is_default"], sender["tested_at"].is_null()),
        (&json!(true), false)
    );

    let page = add("billing@unverified.example").await;
    let test = format!("{}/tests", page.path);
    let refused = ann.submit(&page, &test, &[]).await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.text());
    assert!(!refused.text().contains("Tested"), "{}", refused.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logo_is_made_anew_and_served_to_everybody_for_ever() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let ann = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let page = ann.get("/t/acme/brand").await;
    let wrong = ann.upload(&page, "/t/acme/brand/logo", b"<svg/>").await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.error("file").is_some(), "{}", wrong.text());
    let large = vec![0; 300 * 1024];
    let large = ann.upload(&page, "/t/acme/brand/logo", &large).await;
    assert!(
        large.error("file").unwrap().contains("200 KB"),
        "{}",
        large.text()
    );

    let image = RgbaImage::from_pixel(900, 300, Rgba([11, 107, 91, 255]));
    let mut png = std::io::Cursor::new(Vec::new());
    image.write_to(&mut png, ImageFormat::Png).unwrap();
    let mut png = png.into_inner();
    png.extend(b"<script>alert(1)</script>");
    let page = ann.upload(&page, "/t/acme/brand/logo", &png).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text());
    let src = page.attribute(".logo-grounds img", "src").unwrap();
    let stranger = Visitor::stranger(&app);
    let answer = stranger.ask(Method::GET, &src, &[]).await;
    assert_eq!(answer.status(), StatusCode::OK);
    for (name, value) in [
        (header::CONTENT_TYPE, "image/png"),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        assert_eq!(answer.headers()[&name], value);
    }
    let policy = &answer.headers()["cross-origin-resource-policy"];
    assert_eq!(policy, "cross-origin");
    let served = answer.bytes().await.unwrap();
    assert!(!served.windows(7).any(|w| w == b"<script"));
    let served = image::load_from_memory(&served).unwrap();
    assert_eq!((served.width(), served.height()), (384, 128));
    for path in ["/logos/x.png", "/logos/../etc/passwd", "/logos/0a.svg"] {
        let missing = stranger.ask(Method::GET, path, &[]).await;
        assert_eq!(missing.status(), StatusCode::NOT_FOUND, "{path}");
    }
    let removed = ann.submit(&page, "/t/acme/brand/logo/removal", &[]).await;
    assert!(removed.text().contains("None yet"), "{}", removed.text());
    let kept = stranger.ask(Method::GET, &src, &[]).await;
    assert_eq!(kept.status(), StatusCode::OK, "e-mails go on showing it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_brand_is_refused_where_it_could_not_be_read() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let ann = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let page = ann.get("/t/acme/brand").await;
    let typed = [
        ("accent", "#ffcc00"),
        ("name", "see evil.example/x"),
        ("footer", "a\u{202e}b"),
    ];
    let refused = ann.submit(&page, "/t/acme/brand", &typed).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let accent = refused.error("accent").unwrap();
    assert!(accent.contains("contrast is 1.5 to 1"), "{accent}");
    assert!(refused.error("name").is_some() && refused.error("footer").is_some());
    let typed = [
        ("accent", "#036"),
        ("postal_address", "1 Main St\r\nSpringfield"),
        ("signature", "**Yours**"),
    ];
    let saved = ann.submit(&page, "/t/acme/brand", &typed).await;
    assert!(
        saved.text().contains("The brand is saved"),
        "{}",
        saved.text()
    );
    let brand = app.app().brand(acme.id).await.unwrap();
    assert_eq!(
        brand.accent.map(|c| c.to_string()).as_deref(),
        Some("#003366")
    );
    assert_eq!(brand.postal_address, "1 Main St\nSpringfield");
}

#[tokio::test(flavor = "multi_thread")]
async fn bank_details_take_a_code_and_a_day_or_a_second_owner() {
    let app = TestApp::spawn().await;
    let acme = Walk::of(&app, "Acme").await;
    let second = acme.teammate(Role::Owner).await;
    let ann = Visitor::signed_in(&app, &acme.company.email, PASSWORD).await;
    let page = ann.get("/t/acme/brand").await;
    assert!(
        page.texts("#bank select").is_empty(),
        "a second factor first"
    );
    let to = "/t/acme/brand/bank-details";
    let csrf = ann.token("/t/acme/brand").await;
    let fields = [
        ("csrf", csrf.as_str()),
        ("currency", "USD"),
        ("text", "IBAN 1"),
    ];
    let refused = ann.post(to, &fields).await;
    assert_eq!(
        refused.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "{}",
        refused.text()
    );
    assert!(refused.text().contains("Turn it on"), "{}", refused.text());
    let (secret, _) = with_second_factor(&app, &ann).await;
    let code = |secret: &SecretString| totp::code(secret, app.now()).unwrap();
    let ask = async |text: &str, code: &str| {
        let page = ann.get("/t/acme/brand").await;
        let typed = [("currency", "USD"), ("text", text), ("code", code)];
        ann.submit(&page, to, &typed).await
    };
    let wrong = ask("IBAN 1", "000000").await;
    assert!(
        wrong.text().contains("This is not the code"),
        "{}",
        wrong.text()
    );
    app.advance(TimeDelta::minutes(1));
    let fresh = code(&secret);
    let asked = ask("IBAN 1", &fresh).await;
    assert!(
        asked.text().contains("The new bank details wait"),
        "{}",
        asked.text()
    );
    let mails = app.mails().await;
    let told: Vec<_> = mails
        .iter()
        .filter(|m| m.subject.contains("bank details"))
        .collect();
    let mut to_whom: Vec<_> = told.iter().map(|m| m.to.as_str()).collect();
    to_whom.sort_unstable();
    let mut owners = [acme.company.email.as_str(), second.as_str()];
    owners.sort_unstable();
    assert_eq!(to_whom, owners);
    assert!(told[0].text.contains("> IBAN 1") && told[0].text.contains("> (none)"));
    let in_force = async || {
        let all = app.app().bank_details(acme.company.id).await.unwrap();
        let found = ml_connector::domain::bank_details::in_force(&all, "USD", app.now());
        found.map(|b| b.text.clone())
    };
    assert_eq!(in_force().await, None);
    app.advance(TimeDelta::minutes(1));
    let again = ask("IBAN 2", &code(&secret)).await;
    assert!(again.text().contains("wait already"), "{}", again.text());
    // The code was not spent on what was refused before; but whoever asked does not agree.
    let own = ann.get("/t/acme/brand").await;
    assert!(
        own.attributes("form[action$='/agreement']", "action")
            .iter()
            .all(|a| !a.is_empty())
    );

    let bob = Visitor::signed_in(&app, &second, PASSWORD).await;
    let (his, _) = with_second_factor(&app, &bob).await;
    app.advance(TimeDelta::minutes(1));
    let page = bob.get("/t/acme/brand").await;
    let agreement = page.attributes("#bank-USD form[action$='/agreement']", "action");
    let typed = [("code", "000000")];
    let refused = bob.submit(&page, &agreement[0], &typed).await;
    assert_eq!(
        refused.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "{}",
        refused.text()
    );
    let his_code = code(&his);
    let agreed = bob
        .submit(&page, &agreement[0], &[("code", &his_code)])
        .await;
    assert!(agreed.text().contains("You agreed"), "{}", agreed.text());
    assert_eq!(in_force().await.as_deref(), Some("IBAN 1"));

    // The next one is called off by the other owner; one after that comes into force by itself.
    app.advance(TimeDelta::minutes(1));
    ask("IBAN 3", &code(&secret)).await;
    let page = bob.get("/t/acme/brand").await;
    let off = page.attributes("#bank-USD form[action$='/cancellation']", "action");
    bob.submit(&page, &off[0], &[]).await;
    app.advance(TimeDelta::hours(25));
    assert_eq!(in_force().await.as_deref(), Some("IBAN 1"));
    let asked = ask("IBAN 4", &code(&secret)).await;
    assert!(asked.text().contains("wait"), "{}", asked.text());
    assert_eq!(in_force().await.as_deref(), Some("IBAN 1"));
    app.advance(TimeDelta::hours(24));
    assert_eq!(in_force().await.as_deref(), Some("IBAN 4"));
}
