//! What happens to every body, whoever reads it or does not.
//!
//! A body that its handler left unread is not read for nobody: it is kept until the answer is sent, and
//! actix then closes the connection. Dropped sooner, actix would read a chunked one to its end, however
//! long it is. And bodies that no hook answers for take their room here, so that no handler can forget it.

use std::cell::RefCell;
use std::error::Error as StdError;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::http::{StatusCode, header};
use actix_web::middleware::Next;
use actix_web::web::{Bytes, Data};
use actix_web::{Error, HttpMessage as _, HttpResponse};
use askama::Template as _;
use futures::{Stream, StreamExt as _};

use super::request_id::RequestId;
use crate::web::RETRY_AFTER;
use crate::web::areas::error_page::ErrorPage;
use crate::web::extract::client_addr::ClientAddr;
use crate::web::hooks;
use crate::web::intake::{IntakeBudget, Room};
use crate::web::problem::Problem;

/// The middleware: `App::wrap(from_fn(bodies::hold))`, wrapped first.
pub async fn hold<B: MessageBody + 'static>(
    budget: Data<IntakeBudget>,
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let payload = request.take_payload();
    if matches!(payload, Payload::None) {
        request.set_payload(payload);
        return Ok(next.call(request).await?.map_into_boxed_body());
    }
    // Only the handler knows whose hook it is.
    let is_webhook = hooks::is_of_zoho(request.path());
    let room = (!is_webhook).then(|| budget.of_client(ClientAddr::of(request.request()).0));
    let announced = announced_length(&request);
    let is_crowded = match (&room, announced) {
        (Some(room), Some(length)) => !room.is_there_for(length),
        _ => false,
    };
    let incoming = Incoming(Rc::new(RefCell::new(Held {
        payload,
        room,
        arrived: 0,
        is_read: false,
        is_crowded,
    })));
    if is_crowded {
        let busy = busy(&request);
        return Ok(incoming.kept_until_sent(request.into_response(busy)));
    }
    request.set_payload(Payload::Stream {
        payload: Box::pin(incoming.clone()),
    });
    let mut answer = next.call(request).await?.map_into_boxed_body();
    if incoming.is_crowded() {
        let busy = busy_at(answer.request().path(), RequestId::of(answer.request()));
        answer = answer.into_response(busy);
    }
    Ok(incoming.kept_until_sent(answer))
}

/// A body on its way to its handler.
#[derive(Clone)]
struct Incoming(Rc<RefCell<Held>>);

struct Held {
    payload: Payload,
    /// None where the handler takes it.
    room: Option<Room>,
    arrived: usize,
    /// To its end.
    is_read: bool,
    /// It found no room.
    is_crowded: bool,
}

impl Incoming {
    fn is_crowded(&self) -> bool {
        self.0.borrow().is_crowded
    }

    /// What was read is used by now; what was not read must not be dropped yet.
    fn kept_until_sent(self, answer: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
        if let Some(room) = &mut self.0.borrow_mut().room {
            room.give_back();
        }
        if self.0.borrow().is_read {
            return answer;
        }
        let keep = |body| {
            BoxBody::new(Answer {
                body,
                _unread: self,
            })
        };
        answer.map_body(|_, body| keep(body))
    }
}

impl Stream for Incoming {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let held = &mut *self.0.borrow_mut();
        if held.is_crowded {
            return Poll::Ready(None);
        }
        let next = held.payload.poll_next_unpin(cx);
        held.is_read |= matches!(next, Poll::Ready(None));
        if let Poll::Ready(Some(Ok(chunk))) = &next {
            held.arrived += chunk.len();
            let arrived = held.arrived;
            if let Some(room) = &mut held.room
                && room.grow_to(arrived).is_err()
            {
                held.is_crowded = true;
                return Poll::Ready(Some(Err(PayloadError::Overflow)));
            }
        }
        next
    }
}

/// An answer, and the body that it answers.
struct Answer {
    body: BoxBody,
    _unread: Incoming,
}

impl MessageBody for Answer {
    type Error = Box<dyn StdError>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_next(cx)
    }
}

fn announced_length(request: &ServiceRequest) -> Option<usize> {
    let length = request.headers().get(header::CONTENT_LENGTH)?;
    length.to_str().ok()?.trim().parse().ok()
}

fn busy(request: &ServiceRequest) -> HttpResponse {
    busy_at(request.path(), RequestId::of(request.request()))
}

/// In the form that the address speaks.
fn busy_at(path: &str, id: Option<RequestId>) -> HttpResponse {
    if path.starts_with("/hooks/") || path.starts_with("/api/") {
        return Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "busy",
            "Too many requests at once",
            "More arrives than there is room for at the moment. Nothing was stored; send it again",
        )
        .with_retry_after(RETRY_AFTER)
        .into_response();
    }
    let id = id.map_or_else(String::new, |id| id.to_string());
    let page = ErrorPage::busy(id);
    let mut answer = HttpResponse::ServiceUnavailable();
    answer.insert_header((header::RETRY_AFTER, RETRY_AFTER.as_secs()));
    match page.render() {
        Ok(html) => answer.content_type("text/html; charset=utf-8").body(html),
        Err(_) => answer.finish(),
    }
}
