use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::super::message::Message;
use super::super::region::Region;
use super::super::test_server::{Say, Seen, TestServer, http, say};
use super::*;
use crate::domain::clock::{Clock, FixedClock};

struct Bench {
    server: TestServer,
    clock: Arc<FixedClock>,
    tokens: AccessTokens,
}

/// The n-th refresh answers what `reply(n)` says, n from 1.
fn bench(reply: impl Fn(u32) -> Say + Send + Sync + 'static) -> Bench {
    let count = AtomicU32::new(0);
    let server = TestServer::start(move |_: &Seen| reply(count.fetch_add(1, Ordering::SeqCst) + 1));
    let clock = Arc::new(FixedClock::at("2026-11-22T12:00:00Z".parse().unwrap()));
    let shared: SharedClock = Arc::<FixedClock>::clone(&clock);
    let tokens = AccessTokens::new(ZohoOAuth::new(http()), shared);
    Bench {
        server,
        clock,
        tokens,
    }
}

fn numbered(n: u32) -> Say {
    say(
        200,
        format!(r#"{{"access_token":"1000.A{n}","token_type":"Bearer","expires_in":3600}}"#),
    )
}

impl Bench {
    fn login(&self, refresh_token: &str) -> Login {
        Login {
            connection: ConnectionId::from_uuid(uuid::Uuid::from_u128(7)),
            endpoints: Endpoints::new(Region::Europe, Some(&self.server.base)),
            credentials: ClientCredentials {
                client_id: "1000.CLIENT".to_owned(),
                client_secret: SecretString::from("s3cret"),
            },
            refresh_token: SecretString::from(refresh_token),
        }
    }

    async fn token(&self, login: &Login) -> Result<String, OAuthError> {
        Ok(self
            .tokens
            .access(login)
            .await?
            .token
            .expose_secret()
            .to_owned())
    }

    fn refreshes(&self) -> usize {
        self.server.seen().len()
    }
}

#[tokio::test]
async fn ten_tasks_that_ask_at_once_cause_one_refresh() {
    let bench = bench(|n| numbered(n).after(Duration::from_millis(100)));
    let tasks = (0..10).map(|_| {
        let (tokens, login) = (bench.tokens.clone(), bench.login("1000.R"));
        tokio::spawn(async move { tokens.access(&login).await })
    });
    for outcome in futures::future::join_all(tasks).await {
        assert_eq!(outcome.unwrap().unwrap().token.expose_secret(), "1000.A1");
    }
    assert_eq!(bench.refreshes(), 1);
}

#[tokio::test]
async fn ten_tasks_share_one_failure_too() {
    let bench = bench(|_| say(503, "").after(Duration::from_millis(50)));
    let login = bench.login("1000.R");
    let asked = futures::future::join_all((0..10).map(|_| bench.tokens.access(&login))).await;
    assert!(
        asked
            .iter()
            .all(|outcome| matches!(outcome, Err(OAuthError::Server(503))))
    );
    assert_eq!(bench.refreshes(), 1);
    bench.clock.advance(TimeDelta::seconds(6));
    assert!(bench.token(&login).await.is_err());
    assert_eq!(bench.refreshes(), 2);
}

#[tokio::test]
async fn connections_do_not_share_tokens() {
    let bench = bench(numbered);
    let one = bench.login("1000.R");
    let other = Login {
        connection: ConnectionId::from_uuid(uuid::Uuid::from_u128(8)),
        ..one.clone()
    };
    assert_eq!(bench.token(&one).await.unwrap(), "1000.A1");
    assert_eq!(bench.token(&other).await.unwrap(), "1000.A2");
    assert_eq!(bench.token(&one).await.unwrap(), "1000.A1");
}

#[tokio::test]
async fn a_token_is_kept_for_fifty_five_minutes() {
    let bench = bench(numbered);
    let login = bench.login("1000.R");
    assert_eq!(bench.token(&login).await.unwrap(), "1000.A1");
    bench.clock.advance(TimeDelta::seconds(55 * 60 - 1));
    assert_eq!(bench.token(&login).await.unwrap(), "1000.A1");
    bench.clock.advance(TimeDelta::seconds(1));
    assert_eq!(bench.token(&login).await.unwrap(), "1000.A2");
}

#[tokio::test]
async fn access_denied_silences_the_endpoint_for_ten_minutes() {
    let bench = bench(|n| {
        if n == 1 {
            say(400, r#"{"error":"Access Denied"}"#)
        } else {
            numbered(n)
        }
    });
    let login = bench.login("1000.R");
    assert!(matches!(
        bench.token(&login).await,
        Err(OAuthError::Throttled { .. })
    ));
    bench.clock.advance(TimeDelta::seconds(540));
    let error = bench.token(&login).await.unwrap_err();
    assert_eq!(
        error.retry(),
        Retry::After(Duration::from_mins(1)),
        "the rest of the pause"
    );
    assert_eq!(bench.refreshes(), 1);
    bench.clock.advance(TimeDelta::seconds(60));
    assert_eq!(bench.token(&login).await.unwrap(), "1000.A2");
}

#[tokio::test]
async fn a_new_consent_forgets_the_old_refusal_and_the_old_token() {
    let bench = bench(|n| {
        if n == 1 {
            say(200, r#"{"error":"invalid_code"}"#)
        } else {
            numbered(n)
        }
    });
    assert!(matches!(
        bench.token(&bench.login("1000.OLD")).await,
        Err(OAuthError::Reconnect)
    ));
    assert!(matches!(
        bench.token(&bench.login("1000.OLD")).await,
        Err(OAuthError::Reconnect)
    ));
    assert_eq!(bench.refreshes(), 1);
    assert_eq!(
        bench.token(&bench.login("1000.NEW")).await.unwrap(),
        "1000.A2"
    );
    assert_eq!(
        bench.server.seen()[1].value("refresh_token"),
        Some("1000.NEW")
    );
}

#[tokio::test]
async fn a_token_from_the_exchange_is_used_without_a_refresh() {
    let bench = bench(numbered);
    let login = bench.login("1000.R");
    let access = Access {
        token: SecretString::from("1000.FIRST"),
        api_base: login.endpoints.api_base().to_owned(),
        expires_in: Duration::from_hours(1),
    };
    bench.tokens.insert(&login, access).await;
    assert_eq!(bench.token(&login).await.unwrap(), "1000.FIRST");
    assert_eq!(bench.refreshes(), 0);
    bench.tokens.forget(login.connection);
    assert_eq!(bench.token(&login).await.unwrap(), "1000.A1");
}

#[tokio::test]
async fn a_refused_token_is_replaced_once_and_the_call_repeated_once() {
    let bench = bench(numbered);
    let login = bench.login("1000.R");
    bench.token(&login).await.unwrap();
    bench.clock.advance(TimeDelta::minutes(30));
    let used = Mutex::new(Vec::new());
    let outcome: Result<(), _> = bench
        .tokens
        .call(&login, |access| {
            used.lock()
                .unwrap()
                .push(access.token.expose_secret().to_owned());
            async {
                Err(ZohoError::Unauthorised {
                    message: Message::default(),
                })
            }
        })
        .await;
    assert!(matches!(outcome, Err(ZohoError::Unauthorised { .. })));
    assert_eq!(*used.lock().unwrap(), ["1000.A1", "1000.A2"]);
    assert_eq!(bench.refreshes(), 2);
}

#[tokio::test]
async fn a_young_token_that_is_refused_costs_no_other_token() {
    let bench = bench(numbered);
    let login = bench.login("1000.R");
    for _ in 0..20 {
        let outcome: Result<(), _> = bench
            .tokens
            .call(&login, |_| async {
                Err(ZohoError::Unauthorised {
                    message: Message::default(),
                })
            })
            .await;
        assert!(outcome.is_err());
    }
    assert_eq!(bench.refreshes(), 1);
}

#[tokio::test]
async fn a_token_that_another_task_replaced_stays() {
    let bench = bench(numbered);
    let login = bench.login("1000.R");
    let old = bench.tokens.access(&login).await.unwrap();
    bench.clock.advance(TimeDelta::minutes(56));
    assert_eq!(bench.token(&login).await.unwrap(), "1000.A2");
    assert!(bench.tokens.give_up(&login, &old).await);
    assert_eq!(bench.token(&login).await.unwrap(), "1000.A2");
    assert_eq!(bench.clock.now().timestamp() % 60, 0);
}

#[tokio::test]
async fn other_errors_are_not_repeated() {
    let bench = bench(numbered);
    let login = bench.login("1000.R");
    let calls = AtomicU32::new(0);
    let outcome: Result<(), _> = bench
        .tokens
        .call(&login, |_| {
            calls.fetch_add(1, Ordering::SeqCst);
            async { Err(ZohoError::MinuteLimit) }
        })
        .await;
    assert!(matches!(outcome, Err(ZohoError::MinuteLimit)));
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}
