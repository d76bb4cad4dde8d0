//! `GET /events`: the last events as JSON, or, for `Accept: text/event-stream`, those that come, as they come
//! (WHATWG HTML §9.2). `Last-Event-ID` resumes while the event is still kept.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::ACCEPT;
use http::{HeaderMap, Request, StatusCode};
use hyper::body::Incoming;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::super::reply::{Problem, Reply, problem, stream, whole};
use super::super::server::{Admin, STREAMS, stopped};
use crate::telemetry::Recorded;

pub(super) const PATH: &str = "/events";

/// Events shown when the request names no number.
const SHOWN: usize = 100;
const SHOWN_MAX: usize = 1000;
/// Pieces that wait for a slow client. What it misses beyond is reported to it as lost.
const QUEUE: usize = 16;
/// Below the idle time-outs of proxies and browsers.
const HEARTBEAT: Duration = Duration::from_secs(15);

pub(super) fn get(admin: &Admin, request: &Request<Incoming>) -> Result<Reply, Problem> {
    if wants_stream(request.headers()) {
        return open(admin, request.headers());
    }
    let shown = shown(request.uri().query())?;
    let mut body = String::from("{\"events\":[");
    for (position, recorded) in admin.telemetry.feed().recent(shown).iter().enumerate() {
        if position > 0 {
            body.push(',');
        }
        body.push_str(&recorded.line());
    }
    body.push_str("]}");
    Ok(whole(StatusCode::OK, "application/json", body))
}

fn wants_stream(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|media| {
        media.split(';').next().unwrap_or("").trim().eq_ignore_ascii_case("text/event-stream")
    })
}

fn shown(query: Option<&str>) -> Result<usize, Problem> {
    let Some(query) = query else { return Ok(SHOWN) };
    let number = query.strip_prefix("last=").and_then(|number| number.parse().ok());
    number.filter(|number| (1..=SHOWN_MAX).contains(number)).ok_or_else(|| {
        problem(StatusCode::BAD_REQUEST, format!("query is not last=1 to last={SHOWN_MAX}"))
    })
}

fn open(admin: &Admin, headers: &HeaderMap) -> Result<Reply, Problem> {
    let place = admin.streams.clone().try_acquire_owned().map_err(|_| {
        problem(StatusCode::SERVICE_UNAVAILABLE, format!("event streams bound {STREAMS}"))
    })?;
    let after = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let (missed, receiver) = admin.telemetry.feed().watch(after);
    let (pieces, body) = mpsc::channel(QUEUE);
    let tail = Tail { pieces, receiver, shutdown: admin.shutdown.clone(), _place: place };
    tokio::spawn(tail.run(missed));
    Ok(stream("text/event-stream", body))
}

/// One client of the stream. It ends when the client goes, when it stops reading for too long (its connection
/// is closed), or when the process stops.
struct Tail {
    pieces: mpsc::Sender<Bytes>,
    receiver: Receiver<Arc<Recorded>>,
    shutdown: watch::Receiver<bool>,
    _place: OwnedSemaphorePermit,
}

impl Tail {
    async fn run(mut self, missed: Vec<Arc<Recorded>>) {
        let mut heartbeat = interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for recorded in missed {
            if self.send(message(&recorded)).await.is_none() {
                return;
            }
        }
        while let Some(piece) = self.next(&mut heartbeat).await {
            if self.send(piece).await.is_none() {
                return;
            }
        }
    }

    async fn next(&mut self, heartbeat: &mut Interval) -> Option<Bytes> {
        tokio::select! {
            () = stopped(&mut self.shutdown) => None,
            () = self.pieces.closed() => None,
            _ = heartbeat.tick() => Some(Bytes::from_static(b":\n\n")),
            received = self.receiver.recv() => match received {
                Ok(recorded) => Some(message(&recorded)),
                Err(RecvError::Lagged(lost)) => {
                    Some(format!("event: lost\ndata: {{\"lost\":{lost}}}\n\n").into())
                }
                Err(RecvError::Closed) => None,
            },
        }
    }

    async fn send(&mut self, piece: Bytes) -> Option<()> {
        tokio::select! {
            () = stopped(&mut self.shutdown) => None,
            sent = self.pieces.send(piece) => sent.ok(),
        }
    }
}

/// A line of JSON holds no line break, so it is one `data` field.
fn message(recorded: &Recorded) -> Bytes {
    format!("id: {}\ndata: {}\n\n", recorded.sequence, recorded.line()).into()
}
