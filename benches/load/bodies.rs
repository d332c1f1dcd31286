//! Webhooks made before a run: each with a document, and so a body and a signature, of its own.

use std::net::SocketAddr;

use chrono::{DateTime, Utc};
use ml_connector::domain::document::DocumentKind;
use ml_connector::sandbox::samples::{self, Generator, Standing, Wish};
use ml_connector::zoho::webhook;
use serde_json::Value;

use crate::tenants::Tenant;

/// How many documents are generated; the rest differ from them in id and number alone.
const GENERATED: usize = 64;

/// What stands for id and number in a generated document, as long as what takes its place.
const ID: &str = "9990000000000000";
const NUMBER: &str = "L-00000000";

/// The fields that rules and texts mostly use: what a careful clerk ticks in Zoho Books.
const SMALL: [&str; 24] = [
    "invoice_id",
    "invoice_number",
    "status",
    "date",
    "due_date",
    "created_time",
    "last_modified_time",
    "customer_id",
    "customer_name",
    "email",
    "contact_persons_details",
    "contact_persons_associated",
    "currency_code",
    "sub_total",
    "tax_total",
    "total",
    "balance",
    "billing_address",
    "payment_terms_label",
    "reference_number",
    "salesperson_name",
    "invoice_url",
    "shipping_address",
    "custom_fields",
];

/// A whole HTTP request each, spread over the tenants in turn.
pub(crate) fn requests(
    tenants: &[Tenant],
    address: SocketAddr,
    (from, to): (usize, usize),
    is_large: bool,
    now: DateTime<Utc>,
) -> Vec<Vec<u8>> {
    let templates: Vec<String> = (0..GENERATED).map(|n| document(n, is_large, now)).collect();
    (from..to)
        .map(|number| {
            let tenant = &tenants[number % tenants.len()];
            let body = templates[number % GENERATED]
                .replace(ID, &format!("777{number:013}"))
                .replace(NUMBER, &format!("L-{number:08}"));
            request(tenant, address, body.as_bytes())
        })
        .collect()
}

/// How large a body is, in bytes, on average.
pub(crate) fn bytes(is_large: bool, now: DateTime<Utc>) -> usize {
    let sizes = (0..GENERATED).map(|n| document(n, is_large, now).len());
    sizes.sum::<usize>() / GENERATED
}

pub(crate) fn document(number: usize, is_large: bool, now: DateTime<Utc>) -> String {
    let wish = Wish {
        standing: Some(Standing::Sent),
        id: Some(ID.to_owned()),
        number: Some(NUMBER.to_owned()),
        trader: Some(number),
        ..Wish::default()
    };
    let seed = u64::try_from(number).unwrap_or_default();
    let mut document = Generator::seeded(seed).document(DocumentKind::Invoice, &wish, now);
    if !is_large && let Some(Value::Object(fields)) = document.get_mut("invoice") {
        fields.retain(|key, _| SMALL.contains(&key.as_str()));
    }
    let body = samples::to_body(&document, is_large);
    String::from_utf8_lossy(&body).into_owned()
}

fn request(tenant: &Tenant, address: SocketAddr, body: &[u8]) -> Vec<u8> {
    let kind = "application/json";
    let signature = webhook::sign(&tenant.hook_secret, "", Some(kind), body);
    let path = tenant.hook_url.split_once("/hooks/").map_or("", |(_, p)| p);
    let mut request = format!(
        "POST /hooks/{path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: {kind}\r\n\
         {}: {signature}\r\ncontent-length: {}\r\n\r\n",
        webhook::SIGNATURE_HEADER,
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(body);
    request
}
