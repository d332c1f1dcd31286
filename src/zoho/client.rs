//! The API of Zoho Books, v3, reading only.
//!
//! Records are handed on as Zoho's JSON, numbers in their own digits. Every call is a GET and safe to
//! repeat, yet nothing is repeated here: the caller owns the brakes and the quota.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderValue};
use reqwest::{Client, Method, Request};
use secrecy::ExposeSecret;
use serde_json::Value;
use url::Url;

use super::error::{Quota, ZohoError};
use super::oauth::Access;
use super::transport;
use crate::domain::document::DocumentKind;

const TIMEOUT: Duration = Duration::from_secs(20);
const BODY_LIMIT: usize = 8 * 1024 * 1024;
/// Zoho's maximum; its default differs between pages of the documentation, so it is always sent.
const PER_PAGE: u32 = 200;
/// A list longer than this (200,000 records) is taken for a server that never ends.
const MAX_PAGES: u32 = 1000;

/// What was asked for, with the quota if Zoho gave it.
#[derive(Debug, Clone)]
pub struct Answered<T> {
    pub value: T,
    pub quota: Option<Quota>,
}

/// One organisation's books as one user sees them. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ZohoBooks {
    http: Client,
    access: Access,
    organization: String,
    timeout: Duration,
}

/// Which records of a list; unset fields do not restrict.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListFilter {
    /// Zoho's word: `unpaid`, `overdue`, `sent`, `open` …
    pub status: Option<String>,
    /// The customer's or vendor's contact id.
    pub contact_id: Option<String>,
    /// First due date, inclusive (invoices and bills).
    pub due_from: Option<NaiveDate>,
    /// Last due date, inclusive (invoices and bills).
    pub due_to: Option<NaiveDate>,
    /// First date of the record, inclusive.
    pub date_from: Option<NaiveDate>,
    /// Last date of the record, inclusive.
    pub date_to: Option<NaiveDate>,
    /// Changed since this instant; see [`ListFilter::can_ask_for_changes`].
    pub modified_since: Option<DateTime<Utc>>,
    /// A column that Zoho sorts by, such as `due_date`, and whether ascending.
    pub sort: Option<(String, bool)>,
}

impl ListFilter {
    /// Whether `modified_since` works for `kind`: Zoho documents it for neither payments received nor
    /// expenses. Elsewhere it is refused before the call.
    pub const fn can_ask_for_changes(kind: DocumentKind) -> bool {
        !matches!(kind, DocumentKind::CustomerPayment | DocumentKind::Expense)
    }

    fn parameters(&self, kind: DocumentKind) -> Result<Vec<(&'static str, String)>, ZohoError> {
        let has_due_date = matches!(kind, DocumentKind::Invoice | DocumentKind::Bill);
        if !has_due_date && (self.due_from.is_some() || self.due_to.is_some()) {
            return Err(ZohoError::bad_parameter("this list knows no due date"));
        }
        if self.modified_since.is_some() && !Self::can_ask_for_changes(kind) {
            return Err(ZohoError::bad_parameter(
                "this list cannot be asked for changes",
            ));
        }
        let contact = match kind {
            DocumentKind::Invoice | DocumentKind::CustomerPayment => "customer_id",
            _ => "vendor_id",
        };
        let day = |date: Option<NaiveDate>| date.map(|date| date.format("%Y-%m-%d").to_string());
        let (column, order) = self.sort.clone().unzip();
        let pairs = [
            ("status", self.status.clone()),
            (contact, self.contact_id.clone()),
            ("due_date_start", day(self.due_from)),
            ("due_date_end", day(self.due_to)),
            ("date_start", day(self.date_from)),
            ("date_end", day(self.date_to)),
            // An offset without a colon, the only form that Zoho documents.
            (
                "last_modified_time",
                self.modified_since
                    .map(|at| at.format("%Y-%m-%dT%H:%M:%S+0000").to_string()),
            ),
            ("sort_column", column),
            (
                "sort_order",
                order.map(|up| if up { "A" } else { "D" }.to_owned()),
            ),
        ];
        Ok(pairs
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect())
    }
}

impl ZohoBooks {
    /// The books of `organization` (Zoho's id; empty while it is not chosen yet, which is enough for
    /// [`Self::organizations`] only), with 20 seconds per call.
    pub fn new(http: Client, access: Access, organization: impl Into<String>) -> Self {
        Self {
            http,
            access,
            organization: organization.into(),
            timeout: TIMEOUT,
        }
    }

    /// The same with another time-out.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Every organisation that the connected user belongs to. Needs no organisation; one page.
    pub async fn organizations(&self) -> Result<Answered<Vec<Value>>, ZohoError> {
        let answered = self.get(&["organizations"], &[]).await?;
        let value = records(answered.value, &["organizations"])?.0;
        Ok(Answered {
            value,
            quota: answered.quota,
        })
    }

    /// One record of `kind`, without its envelope.
    pub async fn record(&self, kind: DocumentKind, id: &str) -> Result<Answered<Value>, ZohoError> {
        let place = Place::of(kind);
        self.one(place.path, id, place.record_keys).await
    }

    /// One invoice.
    pub async fn invoice(&self, id: &str) -> Result<Answered<Value>, ZohoError> {
        self.record(DocumentKind::Invoice, id).await
    }

    /// One bill.
    pub async fn bill(&self, id: &str) -> Result<Answered<Value>, ZohoError> {
        self.record(DocumentKind::Bill, id).await
    }

    /// One customer or vendor, with `contact_persons[]` inside.
    pub async fn contact(&self, id: &str) -> Result<Answered<Value>, ZohoError> {
        self.one("contacts", id, &["contact"]).await
    }

    /// The people of a contact, page by page.
    pub fn contact_persons(&self, contact_id: &str) -> Result<Pages<'_>, ZohoError> {
        let path = vec![
            "contacts".into(),
            checked_id(contact_id)?.into(),
            "contactpersons".into(),
        ];
        Ok(Pages::new(self, path, Vec::new(), &["contact_persons"]))
    }

    /// Records of `kind`, page by page.
    pub fn list(&self, kind: DocumentKind, filter: &ListFilter) -> Result<Pages<'_>, ZohoError> {
        let place = Place::of(kind);
        Ok(Pages::new(
            self,
            vec![place.path.into()],
            filter.parameters(kind)?,
            place.list_keys,
        ))
    }

    /// Invoices, page by page.
    pub fn invoices(&self, filter: &ListFilter) -> Result<Pages<'_>, ZohoError> {
        self.list(DocumentKind::Invoice, filter)
    }

    /// Bills, page by page.
    pub fn bills(&self, filter: &ListFilter) -> Result<Pages<'_>, ZohoError> {
        self.list(DocumentKind::Bill, filter)
    }

    /// A public payment page for an invoice, valid to the end of `expiry`. (`GET /share/paymentlink`.)
    pub async fn payment_link(
        &self,
        invoice_id: &str,
        expiry: NaiveDate,
    ) -> Result<Answered<String>, ZohoError> {
        let parameters = [
            ("transaction_id", checked_id(invoice_id)?.to_owned()),
            ("transaction_type", "invoice".to_owned()),
            ("link_type", "public".to_owned()),
            ("expiry_time", expiry.format("%Y-%m-%d").to_string()),
        ];
        let answered = self
            .in_organization(&["share", "paymentlink"], &parameters)
            .await?;
        // Zoho's own sample ends in a blank.
        let link = answered.value["data"]["share_link"]
            .as_str()
            .unwrap_or_default()
            .trim();
        let is_web = Url::parse(link)
            .is_ok_and(|url| matches!(url.scheme(), "https" | "http") && url.has_host());
        if !is_web {
            return Err(ZohoError::garbage("no usable share_link"));
        }
        Ok(Answered {
            value: link.to_owned(),
            quota: answered.quota,
        })
    }

    async fn one(&self, path: &str, id: &str, keys: &[&str]) -> Result<Answered<Value>, ZohoError> {
        let mut answered = self.in_organization(&[path, checked_id(id)?], &[]).await?;
        let found = keys
            .iter()
            .find_map(|key| match answered.value.get_mut(*key) {
                Some(record @ Value::Object(_)) => Some(record.take()),
                _ => None,
            });
        let value = found.ok_or_else(|| ZohoError::garbage("the record is missing"))?;
        Ok(Answered {
            value,
            quota: answered.quota,
        })
    }

    async fn in_organization(
        &self,
        path: &[&str],
        parameters: &[(&str, String)],
    ) -> Result<Answered<Value>, ZohoError> {
        let mut all = vec![(
            "organization_id",
            checked_id(&self.organization)?.to_owned(),
        )];
        all.extend_from_slice(parameters);
        self.get(path, &all).await
    }

    async fn get(
        &self,
        path: &[&str],
        parameters: &[(&str, String)],
    ) -> Result<Answered<Value>, ZohoError> {
        let mut url = Url::parse(&format!(
            "{}/books/v3/{}",
            self.access.api_base,
            path.join("/")
        ))
        .map_err(|_| ZohoError::bad_parameter("the API root is not an address"))?;
        if !parameters.is_empty() {
            url.query_pairs_mut().extend_pairs(parameters);
        }
        let mut request = Request::new(Method::GET, url);
        let token = format!("Zoho-oauthtoken {}", self.access.token.expose_secret());
        let mut token = HeaderValue::from_str(&token)
            .map_err(|_| ZohoError::bad_parameter("the access token has odd characters"))?;
        token.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, token);
        request
            .headers_mut()
            .insert(ACCEPT, HeaderValue::from_static("application/json"));
        let answer = transport::send(&self.http, request, self.timeout, BODY_LIMIT).await?;
        let quota = Quota::from_headers(&answer.headers);
        Ok(Answered {
            value: ZohoError::judge(&answer)?,
            quota,
        })
    }
}

/// A list that is fetched one page at a time.
#[derive(Debug)]
pub struct Pages<'a> {
    books: &'a ZohoBooks,
    path: Vec<String>,
    parameters: Vec<(&'static str, String)>,
    keys: &'static [&'static str],
    next: Option<u32>,
}

impl<'a> Pages<'a> {
    fn new(
        books: &'a ZohoBooks,
        path: Vec<String>,
        parameters: Vec<(&'static str, String)>,
        keys: &'static [&'static str],
    ) -> Self {
        Self {
            books,
            path,
            parameters,
            keys,
            next: Some(1),
        }
    }

    /// Begins at `page` (from 1): a sweep goes on where a pause stopped it.
    #[must_use]
    pub fn starting_at(self, page: u32) -> Self {
        Self {
            next: Some(page.max(1)),
            ..self
        }
    }

    /// The page that comes next; `None` after the last.
    pub const fn next_number(&self) -> Option<u32> {
        self.next
    }

    /// The next page's records, at most 200; `None` after the last. After an error the same page can
    /// be asked for again.
    pub async fn next_page(&mut self) -> Result<Option<Answered<Vec<Value>>>, ZohoError> {
        let Some(page) = self.next else {
            return Ok(None);
        };
        if page > MAX_PAGES {
            return Err(ZohoError::garbage("a list without an end"));
        }
        let mut parameters = self.parameters.clone();
        parameters.push(("page", page.to_string()));
        parameters.push(("per_page", PER_PAGE.to_string()));
        let path: Vec<&str> = self.path.iter().map(String::as_str).collect();
        let answered = self.books.in_organization(&path, &parameters).await?;
        let (value, has_more) = records(answered.value, self.keys)?;
        // An empty page that promises more would never end.
        self.next = (has_more && !value.is_empty()).then_some(page + 1);
        Ok(Some(Answered {
            value,
            quota: answered.quota,
        }))
    }

    /// All remaining records, one call after the other; stops at the first error.
    pub async fn all(mut self) -> Result<Vec<Value>, ZohoError> {
        let mut all = Vec::new();
        while let Some(page) = self.next_page().await? {
            all.extend(page.value);
        }
        Ok(all)
    }
}

/// Where a kind of record lives, and the keys under which it comes.
struct Place {
    path: &'static str,
    record_keys: &'static [&'static str],
    list_keys: &'static [&'static str],
}

impl Place {
    const fn of(kind: DocumentKind) -> Self {
        macro_rules! place {
            ($path:literal, $record:expr, $list:expr) => {
                Self {
                    path: $path,
                    record_keys: $record,
                    list_keys: $list,
                }
            };
        }
        match kind {
            DocumentKind::Invoice => place!("invoices", &["invoice"], &["invoices"]),
            DocumentKind::Bill => place!("bills", &["bill"], &["bills"]),
            DocumentKind::PurchaseOrder => {
                place!("purchaseorders", &["purchaseorder"], &["purchaseorders"])
            }
            DocumentKind::Expense => place!("expenses", &["expense"], &["expenses"]),
            DocumentKind::VendorPayment => {
                place!("vendorpayments", &["vendorpayment"], &["vendorpayments"])
            }
            // The documentation and the API's naming elsewhere disagree on both keys.
            DocumentKind::CustomerPayment => place!(
                "customerpayments",
                &["payment", "customerpayment", "customer_payment"],
                &["customer_payments", "customerpayments"]
            ),
        }
    }
}

/// An id that may stand in a path: Zoho's are digits; anything that could leave its segment is refused.
fn checked_id(id: &str) -> Result<&str, ZohoError> {
    let is_plain = (1..=64).contains(&id.len())
        && id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if is_plain {
        Ok(id)
    } else {
        Err(ZohoError::bad_parameter("not an id of Zoho Books"))
    }
}

/// The records of a list and whether more pages follow. `page_context` is an object, in some replies
/// a list of one, in others absent: then there is no more.
fn records(mut body: Value, keys: &[&str]) -> Result<(Vec<Value>, bool), ZohoError> {
    let found = keys.iter().find_map(|key| match body.get_mut(*key) {
        Some(Value::Array(list)) => Some(std::mem::take(list)),
        _ => None,
    });
    let list = found.ok_or_else(|| ZohoError::garbage("the list is missing"))?;
    let context = match body.get("page_context") {
        Some(Value::Array(contexts)) => contexts.first(),
        context => context,
    };
    let has_more = context
        .and_then(|context| context.get("has_more_page"))
        .is_some_and(|more| more.as_bool() == Some(true) || more.as_str() == Some("true"));
    Ok((list, has_more))
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
