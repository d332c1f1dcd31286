//! What belongs to another company cannot be named either: its groups, senders and people are not there,
//! whichever way a rule or a group comes in.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ml_connector::domain::ids::UserId;
use ml_connector::sandbox::samples::Standing;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::company::{PASSWORD, invoice};
use crate::harness::visitor::Visitor;
use crate::harness::{Company, TestApp};

/// Somebody of the other company, who must not hear of this one.
const EVE: &str = "eve@globex.example";

fn rule(recipient: &Value, senders: &Value) -> Value {
    let mut rule = json!({
        "name": "Tell them", "event_type": "invoice.sent", "channel": "both",
        "recipient": recipient,
        "template": { "body": "Hello", "email": { "subject": "Hello", "preview": "", "body": "Hello" } },
    });
    for (name, id) in senders.as_object().unwrap() {
        rule[name] = id.clone();
    }
    rule
}

/// What another company keeps, as a rule names it.
struct Foreign {
    group: String,
    email_sender: String,
    sender: String,
    member: Value,
    owner: UserId,
}

async fn foreign(globex: &Company<'_>) -> Foreign {
    let group = globex.group("Finance", &[("Eve", EVE, true)]).await;
    let kept = globex.get(&format!("/groups/{group}")).await;
    let email_sender = globex
        .email_sender("billing@globex.example", "Globex")
        .await;
    let senders = globex.get("/senders").await;
    let texts = senders["data"].as_array().unwrap().iter();
    let text = texts.clone().find(|s| s["transport"] == "twilio_messages");
    let team = globex.app.app().team(globex.id).await.unwrap();
    Foreign {
        group,
        email_sender,
        sender: text.unwrap()["id"].as_str().unwrap().to_owned(),
        member: kept["members"][0]["id"].clone(),
        owner: team.members[0].user,
    }
}

async fn refused(acme: &Company<'_>, method: Method, path: &str, body: Value) -> String {
    let answer = acme.api(method, path, Some(body)).await;
    assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY, "{path}");
    let problem: Value = answer.json().await.unwrap();
    problem["errors"][0]["field"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_cannot_name_what_another_company_keeps() {
    let app = TestApp::spawn().await;
    let (acme, globex) = (app.company("Acme").await, app.company("Globex").await);
    acme.email_sender("billing@acme.example", "Acme").await;
    let theirs = foreign(&globex).await;
    let contact = json!({ "kind": "contact" });
    let group = json!({ "kind": "group", "group": theirs.group });
    let own = acme.create_rule(rule(&contact, &json!({}))).await;
    let own = format!("/rules/{}", own["id"].as_str().unwrap());
    let ann = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let rules = format!("/t/{}/rules", acme.slug);
    let typed = [
        ("name", "Tell them"),
        ("event_type", "invoice.sent"),
        ("channel", "email"),
        ("send_within", "24"),
        ("email_subject", "Hello"),
        ("email_body", "Hello"),
        ("enabled", "1"),
    ];
    for (field, recipient, senders) in [
        ("recipient.group", &group, json!({})),
        ("sender", &contact, json!({ "sender": theirs.sender })),
        (
            "email_sender",
            &contact,
            json!({ "email_sender": theirs.email_sender }),
        ),
    ] {
        let whole = rule(recipient, &senders);
        assert_eq!(
            refused(&acme, Method::POST, "/rules", whole.clone()).await,
            field
        );
        assert_eq!(refused(&acme, Method::PATCH, &own, whole).await, field);

        let chosen = |name: &str, default: &str| {
            let given = senders[name].as_str().unwrap_or(default);
            given.to_owned()
        };
        let (from, from_email) = (
            chosen("sender", "default"),
            chosen("email_sender", "default"),
        );
        let whom = recipient["group"].as_str().unwrap_or("first");
        let choices = [
            ("recipient", whom),
            ("sender", from.as_str()),
            ("email_sender", from_email.as_str()),
        ];
        let fields = [&typed[..], &choices[..]].concat();
        let form = ann.get(&format!("{rules}/new")).await;
        let again = ann.submit(&form, &rules, &fields).await;
        assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY, "{field}");
        for path in ["/preview", "/preview/email"] {
            let token = ann.token(&rules).await;
            let fields = [&fields[..], &[("csrf", token.as_str())]].concat();
            let shown = ann
                .ask(Method::POST, &format!("{rules}{path}"), &fields)
                .await;
            assert!(!shown.status().is_server_error(), "{path}");
            let shown = shown.text().await.unwrap();
            assert!(
                !shown.to_lowercase().contains("globex"),
                "{path} of {field}: {shown}"
            );
        }
    }
    assert_eq!(
        acme.get("/rules").await["data"].as_array().unwrap().len(),
        1
    );
}

/// Were such a rule there all the same, it would reach nobody, and could not be switched on.
#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_names_a_foreign_group_reaches_nobody() {
    let app = TestApp::spawn().await;
    let (acme, globex) = (app.company("Acme").await, app.company("Globex").await);
    acme.email_sender("billing@acme.example", "Acme").await;
    let theirs = foreign(&globex).await;
    let ours = acme
        .group("Finance", &[("Ann", "ann@acme.example", true)])
        .await;
    let group = json!({ "kind": "group", "group": ours });
    let made = acme.create_rule(rule(&group, &json!({}))).await;
    let swap = format!(
        "UPDATE rule_versions SET definition = replace(definition, '{ours}', '{}')",
        theirs.group
    );
    app.database.run(&swap).await;
    let path = format!("/rules/{}", made["id"].as_str().unwrap());
    let kept = acme.get(&path).await;
    assert_eq!(kept["recipient"]["group"], *theirs.group, "{kept:#}");

    let event = acme.told("", &invoice(1, Standing::Sent, app.now())).await;
    app.run_due_jobs().await;
    assert!(acme.emails().is_empty() && acme.messages().is_empty());
    let story = acme.event(&event).await;
    assert_eq!(story["deliveries"][0]["state"], "failed", "{story:#}");
    let reason = story["deliveries"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("group is gone"), "{reason}");
    assert!(
        !story.to_string().to_lowercase().contains("globex"),
        "{story:#}"
    );
    let switch = |on: bool| acme.api(Method::PATCH, &path, Some(json!({ "enabled": on })));
    assert_eq!(switch(false).await.status(), StatusCode::OK);
    let stays_off = switch(true).await;
    assert_eq!(stays_off.status(), StatusCode::CONFLICT);
    let why: Value = stays_off.json().await.unwrap();
    let why = why["detail"].as_str().unwrap();
    assert!(why.contains("there is no such group"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_cannot_take_what_is_another_companys() {
    let app = TestApp::spawn().await;
    let (acme, globex) = (app.company("Acme").await, app.company("Globex").await);
    let theirs = foreign(&globex).await;
    let of = |members: Value| json!({ "name": "Approvers", "members": members });
    let owner = of(json!([{ "user": theirs.owner.to_string() }]));
    assert_eq!(
        refused(&acme, Method::POST, "/groups", owner).await,
        "members.0.user"
    );

    // An id that is another's is no id.
    let bo = |id: &Value, email: &str| json!({ "id": id, "name": "Bo", "email": email });
    let twice = of(json!([
        bo(&theirs.member, "bo@a.example"),
        bo(&theirs.member, "b@a.example")
    ]));
    let made = acme.api(Method::POST, "/groups", Some(twice)).await;
    assert_eq!(made.status(), StatusCode::CREATED);
    let made: Value = made.json().await.unwrap();
    let (first, second) = (&made["members"][0]["id"], &made["members"][1]["id"]);
    assert!(first != second && *first != theirs.member && *second != theirs.member);
    let path = format!("/groups/{}", made["id"].as_str().unwrap());
    let doubled = of(json!([
        bo(first, "bo@a.example"),
        bo(first, "other@a.example")
    ]));
    let changed = acme.api(Method::PUT, &path, Some(doubled)).await;
    assert_eq!(changed.status(), StatusCode::OK);
    let changed: Value = changed.json().await.unwrap();
    assert_eq!(changed["members"].as_array().unwrap().len(), 2);
    let kept = globex.get(&format!("/groups/{}", theirs.group)).await;
    assert_eq!(kept["members"][0]["email"], EVE);
}

/// A link names its company; under another one's name it is none.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_link_ends_the_reminders_of_its_company_only() {
    let app = TestApp::spawn().await;
    let (acme, globex) = (app.company("Acme").await, app.company("Globex").await);
    let mut links = Vec::new();
    for company in [&acme, &globex] {
        company.email_sender("billing@example.com", "Billing").await;
        let mut overdue = rule(&json!({ "kind": "contact" }), &json!({}));
        overdue["event_type"] = json!("invoice.overdue");
        overdue["channel"] = json!("email");
        company.create_rule(overdue).await;
        links.push(remind(company, 1).await);
    }
    let path = |token: &str| format!("/stop/{token}");
    let (ids, tag) = links[0].split_at(43);
    let mut forged = URL_SAFE_NO_PAD.decode(ids).unwrap();
    forged[..16].copy_from_slice(globex.id.uuid().as_bytes());
    let forged = format!("{}{tag}", URL_SAFE_NO_PAD.encode(forged));
    let reader = Visitor::stranger(&app);
    for method in [Method::GET, Method::POST] {
        let answer = reader.ask(method, &path(&forged), &[]).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    }
    let pressed = reader.ask(Method::POST, &path(&links[0]), &[]).await;
    assert_eq!(pressed.status(), StatusCode::OK);
    assert_eq!(
        acme.get("/suppressions").await["data"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(globex.get("/suppressions").await["data"], json!([]));
    remind(&globex, 2).await;
    assert_eq!((acme.emails().len(), globex.emails().len()), (1, 2));

    // Nor does one company see why the other may write to somebody.
    let why = json!({
        "channel": "email", "address": EVE, "basis": "contract", "source": "Order 7",
    });
    let kept = globex.api(Method::POST, "/permissions", Some(why)).await;
    assert!(kept.status().is_success(), "{}", kept.text().await.unwrap());
    assert!(globex.get("/permissions").await.to_string().contains(EVE));
    assert!(!acme.get("/permissions").await.to_string().contains(EVE));
}

/// Sends a reminder; what its link bears.
async fn remind(company: &Company<'_>, seed: u64) -> String {
    let body = invoice(seed, Standing::Overdue, company.app.now());
    company.told("/invoice.overdue", &body).await;
    company.app.run_due_jobs().await;
    let text = company.emails().last().unwrap().text.clone();
    let (_, rest) = text.split_once("/stop/").expect("a link");
    let is_of_link = |c: &char| c.is_ascii_alphanumeric() || "-_".contains(*c);
    rest.chars().take_while(is_of_link).collect()
}
