//! The demo's company: its owner, its Twilio account, its rules; and the operator of the service.

use secrecy::SecretString;
use serde_json::{Value, json};

use super::{COMPANY, OPERATOR, OWNER, ZONE};
use crate::app::App;
use crate::app::accounts::{Beginning, CreatedTenant, TenantInput};
use crate::app::rules::RuleSwitches;
use crate::domain::actor::Actor;
use crate::sandbox::DEMO_NUMBER;
use crate::sandbox::twilio::Credentials;
use crate::twilio;
use crate::twilio::set_up::TwilioInput;

/// Where the company's own people read.
const SALES: &str = "+12125550199";

/// A company with rules, connected to the sandbox, and somebody who runs the service.
pub(super) async fn found(
    app: &App,
    credentials: &Credentials,
    password: &SecretString,
    operators_password: &SecretString,
) -> anyhow::Result<CreatedTenant> {
    app.create_operator(OPERATOR, operators_password.clone())
        .await?;
    let tenant = app
        .create_tenant(TenantInput {
            name: COMPANY.to_owned(),
            owner_email: OWNER.to_owned(),
            password: password.clone(),
            country: "US".to_owned(),
            zone: ZONE.name().to_owned(),
            currency: "USD".to_owned(),
            beginning: Beginning::LiveAtAnyHour,
        })
        .await?;
    let owner = Actor::named(OWNER);
    let twilio = TwilioInput {
        account_sid: credentials.account_sid.clone(),
        auth_token: Some(SecretString::from(credentials.auth_token.clone())),
        from: DEMO_NUMBER.to_owned(),
        ..TwilioInput::default()
    };
    let typed = (&twilio.into(), false);
    app.connect(tenant.id, twilio::PROVIDER, typed, &owner)
        .await?;
    for rule in rules() {
        app.create_rule(tenant.id, &rule, RuleSwitches::default(), &owner)
            .await?;
    }
    Ok(tenant)
}

fn rules() -> [Value; 7] {
    let contact = json!({ "kind": "contact" });
    let fixed = json!({ "kind": "fixed", "address": SALES });
    [
        json!({
            "name": "Invoice sent", "event_type": "invoice.sent", "channel": "sms",
            "recipient": contact,
            "template": { "body": "Hello {{ contact.first_name }}, invoice {{ invoice_number }} over \
                {{ total|money }} is due on {{ due_date|date }}. See and pay it here: {{ payment_link }}" },
        }),
        json!({
            "name": "Overdue for a week", "event_type": "invoice.overdue", "channel": "sms",
            "conditions": { "all": [{ "field": "balance", "op": "gt", "value": "0" }] },
            "recipient": contact,
            "template": { "body": "Hello {{ contact.first_name }}, invoice {{ invoice_number }} was due on \
                {{ due_date|date }} and {{ balance|money }} are still open. Did we miss your payment?" },
        }),
        json!({
            "name": "Big invoices to sales", "event_type": "invoice.sent", "channel": "sms",
            "conditions": { "all": [{ "field": "total", "op": "gte", "value": "1000" }] },
            "recipient": fixed,
            "template": { "body": "{{ customer_name }} was sent {{ invoice_number }} over {{ total|money }}." },
        }),
        json!({
            "name": "Thank you for the payment", "event_type": "payment.received", "channel": "sms",
            "recipient": contact,
            "template": { "body": "Thank you, {{ customer_name }}: we received {{ amount|money }}." },
        }),
        json!({
            "name": "Paid invoices to sales", "event_type": "invoice.paid", "channel": "sms",
            "recipient": fixed,
            "template": { "body": "{{ customer_name }} paid {{ invoice_number }} ({{ total|money }})." },
        }),
        json!({
            "name": "Purchase orders to the vendor", "event_type": "purchase_order.issued",
            "channel": "sms", "recipient": contact,
            "template": { "body": "New order {{ purchaseorder_number }} from Northwind Paper, \
                delivery wished for {{ delivery_date|date }}." },
        }),
        json!({
            "name": "Large bills to the controller", "event_type": "bill.created", "channel": "sms",
            "conditions": { "all": [{ "field": "total", "op": "gte", "value": "500" }] },
            "recipient": fixed,
            "template": { "body": "Bill {{ bill_number }} of {{ vendor_name }}: {{ total|money }}, due {{ due_date|date }}." },
        }),
    ]
}
