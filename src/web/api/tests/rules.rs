//! Rules through the API.

use actix_web::http::Method;
use serde_json::{Value, json};

use super::{House, rule_json};

#[actix_web::test]
async fn a_rule_is_made_read_changed_and_removed() {
    let house = House::build().await;
    let tenant = house.tenant("acme").await;
    let made = house
        .send(Method::POST, "/rules", &tenant.editor, rule_json())
        .await;
    assert_eq!(made.status, 201);
    let id = made.body["id"].as_str().unwrap();
    let path = format!("/rules/{id}");
    assert_eq!(made.header("location"), format!("/api/v1{path}"));
    let mut expected = rule_json();
    for (field, value) in [
        ("id", json!(id)),
        ("version", json!(1)),
        ("enabled", json!(true)),
        ("position", json!(1)),
        (
            "recipient",
            json!({"kind": "fixed", "addresses": ["+16175550123"]}),
        ),
        ("email_sender", Value::Null),
    ] {
        expected[field] = value;
    }
    assert_eq!(made.body, expected);
    assert_eq!(house.get(&path, &tenant.viewer).await.body, expected);
    let list = house.get("/rules", &tenant.viewer).await;
    assert_eq!(list.body, json!({"data": [expected], "next": null}));

    let patch = json!({"template": {"body": "Pay {{ balance }}"}, "position": 7});
    let changed = house
        .send(Method::PATCH, &path, &tenant.editor, patch)
        .await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    expected["template"]["body"] = json!("Pay {{ balance }}");
    expected["position"] = json!(7);
    expected["version"] = json!(2);
    assert_eq!(changed.body, expected);

    let off = json!({"enabled": false});
    let off = house.send(Method::PATCH, &path, &tenant.editor, off).await;
    assert_eq!(off.body["enabled"], false);
    assert_eq!(off.body["version"], 2);

    let gone = house
        .call(Method::DELETE, &path, Some(&tenant.editor), &[], "")
        .await;
    assert_eq!((gone.status.as_u16(), gone.body), (204, Value::Null));
    assert_eq!(house.get(&path, &tenant.viewer).await.status, 404);
    let again = house
        .call(Method::DELETE, &path, Some(&tenant.editor), &[], "")
        .await;
    assert_eq!(again.problem(), "not-found");
}

#[actix_web::test]
async fn every_wrong_field_of_a_rule_is_named() {
    let house = House::build().await;
    let tenant = house.tenant("acme").await;
    let edits: [(&str, Value, &str); 7] = [
        ("name", json!(""), "name"),
        ("colour", json!("red"), "colour"),
        (
            "recipient",
            json!({"kind": "fixed", "address": "12"}),
            "recipient.address",
        ),
        (
            "conditions",
            json!({"any": [{"field": "total", "op": "gt", "value": "much"}]}),
            "conditions.0.value",
        ),
        ("template", json!({"body": "{{ totl }}"}), "template.body"),
        ("enabled", json!("yes"), "enabled"),
        ("position", json!(1.5), "position"),
    ];
    for (field, value, wrong) in edits {
        let mut rule = rule_json();
        rule[field] = value;
        let answer = house
            .send(Method::POST, "/rules", &tenant.editor, rule)
            .await;
        assert_eq!(answer.status, 422, "{field}");
        assert_eq!(answer.problem(), "invalid-input");
        assert_eq!(answer.wrong_fields(), [wrong]);
    }
    let empty = house
        .send(Method::POST, "/rules", &tenant.editor, json!({}))
        .await;
    assert!(empty.wrong_fields().len() >= 4, "{}", empty.body);
    assert_eq!(
        house.get("/rules", &tenant.viewer).await.body["data"],
        json!([])
    );
}

#[actix_web::test]
async fn a_patch_that_would_spoil_a_rule_leaves_it_as_it_is() {
    let house = House::build().await;
    let tenant = house.tenant("acme").await;
    let rule = house.rule(&tenant).await;
    let path = format!("/rules/{}", rule["id"].as_str().unwrap());
    let patch = json!({"event_type": "invoice.eaten", "enabled": false});
    let answer = house
        .send(Method::PATCH, &path, &tenant.editor, patch)
        .await;
    assert_eq!(answer.wrong_fields(), ["event_type"]);
    assert_eq!(house.get(&path, &tenant.viewer).await.body, rule);
}

#[actix_web::test]
async fn the_rules_of_another_tenant_are_not_found() {
    let house = House::build().await;
    let (acme, other) = (house.tenant("acme").await, house.tenant("other").await);
    let rule = house.rule(&acme).await;
    let path = format!("/rules/{}", rule["id"].as_str().unwrap());
    for method in [Method::GET, Method::PATCH, Method::DELETE] {
        let answer = house
            .send(method, &path, &other.admin, json!({"enabled": false}))
            .await;
        assert_eq!(answer.status, 404);
    }
    assert_eq!(
        house.get("/rules", &other.viewer).await.body["data"],
        json!([])
    );
    assert_eq!(house.get(&path, &acme.viewer).await.body, rule);
}
