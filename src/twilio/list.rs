//! Listing messages, to look for one whose answer was lost.
//!
//! The surprise: the link to the next page comes from outside and our secret goes with the request,
//! so a link that leads anywhere but to this account's messages is not followed.

use chrono::{DateTime, Utc};

use super::account::{secrets, signed_in};
use super::call::exchange;
use super::error::{CallError, CallFailure, Doubt};
use super::messages::message;
use super::wire::PageJson;
use super::{Account, CallTime, Message, Twilio};

/// Longest page of a list, in bytes: 100 messages of 1,600 escaped characters.
const LONGEST_PAGE: usize = 2 * 1024 * 1024;

/// Which messages to list.
#[derive(Debug, Clone, Copy)]
pub struct ListQuery<'a> {
    /// Only messages to this address, or all.
    pub to: Option<&'a str>,
    /// Messages per page, 1 to 100.
    pub page_size: u16,
    /// At most this many pages.
    pub max_pages: u16,
    /// Stop once a page has only messages made before this.
    pub not_before: DateTime<Utc>,
}

/// What was listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    pub messages: Vec<Message>,
    /// Whether everything since `not_before` was seen; otherwise the bound of pages cut it off, and
    /// nothing may be concluded from a message that is missing.
    pub complete: bool,
    /// Twilio's clock at the first page (`Date` header).
    pub date: Option<DateTime<Utc>>,
}

impl Twilio {
    /// Lists messages page by page, `time` for each page. There is no filter on the creation time,
    /// and `DateSent` is null until a message leaves the queue, so pages are read until one is
    /// wholly older than asked; the order within a page is not relied upon.
    pub async fn list(
        &self,
        account: &Account,
        query: &ListQuery<'_>,
        time: CallTime,
    ) -> Result<Listing, CallError> {
        let mut listing = Listing {
            messages: Vec::new(),
            complete: false,
            date: None,
        };
        let mut url = self.account_url(account, &format!("/Messages.json?{}", query.text()));
        for page in 0..query.max_pages.max(1) {
            let request = signed_in(self.http.get(&url), account);
            let answer = exchange(request, &secrets(account), time, LONGEST_PAGE).await?;
            let (body, date) = answer.success()?;
            if page == 0 {
                listing.date = date;
            }
            let garbage = CallError {
                kind: CallFailure::Unavailable(Doubt::Garbage),
                date,
            };
            let json: PageJson = serde_json::from_slice(&body).map_err(|_| garbage.clone())?;
            let listed = json.messages.len();
            let messages: Vec<_> = json.messages.into_iter().filter_map(message).collect();
            // One that cannot be read might be the one that is looked for.
            if messages.len() < listed {
                return Err(garbage);
            }
            let old = |message: &Message| {
                message
                    .date_created
                    .is_some_and(|created| created < query.not_before)
            };
            let wholly_older = listed > 0 && messages.iter().all(old);
            listing.messages.extend(messages);
            match json.next_page_uri {
                Some(next) if !wholly_older => {
                    url = self.next_page(account, &next).ok_or(CallError {
                        kind: CallFailure::StrayLink,
                        date,
                    })?;
                }
                _ => {
                    listing.complete = true;
                    break;
                }
            }
        }
        Ok(listing)
    }

    /// The next page, if it is a relative link to a list of this account's messages.
    fn next_page(&self, account: &Account, link: &str) -> Option<String> {
        let list = format!(
            "/2010-04-01/Accounts/{}/Messages.json?",
            account.account_sid
        );
        let plain = link.bytes().all(|byte| byte.is_ascii_graphic());
        (plain && link.starts_with(&list)).then(|| format!("{}{link}", self.base(account.region)))
    }
}

impl ListQuery<'_> {
    fn text(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if let Some(to) = self.to {
            query.append_pair("To", to);
        }
        query.append_pair("PageSize", &self.page_size.clamp(1, 100).to_string());
        query.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_server::{Reply, TestServer, account, listed, soon};
    use super::super::wire;
    use super::*;

    fn page(messages: &[String], next: Option<&str>) -> Reply {
        let next = next.map_or_else(|| "null".to_owned(), |uri| format!("\"{uri}\""));
        let body = format!(
            r#"{{"messages":[{}],"next_page_uri":{next},"page":0}}"#,
            messages.join(",")
        );
        Reply::json(200, &body)
    }

    fn since_five() -> ListQuery<'static> {
        ListQuery {
            to: Some("+447700900123"),
            page_size: 50,
            max_pages: 3,
            not_before: wire::date("Thu, 24 Aug 2023 05:00:00 GMT").unwrap(),
        }
    }

    const NEW: &str = "Thu, 24 Aug 2023 05:01:00 +0000";
    const OLD: &str = "Thu, 24 Aug 2023 04:59:59 +0000";

    fn link(rest: &str) -> String {
        format!(
            "/2010-04-01/Accounts/{}/Messages.json?PageToken={rest}",
            account().account_sid
        )
    }

    #[tokio::test]
    async fn a_list_follows_its_pages_until_one_is_wholly_older() {
        let server = TestServer::start(vec![
            page(&[listed(1, NEW), listed(2, OLD)], Some(&link("a"))),
            page(&[listed(3, OLD)], Some(&link("b"))),
        ])
        .await;
        let listing = server
            .twilio()
            .list(&account(), &since_five(), soon())
            .await
            .unwrap();
        assert!(listing.complete && listing.date.is_some());
        assert_eq!(listing.messages.len(), 3);
        let first = &listing.messages[0];
        assert!(first.outbound && first.from.is_none() && first.num_segments.is_none());
        assert_eq!((first.status, first.error_code), (None, Some(30006)));
        let asked = server.requests();
        assert!(asked[0].contains("/Messages.json?To=%2B447700900123&PageSize=50 "));
        assert!(asked[1].contains("?PageToken=a ") && asked[1].to_lowercase().contains("basic "));
    }

    #[tokio::test]
    async fn a_list_cut_off_by_its_bound_says_so() {
        let server = TestServer::start(vec![page(&[listed(1, NEW)], Some(&link("a")))]).await;
        let query = ListQuery {
            max_pages: 1,
            ..since_five()
        };
        let listing = server
            .twilio()
            .list(&account(), &query, soon())
            .await
            .unwrap();
        assert!(!listing.complete);
        let server = TestServer::start(vec![page(&[], None)]).await;
        assert!(
            server
                .twilio()
                .list(&account(), &query, soon())
                .await
                .unwrap()
                .complete
        );
    }

    #[tokio::test]
    async fn a_page_link_to_another_place_never_gets_the_secret() {
        for stray in [
            "https://evil.example/2010-04-01/",
            "//evil.example/",
            "@evil.example/",
            "/2010-04-01/Accounts/ACother/Messages.json?x",
        ] {
            let server = TestServer::start(vec![page(&[listed(1, NEW)], Some(stray))]).await;
            let error = server
                .twilio()
                .list(&account(), &since_five(), soon())
                .await
                .unwrap_err();
            assert_eq!(error.kind, CallFailure::StrayLink, "{stray}");
            assert_eq!(server.requests().len(), 1);
        }
    }

    #[tokio::test]
    async fn a_listed_message_that_cannot_be_read_spoils_the_look() {
        let server = TestServer::start(vec![page(&["{\"sid\":\"odd\"}".to_owned()], None)]).await;
        let error = server
            .twilio()
            .list(&account(), &since_five(), soon())
            .await
            .unwrap_err();
        assert_eq!(error.kind, CallFailure::Unavailable(Doubt::Garbage));
    }
}
