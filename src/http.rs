//! The one outgoing HTTP client, shared by every provider.
//!
//! The surprise: it never repeats a request. A message is sent once or its fate is looked up
//! afterwards, so redirects and retries (also reqwest's own, for protocol refusals) are switched
//! off here. Only a request that never left the pool is put on a fresh connection.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, Response, redirect, retry};
use rustls::{ClientConfig, RootCertStore};

/// How long a connection may take to come up (DNS, TCP and TLS together).
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Idle connections kept per host: at least the widest concurrency of a connection.
const IDLE_PER_HOST: usize = 256;

/// Idle connections are dropped before providers usually do: a request written to a connection
/// that the other side has just closed ends in doubt.
const IDLE_FOR: Duration = Duration::from_secs(20);

/// Why the client could not be built.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// rustls refused its own settings.
    #[error("TLS could not be set up")]
    Tls(#[from] rustls::Error),
    /// reqwest refused its settings.
    #[error("the HTTP client could not be built")]
    Build(#[from] reqwest::Error),
}

/// Builds the client: rustls with *ring* and the compiled-in Mozilla roots, HTTP/1.1, no redirects,
/// no retries, no proxy from the environment. The time-out of a whole call is set per request.
pub fn client() -> Result<Client, ClientError> {
    Ok(Client::builder()
        .user_agent(concat!("ml-connector/", env!("CARGO_PKG_VERSION")))
        .tls_backend_preconfigured(tls()?)
        .http1_only()
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .no_proxy()
        .referer(false)
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_max_idle_per_host(IDLE_PER_HOST)
        .pool_idle_timeout(IDLE_FOR)
        .tcp_nodelay(true)
        .tcp_keepalive(Duration::from_secs(30))
        .build()?)
}

/// A client whose every request comes by a proxy, where a test sees whom it would have asked.
#[cfg(test)]
pub(crate) fn client_through(proxy: std::net::SocketAddr) -> Client {
    let proxy = reqwest::Proxy::all(format!("http://{proxy}")).unwrap();
    let builder = Client::builder().tls_backend_preconfigured(tls().unwrap());
    builder.proxy(proxy).retry(retry::never()).build().unwrap()
}

/// The provider is passed, not installed: a process-wide default would be a hidden global.
fn tls() -> Result<ClientConfig, rustls::Error> {
    let roots = webpki_roots::TLS_SERVER_ROOTS
        .iter()
        .cloned()
        .collect::<RootCertStore>();
    let mut config =
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Why a response body could not be had in full.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// It is longer than the limit, in bytes.
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
    /// The connection broke, or the time ran out, while it was read.
    #[error("the answer broke off")]
    Broken(#[source] reqwest::Error),
}

/// Reads a body of at most `limit` bytes; what is longer is an error, never a cut text.
pub async fn capped_body(mut response: Response, limit: usize) -> Result<Vec<u8>, BodyError> {
    let told = response.content_length().unwrap_or(0);
    if told > limit as u64 {
        return Err(BodyError::TooLong(limit));
    }
    let mut body = Vec::with_capacity(usize::try_from(told).unwrap_or(0));
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| BodyError::Broken(error.without_url()))?
    {
        if body.len() + chunk.len() > limit {
            return Err(BodyError::TooLong(limit));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// Answers each connection once with `answer` and hands back what was asked.
    async fn answering(answer: &'static str) -> (String, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let asked = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut seen = vec![0; 4096];
            let length = stream.read(&mut seen).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8_lossy(&seen[..length]).into_owned()
        });
        (url, asked)
    }

    #[tokio::test]
    async fn it_says_who_it_is_and_follows_no_redirect() {
        let (url, asked) = answering(
            "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
        )
        .await;
        let response = client().unwrap().get(url).send().await.unwrap();
        assert_eq!(response.status(), 302);
        assert!(asked.await.unwrap().contains("user-agent: ml-connector/"));
    }

    #[tokio::test]
    async fn a_body_over_the_limit_is_refused_whether_its_length_is_told_or_not() {
        for answer in [
            "HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\nhello world",
            "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhello world",
        ] {
            let (url, _) = answering(answer).await;
            let response = client().unwrap().get(&url).send().await.unwrap();
            assert!(matches!(
                capped_body(response, 10).await,
                Err(BodyError::TooLong(10))
            ));
            let (url, _) = answering(answer).await;
            let response = client().unwrap().get(&url).send().await.unwrap();
            assert_eq!(capped_body(response, 11).await.unwrap(), b"hello world");
        }
    }
}
