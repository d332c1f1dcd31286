//! The API as its callers meet it: over HTTP, on a database of its own.

mod brand;
mod history;
mod people;
mod routes;
mod rules;

use std::sync::Arc;

use actix_web::http::{Method, StatusCode, header::HeaderMap};
use actix_web::test as actix;
use actix_web::web::{Bytes, Data};
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use tokio::runtime::Handle;

use crate::app::accounts::{Beginning, TenantInput};
use crate::app::{App, Parts};
use crate::config::web::{PublicUrl, Signup};
use crate::crypto::master_key::MasterKey;
use crate::crypto::password::Passwords;
use crate::crypto::vault::Vault;
use crate::domain::clock::{FixedClock, SharedClock};
use crate::domain::event::{Body, EventSource, EventType, NewEvent};
use crate::domain::ids::{EventId, TenantId, new_v7};
use crate::domain::user::Role;
use crate::mail::Mailer;
use crate::store::Store;
use crate::testing::TestDatabase;
use crate::testing::queue::test_queue;
use crate::transport::Transports;
use crate::twilio::Twilio;
use crate::zoho;
use crate::zoho::oauth::ZohoOAuth;
use crate::zoho::tokens::AccessTokens;

/// An app over a database that is thrown away.
struct House {
    app: App,
    _database: TestDatabase,
}

/// A tenant with a token of each role.
struct Tenant {
    id: TenantId,
    viewer: String,
    editor: String,
    admin: String,
}

/// What came back.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }

    /// The fields that a problem complains of.
    fn wrong_fields(&self) -> Vec<&str> {
        let errors = self.body["errors"].as_array();
        errors.map_or_else(Vec::new, |errors| {
            errors
                .iter()
                .map(|e| e["field"].as_str().unwrap())
                .collect()
        })
    }

    /// The last word of a problem's type.
    fn problem(&self) -> &str {
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(self.body["status"], self.status.as_u16());
        let kind = self.body["type"].as_str().unwrap();
        kind.strip_prefix("urn:ml-connector:problem:").unwrap()
    }
}

impl House {
    async fn build() -> Self {
        let database = TestDatabase::migrated().await;
        let store = Store::open(&database.url()).await.unwrap();
        let noon = DateTime::from_timestamp(1_795_000_000, 0).unwrap();
        let clock: SharedClock = Arc::new(FixedClock::at(noon));
        let vault = Vault::new(MasterKey::generate(), &[]).unwrap();
        let key = vault.new_data_key(new_v7(clock.now())).unwrap();
        vault.admit(&key).unwrap();
        let store = store.with_hasher(vault.address_hasher().unwrap());
        let http = crate::http::client().unwrap();
        let app = App::new(Parts {
            store,
            queue: test_queue(clock.clone()),
            vault,
            passwords: Passwords::default(),
            transports: Transports::alone(Twilio::new(http.clone(), None), clock.clone()),
            dns: crate::dns::Dns::system(),
            mailer: Mailer::to_log(),
            zoho_tokens: AccessTokens::new(ZohoOAuth::new(http), clock.clone()),
            clock,
            zoho_sandbox: None,
            public_url: PublicUrl::parse("http://127.0.0.1:8080").unwrap(),
            signup: Signup::Open,
            is_sandboxed: false,
            lease_owner: "test".to_owned(),
            runtime: Handle::current(),
        });
        Self {
            app,
            _database: database,
        }
    }

    async fn tenant(&self, name: &str) -> Tenant {
        let input = TenantInput {
            name: name.to_owned(),
            owner_email: format!("{name}@example.com"),
            password: SecretString::from("a long enough pass phrase"),
            country: "US".to_owned(),
            zone: "America/New_York".to_owned(),
            currency: "USD".to_owned(),
            beginning: Beginning::LiveAtAnyHour,
        };
        let id = self.app.create_tenant(input).await.unwrap().id;
        let token = async |role| {
            let text = self.app.create_token(id, "books", role).await.unwrap();
            text.expose_secret().to_owned()
        };
        Tenant {
            id,
            viewer: token(Role::Viewer).await,
            editor: token(Role::Editor).await,
            admin: token(Role::Admin).await,
        }
    }

    /// A webhook about the overdue invoice `number`, kept and decided.
    async fn event(&self, tenant: &Tenant, number: u32) -> EventId {
        let id = self.undecided_event(tenant, number).await;
        self.app.route_event(tenant.id, id).await.unwrap();
        id
    }

    /// A webhook that is only kept.
    async fn undecided_event(&self, tenant: &Tenant, number: u32) -> EventId {
        let now = self.app.now();
        let store = self.app.store().tenant(tenant.id);
        let zoho = store.connection(zoho::PROVIDER).await.unwrap().unwrap();
        let invoice = json!({"invoice": {
            "invoice_id": number.to_string(), "invoice_number": format!("INV-{number}"),
            "status": "overdue", "total": 1350.5, "balance": 1350.5, "currency_code": "USD",
            "customer_id": "9", "customer_name": "Bowman & Co", "due_date": "2026-11-01",
            "date": "2026-10-01", "last_modified_time": rfc3339(now),
        }});
        let mut digest = [0; 32];
        digest[..4].copy_from_slice(&number.to_be_bytes());
        digest[16..].copy_from_slice(tenant.id.uuid().as_bytes());
        let event = NewEvent {
            id: EventId::new(now),
            tenant: tenant.id,
            connection: zoho.id,
            source: EventSource::Webhook,
            path_type: Some(EventType::InvoiceOverdue),
            label: "14d".to_owned(),
            body: Body {
                content_type: "application/json".to_owned(),
                query: String::new(),
                bytes: invoice.to_string().into(),
            },
            fingerprint: digest,
            day_fingerprint: None,
            received_at: now,
        };
        let kept = self.app.store().ingest(event).await.unwrap();
        assert!(!kept.is_duplicate);
        kept.event
    }

    /// A rule that writes to one number about every overdue invoice.
    async fn rule(&self, tenant: &Tenant) -> Value {
        let answer = self
            .send(Method::POST, "/rules", &tenant.editor, rule_json())
            .await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer.body
    }

    async fn get(&self, path: &str, token: &str) -> Answer {
        self.call(Method::GET, path, Some(token), &[], "").await
    }

    async fn send(&self, method: Method, path: &str, token: &str, body: Value) -> Answer {
        let json = ("content-type", "application/json");
        let body = body.to_string();
        self.call(method, path, Some(token), &[json], &body).await
    }

    /// `path` is below `/api/v1`.
    async fn call(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        headers: &[(&'static str, &str)],
        body: &str,
    ) -> Answer {
        let service = actix_web::App::new()
            .app_data(Data::new(self.app.clone()))
            .configure(super::routes);
        let service = actix::init_service(service).await;
        let mut request = actix::TestRequest::default()
            .method(method)
            .uri(&format!("/api/v1{path}"))
            .set_payload(Bytes::from(body.to_owned()));
        for (name, value) in headers {
            request = request.insert_header((*name, *value));
        }
        if let Some(token) = token {
            request = request.insert_header(("authorization", format!("Bearer {token}")));
        }
        let answer = actix::call_service(&service, request.to_request()).await;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let bytes = actix::read_body(answer).await;
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Answer {
            status,
            headers,
            body,
        }
    }
}

fn rfc3339(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%S+0000").to_string()
}

fn rule_json() -> Value {
    json!({
        "name": "Overdue",
        "event_type": "invoice.overdue",
        "conditions": {"all": [{"field": "total", "op": "gte", "value": "1000"}]},
        "channel": "sms",
        "recipient": {"kind": "fixed", "address": "+16175550123"},
        "sender": null,
        "template": {"body": "{{ customer_name }} owes {{ balance }}"},
        "send_within": 3600
    })
}
