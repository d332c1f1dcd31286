//! Brand and bank details through the API.

use actix_web::http::Method;
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::House;
use crate::domain::actor::Actor;
use crate::domain::bank_details::{BankDetails, WAITS};
use crate::domain::ids::{BankDetailsId, UserId};
use crate::store::BankDetailsEdit;

#[actix_web::test]
async fn a_brand_is_read_and_replaced() {
    let house = House::build().await;
    let tenant = house.tenant("acme").await;
    let before = house.get("/brand", &tenant.viewer).await.body;
    assert_eq!(before["name"], Value::Null);
    let typed = json!({
        "name": "Acme Billing", "accent": "#0b6b5b", "postal_address": "12 Mill Lane\nLeeds",
        "footer": null, "signature": "Kind regards",
    });
    let put =
        async |token: &str, typed: Value| house.send(Method::PUT, "/brand", token, typed).await;
    assert_eq!(put(&tenant.editor, typed.clone()).await.status, 403);
    let changed = put(&tenant.admin, typed).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    assert_eq!(
        changed.body,
        json!({
            "name": "Acme Billing", "accent": "#0b6b5b", "postal_address": "12 Mill Lane\nLeeds",
            "footer": null, "signature": "Kind regards", "logo": null,
        })
    );
    assert_eq!(house.get("/brand", &tenant.viewer).await.body, changed.body);
    let light = put(&tenant.admin, json!({"accent": "#ffcc00"})).await;
    assert_eq!(light.status, 422);
    assert_eq!(light.body["errors"][0]["field"], "accent");
    assert_eq!(put(&tenant.admin, json!({})).await.body, before);
}

#[actix_web::test]
async fn bank_details_are_only_read() {
    let house = House::build().await;
    let tenant = house.tenant("acme").await;
    let asked_at = house.app.now();
    let asked = BankDetails {
        id: BankDetailsId::new(asked_at),
        currency: "EUR".to_owned(),
        text: "Acme, IBAN".to_owned(),
        asked_by: UserId::nil(),
        asked_by_name: "ann@acme.example".to_owned(),
        asked_at,
        in_force_at: asked_at + WAITS,
        agreed_by_name: String::new(),
    };
    let store = house.app.store().tenant(tenant.id);
    let (edit, actor) = (BankDetailsEdit::Ask(asked), Actor::named("ann"));
    let kept = store.change_bank_details(edit, Vec::new(), actor, asked_at);
    kept.await.unwrap();
    let all = house.get("/bank-details", &tenant.viewer).await.body;
    let time = |at| serde_json::to_value(at).unwrap();
    assert_eq!(
        all,
        json!({"data": [{
            "currency": "EUR", "text": null, "in_force_at": null,
            "waiting": {
                "text": "Acme, IBAN", "asked_by": "ann@acme.example", "asked_at": time(asked_at),
                "in_force_at": time(asked_at + TimeDelta::hours(24)),
            },
        }], "next": null})
    );
    for method in [Method::POST, Method::PUT] {
        let refused = house.send(method, "/bank-details", &tenant.admin, json!({}));
        assert_eq!(refused.await.status, 405);
    }
}
