//! What happens around every request.
//!
//! An error of an inner layer reaches the outer ones as `Err`, not as an answer: headers that must
//! stand on every answer are therefore put on both.

pub mod bodies;
pub mod draining;
pub mod request_id;
pub mod security_headers;

use actix_web::Error;
use actix_web::dev::{ResponseHead, ServiceResponse};
use actix_web::error::InternalError;

/// Lets `dress` change the head of an answer, also of one that is still an error.
fn on_every_answer<B>(
    result: Result<ServiceResponse<B>, Error>,
    dress: impl FnOnce(&mut ResponseHead),
) -> Result<ServiceResponse<B>, Error> {
    match result {
        Ok(mut answer) => {
            dress(answer.response_mut().head_mut());
            Ok(answer)
        }
        Err(error) => {
            let mut answer = error.error_response();
            dress(answer.head_mut());
            Err(InternalError::from_response(error, answer).into())
        }
    }
}
