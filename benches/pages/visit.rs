//! One browser that is signed in and reads.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use scraper::{Html, Selector};

pub(crate) struct Visit {
    client: reqwest::Client,
    base: String,
    cookies: String,
}

impl Visit {
    /// At the service at `base`.
    pub(crate) async fn signed_in(base: String, email: &str, password: &str) -> Result<Self> {
        let client = ml_connector::http::client()?;
        let door = client.get(format!("{base}/sign-in")).send().await?;
        let visit = cookies(&door);
        let csrf = attribute(&door.text().await?, "input[name=csrf]", "value")?;
        let fields = [
            ("csrf", csrf.as_str()),
            ("email", email),
            ("password", password),
        ];
        let entered = client
            .post(format!("{base}/sign-in"))
            .header("cookie", visit)
            .form(&fields)
            .send()
            .await?;
        let cookies = cookies(&entered);
        if !cookies.contains("session") {
            bail!("the sign-in was refused");
        }
        Ok(Self {
            client,
            base,
            cookies,
        })
    }

    /// The pages to be measured: name and path. `deep` is how many pages back the last of them is.
    pub(crate) async fn pages(&self, slug: &str, deep: usize) -> Result<Vec<(String, String)>> {
        let tenant = format!("/t/{slug}");
        let mut pages = vec![("Companies".to_owned(), "/tenants".to_owned())];
        for (name, below) in [
            ("Overview", "/"),
            ("History", "/history"),
            ("History, failed", "/history?result=failed"),
            ("History, one type", "/history?type=payment.received"),
            ("Rejected requests", "/rejected"),
            ("Rules", "/rules"),
            ("New rule", "/rules/new"),
            ("Connections", "/connections"),
            ("Settings", "/settings"),
        ] {
            pages.push((name.to_owned(), format!("{tenant}{below}")));
        }
        let rules = self.text(&format!("{tenant}/rules")).await?;
        pages.push((
            "Rule".to_owned(),
            attribute(&rules, "main a[href*='/rules/rul_']", "href")?,
        ));
        let first = self.text(&format!("{tenant}/history")).await?;
        pages.push((
            "Event".to_owned(),
            attribute(&first, "main a[href*='/events/']", "href")?,
        ));
        pages.push((
            format!("History, page {deep}"),
            self.deep(first, deep).await?,
        ));
        Ok(pages)
    }

    async fn deep(&self, mut page: String, deep: usize) -> Result<String> {
        let mut path = String::new();
        for _ in 1..deep {
            match attribute(&page, "a[rel=next]", "href") {
                Ok(older) => path = older,
                // A short history has fewer pages.
                Err(_) => break,
            }
            page = self.text(&path).await?;
        }
        if path.is_empty() {
            bail!("the history has one page")
        }
        Ok(path)
    }

    /// Times, the shortest first, and the size of the page.
    pub(crate) async fn measure(&self, path: &str, times: usize) -> Result<(Vec<Duration>, usize)> {
        let bytes = self.text(path).await?.len();
        let mut taken = Vec::with_capacity(times);
        for _ in 0..times {
            let began = Instant::now();
            self.text(path).await?;
            taken.push(began.elapsed());
        }
        taken.sort_unstable();
        Ok((taken, bytes))
    }

    async fn text(&self, path: &str) -> Result<String> {
        let url = format!("{}{path}", self.base);
        let answer = self.client.get(url).header("cookie", &self.cookies);
        let answer = answer.send().await?;
        if answer.status() != reqwest::StatusCode::OK {
            bail!("{path} answers {}", answer.status());
        }
        Ok(answer.text().await?)
    }
}

fn cookies(answer: &reqwest::Response) -> String {
    let set = answer.headers().get_all("set-cookie").iter();
    let pairs: Vec<_> = set
        .filter_map(|v| v.to_str().ok()?.split(';').next())
        .collect();
    pairs.join("; ")
}

fn attribute(page: &str, selector: &str, name: &str) -> Result<String> {
    let wanted = Selector::parse(selector).map_err(|e| anyhow::anyhow!("{e}"))?;
    let page = Html::parse_document(page);
    let found = page.select(&wanted).next();
    let value = found.and_then(|e| e.attr(name));
    value
        .map(str::to_owned)
        .with_context(|| format!("no {selector}"))
}
