//! The addresses that others call: webhooks of Zoho Books, and what providers of messages report. A provider
//! has a file of its own, which says where it posts and what it asks to be answered.

mod answers;
mod reports;
mod twilio;
mod zoho;

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::web::ServiceConfig;

pub use self::zoho::{ZOHO, is_of_zoho};
use crate::app::AppError;
use crate::app::StoreError;

/// How long a body may take to arrive.
const BODY_WITHIN: Duration = Duration::from_secs(10);

/// How long the hook itself may be looked for.
const FIND_WITHIN: Duration = Duration::from_secs(2);

/// How long a request that has arrived may take to be stored or refused: whoever posts hears within 10 s,
/// whatever the database does.
const STORE_WITHIN: Duration = Duration::from_millis(7_500);

/// The addresses that providers call.
pub fn routes(config: &mut ServiceConfig) {
    config.service(zoho::routes()).service(twilio::routes());
}

/// What has not ended in time may still be stored, which its repeat will find.
async fn in_time<T>(
    span: Duration,
    done: impl Future<Output = Result<T, AppError>>,
) -> Result<T, AppError> {
    tokio::time::timeout(span, done)
        .await
        .unwrap_or(Err(AppError::Store(StoreError::Late)))
}

fn header_text(request: &HttpRequest, name: &str) -> Option<String> {
    request
        .headers()
        .get(name)
        .map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned())
}

/// Text from outside, short and printable.
fn bounded(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(100).collect()
}
