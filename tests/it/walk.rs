//! Every address of the dashboard, filled in with what one company really has. The addresses come from
//! the lists that are served (`web::areas::routes`), so a new one is walked without being named.

use std::collections::BTreeMap;

use ml_connector::app::groups::{GroupInput, MemberInput};
use ml_connector::app::suppressions::SuppressionInput;
use ml_connector::domain::actor::Actor;
use ml_connector::domain::bank_details::{BankDetails, WAITS};
use ml_connector::domain::ids::{BankDetailsId, UserId};
use ml_connector::domain::page::Cursor;
use ml_connector::domain::user::{Ability, Role};
use ml_connector::sandbox::samples::Standing;
use ml_connector::store::{BankDetailsEdit, MessageEdit, SuppressionFilter};
use ml_connector::web::areas::routes::{Entry, OUTSIDE, Route, TENANT};
use reqwest::Method;
use secrecy::SecretString;
use serde_json::Value;

use crate::harness::TestApp;
use crate::harness::company::{Company, PASSWORD, invoice};

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
        let actor = Actor::named("tests");
        let by_hand = SuppressionInput {
            channel: "sms".to_owned(),
            address: "+12025550177".to_owned(),
            reason: "By hand".to_owned(),
        };
        let suppressed = app.app().suppress(company.id, &by_hand, &actor);
        suppressed.await.unwrap();
        company.hears("+12025550178", "Who is this?").await;
        let all = SuppressionFilter::default();
        let suppressed = app.app().suppressions(company.id, &all, Cursor::Newest, 1);
        let suppressed = suppressed.await.unwrap();
        let replies = app.app().replies(company.id, Cursor::Newest, 1);
        let replies = replies.await.unwrap();
        let (group, person, sender, details) = messages(&company).await;
        let id = |of: &Value| of["id"].as_str().expect("an id").to_owned();
        let ids = BTreeMap::from([
            ("rule", id(&rule)),
            ("delivery", id(&story["deliveries"][0])),
            ("connection", id(&twilio)),
            ("event", event),
            ("invitation", invitation),
            ("member", member),
            ("token", token),
            ("suppression", suppressed.rows[0].id.to_string()),
            ("reply", replies.rows[0].id.to_string()),
            ("group", group),
            ("person", person),
            ("sender", sender),
            ("details", details),
            ("tenant", company.id.to_string()),
        ]);
        Self { company, ids }
    }

    /// Somebody new in the team, by a mail and its link; their address.
    pub(crate) async fn teammate(&self, role: Role) -> String {
        let app = self.company.app;
        let (email, actor) = (format!("{role}@team.example"), Actor::named("tests"));
        let invited = app.app().invite(self.company.id, &email, role, &actor);
        invited.await.unwrap();
        let mails = app.mails().await;
        let mail = mails.iter().rfind(|m| m.to == email).expect("an e-mail");
        let (_, token) = mail.link().rsplit_once('/').unwrap();
        let (password, here) = (SecretString::from(PASSWORD), String::new());
        let joined = app
            .app()
            .accept_invitation_anew(token, "Teammate", password, here);
        joined.await.unwrap();
        email
    }

    /// Every address below the company, with the method and what it needs.
    pub(crate) fn addresses(
        &self,
    ) -> impl Iterator<Item = (Method, String, &'static Route<Ability>)> {
        TENANT.iter().map(|route| {
            let path = format!("/t/{}{}", self.company.slug, self.fill(route.path));
            (method(route.method), path, route)
        })
    }

    /// The operator's pages; of those about one company, this one's.
    pub(crate) fn operator_pages(&self) -> impl Iterator<Item = String> {
        OUTSIDE
            .iter()
            .filter(|route| route.needs == Entry::Operator && route.method == "get")
            .map(|route| self.fill(route.path))
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
                    "the address {path} of src/web/areas/routes.rs is not walked: make something \
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

/// Every address below the root; nothing is behind the tokens and ids in them.
pub(crate) fn outside() -> impl Iterator<Item = (Method, String, Entry)> {
    let nothing = "0".repeat(43);
    OUTSIDE.iter().map(move |address| {
        let mut path = address.path.to_owned();
        while let (Some(from), Some(to)) = (path.find('{'), path.find('}')) {
            path.replace_range(from..=to, &nothing);
        }
        (method(address.method), path, address.needs)
    })
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

/// A group of the company, one of its people, its sender, and bank details that wait.
async fn messages(company: &Company<'_>) -> (String, String, String, String) {
    let (app, id) = (company.app.app(), company.id);
    let owner = Actor::named(&company.email);
    let input = GroupInput {
        name: "Finance".to_owned(),
        members: vec![MemberInput {
            name: "Ann Lee".to_owned(),
            email: "ann@acme.example".to_owned(),
            ..MemberInput::default()
        }],
    };
    let group = app.add_group(id, &input, &owner).await.unwrap();
    let senders = app.sender_profiles(id).await.unwrap();
    let now = app.now();
    let details = BankDetails {
        id: BankDetailsId::new(now),
        currency: "EUR".to_owned(),
        text: "IBAN".to_owned(),
        asked_by: UserId::nil(),
        asked_by_name: company.email.clone(),
        asked_at: now,
        in_force_at: now + WAITS,
        agreed_by_name: String::new(),
    };
    let ask = BankDetailsEdit::Ask(details.clone());
    let store = app.store().tenant(id);
    let asked = store.change_bank_details(ask, Vec::new(), owner, now);
    assert_eq!(asked.await.unwrap(), MessageEdit::Done);
    (
        group.id.to_string(),
        group.members[0].id.to_string(),
        senders[0].id.to_string(),
        details.id.to_string(),
    )
}

/// The method of a route.
pub(crate) fn method(of: &str) -> Method {
    match of {
        "get" => Method::GET,
        "post" => Method::POST,
        other => panic!("no form and no link asks by {other}"),
    }
}
