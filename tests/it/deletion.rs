//! Deleting a company: nobody gets in, nothing goes out, and no row of it is left.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use ml_connector::app::AppError;
use ml_connector::app::pipeline::{HookRequest, Received};
use ml_connector::domain::actor::Actor;
use ml_connector::domain::clock::{Clock as _, SystemClock};
use ml_connector::domain::event::EventSource;
use ml_connector::domain::ids::TenantId;
use ml_connector::sandbox::samples::Standing;
use ml_connector::store::Store;
use ml_connector::zoho::webhook;
use reqwest::{Method, StatusCode};
use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection, DbBackend, Statement};
use serde_json::json;

use crate::crash::sandbox;
use crate::harness::TestApp;
use crate::harness::company::{Company, PASSWORD, invoice};
use crate::harness::database::TestDatabase;
use crate::harness::page::Page;
use crate::harness::process::Service;
use crate::harness::visitor::Visitor;

/// A tenant's id as SQL of the database writes it.
fn literal(database: &TestDatabase, id: TenantId) -> String {
    if database.is_file() {
        format!("X'{}'", id.uuid().simple())
    } else {
        format!("'{}'", id.uuid())
    }
}

async fn names(db: &DatabaseConnection, query: &str) -> Vec<String> {
    let statement = Statement::from_string(db.get_database_backend(), query);
    let rows = db.query_all_raw(statement).await.unwrap();
    rows.iter()
        .map(|r| r.try_get("", "name").unwrap())
        .collect()
}

/// Every table that has a tenant's rows, as the schema itself says.
async fn tables(database: &TestDatabase) -> Vec<String> {
    let db = Database::connect(database.url()).await.unwrap();
    let query = match db.get_database_backend() {
        DbBackend::Postgres => {
            "SELECT table_name::text AS name FROM information_schema.columns \
             WHERE column_name = 'tenant_id' AND table_schema = 'public' ORDER BY 1"
        }
        _ => {
            "SELECT m.name AS name FROM sqlite_master m JOIN pragma_table_info(m.name) c \
             ON c.name = 'tenant_id' WHERE m.type = 'table' ORDER BY 1"
        }
    };
    let found = names(&db, query).await;
    db.close().await.unwrap();
    assert!(found.len() > 20, "{found:?}");
    found
}

/// The id of what is absent.
fn nil(database: &TestDatabase) -> &'static str {
    if database.is_file() {
        "zeroblob(16)"
    } else {
        "'00000000-0000-0000-0000-000000000000'"
    }
}

/// The tables in which a tenant has rows.
async fn holding(database: &TestDatabase, id: TenantId) -> Vec<String> {
    let id = literal(database, id);
    let mut holding = Vec::new();
    for table in tables(database).await {
        if database
            .count(&format!("{table} WHERE tenant_id = {id}"))
            .await
            > 0
        {
            holding.push(table);
        }
    }
    holding
}

/// Rows in every table that a tenant can have rows in.
async fn fill(company: &Company<'_>) {
    let app = company.app;
    company.rule("invoice.sent", "Hello").await;
    for seed in 0..3 {
        let body = invoice(seed, Standing::Sent, app.now());
        company.told("", &body).await;
    }
    app.run_due_jobs().await;
    assert_eq!(company.messages().len(), 3);
    let deliveries = company.get("/deliveries").await;
    let first = deliveries["data"][0]["id"].as_str().unwrap();
    let path = format!("/deliveries/{first}");
    let (status, _) = company.replay(&path, "once more").await;
    assert!(status.is_success());
    app.run_due_jobs().await;
    let forged = app
        .http
        .post(&company.hook_url)
        .json(&json!({ "forged": true }));
    assert_eq!(
        forged.send().await.unwrap().status(),
        StatusCode::UNAUTHORIZED
    );
    let owner = Visitor::signed_in(app, &company.email, PASSWORD).await;
    let team = owner.get(&format!("/t/{}/team", company.slug)).await;
    let action = format!("/t/{}/team/invitations", company.slug);
    let typed = [("email", "guest@example.com"), ("role", "viewer")];
    owner.submit(&team, &action, &typed).await;
    let id = literal(&app.database, company.id);
    let own = if app.database.is_file() {
        "randomblob(16)"
    } else {
        "gen_random_uuid()"
    };
    let bytes = if app.database.is_file() {
        "randomblob(32)"
    } else {
        "sha256(gen_random_uuid()::text::bytea)"
    };
    let slug = &company.slug;
    app.database
        .run(&format!(
            "INSERT INTO suppressions (id, tenant_id, channel, address, address_hash, source, scope, name, \
             reason, created_by, created_at) \
             VALUES ({own}, {id}, 'sms', '+15005550009', {bytes}, 'hand', '', '', 'asked', '', 1)"
        ))
        .await;
    app.database
        .run(&format!(
            "INSERT INTO replies (account, sid, id, tenant_id, address, name, sender, wish, body, \
             is_proven, received_at) VALUES ('AC-{slug}', 'SM1', {own}, {id}, '+15005550009', '', '+1', \
             'read', 'Hi', TRUE, 1)"
        ))
        .await;
    app.database
        .run(&format!(
            "INSERT INTO consents (id, state, session, tenant_id, region, client_id, client_secret, \
             organization_id, actor, expires_at) \
             VALUES ({own}, {bytes}, {bytes}, {id}, 'us', 'c', {bytes}, '', 'ann', 9000000000000000)"
        ))
        .await;
    for row in [
        format!(
            "permissions (id, tenant_id, channel, address, address_hash, basis, source, created_by, \
             created_at) VALUES ({own}, {id}, 'sms', '+15005550009', {bytes}, 'given', 'Form', '', 1)"
        ),
        format!(
            "senders (id, tenant_id, transport, address, address_key, name, is_default, countries, \
             customers, created_at) VALUES ({own}, {id}, 'mails', 'a@{slug}.example', \
             'a@{slug}.example', '', TRUE, '[]', '[]', 1)"
        ),
        format!("groups (id, tenant_id, name, created_at) VALUES ({own}, {id}, 'Finance', 1)"),
        format!(
            "account_figures (connection_id, tenant_id, login, asked_at, balance_currency, \
             month_currency) SELECT id, tenant_id, id, 1, '', '' FROM connections \
             WHERE tenant_id = {id} AND provider = 'twilio'"
        ),
        format!(
            "sender_rests (connection_id, tenant_id, sender, code, concerns, since, until, hits, rests) \
             SELECT id, tenant_id, '+1', 30022, 'sender', 1, 1, 1, 1 FROM connections \
             WHERE tenant_id = {id} AND provider = 'twilio'"
        ),
        format!(
            "group_members (id, tenant_id, group_id, name, phone, email, is_on) \
             VALUES ({own}, {id}, {own}, 'Ann', '', 'ann@{slug}.example', TRUE)"
        ),
        format!(
            "brands (tenant_id, name, accent, postal_address, footer, signature, logo, logo_width, \
             logo_height) VALUES ({id}, '', '', '', '', '', '0a', 1, 1)"
        ),
        format!("logos (tenant_id, hash, png, created_at) VALUES ({id}, '0a', {bytes}, 1)"),
        format!(
            "bank_details (id, tenant_id, currency, text, asked_by, asked_by_name, asked_at, \
             in_force_at) VALUES ({own}, {id}, 'EUR', 'IBAN', {own}, '', 1, 1)"
        ),
    ] {
        app.database.run(&format!("INSERT INTO {row}")).await;
    }
    let flight = "INSERT INTO in_flight \
                  (scope, channel, address_hash, fingerprint, tenant_id, event_id, delivery_id, since) \
                  SELECT account, channel, fingerprint, fingerprint, tenant_id, event_id, id, 1 \
                  FROM deliveries";
    let such = format!(
        "{flight} WHERE tenant_id = {id} AND replay_of <> {nil}",
        nil = nil(&app.database)
    );
    app.database.run(&such).await;
    app.database
        .run(&format!(
            "INSERT INTO unmatched_receipts (id, tenant_id, account, sid, status, error_code, verified, detail, \
             at, word, opted_out, reason) \
             VALUES ({own}, {id}, '{}', 'SM404', 'sent', 0, TRUE, '{{}}', 1, 'sent', FALSE, '')",
            company.account_sid
        ))
        .await;
}

async fn delete(owner: &Visitor<'_>, slug: &str, name: &str, password: &str) -> Page {
    let ask = owner.get(&format!("/t/{slug}/deletion/new")).await;
    let action = format!("/t/{slug}/deletion");
    let typed = [("name", name), ("password", password)];
    owner.submit(&ask, &action, &typed).await
}

/// All that there is to do now.
async fn sweep(app: &TestApp) {
    while app.app().sweep_deleted().await.unwrap() {}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_company_is_gone_at_once_for_everybody_and_then_row_by_row() {
    let app = TestApp::spawn().await;
    let (acme, other) = (app.company("Acme").await, app.company("Other").await);
    fill(&acme).await;
    fill(&other).await;
    let before = holding(&app.database, acme.id).await;
    assert_eq!(before, holding(&app.database, other.id).await);
    if app.database.is_file() {
        assert_eq!(
            before,
            tables(&app.database).await,
            "every table is put to the test"
        );
    }
    let fingerprints = app.rows("fingerprints").await;
    assert!(app.rows("provider_messages").await > 0);

    let owner = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let ask = owner.get("/t/acme/deletion/new").await;
    for line in [
        "3 events from Zoho Books",
        "4 messages with their proof",
        "1 rule",
        "1 suppressed",
    ] {
        assert!(ask.text().contains(line), "{line}: {}", ask.text());
    }
    let wrong = delete(&owner, "acme", "Akme", "not the password").await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.error("name").is_some() && wrong.error("password").is_some());
    assert_eq!(
        owner.get("/t/acme/").await.status,
        StatusCode::OK,
        "nothing happened"
    );
    // One more event, to be decided only after the end.
    acme.told("", &invoice(7, Standing::Sent, app.now())).await;
    let gone = delete(&owner, "acme", "Acme", PASSWORD).await;
    assert!(
        gone.text().contains("The company is deleted."),
        "{}",
        gone.text()
    );

    for path in [
        "/t/acme/",
        "/t/acme/history",
        "/t/acme/team",
        "/t/acme/security-log",
    ] {
        assert_eq!(
            owner.get(path).await.status,
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
    let late = acme.post("", &invoice(8, Standing::Sent, app.now())).await;
    assert_eq!(late.status(), StatusCode::NOT_FOUND);
    let refused = acme.api(Method::GET, "/rules", None).await.status();
    assert_eq!(refused, StatusCode::UNAUTHORIZED);
    // One round of the workers: what waits is refused, and comes again until its rows are gone.
    app.app().requeue().await.unwrap();
    app.running.runner.run_due().await.unwrap();
    assert_eq!(acme.messages().len(), 4, "nothing more was sent");
    app.advance(TimeDelta::minutes(1));
    sweep(&app).await;
    let mails = app.mails().await;
    let farewell = mails.iter().rev().find(|l| l.to == acme.email).unwrap();
    assert_eq!(farewell.subject, "A company of yours was deleted: “Acme”");
    // An operator sees it no more either, and whoever holds its invitation comes too late.
    let secret = secrecy::SecretString::from(PASSWORD);
    app.app()
        .create_operator("op@service.example", secret)
        .await
        .unwrap();
    let operator = Visitor::signed_in(&app, "op@service.example", PASSWORD).await;
    assert_eq!(operator.get("/t/acme/").await.status, StatusCode::NOT_FOUND);
    let invited = mails
        .iter()
        .find(|l| l.subject.contains("invited to the team of “Acme”"))
        .unwrap();
    let path = invited.link().split_once("/invitations/").unwrap().1;
    let guest = Visitor::stranger(&app)
        .get(&format!("/invitations/{path}"))
        .await;
    assert_eq!(guest.status, StatusCode::NOT_FOUND);

    sweep(&app).await;
    assert_eq!(holding(&app.database, acme.id).await, Vec::<String>::new());
    assert_eq!(
        holding(&app.database, other.id).await,
        before,
        "the other company has all of it"
    );
    assert_eq!(
        app.rows("fingerprints").await,
        fingerprints / 2,
        "those of the events went with them"
    );
    assert_eq!(app.rows("in_flight").await, 1, "the other company's");
    let unmatched = format!("unmatched_receipts WHERE account = '{}'", acme.account_sid);
    assert_eq!(app.rows(&unmatched).await, 0);
    let stored = app.database.contents().await;
    let name = acme.hook_url.rsplit('/').next().unwrap().as_bytes();
    if !app.database.is_file() {
        // A file keeps freed pages until they are written over.
        assert!(!stored.windows(name.len()).any(|w| w == name));
    }

    // The row itself stays for an hour, without its name, so that what comes late finds no home.
    let id = literal(&app.database, acme.id);
    let stone = format!("tenants WHERE id = {id} AND name = '' AND slug <> 'acme'");
    assert_eq!(app.rows(&stone).await, 1);
    let settings = app.app().tokens(acme.id).await.unwrap();
    assert!(settings.is_empty());
    let made = app
        .app()
        .create_token(acme.id, "late", ml_connector::domain::user::Role::Viewer);
    assert!(matches!(made.await, Err(AppError::NotFound(_))));
    app.advance(TimeDelta::minutes(61));
    sweep(&app).await;
    assert_eq!(app.rows("tenants").await, 1);

    // The platform remembers who and when, and the id.
    let nil = if app.database.is_file() {
        format!("X'{}'", "0".repeat(32))
    } else {
        "'00000000-0000-0000-0000-000000000000'".to_owned()
    };
    let kept = format!(
        "audit_entries WHERE tenant_id = {nil} AND action = 'tenant.deleted' \
         AND actor = '{}' AND subject = '{}' AND detail = '{{}}'",
        acme.email, acme.id
    );
    assert_eq!(app.rows(&kept).await, 1);
    // The name is free again.
    app.company("Acme").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_on_its_way_is_waited_for_and_what_comes_late_is_swept_too() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    fill(&acme).await;
    let owner = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    let lease = (app.now() + TimeDelta::minutes(2)).timestamp_micros();
    app.database
        .run(&format!(
            "UPDATE deliveries SET state = 'sending', lease_until = {lease}"
        ))
        .await;
    delete(&owner, "acme", "Acme", PASSWORD).await;
    sweep(&app).await;
    assert_eq!(app.rows("deliveries").await, 4, "its outcome finds its row");
    app.advance(TimeDelta::minutes(3));
    sweep(&app).await;
    assert_eq!(holding(&app.database, acme.id).await, Vec::<String>::new());

    // A request that had begun before writes afterwards; no index finds this step by its tenant.
    let id = literal(&app.database, acme.id);
    app.database
        .run(&format!(
            "INSERT INTO delivery_steps (event_id, id, tenant_id, delivery_id, attempt_no, kind, \
             sentence, detail, at) VALUES ({id}, {id}, {id}, {id}, 1, 'sent', '', '{{}}', 1)"
        ))
        .await;
    app.advance(TimeDelta::hours(1));
    sweep(&app).await;
    assert_eq!(holding(&app.database, acme.id).await, Vec::<String>::new());
    assert_eq!(app.rows("tenants").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_process_takes_in_the_first_seconds_goes_with_its_digest() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    acme.told("", &invoice(1, Standing::Sent, app.now())).await;
    let hook_token = acme.hook_url.rsplit('/').next().unwrap();
    let believed = app.app().hook(hook_token).await.unwrap().unwrap();
    let owner = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    delete(&owner, "acme", "Acme", PASSWORD).await;
    sweep(&app).await;
    app.advance(TimeDelta::seconds(4));
    let body = invoice(2, Standing::Sent, app.now());
    let kind = "application/json";
    let request = HookRequest {
        path_type: None,
        label: String::new(),
        query: String::new(),
        content_type: Some(kind.to_owned()),
        signature: Some(webhook::sign(&acme.hook_secret, "", Some(kind), &body).into_bytes()),
        body: body.into(),
        client: std::net::Ipv4Addr::LOCALHOST.into(),
    };
    let taken = app
        .app()
        .receive(EventSource::Webhook, &believed, request)
        .await
        .unwrap();
    assert!(matches!(taken, Received::Kept(_)), "{taken:?}");
    for minutes in [2, 60] {
        app.advance(TimeDelta::minutes(minutes));
        sweep(&app).await;
    }
    assert_eq!(holding(&app.database, acme.id).await, Vec::<String>::new());
    assert_eq!(
        (app.rows("fingerprints").await, app.rows("tenants").await),
        (0, 0)
    );
    app.run_due_jobs().await;
}

/// How many events a company has that is deleted under way.
const MANY: i64 = 20_000;

/// Many more of what the one event has, so that their removal takes a while.
async fn multiply(database: &TestDatabase, id: TenantId) {
    let (own, fingerprint) = if database.is_file() {
        ("randomblob(16)", "randomblob(32)")
    } else {
        (
            "gen_random_uuid()",
            "sha256(gen_random_uuid()::text::bytea)",
        )
    };
    let id = literal(database, id);
    for statement in [
        format!(
            "INSERT INTO events (id, tenant_id, connection_id, source, path_type, label, event_type, \
             state, document_kind, document_id, document_number, party_id, party_name, currency, \
             rules_not_asked, received_at, routed_at) \
             WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < {MANY}) \
             SELECT {own}, {id}, {id}, 'webhook', '', '', 'invoice.sent', 'decided', '', '', '', '', \
             '', '', 0, 1, 1 FROM n"
        ),
        format!(
            "INSERT INTO bodies (event_id, tenant_id, content_type, query, dictionary, raw_size, body) \
             SELECT e.id, {id}, '', '', b.dictionary, b.raw_size, b.body FROM events e \
             JOIN bodies b ON b.tenant_id = {id} WHERE e.tenant_id = {id} AND e.id <> b.event_id"
        ),
        format!(
            "INSERT INTO fingerprints (fingerprint, event_id, received_at) SELECT {fingerprint}, id, 1 FROM events \
             WHERE tenant_id = {id} AND routed_at = 1"
        ),
    ] {
        database.run(&statement).await;
    }
}

/// Waits until some of the rows are gone, and not all.
async fn some_gone(database: &TestDatabase, such: &str, all: i64) {
    loop {
        match database.count(such).await {
            left if left == all => tokio::time::sleep(Duration::from_millis(5)).await,
            left => {
                assert!(left > 0, "all of {such} went between two looks");
                return;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_that_is_killed_goes_on_when_the_service_starts_again() {
    let sandbox = sandbox().await;
    let mut service = Service::new(sandbox.base_url()).await;
    service.start();
    let mut ids = Vec::new();
    for name in ["acme", "other"] {
        let company = service.tenant(name);
        let body = invoice(1, Standing::Sent, SystemClock.now());
        assert!(company.post("", body).await.is_some());
        company.settled(Duration::from_secs(20)).await;
        ids.push(company.id.parse::<TenantId>().unwrap());
    }
    let (acme, other) = (ids[0], ids[1]);
    let end = Instant::now() + Duration::from_secs(20);
    while service
        .database
        .count("events WHERE routed_at IS NULL")
        .await
        > 0
    {
        assert!(Instant::now() < end, "{}", service.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    service.kill();
    let database = &service.database;
    let before = holding(database, other).await;
    multiply(database, acme).await;
    let store = Store::open(&database.url()).await.unwrap();
    let since = SystemClock.now() - TimeDelta::hours(2);
    let by = Actor::named("ann");
    let rows = store.tenant(acme);
    assert!(rows.begin_deletion(Vec::new(), by, since).await.unwrap());
    drop((store, rows));

    let events = format!("events WHERE tenant_id = {}", literal(database, acme));
    for (such, all) in [("fingerprints", MANY + 1), (&events, MANY)] {
        service.start();
        some_gone(&service.database, such, all).await;
        service.kill();
    }
    let left = service.database.count(&events).await;
    assert!(left > 0, "it was killed in the middle");
    service.start();
    let end = Instant::now() + Duration::from_mins(2);
    while service.database.count("tenants").await > 1 {
        assert!(Instant::now() < end, "{}", service.log());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let database = &service.database;
    assert_eq!(holding(database, acme).await, Vec::<String>::new());
    assert_eq!(holding(database, other).await, before);
    for table in ["events", "bodies", "fingerprints"] {
        assert_eq!(
            database.count(table).await,
            1,
            "{table} of the other company"
        );
    }
}
