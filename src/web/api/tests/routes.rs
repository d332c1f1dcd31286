//! Who comes in, and what the route says to the others.

use std::collections::BTreeSet;

use actix_web::http::Method;
use serde_json::{Value, json};

use super::super::{openapi, table};
use super::{House, rule_json};

/// Every address with ids that exist nowhere.
fn every_address() -> Vec<(Method, String)> {
    let mut all = Vec::new();
    for route in table() {
        let prefix = if route.path.starts_with("/rules") {
            "rul"
        } else if route.path.starts_with("/events") {
            "evt"
        } else if route.path.starts_with("/senders") {
            "snd"
        } else if route.path.starts_with("/groups") {
            "grp"
        } else {
            "dlv"
        };
        let digits = "0".repeat(if prefix == "dlv" { 64 } else { 32 });
        let path = route.path.replace("{id}", &format!("{prefix}_{digits}"));
        all.extend(route.methods.iter().map(|m| (m.clone(), path.clone())));
    }
    all
}

#[actix_web::test]
async fn nobody_comes_in_without_a_good_token() {
    let house = House::build().await;
    for (method, path) in every_address() {
        let none = house.call(method.clone(), &path, None, &[], "{").await;
        assert_eq!(none.status, 401, "{method} {path}");
        assert_eq!(none.problem(), "no-token");
        assert_eq!(none.header("www-authenticate"), "Bearer");
        let unknown = house.call(method, &path, Some("mlc_no"), &[], "{").await;
        assert_eq!(unknown.status, 401);
        let challenge = unknown.header("www-authenticate");
        assert_eq!(challenge, "Bearer error=\"invalid_token\"");
    }
    let basic = [("authorization", "Basic bWxjOm5v")];
    let other = house.call(Method::GET, "/rules", None, &basic, "").await;
    assert_eq!(other.status, 401);
}

#[actix_web::test]
async fn each_role_may_do_what_its_name_says() {
    let house = House::build().await;
    let tenant = house.tenant("acme").await;
    for (method, path) in every_address() {
        let json = [("content-type", "application/json")];
        let ask = async |token: &str| {
            house
                .call(method.clone(), &path, Some(token), &json, "{}")
                .await
                .status
                .as_u16()
        };
        let (viewer, editor) = (ask(&tenant.viewer).await, ask(&tenant.editor).await);
        let is_read = method == Method::GET;
        let is_log = path == "/audit-entries";
        let of_admins = ["/brand", "/connections", "/permissions", "/senders"];
        let is_admins = is_log || !is_read && of_admins.iter().any(|start| path.starts_with(start));
        assert_eq!(viewer == 403, !is_read || is_log, "viewer: {method} {path}");
        assert_eq!(editor == 403, is_admins, "{method} {path}");
        assert_ne!(ask(&tenant.admin).await, 403, "admin: {method} {path}");
    }
    let refused = house
        .send(Method::POST, "/rules", &tenant.viewer, rule_json())
        .await;
    assert_eq!(refused.problem(), "role");
}

#[actix_web::test]
async fn addresses_and_methods_that_are_not_there_are_problems() {
    let house = House::build().await;
    for path in ["/nothing", "/rules/a/b", "/../v2/rules", ""] {
        let answer = house.call(Method::GET, path, None, &[], "").await;
        assert_eq!(
            (answer.status.as_u16(), answer.problem()),
            (404, "no-such-address")
        );
    }
    let wrong = house.call(Method::DELETE, "/rules", None, &[], "").await;
    assert_eq!(
        (wrong.status.as_u16(), wrong.problem()),
        (405, "method-not-allowed")
    );
    assert_eq!(wrong.header("allow"), "GET, POST");
}

#[actix_web::test]
async fn a_body_must_be_json_and_of_moderate_size() {
    let house = House::build().await;
    let tenant = house.tenant("acme").await;
    let post = async |content_type: &'static str, body: &str| {
        let headers = [("content-type", content_type)];
        let token = Some(tenant.editor.as_str());
        house
            .call(Method::POST, "/rules", token, &headers, body)
            .await
    };
    for (content_type, body, status, problem) in [
        ("application/json", "{\"name\": ", 400, "malformed-json"),
        ("application/json", "", 400, "malformed-json"),
        ("application/json", "[]", 422, "invalid-input"),
        ("text/plain", "{}", 415, "not-json"),
        (
            "application/x-www-form-urlencoded",
            "name=a",
            415,
            "not-json",
        ),
        (
            "application/json; charset=utf-8",
            "{}",
            422,
            "invalid-input",
        ),
    ] {
        let answer = post(content_type, body).await;
        assert_eq!(answer.status, status, "{content_type} {body}");
        assert_eq!(answer.problem(), problem);
    }
    let deep = post("application/json", &"[".repeat(10_000)).await;
    assert_eq!(deep.problem(), "malformed-json");
    let large = post("application/json", &" ".repeat(256 * 1024 + 1)).await;
    assert_eq!(
        (large.status.as_u16(), large.problem()),
        (413, "body-too-large")
    );
}

#[actix_web::test]
async fn twilio_is_connected_and_its_secrets_never_come_back() {
    let house = House::build().await;
    let tenant = house.tenant("acme").await;
    let path = "/connections/twilio";
    assert_eq!(house.get(path, &tenant.viewer).await.status, 404);
    let (account, secret) = (format!("AC{}", "a1".repeat(16)), "5ec2e7".repeat(6));
    let typed =
        json!({"account_sid": account, "auth_token": &secret[..32], "from": "+16175550100"});
    let asked = house.send(Method::PUT, path, &tenant.admin, typed.clone());
    let untried = asked.await;
    assert_eq!(
        (untried.status.as_u16(), untried.problem()),
        (409, "untried")
    );
    assert_eq!(house.get(path, &tenant.viewer).await.status, 404);
    let mut typed = typed;
    typed["save_anyway"] = json!(true);
    let made = house.send(Method::PUT, path, &tenant.admin, typed).await;
    assert_eq!(made.status, 200, "{}", made.body);
    assert!(made.body["accepted_at"].is_null(), "{}", made.body);
    let read = house.get(path, &tenant.viewer).await;
    assert_eq!(read.body["account_sid"], account.as_str());
    assert_eq!(read.body["from"], "+16175550100");
    assert_eq!(read.body["state"], "ready");
    for body in [&made.body, &read.body] {
        assert!(!body.to_string().contains(&secret[..12]), "{body}");
    }
    let wrong = json!({"account_sid": "AC1", "auth_token": 1_234_567, "form": "x"});
    let wrong = house.send(Method::PUT, path, &tenant.admin, wrong).await;
    assert_eq!(wrong.status, 422);
    assert_eq!(wrong.wrong_fields(), ["auth_token", "form"]);
    assert!(!wrong.body.to_string().contains("1234567"));
    let wrong = json!({"account_sid": "AC1", "auth_token": "x"});
    let wrong = house.send(Method::PUT, path, &tenant.admin, wrong).await;
    assert!(wrong.wrong_fields().contains(&"account_sid"));
}

#[actix_web::test]
async fn the_hook_has_an_address() {
    let house = House::build().await;
    let tenant = house.tenant("acme").await;
    let zoho = house.get("/connections/zoho", &tenant.viewer).await;
    let url = zoho.body["hook_url"].as_str().unwrap();
    assert!(
        url.starts_with("http://127.0.0.1:8080/hooks/zoho/"),
        "{url}"
    );
    assert_eq!(zoho.body["valid_secrets"], 1);
}

#[actix_web::test]
async fn the_stop_switch_stops_only_its_tenant() {
    let house = House::build().await;
    let (acme, other) = (house.tenant("acme").await, house.tenant("other").await);
    let body = json!({"stopped": false, "since": null, "by": null});
    assert_eq!(house.get("/stop", &acme.viewer).await.body, body);
    let stopped = house
        .call(Method::PUT, "/stop", Some(&acme.editor), &[], "")
        .await;
    assert_eq!(stopped.body["stopped"], true);
    assert_eq!(stopped.body["by"], "API token “books”");
    assert_eq!(stopped.body["since"], "2026-11-18T11:06:40Z");
    assert_eq!(house.get("/stop", &other.viewer).await.body, body);
    let lifted = house
        .call(Method::DELETE, "/stop", Some(&acme.editor), &[], "")
        .await;
    assert_eq!(lifted.body, body);
}

#[test]
fn every_door_is_described_and_every_description_has_a_door() {
    let document: Value = serde_json::from_str(&openapi::text()).unwrap();
    let mut described = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            described.insert(format!("{} {path}", method.to_uppercase()));
        }
    }
    let mut real = BTreeSet::new();
    for route in table() {
        for method in &route.methods {
            real.insert(format!("{method} /api/v1{}", route.path));
        }
    }
    assert_eq!(described, real);
}

#[test]
fn every_reference_of_the_description_leads_somewhere() {
    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                found.extend(map.get("$ref").and_then(Value::as_str).map(str::to_owned));
                map.values().for_each(|v| references(v, found));
            }
            Value::Array(list) => list.iter().for_each(|v| references(v, found)),
            _ => {}
        }
    }
    let document: Value = serde_json::from_str(&openapi::text()).unwrap();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 20);
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

#[test]
fn the_description_names_the_fields_of_a_rule() {
    let document: Value = serde_json::from_str(&openapi::text()).unwrap();
    let fields = |name: &str| -> BTreeSet<String> {
        let pointer = format!("/components/schemas/{name}/properties");
        let map = document.pointer(&pointer).and_then(Value::as_object);
        map.unwrap().keys().cloned().collect()
    };
    let mut whole = fields("Rule");
    assert!(whole.remove("id") && whole.remove("version"));
    assert_eq!(fields("NewRule"), whole);
    assert_eq!(fields("RulePatch"), whole);
}
