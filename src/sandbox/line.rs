//! The wire under a request, so that a fault can cut it.
//!
//! An error from a handler, or from a body stream, still writes a status line first. To drop a
//! connection before any byte, each accepted socket is kept a second time beside its connection
//! and shut down from there: the client sees the end of the stream instead of an answer.

use std::any::Any;
use std::net::{Shutdown, TcpStream};

use actix_web::dev::Extensions;
use actix_web::{HttpRequest, HttpResponse, rt};

/// A second handle on the socket of one connection.
struct Line(TcpStream);

/// Keeps the socket of a new connection; for `HttpServer::on_connect`.
pub(super) fn keep(connection: &dyn Any, data: &mut Extensions) {
    if let Some(stream) = connection.downcast_ref::<rt::net::TcpStream>()
        && let Ok(second) = duplicate(stream)
    {
        data.insert(Line(second));
    }
}

/// Cuts the connection of `request`. The answer returned is for the framework, which cannot
/// write it any more.
pub(super) fn cut(request: &HttpRequest) -> HttpResponse {
    if let Some(Line(stream)) = request.conn_data::<Line>() {
        // Already closed by the client is as good as cut.
        let _ = stream.shutdown(Shutdown::Both);
    }
    HttpResponse::InternalServerError().force_close().finish()
}

#[cfg(unix)]
fn duplicate(stream: &rt::net::TcpStream) -> std::io::Result<TcpStream> {
    use std::os::fd::AsFd as _;
    stream.as_fd().try_clone_to_owned().map(TcpStream::from)
}

#[cfg(windows)]
fn duplicate(stream: &rt::net::TcpStream) -> std::io::Result<TcpStream> {
    use std::os::windows::io::AsSocket as _;
    stream.as_socket().try_clone_to_owned().map(TcpStream::from)
}
