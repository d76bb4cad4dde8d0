//! The direct way, which most requests go: over HTTP/1.1, with a body of declared length that is read whole before the
//! service is asked, or without one, to a service that speaks HTTP/1.1. One task from head to answer, without what the
//! framework needs for everything else.
//!
//! ```text
//! head ── judged ──┬─ refused
//!                  ├─ body ── judged ──┬─ refused, or answered here
//!                  │                   └─ service: idle connection or a new one ── answer ── client
//!                  └─ the framework: HTTP/2 services, answers that rules look at, bodies that stream
//! ```
//!
//! Connections to services, their TLS and the reading of answers are the framework's here too.

mod answer;
mod body;
mod head;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use pingora::protocols::Stream;
use pingora::protocols::http::v1::client::HttpSession as ServiceSession;
use pingora::{Error, ErrorType, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use self::body::Plan;
pub(super) use self::head::ClientHead;

use super::begun::{self, Begun};
use super::gateway::Gateway;
use super::h1::linger;
use super::peer::{self, Attempt, is_broken_transport, is_untouched};
use super::reply::Reply;
use super::{failure, matches};
use crate::pipeline;
use crate::pipeline::exchange::{Arrival, End, Exchange};
use crate::stages::upstream::is_idempotent;

/// A request whose body has a declared length, or none.
pub(super) struct Request<'a> {
    pub(super) head: &'a ClientHead,
    /// What came of the body with the head.
    pub(super) body: Bytes,
    /// How long the body is.
    pub(super) length: u64,
}

/// What became of a request.
pub(super) enum Passed {
    /// It is answered; the connection waits for the next.
    Kept,
    /// The connection ends.
    Ended,
    /// The stages agreed to its head, but only the framework can carry it. Nothing more was read of it.
    ToFramework(Begun),
}

/// Judges a request and answers it. After `last` the connection ends.
pub(super) async fn serve(
    gateway: &Gateway,
    client: &mut Stream,
    request: Request<'_>,
    arrival: Arrival,
    last: bool,
) -> Passed {
    let Request { head, body, length } = request;
    let mut begun = Begun::new(&gateway.live, arrival, &head.headers);
    let view = head.view(begun.exchange.snapshot.inspects);
    let judged = begun::judge_head(&gateway.telemetry, &mut begun.exchange, view).await;
    let plan = match judged {
        Ok(()) if needs_framework(&begun.exchange) => None,
        Ok(()) => Plan::of(&begun.exchange, length),
        Err(_refused) => Some(Plan::Refused),
    };
    let Some(plan) = plan else { return Passed::ToFramework(begun) };
    let keep = head.keeps_connection && !last;
    let mut way = Way { gateway, client, head, body, length, begun, keep, sent: Sent::default() };
    let ended = way.go(plan).await;
    way.finish(ended).await
}

fn needs_framework(exchange: &Exchange) -> bool {
    let service = exchange.route().and_then(|route| route.service.as_ref());
    service.is_some_and(|service| service.is_http2()) || pipeline::answer::is_watched(exchange)
}

/// One request on its way.
struct Way<'a> {
    gateway: &'a Gateway,
    client: &'a mut Stream,
    head: &'a ClientHead,
    /// What is here of the body, which is `length` bytes long.
    body: Bytes,
    length: u64,
    begun: Begun,
    /// The connection waits for another request after this one.
    keep: bool,
    sent: Sent,
}

/// What the client got.
#[derive(Default)]
struct Sent {
    /// 0: no answer.
    status: u16,
    body_bytes: u64,
    /// For the audit log, where there is one.
    fields: Option<HeaderMap>,
}

impl Way<'_> {
    async fn go(&mut self, plan: Plan) -> Result<()> {
        match self.take_body(plan).await? {
            Ok(()) => self.answer().await,
            Err(_refused) => self.refuse().await,
        }
    }

    /// Every stage has agreed.
    async fn answer(&mut self) -> Result<()> {
        let exchange = &mut self.begun.exchange;
        if let Some(respond) = exchange.route().and_then(|route| route.respond.clone()) {
            return self
                .reply(Reply::configured(&respond, &self.begun.exchange.answer_fields))
                .await;
        }
        pipeline::permit(exchange);
        let Err(error) = self.ask_services().await else { return Ok(()) };
        if self.sent.status == 0 && failure::is_answerable(&mut self.begun.exchange, &error) {
            self.refuse().await?;
        } else {
            self.keep = false;
        }
        Err(error)
    }

    /// Answers with the decisive finding.
    async fn refuse(&mut self) -> Result<()> {
        // The rest of a body is not read, so nothing after it on this connection can be.
        self.keep &= self.is_body_here();
        let exchange = &self.begun.exchange;
        let Some(finding) = exchange.ledger.decisive_finding() else { return Ok(()) };
        match Reply::problem(finding, exchange.trace.request_id().as_str()) {
            Some(reply) => self.reply(reply).await,
            None => {
                self.keep = false;
                matches::log(&self.gateway.telemetry, &mut self.begun.exchange, 0);
                Ok(())
            }
        }
    }

    async fn reply(&mut self, reply: Reply) -> Result<()> {
        self.sent.status = reply.status.as_u16();
        matches::log(&self.gateway.telemetry, &mut self.begun.exchange, self.sent.status);
        self.sent.body_bytes = reply.body.len() as u64;
        if self.begun.exchange.snapshot.audit_log.is_some() {
            self.sent.fields = Some(reply.headers.iter().cloned().collect());
        }
        let bytes = reply.into_bytes(self.keep);
        self.write(&bytes).await?;
        self.flush().await
    }

    /// One endpoint after the other, for as long as that is allowed.
    async fn ask_services(&mut self) -> Result<()> {
        let mut attempt = Attempt::choose(None, &mut self.begun.exchange)?;
        loop {
            let Err(error) = self.attempt(&mut attempt).await else { return Ok(()) };
            let connects = peer::is_connect(error.etype());
            if !(connects || is_broken_transport(&error)) || !self.is_untouched() {
                return Err(error);
            }
            // Without a connection nothing was sent, so any method may be tried elsewhere.
            let method = if connects { &http::Method::GET } else { &self.head.method };
            if !attempt.may_repeat(&self.begun.exchange, method) {
                return Err(error);
            }
            attempt = Attempt::choose(Some(attempt), &mut self.begun.exchange)?;
        }
    }

    fn is_untouched(&self) -> bool {
        self.sent.status == 0 && is_untouched(&self.begun.exchange)
    }

    async fn attempt(&mut self, attempt: &mut Attempt) -> Result<()> {
        let mut service = self.ask(attempt).await?;
        let Some(answered) = service.resp_header() else {
            return Err(Error::explain(ErrorType::InternalError, "no answer was read"));
        };
        attempt.answered(&mut self.begun.exchange, answered.status);
        self.relay(&mut service).await?;
        service.respect_keepalive();
        if let Some(stream) = service.reuse().await {
            self.gateway.idle.put(attempt.peer(), stream);
        }
        Ok(())
    }

    /// Sends the request and reads the head of its answer.
    async fn ask(&mut self, attempt: &mut Attempt) -> Result<ServiceSession> {
        if let Some(stream) = self.gateway.idle.take(attempt.peer()) {
            attempt.connected(&mut self.begun.exchange, true);
            match self.converse(stream, attempt).await {
                // The service closed it while the request was on its way, which says nothing about the service: what may
                // be done twice is done again, where it is (RFC 9112 §9.3.1).
                Err(error)
                    if is_broken_transport(&error)
                        && is_idempotent(&self.head.method)
                        && self.is_untouched() => {}
                answered => return answered,
            }
        }
        let stream = match self.gateway.idle.connect(attempt.peer()).await {
            Ok(stream) => stream,
            Err(error) => {
                attempt.refused();
                return Err(error.into_up());
            }
        };
        attempt.connected(&mut self.begun.exchange, false);
        self.converse(stream, attempt).await
    }

    async fn converse(&mut self, mut stream: Stream, attempt: &Attempt) -> Result<ServiceSession> {
        let within = attempt.peer().timeouts.response;
        let request = self.head.for_service(&self.begun)?;
        let write = async {
            stream.write_all(&request).await?;
            stream.write_all(&self.body).await?;
            stream.flush().await
        };
        match pingora::time::timeout(within, write).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                let error = Error::because(ErrorType::WriteError, "writing a request", error);
                return Err(error.into_up());
            }
            Err(_) => return Err(Error::new(ErrorType::WriteTimedout).into_up()),
        }
        let mut service = ServiceSession::new(stream);
        service.read_timeout = Some(within);
        loop {
            listening(self.client, service.read_response()).await?;
            let Some(head) = service.resp_header() else { continue };
            match head.status {
                // Nobody asked for another protocol.
                StatusCode::SWITCHING_PROTOCOLS => {
                    return Err(Error::new(ErrorType::InvalidHTTPHeader).into_up());
                }
                status if status.is_informational() => {
                    let bytes = answer::interim(status, &head.headers);
                    self.write(&bytes).await?;
                    self.flush().await?;
                }
                _ => return Ok(service),
            }
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.client.write_all(bytes).await.map_err(unwritten)
    }

    async fn flush(&mut self) -> Result<()> {
        self.client.flush().await.map_err(unwritten)
    }

    /// Makes the event, and ends the connection where nothing more can come over it.
    async fn finish(self, ended: Result<()>) -> Passed {
        let Begun { exchange, .. } = self.begun;
        let end = End {
            status: self.sent.status,
            bytes_in: self.body.len() as u64,
            bytes_out: self.sent.body_bytes,
            failed: ended.as_ref().err().map(|error| failure::outcome(error)),
        };
        let view = self.head.view(false);
        let telemetry = &self.gateway.telemetry;
        begun::finish(telemetry, exchange, Some(view), self.sent.fields.as_ref(), end);
        let gone = ended.is_err_and(|error| error.esource() == &pingora::ErrorSource::Downstream);
        if self.keep && !gone {
            return Passed::Kept;
        }
        if !gone && self.sent.status != 0 && (self.body.len() as u64) < self.length {
            // A close with unread bytes would be a reset, and the client would lose the answer.
            linger(self.client).await;
        } else {
            // What there is of an answer goes out before the connection ends; the client may be gone.
            let _ = self.client.shutdown().await;
        }
        Passed::Ended
    }
}

/// Waits for the service, and listens to the client meanwhile: when it leaves, nobody needs the answer.
async fn listening<T>(client: &mut Stream, wait: impl Future<Output = Result<T>>) -> Result<T> {
    let mut byte = [0; 1];
    tokio::select! {
        biased;
        done = wait => done.map_err(Error::into_up),
        // Ready only at the end: what comes before it belongs to the next request, and waits.
        _ = client.read(&mut byte) => Err(Error::new(ErrorType::ConnectionClosed).into_down()),
    }
}

fn unwritten(error: std::io::Error) -> Box<Error> {
    Error::because(ErrorType::WriteError, "writing an answer", error).into_down()
}

#[cfg(test)]
mod tests;
