//! What the sessions of a `PostgreSQL` server wait for.

use super::*;

#[tokio::test]
async fn a_tenants_lock_that_somebody_holds_keeps_no_outcome_waiting() {
    let house = House::open().await;
    if house.database.is_file() {
        return;
    }
    let d = house.queued(1, "Hi").await;
    house.claim(&d).await;
    let id = house.tenant.tenant_id().uuid().into_bytes();
    let number = i32::from_be_bytes(*id.last_chunk().unwrap());
    let stranger = sea_orm::Database::connect(house.database.url())
        .await
        .unwrap();
    let held = sea_orm::TransactionTrait::begin(&stranger).await.unwrap();
    let lock = format!("SELECT pg_advisory_xact_lock({}, {number})", 0x6d6c_6301);
    sea_orm::ConnectionTrait::execute_unprepared(&held, &lock)
        .await
        .unwrap();
    let waiting: Vec<_> = (0..20)
        .map(|n| {
            let (tenant, claim) = (house.tenant.clone(), house.claim_of(&d, later(n)));
            tokio::spawn(async move { tenant.claim(claim).await })
        })
        .collect();
    let told = tokio::time::timeout(
        std::time::Duration::from_secs(5),
        house.accepted(d.id, 1, "SM1"),
    );
    assert!(told.await.expect("outcomes wait for no lock of a tenant"));
    held.commit().await.unwrap();
    for claim in waiting {
        assert_eq!(claim.await.unwrap().unwrap(), ClaimResult::Refused);
    }
}

#[tokio::test]
async fn a_writers_session_gives_up_what_it_holds_and_plans_by_keys() {
    let house = House::open().await;
    if house.database.is_file() {
        return;
    }
    for (name, value) in writer::PATIENCE.into_iter().chain(sql::BY_KEYS) {
        let shown = house
            .writer()
            .edit(work!(async |tx| {
                let row = tx.one(&format!("SHOW {name}"), vec![]).await?;
                row.map_or(Ok(String::new()), |r| r.get::<String>(name))
            }))
            .await
            .unwrap();
        // Over a Unix socket there is nothing to keep alive.
        assert!(shown == value || shown == "0", "{name} = {shown}");
    }
}

/// What a session has set for itself, no change of the server's settings reaches.
#[tokio::test]
async fn a_writers_session_waits_for_the_disk_whatever_the_server_is_told() {
    for (chosen, is) in [
        ("off", None),
        ("on", Some("on")),
        ("remote_apply", Some("remote_apply")),
    ] {
        let database = TestDatabase::migrated().await;
        if database.is_file() {
            return;
        }
        let url = database.url();
        let (_, name) = url.rsplit_once('/').unwrap();
        let alter = format!("ALTER DATABASE {name} SET synchronous_commit = {chosen}");
        database.run(&alter).await;
        let opened = Store::open(&database.url()).await;
        let Some(is) = is else {
            let refused = opened.err().expect("refused at the start");
            assert!(
                refused.to_string().contains("synchronous_commit"),
                "{refused}"
            );
            continue;
        };
        let writer = opened.unwrap().writer;
        let shown = PlatformWriter { writer: &writer }
            .edit(work!(async |tx| {
                let query = "SELECT setting || ' by ' || source AS is_set FROM pg_settings \
                             WHERE name = 'synchronous_commit'";
                let row = tx.one(query, vec![]).await?;
                row.map_or(Ok(String::new()), |r| r.get::<String>("is_set"))
            }))
            .await
            .unwrap();
        assert_eq!(shown, format!("{is} by session"));
    }
}

/// `migrate` runs while older processes still serve.
#[tokio::test]
async fn a_column_added_by_a_newer_version_disturbs_nobody() {
    let house = House::open().await;
    if house.database.is_file() {
        // Only the one process that has the file changes its schema, before it serves.
        return;
    }
    let read = async || {
        let many = (0..12).map(|_| house.tenant.tenant());
        futures::future::join_all(many).await
    };
    for known in read().await {
        assert!(known.unwrap().is_some());
    }
    let newer = "ALTER TABLE tenants ADD COLUMN later text NOT NULL DEFAULT ''";
    house.db().exec(newer, vec![]).await.unwrap();
    for _ in 0..3 {
        for known in read().await {
            assert!(known.unwrap().is_some());
        }
    }
}
