//! The framework's hooks, each a few lines: what happens is decided in `pipeline` and `stages`, here it is carried out.

use std::any::Any;
use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::StatusCode;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::modules::http::HttpModules;
use pingora::protocols::Digest;
use pingora::protocols::http::ServerSession;
use pingora::proxy::{FailToProxy, ProxyHttp, ProxyWarnLogContext, Session};
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorType, Result};

use super::begun::{self, Begun};
use super::body::{self, Held};
use super::peer::{self, Attempt};
use super::reply::Reply;
use super::watched::Back;
use super::{answer, failure, fields, matches};
use crate::base::raw::RawHead;
use crate::config::live::Live;
use crate::pipeline;
use crate::pipeline::exchange::{Arrival, End, Exchange, Head};
use crate::pipeline::mode::Refused;
use crate::telemetry::Telemetry;
use crate::telemetry::trace::Trace;

tokio::task_local! {
    /// Hands an HTTP/2 request's arrival to [`ProxyHttp::new_ctx`], which takes no argument. HTTP/1 has a place for it
    /// in the framework's session, and is spared the cost.
    pub(super) static ARRIVAL: Cell<Option<Arrival>>;
}

/// The framework's view of us.
pub(super) struct Proxy {
    live: Arc<Live>,
    telemetry: Arc<Telemetry>,
}

/// What a request of HTTP/1 brings from the door.
pub(super) enum Brought {
    Arrival(Arrival),
    /// The stages have agreed to its head already.
    Judged(Begun),
}

/// State of one request between hooks.
#[derive(Default)]
pub(super) struct Context {
    brought: Option<Box<Brought>>,
    /// The stages have agreed to the head.
    judged: bool,
    /// `None` only until the first hook has run.
    pub(super) exchange: Option<Box<Exchange>>,
    trace: Option<Trace>,
    pub(super) held: Held,
    /// Set while something stands in the place of the client's session: where that comes back to.
    pub(super) watched: Option<Back>,
    /// Bytes of an answer that its session did not count.
    pub(super) uncounted_bytes: u64,
    /// Boxed: the framework moves this state around by value.
    pub(super) attempt: Option<Box<Attempt>>,
}

impl Context {
    pub(super) fn exchange(&mut self) -> Result<&mut Exchange> {
        // The first hook makes it; without it the request is not ours and must not go on.
        self.exchange.as_deref_mut().ok_or_else(|| Error::new(ErrorType::InternalError))
    }

    fn exchange_and_trace(&self) -> Result<(&Exchange, &Trace)> {
        let both = self.exchange.as_deref().zip(self.trace.as_ref());
        both.ok_or_else(|| Error::new(ErrorType::InternalError))
    }
}

impl Proxy {
    pub(super) fn new(live: Arc<Live>, telemetry: Arc<Telemetry>) -> Proxy {
        Proxy { live, telemetry }
    }

    /// Runs the pipeline for head and body. `Err`: refused, the ledger says why.
    async fn decide(
        &self,
        session: &mut Session,
        context: &mut Context,
    ) -> Result<Result<(), Refused>> {
        if !context.judged {
            let exchange = context.exchange()?;
            let raw = if exchange.snapshot.inspects { raw_head(session) } else { Bytes::new() };
            let head = Head { raw: RawHead::new(&raw), ..head(session) };
            if let Err(refused) = begun::judge_head(&self.telemetry, exchange, head).await {
                return Ok(Err(refused));
            }
        }
        if let Err(refused) = body::read(&self.telemetry, session, context).await? {
            return Ok(Err(refused));
        }
        pipeline::permit(context.exchange()?);
        Ok(Ok(()))
    }

    /// Answers with the decisive finding.
    async fn refuse(&self, session: &mut Session, context: &mut Context) -> Result<()> {
        let exchange = context.exchange()?;
        let Some(finding) = exchange.ledger.decisive_finding() else { return Ok(()) };
        let reply = Reply::problem(finding, exchange.trace.request_id().as_str());
        let status = reply.as_ref().map_or(0, |reply| reply.status.as_u16());
        matches::log(&self.telemetry, exchange, status);
        let Some(reply) = reply else {
            session.set_keepalive(None);
            session.as_downstream_mut().shutdown().await;
            return Ok(());
        };
        let head_only = session.req_header().method == http::Method::HEAD;
        if !session.as_downstream_mut().is_body_done() {
            // The rest of the body is not read, so nothing after it on this connection can be.
            session.set_keepalive(None);
        }
        reply.write(session, head_only).await?;
        if session.is_http2() && !session.as_downstream_mut().is_body_done() {
            // A reset would overtake the answer: the client gets a moment to finish.
            let drain = session.as_downstream_mut().drain_request_body();
            let _ = tokio::time::timeout(Duration::from_secs(2), drain).await;
        }
        Ok(())
    }
}

/// The head as stages see it.
pub(super) fn head(session: &Session) -> Head<'_> {
    let header = session.req_header();
    Head {
        method: &header.method,
        headers: &header.headers,
        version: header.version,
        target: header.raw_path(),
        authority: header.uri.authority().map(http::uri::Authority::as_str),
        raw: RawHead::default(),
    }
}

/// The head of HTTP/1 as we read it, but for its line where that was rewritten. Not a copy.
fn raw_head(session: &Session) -> Bytes {
    match session.as_downstream() {
        ServerSession::H1(session) => session.get_headers_raw_bytes(),
        _ => Bytes::new(),
    }
}

#[async_trait]
impl ProxyHttp for Proxy {
    type CTX = Context;

    fn new_ctx(&self) -> Context {
        let arrival = ARRIVAL.try_with(Cell::take).ok().flatten();
        let brought = arrival.map(|arrival| Box::new(Brought::Arrival(arrival)));
        Context { brought, ..Context::default() }
    }

    fn on_connection_reuse(
        &self,
        _: &mut Session,
        context: &mut Context,
        brought: Box<dyn Any + Send + Sync>,
    ) {
        context.brought = brought.downcast().ok();
    }

    /// None: answers pass as the service made them.
    fn init_downstream_modules(&self, _: &mut HttpModules) {}

    async fn early_request_filter(
        &self,
        session: &mut Session,
        context: &mut Context,
    ) -> Result<()> {
        let brought = context.brought.take();
        let begun = match *brought.ok_or_else(|| Error::new(ErrorType::InternalError))? {
            Brought::Arrival(arrival) => {
                Begun::new(&self.live, arrival, &session.req_header().headers)
            }
            Brought::Judged(begun) => {
                context.judged = true;
                begun
            }
        };
        context.trace = Some(begun.trace);
        context.exchange = Some(begun.exchange);
        fields::forget_spelling(session.req_header_mut());
        session.set_read_timeout(Some(crate::base::bounds::BODY_READ_TIMEOUT));
        if session.is_http2() {
            // HTTP/1 has it in its stream, for heads and flushes too.
            session.set_write_timeout(Some(crate::base::bounds::WRITE_TIMEOUT));
        }
        session.set_total_drain_timeout(Some(crate::base::bounds::DRAIN_TIMEOUT));
        Ok(())
    }

    async fn request_filter(&self, session: &mut Session, context: &mut Context) -> Result<bool> {
        if let Err(Refused) = self.decide(session, context).await? {
            self.refuse(session, context).await?;
            return Ok(true);
        }
        let exchange = context.exchange()?;
        let Some(respond) = exchange.route().and_then(|route| route.respond.clone()) else {
            return Ok(false);
        };
        let reply = Reply::configured(&respond, &exchange.answer_fields);
        matches::log(&self.telemetry, exchange, reply.status.as_u16());
        let head_only = session.req_header().method == http::Method::HEAD;
        reply.write(session, head_only).await?;
        Ok(true)
    }

    async fn request_body_filter(
        &self,
        session: &mut Session,
        chunk: &mut Option<Bytes>,
        end: bool,
        context: &mut Context,
    ) -> Result<()> {
        // Waiting here would end an upgraded connection: the framework takes the empty body of the upgrade request
        // for its end when it arrives late.
        if session.is_upgrade_req() {
            return Ok(());
        }
        body::forward(&self.telemetry, chunk, end, context)
    }

    async fn upstream_peer(
        &self,
        session: &mut Session,
        context: &mut Context,
    ) -> Result<Box<HttpPeer>> {
        peer::choose(session, context)
    }

    async fn connected_to_upstream(
        &self,
        _: &mut Session,
        reused: bool,
        _: &HttpPeer,
        _: std::os::unix::io::RawFd,
        _: Option<&Digest>,
        context: &mut Context,
    ) -> Result<()> {
        peer::connected(context, reused);
        Ok(())
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        request: &mut RequestHeader,
        context: &mut Context,
    ) -> Result<()> {
        answer::await_body(session, context);
        let (exchange, trace) = context.exchange_and_trace()?;
        fields::to_upstream(request, exchange, trace)
    }

    async fn response_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        context: &mut Context,
    ) -> Result<()> {
        if response.status == StatusCode::SWITCHING_PROTOCOLS && !session.is_upgrade_req() {
            // Nobody asked for another protocol: what follows would be taken for answers.
            return Err(Error::new(ErrorType::InvalidHTTPHeader).into_up());
        }
        peer::answered(context, response.status);
        answer::begin(&self.telemetry, session, response, context)?;
        let (exchange, trace) = context.exchange_and_trace()?;
        fields::to_client(response, exchange, trace);
        Ok(())
    }

    fn response_body_filter(
        &self,
        session: &mut Session,
        _: &mut Option<Bytes>,
        end: bool,
        context: &mut Context,
    ) -> Result<Option<Duration>> {
        if end {
            matches::log(&self.telemetry, context.exchange()?, answered(session));
        }
        Ok(None)
    }

    fn fail_to_connect(
        &self,
        session: &mut Session,
        _: &HttpPeer,
        context: &mut Context,
        error: Box<Error>,
    ) -> Box<Error> {
        peer::refused(session, context, error)
    }

    fn error_while_proxy(
        &self,
        _: &HttpPeer,
        session: &mut Session,
        error: Box<Error>,
        context: &mut Context,
        reused: bool,
    ) -> Box<Error> {
        answer::restore(&self.telemetry, session, context);
        peer::broke(session, context, error, reused)
    }

    async fn fail_to_proxy(
        &self,
        session: &mut Session,
        error: &Error,
        context: &mut Context,
    ) -> FailToProxy {
        answer::restore(&self.telemetry, session, context);
        if is_unanswered(session)
            && let Some(exchange) = context.exchange.as_deref_mut()
        {
            if !failure::is_answerable(exchange, error) {
                return FailToProxy { error_code: 0, can_reuse_downstream: false };
            }
            // The framework ends the connection after this: the client should read so.
            session.set_keepalive(None);
            // The client may be gone by now; the event is made all the same.
            let _ = self.refuse(session, context).await;
        } else if !session.is_http2() {
            // An answer that breaks off: what there is of it goes out before the connection ends.
            session.as_downstream_mut().shutdown().await;
        }
        let status = answered(session);
        FailToProxy { error_code: status, can_reuse_downstream: false }
    }

    async fn logging(&self, session: &mut Session, error: Option<&Error>, context: &mut Context) {
        answer::restore(&self.telemetry, session, context);
        let Some(exchange) = context.exchange.take() else { return };
        let end = End {
            status: answered(session),
            bytes_in: session.body_bytes_read() as u64,
            bytes_out: session.body_bytes_sent() as u64 + context.uncounted_bytes,
            failed: error.map(failure::outcome),
        };
        let answer = session.response_written().map(|response| &response.headers);
        begun::finish(&self.telemetry, exchange, Some(head(session)), answer, end);
    }

    /// The event says it; a line per failed request would let clients fill the disk.
    fn suppress_error_log(&self, _: &Session, _: &Context, _: &Error) -> bool {
        true
    }

    fn suppress_proxy_warn_log(
        &self,
        _: &Session,
        _: &Context,
        _: &Error,
        _: ProxyWarnLogContext,
    ) -> bool {
        true
    }
}

/// The client still waits for the answer; an interim one such as `100 Continue` is none (RFC 9110 §15.2).
pub(super) fn is_unanswered(session: &Session) -> bool {
    answered(session) == 0
}

/// Status of the answer that the client got; 0: none.
fn answered(session: &Session) -> u16 {
    let status = session.response_written().map(|response| response.status);
    let interim = |status: &StatusCode| {
        status.is_informational() && *status != StatusCode::SWITCHING_PROTOCOLS
    };
    status.filter(|status| !interim(status)).map_or(0, |status| status.as_u16())
}
