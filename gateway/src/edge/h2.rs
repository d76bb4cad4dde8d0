//! HTTP/2: the framework's codec, our accept loop. Streams share the connection's facts; each is one exchange.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pingora::apps::HttpServerApp;
use pingora::protocols::http::ServerSession;
use pingora::protocols::http::v2::server::{H2Accept, HttpSession, default_h2_options, handshake};
use pingora::protocols::{Digest, Stream};
use tokio::sync::Notify;

use super::gateway::Gateway;
use super::listener::Stop;
use super::proxy::ARRIVAL;
use crate::base::clock::Now;
use crate::base::code::Code;
use crate::base::decision::Finding;
use crate::pipeline;
use crate::pipeline::exchange::{Arrival, Connection, End};
use crate::telemetry::trace::Trace;

/// Malformed streams on one connection before it is closed.
const MALFORMED_STREAMS: usize = 32;

/// How long a client may take to leave, after its last stream, once it was told to.
const FAREWELL: Duration = Duration::from_secs(5);

/// Serves streams until the connection ends; once the listener stops, open streams are the last.
pub(super) async fn serve(
    stream: Stream,
    connection: Arc<Connection>,
    gateway: &Arc<Gateway>,
    stop: &Stop,
) {
    let digest = Arc::new(Digest {
        ssl_digest: stream.get_ssl_digest(),
        timing_digest: Vec::new(),
        proxy_digest: None,
        socket_digest: stream.get_socket_digest(),
    });
    let bounds = &connection.listener.bounds;
    let mut options = default_h2_options();
    options.max_concurrent_streams(bounds.http2_streams);
    options.max_header_list_size(u32::try_from(bounds.head.0).unwrap_or(u32::MAX));
    let preface = tokio::time::timeout(bounds.head_timeout.0, handshake(stream, Some(options)));
    let Ok(Ok(mut h2)) = preface.await else { return };
    let open = Arc::new(Open::default());
    let mut stop = stop.clone();
    let mut goaway = false;
    let mut malformed = 0;
    loop {
        let accepted = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop), if !goaway => None,
            accepted = HttpSession::from_h2_conn(&mut h2, digest.clone()) => Some(accepted),
            () = open.idle(if goaway { FAREWELL } else { bounds.idle_timeout.0 }) => None,
        };
        let Some(accepted) = accepted else {
            if goaway {
                return;
            }
            // A stream may be on its way: GOAWAY lets its client know whether it arrived (RFC 9113 §6.8).
            h2.graceful_shutdown();
            goaway = true;
            continue;
        };
        match accepted {
            Ok(Some(H2Accept::Session(session))) => {
                spawn(session, &connection, gateway, stop.clone(), Guard::new(&open));
            }
            Ok(Some(H2Accept::Rejected)) => {
                record_rejected(&connection, gateway);
                malformed += 1;
                if malformed >= MALFORMED_STREAMS {
                    return;
                }
            }
            Ok(None) | Err(_) => return,
        }
    }
}

fn spawn(
    session: HttpSession,
    connection: &Arc<Connection>,
    gateway: &Arc<Gateway>,
    stop: Stop,
    guard: Guard,
) {
    let arrival = arrival(connection);
    let gateway = gateway.clone();
    tokio::spawn(async move {
        let _guard = guard;
        let session = ServerSession::new_http2(session);
        let exchange = gateway.proxy.process_new_http(session, &stop);
        ARRIVAL.scope(std::cell::Cell::new(Some(arrival)), exchange).await;
    });
}

/// The codec has answered or reset a stream whose head can be read in more than one way, and does not say what was in it.
fn record_rejected(connection: &Arc<Connection>, gateway: &Gateway) {
    let evidence = "stream rejected by the codec: control bytes in :path, lengths that differ, or no one authority";
    let finding = Finding::new(Code::NormaliseHeader, evidence);
    let trace = Trace::of(&http::HeaderMap::new(), false);
    let exchange =
        pipeline::rejected(gateway.live.load(), arrival(connection), trace.context, finding);
    gateway.telemetry.record(exchange.finish(None, End::default()));
}

fn arrival(connection: &Arc<Connection>) -> Arrival {
    Arrival { connection: connection.clone(), now: Now::read(), canonical: None, raw_target: None }
}

/// Open streams of a connection.
#[derive(Default)]
struct Open {
    count: AtomicUsize,
    none: Notify,
}

impl Open {
    /// Resolves once no stream has been open for `time`. Any accepted stream cancels it: the loop asks anew.
    async fn idle(&self, time: Duration) {
        while self.count.load(Ordering::Acquire) != 0 {
            self.none.notified().await;
        }
        tokio::time::sleep(time).await;
    }
}

struct Guard(Arc<Open>);

impl Guard {
    fn new(open: &Arc<Open>) -> Guard {
        open.count.fetch_add(1, Ordering::AcqRel);
        Guard(open.clone())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.none.notify_one();
        }
    }
}
