//! The JSON API of one tenant, asked by a patient client: web processes come and go.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use reqwest::{Method, StatusCode};
use serde_json::Value;

/// How long a question is asked again while nobody can answer it.
const PATIENCE: Duration = Duration::from_mins(1);
const ANSWERS_WITHIN: Duration = Duration::from_secs(15);
const BETWEEN: Duration = Duration::from_millis(500);

#[derive(Debug, Clone)]
pub(crate) struct Api {
    pub(crate) http: reqwest::Client,
    pub(crate) base: String,
    pub(crate) token: String,
}

impl Api {
    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.call(Method::GET, path, None).await
    }

    /// A call that changes something. Only such are made that may be made twice.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Value> {
        let end = Instant::now() + PATIENCE;
        loop {
            let told = self.once(method.clone(), path, body).await;
            match told {
                Ok((status, text)) if status.is_success() => {
                    return serde_json::from_str(&text).with_context(|| format!("{path}: {text}"));
                }
                Ok((status, text)) if !status.is_server_error() => {
                    bail!("{method} {path}: {status} {text}");
                }
                Ok((status, text)) if Instant::now() > end => {
                    bail!("{method} {path}: still {status} {text}");
                }
                Err(error) if Instant::now() > end => {
                    return Err(error).with_context(|| format!("{method} {path}"));
                }
                Ok(_) | Err(_) => tokio::time::sleep(BETWEEN).await,
            }
        }
    }

    async fn once(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<(StatusCode, String)> {
        let mut call = self
            .http
            .request(method, format!("{}/api/v1{path}", self.base))
            .timeout(ANSWERS_WITHIN)
            .bearer_auth(&self.token);
        if let Some(body) = body {
            call = call.json(body);
        }
        let answer = call.send().await?;
        Ok((answer.status(), answer.text().await?))
    }

    /// Every row of a list.
    pub(crate) async fn all(&self, path: &str) -> anyhow::Result<Vec<Value>> {
        let mark = if path.contains('?') { '&' } else { '?' };
        let first = format!("{path}{mark}limit=100");
        let (mut rows, mut next) = (Vec::new(), first.clone());
        loop {
            let mut page = self.get(&next).await?;
            if let Value::Array(data) = page["data"].take() {
                rows.extend(data);
            }
            match page["next"].as_str() {
                Some(cursor) => next = format!("{first}&cursor={cursor}"),
                None => return Ok(rows),
            }
        }
    }
}
