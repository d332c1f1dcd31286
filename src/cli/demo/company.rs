//! The demo's company: its owner, its Twilio account, its rules; and the operator of the service.

use secrecy::SecretString;
use serde_json::{Value, json};

use super::{COMPANY, OPERATOR, OWNER, ZONE};
use crate::app::App;
use crate::app::accounts::{Beginning, CreatedTenant, TenantInput};
use crate::app::groups::{GroupInput, MemberInput};
use crate::app::rules::RuleSwitches;
use crate::app::senders::SenderInput;
use crate::domain::actor::Actor;
use crate::domain::ids::GroupId;
use crate::domain::rule::ReadyEmail;
use crate::sandbox::DEMO_NUMBER;
use crate::sandbox::twilio::Credentials;
use crate::twilio;
use crate::twilio::set_up::TwilioInput;

/// Where the company's own people read.
const SALES: &str = "+12125550199";

/// Where its e-mails come from.
const BILLING: &str = "billing@northwind-paper.example";

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
    let billing = SenderInput {
        transport: twilio::email::NAME.as_str().to_owned(),
        address: BILLING.to_owned(),
        name: COMPANY.to_owned(),
        is_default: true,
        countries: Vec::new(),
        customers: Vec::new(),
        segments_per_second: String::new(),
    };
    app.add_sender(tenant.id, &billing, &owner).await?;
    let finance = app.add_group(tenant.id, &finance(), &owner).await?;
    for rule in rules().into_iter().chain(email_rules(finance.id)) {
        app.create_rule(tenant.id, &rule, RuleSwitches::default(), &owner)
            .await?;
    }
    Ok(tenant)
}

/// The people who see to the bills.
fn finance() -> GroupInput {
    let member = |name: &str, email: &str| MemberInput {
        id: None,
        user: String::new(),
        name: name.to_owned(),
        phone: String::new(),
        email: email.to_owned(),
        is_on: true,
    };
    GroupInput {
        name: "Finance".to_owned(),
        members: vec![
            member("Priya Nair", "priya@northwind-paper.example"),
            member("Tom Alvarez", "tom@northwind-paper.example"),
        ],
    }
}

/// The rules that send e-mails, with the ready texts.
fn email_rules(finance: GroupId) -> Vec<Value> {
    let contact = json!({ "kind": "contact" });
    let finance = json!({ "kind": "group", "group": finance });
    [
        ("Invoice with its details", "invoice-sent", &contact),
        ("Receipt", "payment-received", &contact),
        ("Bills to Finance", "bill-created", &finance),
        ("Order to the vendor", "purchase-order-issued", &contact),
    ]
    .into_iter()
    .filter_map(|(name, key, recipient)| {
        let ready = ReadyEmail::find(key)?;
        Some(json!({
            "name": name, "event_type": ready.event_type.as_str(), "channel": "email",
            "recipient": recipient, "template": { "email": ready.source() },
        }))
    })
    .collect()
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
