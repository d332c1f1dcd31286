//! The web server: where it listens, and how it stops without breaking a request.
//!
//! actix's graceful stop drops what it accepted and did not begin yet: connections that wait for a
//! worker, and kept ones whose next request lies unread in the socket. And whoever waits in the
//! kernel's queue of a listening socket is reset when that is closed. So before actix is told to
//! stop, nothing may be left to drop:
//!
//! ```text
//! signal ──► tell ───────────► close the door ──► drain ──────────────► stop
//!            /readyz 503,      nobody new comes   each answer closes    actix ends its
//!            for STOP_DELAY    in (see below)     its connection        workers
//! ```
//!
//! A socket of our own is closed without a reset: first the kernel ignores new handshakes, so that
//! its queue can only become empty, then it is shut down. Who was ignored knocks again a second
//! later and finds whoever listens then. A socket that somebody else holds open (`LISTEN_FDS`) is
//! left as it is: who waits in its queue is the next process's.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::HttpServer;
use actix_web::dev::{Server, ServerHandle};
use actix_web::middleware::from_fn;
use actix_web::web::Data;
use anyhow::Context as _;
use listenfd::ListenFd;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::advised::Advised;
use crate::app::App;
use crate::config::Config;
use crate::config::web::TrustedProxies;
use crate::lifecycle::Lifecycle;
use crate::telemetry::Metrics;
use crate::web;
use crate::web::connections::{self, Connections};
use crate::web::intake::IntakeBudget;
use crate::web::middleware::{bodies, draining, request_id, security_headers};

/// How long handshakes may still be on their way when the kernel ignores new ones.
const HANDSHAKES: Duration = Duration::from_millis(200);
/// For so long nothing new must reach the workers before what was accepted counts as begun.
const QUIET: Duration = Duration::from_millis(250);
/// How long connections may take to end by themselves: longer than an unused one is kept (5 s).
const DRAIN: Duration = Duration::from_secs(6);
/// How long actix then waits for requests that still run. With the rest it stays below the grace.
const LAST_REQUESTS: u64 = 12;

/// The socket that whoever started us holds open, by systemd's protocol (`LISTEN_FDS`), if any.
pub fn inherited_socket() -> anyhow::Result<Option<TcpListener>> {
    let mut given = ListenFd::from_env();
    let advice = "hand over one TCP socket that listens; in a systemd .socket unit that is one \
                  line, like ListenStream=127.0.0.1:8080";
    match given.len() {
        0 => Ok(None),
        1 => given.take_tcp_listener(0).map_err(|source| {
            let what = "the socket handed over (LISTEN_FDS) cannot be used";
            Advised::new(what, advice).because(source).into()
        }),
        sockets => {
            let what = format!("{sockets} sockets were handed over (LISTEN_FDS), not one");
            Err(Advised::new(what, advice).into())
        }
    }
}

/// A socket that listens, and whose it is.
pub(super) struct Door {
    socket: TcpListener,
    pub(super) address: SocketAddr,
    is_inherited: bool,
}

impl Door {
    /// The inherited socket, or one of our own where the configuration says.
    pub(super) fn open(config: &Config, inherited: Option<TcpListener>) -> anyhow::Result<Self> {
        let is_inherited = inherited.is_some();
        let socket = match inherited {
            Some(socket) => socket,
            None => TcpListener::bind(config.web.bind).map_err(|source| {
                let what = format!("cannot listen on {}", config.web.bind);
                Advised::new(what, "stop what listens there, or set BIND or PORT").because(source)
            })?,
        };
        let address = socket
            .local_addr()
            .context("the address bound cannot be read")?;
        Ok(Self {
            socket,
            address,
            is_inherited,
        })
    }

    /// Lets in whoever has come to a socket of our own, and nobody after them.
    async fn close(&self, server: &ServerHandle) {
        if self.is_inherited {
            server.pause().await;
            return;
        }
        let ignored = own::ignore_handshakes(&self.socket);
        if let Err(error) = ignored {
            tracing::debug!(%error, "New connections cannot be held off while the queue empties");
        }
        tokio::time::sleep(HANDSHAKES).await;
        own::until_queue_is_empty(&self.socket).await;
        server.pause().await;
        // The thread that accepts has been told, but may not have obeyed yet.
        tokio::time::sleep(Duration::from_millis(20)).await;
        if let Err(error) = own::shut(&self.socket) {
            tracing::debug!(%error, "The listening socket cannot be shut down");
        }
    }
}

/// What can be done to a listening socket before it is closed.
#[cfg(target_os = "linux")]
mod own {
    use std::io;
    use std::net::{Shutdown, TcpListener};
    use std::time::Duration;

    use mio::{Events, Interest, Poll, Token};
    use socket2::{SockFilter, SockRef};

    /// Classic BPF on TCP segments that come to the socket: a first SYN is dropped, and whoever sent
    /// it sends it again after a second. What completes a handshake that has begun passes.
    const NO_SYN: [SockFilter; 5] = [
        SockFilter::new(0x30, 0, 0, 13),   // load the byte with the flags
        SockFilter::new(0x54, 0, 0, 0x12), // keep SYN and ACK
        SockFilter::new(0x15, 0, 1, 0x02), // SYN alone?
        SockFilter::new(0x06, 0, 0, 0),    // drop
        SockFilter::new(0x06, 0, 0, u32::MAX),
    ];

    pub(super) fn ignore_handshakes(socket: &TcpListener) -> io::Result<()> {
        SockRef::from(socket).attach_filter(&NO_SYN)
    }

    /// Whoever is in the queue is accepted by the server's own thread; this only looks.
    pub(super) async fn until_queue_is_empty(socket: &TcpListener) {
        for _ in 0..100 {
            if !is_somebody_queued(socket).unwrap_or(false) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Asked anew each time: only a new registration tells of what is there already.
    fn is_somebody_queued(socket: &TcpListener) -> io::Result<bool> {
        let mut poll = Poll::new()?;
        let mut queue = mio::net::TcpListener::from_std(socket.try_clone()?);
        let token = Token(0);
        poll.registry()
            .register(&mut queue, token, Interest::READABLE)?;
        let mut events = Events::with_capacity(1);
        poll.poll(&mut events, Some(Duration::ZERO))?;
        Ok(!events.is_empty())
    }

    pub(super) fn shut(socket: &TcpListener) -> io::Result<()> {
        SockRef::from(socket).shutdown(Shutdown::Read)
    }
}

/// Elsewhere a connection that comes in these milliseconds may be reset.
#[cfg(not(target_os = "linux"))]
mod own {
    use std::io;
    use std::net::TcpListener;

    pub(super) fn ignore_handshakes(_: &TcpListener) -> io::Result<()> {
        Ok(())
    }

    pub(super) async fn until_queue_is_empty(_: &TcpListener) {}

    pub(super) fn shut(_: &TcpListener) -> io::Result<()> {
        Ok(())
    }
}

/// The connections that workers have begun with.
#[derive(Debug, Clone, Default)]
struct OpenConnections(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    begun: AtomicUsize,
    open: AtomicUsize,
    one_ended: Notify,
}

/// One of them, for as long as it is open.
struct Open(OpenConnections);

impl OpenConnections {
    fn begin(&self) -> Open {
        self.0.begun.fetch_add(1, Ordering::Relaxed);
        self.0.open.fetch_add(1, Ordering::Relaxed);
        Open(self.clone())
    }

    fn open(&self) -> usize {
        self.0.open.load(Ordering::Relaxed)
    }

    /// Waits until no worker has been given another for a while: none waits for one any more.
    async fn quiet(&self) {
        let mut before = self.0.begun.load(Ordering::Relaxed);
        loop {
            tokio::time::sleep(QUIET).await;
            let now = self.0.begun.load(Ordering::Relaxed);
            if now == before {
                return;
            }
            before = now;
        }
    }

    /// Waits until the last one has ended.
    async fn ended(&self) {
        loop {
            let one_ended = self.0.one_ended.notified();
            if self.open() == 0 {
                return;
            }
            one_ended.await;
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let counts = &self.0.0;
        counts.open.fetch_sub(1, Ordering::Relaxed);
        counts.one_ended.notify_waiters();
    }
}

/// Serves from now on, until the process is told to stop.
pub(super) fn start(
    config: &Config,
    app: &App,
    door: Door,
    metrics: Option<Metrics>,
    new_instance: web::areas::NewInstance,
    life: &Lifecycle,
) -> anyhow::Result<()> {
    let connections = OpenConnections::default();
    let socket = door.socket.try_clone();
    let socket = socket.context("the listening socket cannot be shared")?;
    let server = server(
        config,
        app,
        socket,
        Parts {
            metrics,
            new_instance,
            draining: draining::Draining::when(life.soft().clone()),
            connections: connections.clone(),
        },
    )?;
    let handle = server.handle();
    let hurry = life.hard().clone();
    drop(life.spawn("web", async move {
        tokio::select! {
            ended = server => ended,
            // Dropped while it runs, it ends at once.
            () = hurry.cancelled() => Ok(()),
        }
    }));
    let (life_of_it, delay) = (life.clone(), config.stop_delay());
    drop(life.spawn("web stop", async move {
        life_of_it.soft().cancelled().await;
        tokio::select! {
            () = life_of_it.hard().cancelled() => {}
            () = stop(&handle, &door, &connections, delay) => {}
        }
    }));
    Ok(())
}

async fn stop(server: &ServerHandle, door: &Door, connections: &OpenConnections, delay: Duration) {
    let began = Instant::now();
    tokio::time::sleep(delay).await;
    door.close(server).await;
    connections.quiet().await;
    // Ended below the limit: those left are unused or still being answered, which actix minds.
    if tokio::time::timeout(DRAIN, connections.ended())
        .await
        .is_err()
    {
        let open = connections.open();
        tracing::info!("{open} connections are still open; the unused are closed");
    }
    server.stop(true).await;
    tracing::info!(took_ms = began.elapsed().as_millis(), "No longer serving");
}

/// What a server is made of, beside the app.
struct Parts {
    metrics: Option<Metrics>,
    new_instance: web::areas::NewInstance,
    draining: draining::Draining,
    connections: OpenConnections,
}

fn server(
    config: &Config,
    app: &App,
    listener: TcpListener,
    parts: Parts,
) -> anyhow::Result<Server> {
    let app = Data::new(app.clone());
    let new_instance = Data::new(parts.new_instance);
    let draining = Data::new(parts.draining);
    let headers = Data::new(security_headers::SecurityHeaders::new(app.public_url()));
    let proxies: Data<TrustedProxies> = Data::new(config.web.trusted_proxies.clone());
    let budget = Data::new(IntakeBudget::default());
    let metrics = parts.metrics.map(Data::new);
    let open = parts.connections;
    let met = Connections::new(config.web.trusted_proxies.clone());
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    let server = HttpServer::new(move || {
        let mut service = actix_web::App::new()
            .app_data(app.clone())
            .app_data(new_instance.clone())
            .app_data(draining.clone())
            .app_data(headers.clone())
            .app_data(proxies.clone())
            .app_data(budget.clone());
        if let Some(metrics) = &metrics {
            service = service.app_data(metrics.clone());
        }
        service
            .wrap(from_fn(bodies::hold))
            .wrap(from_fn(security_headers::put))
            .wrap(from_fn(draining::close_connections))
            .wrap(from_fn(request_id::give))
            .configure(web::routes)
    })
    .on_connect(move |stream, kept| {
        met.meet(stream, kept);
        kept.insert(open.begin());
    })
    .workers(workers)
    .max_connections(connections::MOST.div_ceil(workers))
    .shutdown_timeout(LAST_REQUESTS)
    .client_request_timeout(Duration::from_secs(10))
    .disable_signals()
    .listen(listener)?
    .run();
    Ok(server)
}
