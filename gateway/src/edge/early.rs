//! The beginning of an answer that goes out before its end is here, written so that a dropped future loses no byte.
//!
//! HTTP/1 of the framework has a queue for this. Its HTTP/2 has none: a dropped write loses what it had not sent. There the
//! stream itself is taken over, with a queue of our own.

use std::collections::VecDeque;
use std::future::poll_fn;

use bytes::Bytes;
use h2::SendStream;
use http::HeaderMap;
use pingora::protocols::http::{HttpTask, ServerSession};
use pingora::{Error, ErrorType, OrErr, Result};

use crate::base::bounds;

/// What was let go, on its way.
pub(super) enum Early {
    Http1,
    Http2(Stream),
}

/// An HTTP/2 stream's body.
pub(super) struct Stream {
    writer: SendStream<Bytes>,
    queue: VecDeque<Bytes>,
    sent: u64,
}

impl Early {
    /// Takes the head and what there is of the body.
    pub(super) fn begin(session: &mut ServerSession, tasks: Vec<HttpTask>) -> Result<Early> {
        match session {
            ServerSession::H1(session) => {
                tasks.into_iter().for_each(|task| session.send_proxy_task(task));
                Ok(Early::Http1)
            }
            ServerSession::H2(session) => {
                let mut queue = VecDeque::new();
                for task in tasks {
                    match task {
                        HttpTask::Header(head, end) => session.write_response_header(head, end)?,
                        HttpTask::Body(Some(data), _) => queue.push_back(data),
                        _ => {}
                    }
                }
                let writer = session.take_response_body_writer();
                let writer = writer.ok_or_else(|| Error::new(ErrorType::InternalError))?;
                Ok(Early::Http2(Stream { writer, queue, sent: 0 }))
            }
            _ => Err(Error::new(ErrorType::InternalError)),
        }
    }

    /// Sends what waits. May be dropped and called again.
    pub(super) async fn flush(&mut self, session: &mut ServerSession) -> Result<()> {
        match (self, session) {
            (Early::Http1, ServerSession::H1(session)) if session.has_pending_proxy_tasks() => {
                session.write_proxy_tasks().await.map(drop)
            }
            (Early::Http2(stream), _) => stream.drain().await,
            _ => Ok(()),
        }
    }

    /// Listens to the client as its session does. May be dropped and called again.
    pub(super) async fn listen(
        &mut self,
        session: &mut ServerSession,
        no_body_expected: bool,
    ) -> Result<Option<Bytes>> {
        match self {
            // The session has given its stream away: it cannot tell any more when the client leaves.
            Early::Http2(stream) if no_body_expected || session.is_body_done() => {
                Err(stream.closed().await)
            }
            _ => session.read_body_or_idle(no_body_expected).await,
        }
    }

    /// Sends what waits and what comes now. True: that was the end. Not to be dropped.
    pub(super) async fn write(
        &mut self,
        session: &mut ServerSession,
        tasks: Vec<HttpTask>,
    ) -> Result<bool> {
        self.flush(session).await?;
        match self {
            Early::Http1 => session.response_duplex_vec(tasks).await,
            Early::Http2(stream) => {
                let written = tokio::time::timeout(bounds::WRITE_TIMEOUT, stream.write(tasks));
                let late =
                    |_| Error::explain(ErrorType::WriteTimedout, "writing an answer").into_down();
                written.await.map_err(late)?
            }
        }
    }

    /// Bytes of the body that the session does not know of.
    pub(super) fn uncounted(&self) -> u64 {
        match self {
            Early::Http1 => 0,
            Early::Http2(stream) => stream.sent,
        }
    }
}

impl Stream {
    async fn write(&mut self, tasks: Vec<HttpTask>) -> Result<bool> {
        let mut end = false;
        let mut trailers = None;
        for task in tasks {
            end |= task.is_end();
            match task {
                HttpTask::Body(Some(data), _) => self.queue.push_back(data),
                HttpTask::Trailer(found) => trailers = found,
                HttpTask::Failed(error) => return Err(error),
                _ => {}
            }
        }
        self.drain().await?;
        if end {
            self.end(trailers)?;
        }
        Ok(end)
    }

    /// Resolves when the client gives the stream up.
    async fn closed(&mut self) -> Box<Error> {
        let reason = poll_fn(|cx| self.writer.poll_reset(cx)).await;
        let text = reason.map_or_else(|error| error.to_string(), |reason| reason.to_string());
        Error::explain(ErrorType::H2Error, text).into_down()
    }

    /// What was handed over is off the queue before the next wait.
    async fn drain(&mut self) -> Result<()> {
        while let Some(front) = self.queue.front_mut() {
            if front.is_empty() {
                self.queue.pop_front();
                continue;
            }
            self.writer.reserve_capacity(front.len());
            let mut room = self.writer.capacity();
            if room == 0 {
                let polled = poll_fn(|cx| self.writer.poll_capacity(cx)).await;
                let closed = || {
                    Error::explain(ErrorType::H2Error, "the client closed the stream").into_down()
                };
                room = polled
                    .ok_or_else(closed)?
                    .or_err(ErrorType::H2Error, "waiting for room")
                    .map_err(|error| error.into_down())?;
            }
            let part = front.split_to(room.min(front.len()));
            self.sent += part.len() as u64;
            self.send(part, false)?;
        }
        Ok(())
    }

    fn end(&mut self, trailers: Option<Box<HeaderMap>>) -> Result<()> {
        let Some(trailers) = trailers else { return self.send(Bytes::new(), true) };
        let sent = self.writer.send_trailers(*trailers);
        sent.or_err(ErrorType::WriteError, "writing trailers").map_err(|error| error.into_down())
    }

    fn send(&mut self, data: Bytes, end: bool) -> Result<()> {
        let sent = self.writer.send_data(data, end);
        sent.or_err(ErrorType::WriteError, "writing an answer").map_err(|error| error.into_down())
    }
}
