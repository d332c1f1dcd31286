//! Every address of the dashboard, filled in with what one company really has. The addresses come from
//! the lists that are served (`web::dashboard::doors`), so a new one is walked without being named.

use std::collections::BTreeMap;

use ml_connector::app::suppressions::SuppressionInput;
use ml_connector::domain::actor::Actor;
use ml_connector::domain::ids::ReplyId;
use ml_connector::domain::page::Cursor;
use ml_connector::domain::user::Role;
use ml_connector::sandbox::samples::Standing;
use ml_connector::store::SuppressionFilter;
use ml_connector::web::dashboard::doors::{Door, TENANT};
use reqwest::Method;
use serde_json::Value;

use crate::harness::TestApp;
use crate::harness::company::{Company, invoice};

/// A company with something at every address.
pub(crate) struct Walk<'a> {
    pub(crate) company: Company<'a>,
    ids: BTreeMap<&'static str, String>,
}

impl<'a> Walk<'a> {
    /// A company of that name, with a rule, an event, its delivery, and both connections.
    pub(crate) async fn of(app: &'a TestApp, name: &str) -> Self {
        let company = app.company(name).await;
        let rule = company
            .rule("invoice.sent", "Invoice {{ invoice_number }}")
            .await;
        let event = company
            .told("", &invoice(1, Standing::Sent, app.now()))
            .await;
        app.run_due_jobs().await;
        let story = company.event(&event).await;
        let twilio = company.get("/connections/twilio").await;
        let (invitation, member, token) = people(&company).await;
        let (suppression, reply) = said(&company).await;
        let id = |of: &Value| of["id"].as_str().expect("an id").to_owned();
        let ids = BTreeMap::from([
            ("rule", id(&rule)),
            ("delivery", id(&story["deliveries"][0])),
            ("connection", id(&twilio)),
            ("event", event),
            ("invitation", invitation),
            ("member", member),
            ("token", token),
            ("suppression", suppression),
            ("reply", reply),
        ]);
        Self { company, ids }
    }

    /// Every address below the company, with the method and what it needs.
    pub(crate) fn addresses(
        &self,
    ) -> impl Iterator<
        Item = (
            Method,
            String,
            &'static Door<ml_connector::domain::user::Ability>,
        ),
    > {
        TENANT.iter().map(|door| {
            let path = format!("/t/{}{}", self.company.slug, self.fill(door.path));
            (method(door.method), path, door)
        })
    }

    /// The id of what is at a name.
    pub(crate) fn id(&self, name: &str) -> &str {
        &self.ids[name]
    }

    /// The path with ids of this company in place of its names.
    fn fill(&self, path: &str) -> String {
        let mut filled = String::new();
        let mut rest = path;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').expect("a closed brace");
            let id = self.ids.get(name).unwrap_or_else(|| {
                panic!(
                    "the address {path} of src/web/dashboard/doors.rs is not walked: make something \
                     of the kind {name:?} in `Walk::of` (tests/it/walk.rs) and add its id there"
                )
            });
            filled.push_str(before);
            filled.push_str(id);
            rest = after;
        }
        filled + rest
    }
}

/// An invitation of the company, its owner, and a token.
async fn people(company: &Company<'_>) -> (String, String, String) {
    let (app, id) = (company.app.app(), company.id);
    let guest = format!("guest@{}.example", company.slug);
    let owner = Actor::named(&company.email);
    app.invite(id, &guest, Role::Viewer, &owner).await.unwrap();
    let team = app.team(id).await.unwrap();
    let token = app.tokens(id).await.unwrap();
    (
        team.invitations[0].id.to_string(),
        team.members[0].user.to_string(),
        token[0].id.to_string(),
    )
}

/// A suppression of the company, and a reply that somebody sent it.
async fn said(company: &Company<'_>) -> (String, String) {
    let (app, id) = (company.app.app(), company.id);
    let input = SuppressionInput {
        channel: "sms".to_owned(),
        address: "+15005550009".to_owned(),
        reason: "They asked for it by telephone".to_owned(),
    };
    let owner = Actor::named(&company.email);
    app.suppress(id, &input, &owner).await.unwrap();
    let filter = SuppressionFilter::default();
    let listed = app
        .suppressions(id, &filter, Cursor::Newest, 1)
        .await
        .unwrap();
    let reply = ReplyId::new(company.app.now());
    let bytes = |id: uuid::Uuid| {
        if company.app.database.is_file() {
            format!("X'{}'", id.simple())
        } else {
            format!("'{id}'")
        }
    };
    let (own, tenant) = (bytes(reply.uuid()), bytes(id.uuid()));
    let insert = format!(
        "INSERT INTO replies (account, sid, id, tenant_id, address, name, sender, wish, body, \
         is_proven, received_at) VALUES ('AC1', 'SM1', {own}, {tenant}, '+15005550009', '', '+1', \
         'read', 'Hello', TRUE, 1)"
    );
    company.app.database.run(&insert).await;
    (listed.rows[0].id.to_string(), reply.to_string())
}

/// The method of a door.
pub(crate) fn method(of: &str) -> Method {
    match of {
        "get" => Method::GET,
        "post" => Method::POST,
        other => panic!("no form and no link asks by {other}"),
    }
}
