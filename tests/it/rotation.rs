//! The master key is changed while the service runs; nobody notices.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use ml_connector::app::AppError;
use ml_connector::crypto::vault::VaultError;
use ml_connector::sandbox::samples::Standing;
use ml_connector::sandbox::twilio::NewAccount;
use ml_connector::store::{SEALED, Store};
use ml_connector::twilio;
use reqwest::Method;
use sea_orm::{ConnectionTrait as _, Database, DbBackend, Statement};
use serde_json::json;
use uuid::Uuid;

use crate::harness::company::{NUMBER, invoice};
use crate::harness::process::Service;
use crate::harness::{TestApp, master_key};

/// What is not sealed under the newest data key.
async fn sealed_elsewhere(store: &Store) -> usize {
    let platform = store.platform();
    let keys = platform.data_keys().await.unwrap();
    let newest = keys.iter().map(|k| k.id).max().unwrap();
    let mut count = 0;
    for column in SEALED {
        let rows = platform.sealed_elsewhere(column, newest, Uuid::nil(), 1000);
        count += rows.await.unwrap().len();
    }
    count
}

/// The start that a master key alone allows; what is said when it does not.
fn start_with(service: &Service, key: &str) -> Result<(), String> {
    let mut command = service.command(&["admin", "rotate-key"]);
    let output = command.env("MASTER_KEY", key).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!said.contains(key.split(',').next().unwrap()), "{said}");
    output.status.success().then_some(()).ok_or(said)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_master_key_is_changed_while_requests_come_in() {
    let app = TestApp::spawn_in_real_time().await;
    let account = NewAccount {
        numbers: vec![NUMBER.to_owned()],
        ..NewAccount::default()
    };
    let account = app.sandbox.twilio().register(account).unwrap();
    let mut service = Service::new(app.sandbox.base_url()).await;
    service.start();
    let acme = Arc::new(service.tenant("acme"));
    acme.connect(&account.account_sid, &account.auth_token, NUMBER)
        .await;
    let is_file = service.database.is_file();
    let suppress = async || {
        let one = json!({ "channel": "sms", "address": "+16175550123", "reason": "Asked" });
        let kept = acme.api(Method::POST, "/suppressions", Some(one)).await;
        kept["id"].as_str().unwrap().to_owned()
    };
    let suppressed = suppress().await;
    let erase = "UPDATE suppressions SET address = ''";
    service.database.run(erase).await;
    let old = if is_file {
        let file = std::fs::read_dir(service.database.folder.path()).unwrap();
        let mut names = file.map(|f| f.unwrap().path());
        let path = names.find(|p| p.extension().is_some_and(|e| e == "key"));
        std::fs::read_to_string(path.unwrap()).unwrap()
    } else {
        service.key.clone()
    };
    let old = old.trim().to_owned();

    let refused = start_with(&service, &old).unwrap_err();
    assert!(
        refused.contains("needs a new one in front of it"),
        "{refused}"
    );
    if !is_file {
        service.kill();
        service.key = format!("{},{old}", master_key());
        service.start();
    }

    // Webhooks, API calls and checks of the credentials go on all the while.
    let (over, count) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    let traffic = {
        let (acme, over, count, now) = (acme.clone(), over.clone(), count.clone(), app.now());
        tokio::spawn(async move {
            for seed in 0.. {
                let body = invoice(seed, Standing::Sent, now);
                acme.post("", body).await.expect("a webhook is taken");
                acme.api(Method::GET, "/connections/twilio", None).await;
                count.fetch_add(1, Ordering::SeqCst);
                if over.load(Ordering::SeqCst) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
    };
    let done = service.admin(&["rotate-key"], "");
    assert_eq!(done["unopened"], 0, "{done}");
    assert!(done["resealed"].as_u64().unwrap() >= 2, "{done}");
    assert_eq!(done["old_key_stays"], !is_file, "{done}");
    let during = count.load(Ordering::SeqCst);
    assert!(during > 20, "only {during} requests meanwhile");

    let store = Store::open(&service.database.url()).await.unwrap();
    assert_eq!(sealed_elsewhere(&store).await, 0);
    // The running service seals under the new data key: it took it up.
    acme.connect(&account.account_sid, &account.auth_token, NUMBER)
        .await;
    assert_eq!(sealed_elsewhere(&store).await, 0);
    over.store(true, Ordering::SeqCst);
    traffic.await.unwrap();
    let log = service.log();
    assert!(
        !log.contains("ERROR") && !log.contains("does not open"),
        "{log}"
    );
    assert_eq!(log.contains("Took up master key"), is_file, "{log}");

    // The old key alone starts nothing any more; the new one alone does.
    service.kill();
    let refused = start_with(&service, &old).unwrap_err();
    let named = done["master_key"].as_str().unwrap();
    assert!(
        refused.contains("sealed under master key") && refused.contains(named),
        "{refused}"
    );
    if !is_file {
        service.key.truncate(service.key.find(',').unwrap());
    }
    service.start();
    assert_eq!(suppress().await, suppressed, "it hashes as before");
    let shown = acme.api(Method::GET, "/connections/twilio", None).await;
    assert_eq!(
        shown["data"]["state"].as_str().or(shown["state"].as_str()),
        Some("ready"),
        "{shown}"
    );
    assert!(
        acme.post("", invoice(9_999, Standing::Sent, app.now()))
            .await
            .is_some()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_value_copied_to_another_row_does_not_open() {
    let app = TestApp::spawn().await;
    let (acme, other) = (app.company("Acme").await, app.company("Other").await);
    assert!(
        app.app()
            .check(acme.id, twilio::PROVIDER)
            .await
            .unwrap()
            .is_good
    );
    assert!(
        app.app()
            .check(other.id, twilio::PROVIDER)
            .await
            .unwrap()
            .is_good
    );
    // From another row of the same tenant, then from one of another.
    for whose in ["=", "<>"] {
        let copy = format!(
            "UPDATE secrets SET sealed = (SELECT s.sealed FROM secrets s WHERE s.name = 'hook_secret' \
             AND s.tenant_id {whose} secrets.tenant_id) WHERE name = 'auth_token'"
        );
        app.database.run(&copy).await;
        for tenant in [acme.id, other.id] {
            let refused = app.app().check(tenant, twilio::PROVIDER).await.unwrap_err();
            assert!(
                matches!(refused, AppError::Vault(VaultError::DoesNotOpen { .. })),
                "{refused:?}"
            );
        }
    }
}

/// Columns of bytes that hold no sealed value: ids (on SQLite), digests, what is compressed, wrapped
/// keys.
fn is_open(table: &str, column: &str) -> bool {
    column.ends_with("_hash")
        || column.ends_with("_id")
        || matches!(column, "id" | "fingerprint" | "replay_of")
        || matches!(
            (table, column),
            ("connections" | "account_figures", "login")
                | ("bank_details", "asked_by")
                | ("logos", "png")
                | ("consents", "state" | "session")
                | ("bodies", "body")
                | ("contents", "content")
                | ("attempts", "request")
                | ("delivery_steps", "detail")
                | ("documents", "claims")
                | ("decisions", "matched" | "verdicts")
                | ("data_keys", "wrapped")
        )
}

#[tokio::test]
async fn every_column_of_sealed_values_is_sealed_anew() {
    let database = crate::harness::database::TestDatabase::migrated().await;
    let db = Database::connect(database.url()).await.unwrap();
    let query = match db.get_database_backend() {
        // Partitions have the columns of their tables.
        DbBackend::Postgres => {
            "SELECT c.table_name AS t, c.column_name AS c FROM information_schema.columns c \
             JOIN pg_class p ON p.relname = c.table_name AND NOT p.relispartition \
             WHERE c.table_schema = 'public' AND c.data_type = 'bytea' ORDER BY 1, 2"
        }
        _ => {
            "SELECT m.name AS t, c.name AS c FROM sqlite_master m, pragma_table_info(m.name) c \
             WHERE m.type = 'table' AND lower(c.type) = 'blob' ORDER BY 1, 2"
        }
    };
    let statement = Statement::from_string(db.get_database_backend(), query);
    let rows = db.query_all_raw(statement).await.unwrap();
    let found: BTreeSet<(String, String)> = rows
        .iter()
        .map(|r| (r.try_get("", "t").unwrap(), r.try_get("", "c").unwrap()))
        .filter(|(table, column): &(String, String)| !is_open(table, column))
        .collect();
    let known: BTreeSet<_> = SEALED
        .iter()
        .map(|s| (s.table.to_owned(), s.column.to_owned()))
        .collect();
    assert_eq!(found, known);
}
