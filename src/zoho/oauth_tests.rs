use super::super::retry::Retry;
use super::super::test_server::{Say, TestServer, http, say};
use super::*;

fn credentials() -> ClientCredentials {
    ClientCredentials {
        client_id: "1000.CLIENT".to_owned(),
        client_secret: SecretString::from("s3cret"),
    }
}

fn at(server: &TestServer) -> Endpoints {
    Endpoints::new(Region::Europe, Some(&server.base))
}

fn oauth() -> ZohoOAuth {
    ZohoOAuth::new(http())
}

async fn exchange(reply: Say) -> Result<Grant, OAuthError> {
    let server = TestServer::saying(reply);
    oauth()
        .exchange(
            &at(&server),
            &credentials(),
            &SecretString::from("1000.code"),
            None,
        )
        .await
}

async fn refresh(reply: Say) -> Result<Access, OAuthError> {
    let server = TestServer::saying(reply);
    oauth()
        .refresh(
            &at(&server),
            &credentials(),
            &SecretString::from("1000.REFRESH"),
        )
        .await
}

const GRANTED: &str = r#"{"access_token":"1000.ACCESS","refresh_token":"1000.REFRESH",
    "api_domain":"https://www.zohoapis.com","token_type":"Bearer","expires_in":3600}"#;
const REFRESHED: &str = r#"{"access_token":"1000.ACCESS2","api_domain":"https://www.zohoapis.com",
    "token_type":"Bearer","expires_in":3600}"#;
const ACCESS_DENIED: &str = r#"{"error_description":"You have made too many requests.","error":"Access Denied","status":"failure"}"#;

#[test]
fn the_consent_page_is_asked_for_offline_access_with_comma_separated_scopes() {
    let endpoints = Endpoints::new(Region::India, None);
    let back = Url::parse("https://sms.example/zoho/callback").unwrap();
    let url = ZohoOAuth::authorise_url(&endpoints, "1000.CLIENT", &back, "st/ate").unwrap();
    assert_eq!(url.host_str(), Some("accounts.zoho.in"));
    assert_eq!(url.path(), "/oauth/v2/auth");
    let value = |name: &str| {
        let found: Vec<_> = url.query_pairs().filter(|(n, _)| n == name).collect();
        assert_eq!(found.len(), 1, "{name}");
        found[0].1.to_string()
    };
    assert_eq!(value("response_type"), "code");
    assert_eq!(value("client_id"), "1000.CLIENT");
    assert_eq!(value("redirect_uri"), back.as_str());
    assert_eq!(value("state"), "st/ate");
    assert_eq!(value("access_type"), "offline");
    assert_eq!(value("prompt"), "consent");
    let scope = value("scope");
    assert_eq!(scope.split(',').collect::<Vec<_>>(), SCOPES);
    assert!(
        SCOPES
            .iter()
            .all(|scope| scope.rsplit('.').next() == Some("READ"))
    );
}

#[tokio::test]
async fn a_code_is_exchanged_in_a_form_with_the_redirect_address_of_the_web_flow() {
    let server = TestServer::saying(say(200, GRANTED));
    let back = Url::parse("https://sms.example/zoho/callback").unwrap();
    let code = SecretString::from("1000.code");
    let grant = oauth()
        .exchange(&at(&server), &credentials(), &code, Some(&back))
        .await
        .unwrap();
    assert_eq!(grant.access.token.expose_secret(), "1000.ACCESS");
    assert_eq!(grant.refresh_token.expose_secret(), "1000.REFRESH");
    assert_eq!(grant.access.expires_in, Duration::from_hours(1));
    // The sandbox replaces every host, whatever the reply names.
    assert_eq!(
        grant.access.api_base,
        server.base.as_str().trim_end_matches('/')
    );
    assert!(grant.missing_scopes.is_empty());

    let [seen] = &server.seen()[..] else {
        panic!("one request")
    };
    assert_eq!(
        (seen.method.as_str(), seen.path.as_str()),
        ("POST", "/oauth/v2/token")
    );
    assert!(seen.query.is_empty(), "secrets stay out of addresses");
    assert_eq!(seen.authorization, None);
    assert_eq!(seen.value("grant_type"), Some("authorization_code"));
    assert_eq!(seen.value("code"), Some("1000.code"));
    assert_eq!(seen.value("client_id"), Some("1000.CLIENT"));
    assert_eq!(seen.value("client_secret"), Some("s3cret"));
    assert_eq!(seen.value("redirect_uri"), Some(back.as_str()));
}

#[tokio::test]
async fn a_self_client_exchanges_its_code_without_a_redirect_address() {
    let server = TestServer::saying(say(200, GRANTED));
    let code = SecretString::from("1000.code");
    oauth()
        .exchange(&at(&server), &credentials(), &code, None)
        .await
        .unwrap();
    assert_eq!(server.seen()[0].value("redirect_uri"), None);
}

#[tokio::test]
async fn an_exchange_without_a_refresh_token_is_refused() {
    let error = exchange(say(200, REFRESHED)).await.unwrap_err();
    assert!(matches!(error, OAuthError::NoRefreshToken));
    assert!(error.needs_person());
}

#[tokio::test]
async fn a_refresh_brings_an_access_token_and_needs_no_new_refresh_token() {
    let server = TestServer::saying(say(200, REFRESHED));
    let token = SecretString::from("1000.REFRESH");
    let access = oauth()
        .refresh(&at(&server), &credentials(), &token)
        .await
        .unwrap();
    assert_eq!(access.token.expose_secret(), "1000.ACCESS2");
    let [seen] = &server.seen()[..] else {
        panic!("one request")
    };
    assert_eq!(seen.value("grant_type"), Some("refresh_token"));
    assert_eq!(seen.value("refresh_token"), Some("1000.REFRESH"));
    assert_eq!(seen.value("client_secret"), Some("s3cret"));
    assert!(seen.query.is_empty());
}

#[tokio::test]
async fn errors_are_recognised_whatever_the_http_status() {
    for status in [200, 400, 401] {
        let error = |name: &str| say(status, format!(r#"{{"error":"{name}"}}"#));
        assert!(matches!(
            refresh(error("invalid_code")).await,
            Err(OAuthError::Reconnect)
        ));
        assert!(matches!(
            refresh(error("invalid_grant")).await,
            Err(OAuthError::Reconnect)
        ));
        assert!(matches!(
            exchange(error("invalid_code")).await,
            Err(OAuthError::CodeExpired)
        ));
        assert!(matches!(
            exchange(error("invalid_client")).await,
            Err(OAuthError::WrongRegion(Region::Europe))
        ));
        assert!(matches!(
            refresh(error("invalid_client_secret")).await,
            Err(OAuthError::WrongSecret(Region::Europe))
        ));
        assert!(matches!(
            exchange(error("invalid_redirect_uri")).await,
            Err(OAuthError::WrongRedirect)
        ));
        assert!(matches!(
            refresh(error("odd")).await,
            Err(OAuthError::Refused(_))
        ));
    }
}

#[tokio::test]
async fn a_token_beside_an_error_is_not_used() {
    let both = r#"{"access_token":"1000.A","refresh_token":"1000.R","error":"invalid_code"}"#;
    assert!(matches!(
        exchange(say(200, both)).await,
        Err(OAuthError::CodeExpired)
    ));
}

#[tokio::test]
async fn the_wrong_region_is_named_in_the_sentence() {
    let error = exchange(say(200, r#"{"error":"invalid_client"}"#))
        .await
        .unwrap_err();
    assert!(
        error.sentence().contains("Europe (accounts.zoho.eu)"),
        "{}",
        error.sentence()
    );
    assert_eq!(error.retry(), Retry::Never);
}

#[tokio::test]
async fn throttling_waits_ten_minutes_and_is_no_reconnect() {
    for reply in [
        say(400, ACCESS_DENIED),
        say(200, ACCESS_DENIED),
        say(429, ""),
    ] {
        let error = refresh(reply).await.unwrap_err();
        assert_eq!(
            error.retry(),
            Retry::After(Duration::from_mins(10)),
            "{error}"
        );
        assert!(!error.needs_person());
        assert!(error.sentence().contains("10 minutes"));
    }
}

#[tokio::test]
async fn garbage_and_failures_are_told_apart_and_tried_again() {
    for body in [
        "",
        "<html>",
        "[]",
        "null",
        r#"{"access_token":""}"#,
        r#"{"access_token":7}"#,
        "{}",
    ] {
        let error = refresh(say(200, body)).await.unwrap_err();
        assert!(matches!(error, OAuthError::Garbage(_)), "{body}: {error}");
    }
    let wrong_field = say(200, r#"{"access_token":"1000.A","expires_in":"soon"}"#);
    let error = refresh(wrong_field).await.unwrap_err();
    assert!(matches!(&error, OAuthError::Garbage(why) if !why.as_str().contains("1000.A")));
    assert!(matches!(
        refresh(say(503, "<html>")).await,
        Err(OAuthError::Server(503))
    ));
    let moved = say(302, GRANTED).header("Location", "http://127.0.0.1:9/");
    assert!(matches!(refresh(moved).await, Err(OAuthError::Garbage(_))));
    let long = say(200, " ".repeat(BODY_LIMIT + 1));
    assert!(matches!(refresh(long).await, Err(OAuthError::Garbage(_))));
}

#[tokio::test]
async fn silence_is_a_timeout_and_a_closed_port_is_unreachable() {
    let server = TestServer::saying(say(200, REFRESHED).after(Duration::from_secs(5)));
    let token = SecretString::from("1000.SECRET");
    let quick = oauth().with_timeout(Duration::from_millis(100));
    let error = quick
        .refresh(&at(&server), &credentials(), &token)
        .await
        .unwrap_err();
    assert!(matches!(error, OAuthError::Timeout));

    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base = Url::parse(&format!("http://{}", nobody.local_addr().unwrap())).unwrap();
    drop(nobody);
    let endpoints = Endpoints::new(Region::Europe, Some(&base));
    let error = oauth().revoke(&endpoints, &token).await.unwrap_err();
    assert!(matches!(error, OAuthError::Unreachable(_)));
    assert!(
        !format!("{error:?}").contains("1000.SECRET"),
        "an address in an error leaks the token"
    );
}

#[tokio::test]
async fn a_reply_without_token_type_or_with_milliseconds_is_understood() {
    let old = r#"{"access_token":"1000.A","expires_in":3600000,"expires_in_sec":1800}"#;
    assert_eq!(
        refresh(say(200, old)).await.unwrap().expires_in,
        Duration::from_mins(30)
    );
    let long = r#"{"access_token":"1000.A","expires_in":3600000}"#;
    assert_eq!(
        refresh(say(200, long)).await.unwrap().expires_in,
        Duration::from_hours(1)
    );
    let bare = r#"{"access_token":"1000.A"}"#;
    assert_eq!(
        refresh(say(200, bare)).await.unwrap().expires_in,
        Duration::from_hours(1)
    );
}

#[tokio::test]
async fn scopes_that_were_not_granted_are_named() {
    let some = r#"{"access_token":"1000.A","refresh_token":"1000.R",
        "scope":"ZohoBooks.settings.READ ZohoBooks.contacts.ALL ZohoBooks.invoices.READ"}"#;
    let missing = exchange(say(200, some)).await.unwrap().missing_scopes;
    assert_eq!(missing, SCOPES[3..].to_vec());
}

#[tokio::test]
async fn revoking_succeeds_also_when_the_token_is_already_gone() {
    let token = SecretString::from("1000.R&+");
    for (reply, gone) in [
        (say(200, r#"{"status":"success"}"#), true),
        (say(200, r#"{"error":"invalid_code"}"#), true),
        (say(400, r#"{"error":"invalid_token"}"#), true),
        (say(200, r#"{"error":"invalid_client"}"#), false),
        (say(500, ""), false),
        (say(404, ""), false),
    ] {
        let server = TestServer::saying(reply);
        assert_eq!(oauth().revoke(&at(&server), &token).await.is_ok(), gone);
        let [seen] = &server.seen()[..] else {
            panic!("one request")
        };
        assert_eq!(
            (seen.method.as_str(), seen.path.as_str()),
            ("POST", "/oauth/v2/token/revoke")
        );
        assert_eq!(seen.value("token"), Some("1000.R&+"));
    }
}

#[test]
fn secrets_do_not_show_in_debug_output() {
    let shown = format!("{:?}", credentials());
    assert!(!shown.contains("s3cret"), "{shown}");
}

#[tokio::test]
async fn an_answer_that_echoes_our_secrets_is_told_without_them() {
    for echoed in ["s3cret", "1000.REFRESH", "1000%2EREFRESH"] {
        let body = format!(r#"{{"error":"odd {echoed}"}}"#);
        let error = refresh(say(400, body)).await.unwrap_err();
        let told = format!("{error:?} {error} {}", error.sentence());
        assert!(
            !told.contains(echoed) && told.contains("(hidden)"),
            "{told}"
        );
    }
    let error = exchange(say(400, r#"{"error":"1000.code"}"#))
        .await
        .unwrap_err();
    assert!(!format!("{error:?}").contains("1000.code"), "{error:?}");
}
