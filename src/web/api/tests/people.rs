//! Senders and groups through the API.

use actix_web::http::Method;
use serde_json::{Value, json};

use super::{House, rule_json};

fn fields(answer: &Value) -> Vec<&str> {
    let errors = answer["errors"].as_array().map_or(&[][..], Vec::as_slice);
    errors.iter().filter_map(|e| e["field"].as_str()).collect()
}

#[actix_web::test]
async fn a_sender_is_added_read_changed_and_removed() {
    let house = House::build().await;
    let tenant = house.tenant("acme").await;
    let typed = json!({
        "transport": "twilio_messages", "address": "+1 617 555 0100", "name": "Billing",
        "countries": ["us", "CA"], "customers": ["460000000026049"],
    });
    let made = house
        .send(Method::POST, "/senders", &tenant.admin, typed.clone())
        .await;
    assert_eq!(made.status, 201, "{}", made.body);
    let path = format!("/senders/{}", made.body["id"].as_str().unwrap());
    assert_eq!(made.header("location"), format!("/api/v1{path}"));
    assert_eq!(made.body["address"], "+16175550100");
    assert_eq!(made.body["countries"], json!(["CA", "US"]));
    assert_eq!(made.body["is_default"], true, "the first of its transport");
    assert_eq!(made.body["tested_at"], Value::Null);
    assert_eq!(house.get(&path, &tenant.viewer).await.body, made.body);
    let twice = house
        .send(Method::POST, "/senders", &tenant.admin, typed)
        .await;
    assert_eq!(
        (twice.status.as_u16(), fields(&twice.body)),
        (422, vec!["address"])
    );

    let second = json!({"transport": "twilio_messages", "address": "ACME", "is_default": true});
    let second = house
        .send(Method::POST, "/senders", &tenant.admin, second)
        .await;
    assert_eq!(second.status, 201, "{}", second.body);
    assert_eq!(
        house.get(&path, &tenant.viewer).await.body["is_default"],
        false
    );
    let list = house.get("/senders", &tenant.viewer).await;
    assert_eq!(list.body["data"].as_array().map(Vec::len), Some(2));

    let put = json!({"address": "+16175550101", "name": "Billing"});
    let changed = house.send(Method::PUT, &path, &tenant.admin, put).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    assert_eq!(changed.body["countries"], json!([]));
    let other = json!({"transport": "carrier_pigeon", "address": "+16175550101"});
    let other = house.send(Method::PUT, &path, &tenant.admin, other).await;
    assert_eq!(fields(&other.body), ["transport"]);

    let remove = async |path: &str| {
        let token = Some(tenant.admin.as_str());
        house.call(Method::DELETE, path, token, &[], "").await
    };
    let default = format!("/senders/{}", second.body["id"].as_str().unwrap());
    assert_eq!(remove(&default).await.problem(), "conflict");
    assert_eq!(remove(&path).await.status, 204);
    assert_eq!(remove(&path).await.status, 404);
    assert_eq!(remove(&default).await.status, 204);
}

#[actix_web::test]
async fn every_wrong_field_of_a_sender_is_named() {
    let house = House::build().await;
    let tenant = house.tenant("acme").await;
    let post = async |typed: Value| {
        let answer = house
            .send(Method::POST, "/senders", &tenant.admin, typed)
            .await;
        assert_eq!(answer.status, 422, "{}", answer.body);
        answer.body
    };
    let unknown = post(json!({"transport": "fax", "address": "1"})).await;
    assert_eq!(fields(&unknown), ["transport"]);
    let wrong = post(json!({
        "transport": "twilio_messages", "address": "ann@acme.example", "name": "see evil.example/x",
        "countries": ["Narnia"], "customers": ["a\nb"],
    }))
    .await;
    assert_eq!(
        fields(&wrong),
        ["address", "name", "countries", "customers"]
    );
    let misspelt = post(json!({"adress": "+16175550100"})).await;
    assert_eq!(fields(&misspelt), ["adress"]);
}

#[actix_web::test]
async fn a_group_is_made_read_changed_and_removed() {
    let house = House::build().await;
    let tenant = house.tenant("acme").await;
    let typed = json!({"name": "Finance", "members": [
        {"name": "Ann Lee", "phone": "+44 7700 900123", "email": "ann@acme.example"},
        {"name": "Bo", "email": "bo@acme.example", "is_on": false},
    ]});
    let made = house
        .send(Method::POST, "/groups", &tenant.editor, typed.clone())
        .await;
    assert_eq!(made.status, 201, "{}", made.body);
    let path = format!("/groups/{}", made.body["id"].as_str().unwrap());
    assert_eq!(made.header("location"), format!("/api/v1{path}"));
    let ann = &made.body["members"][0];
    assert_eq!(ann["phone"], "+447700900123");
    assert_eq!((&ann["is_on"], &ann["user"]), (&json!(true), &Value::Null));
    assert_eq!(made.body["members"][1]["is_on"], false);
    let list = house.get("/groups", &tenant.viewer).await;
    assert_eq!(list.body, json!({"data": [made.body], "next": null}));
    let twice = house
        .send(Method::POST, "/groups", &tenant.editor, typed)
        .await;
    assert_eq!(fields(&twice.body), ["name"]);

    // Ann keeps her id though it is not given; Bo goes, Cy comes.
    let put = json!({"name": "Finance team", "members": [
        {"name": "Ann", "phone": "+447700900123", "email": "Ann@acme.example"},
        {"name": "Cy", "email": "cy@acme.example"},
    ]});
    let changed = house.send(Method::PUT, &path, &tenant.editor, put).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    let members = changed.body["members"].as_array().unwrap();
    assert!(
        members
            .iter()
            .any(|m| m["id"] == ann["id"] && m["name"] == "Ann")
    );
    assert!(members.iter().any(|m| m["name"] == "Cy"));
    assert_eq!(members.len(), 2);

    let remove = async || {
        let token = Some(tenant.editor.as_str());
        house
            .call(Method::DELETE, &path, token, &[], "")
            .await
            .status
    };
    assert_eq!(remove().await, 204);
    assert_eq!(remove().await, 404);
    assert_eq!(house.get(&path, &tenant.viewer).await.status, 404);
}

#[actix_web::test]
async fn every_wrong_field_of_a_group_is_named() {
    let house = House::build().await;
    let tenant = house.tenant("acme").await;
    let wrong = json!({"name": " ", "members": [
        {"name": "Ann", "phone": "12", "email": "nobody"},
        {"name": "", "email": "bo@acme.example"},
        {"name": "Cy"},
        {"user": "usr_00000000000000000000000000000000"},
    ]});
    let refused = house
        .send(Method::POST, "/groups", &tenant.editor, wrong)
        .await;
    let expected = [
        "name",
        "members.0.phone",
        "members.0.email",
        "members.1.name",
        "members.2.phone",
        "members.3.user",
    ];
    assert_eq!(fields(&refused.body), expected, "{}", refused.body);
    let twice = json!({"name": "Finance", "members": [
        {"name": "Ann", "email": "ann@acme.example"}, {"name": "Anne", "email": "ANN@acme.example"},
    ]});
    let refused = house
        .send(Method::POST, "/groups", &tenant.editor, twice)
        .await;
    assert_eq!(fields(&refused.body), ["members.1.name"]);
}

#[actix_web::test]
async fn what_a_rule_names_is_not_removed() {
    let house = House::build().await;
    let tenant = house.tenant("acme").await;
    let group =
        json!({"name": "Finance", "members": [{"name": "Ann", "email": "ann@acme.example"}]});
    let group = house
        .send(Method::POST, "/groups", &tenant.editor, group)
        .await;
    let mut rule = rule_json();
    rule["recipient"] = json!({"kind": "group", "group": group.body["id"]});
    let rule = house
        .send(Method::POST, "/rules", &tenant.editor, rule)
        .await;
    assert_eq!(rule.status, 201, "{}", rule.body);
    let path = format!("/groups/{}", group.body["id"].as_str().unwrap());
    let token = Some(tenant.editor.as_str());
    let refused = house.call(Method::DELETE, &path, token, &[], "").await;
    assert_eq!(refused.problem(), "conflict");
    let detail = refused.body["detail"].as_str().unwrap();
    assert!(detail.contains("writes to it"), "{detail}");
}

#[actix_web::test]
async fn another_company_has_neither() {
    let house = House::build().await;
    let (acme, other) = (house.tenant("acme").await, house.tenant("other").await);
    let group = json!({"name": "Finance"});
    let group = house
        .send(Method::POST, "/groups", &acme.editor, group)
        .await;
    let sender = json!({"transport": "twilio_messages", "address": "ACME"});
    let sender = house
        .send(Method::POST, "/senders", &acme.admin, sender)
        .await;
    for (kind, id) in [
        ("groups", &group.body["id"]),
        ("senders", &sender.body["id"]),
    ] {
        let path = format!("/{kind}/{}", id.as_str().unwrap());
        assert_eq!(house.get(&path, &acme.viewer).await.status, 200);
        assert_eq!(house.get(&path, &other.admin).await.status, 404);
        let put = json!({"name": "x", "address": "x"});
        let put = house.send(Method::PUT, &path, &other.admin, put).await;
        assert!(put.status == 404 || put.status == 422, "{path}");
        let token = Some(other.admin.as_str());
        let gone = house.call(Method::DELETE, &path, token, &[], "").await;
        assert_eq!(gone.status, 404, "{path}");
    }
}
