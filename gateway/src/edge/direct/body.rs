//! The body of a request: read whole into memory, within its bounds, and judged before the service is asked.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use pingora::{Error, ErrorType, Result};
use tokio::io::AsyncReadExt;
use tokio::time::{Instant, timeout_at};

use super::Way;
use crate::base::bounds;
use crate::edge::begun;
use crate::edge::body::too_slow;
use crate::pipeline::exchange::Exchange;
use crate::pipeline::mode::Refused;
use crate::stages::waf::decide::too_large;

/// A body that no rule wants to see is read whole up to this size, and streams through the framework above it.
const WHOLE_BYTES: u64 = 64 * 1024;

/// What is done with a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// The head was refused: nothing is read.
    Refused,
    /// There is none.
    Nothing,
    /// Read within this time, and shown to the rules where they want to see it.
    Read { within: Duration, shown: bool },
    /// Larger than the rules may see, in a profile that refuses such bodies.
    TooLarge { bound: usize },
}

impl Plan {
    /// `None`: it streams through the framework.
    pub(super) fn of(exchange: &Exchange, length: u64) -> Option<Plan> {
        if length == 0 {
            return Some(Plan::Nothing);
        }
        // An answer of our own needs no body.
        exchange.route()?.service.as_ref()?;
        let appetite = exchange.inspection.as_ref().and_then(|inspection| inspection.appetite());
        match appetite {
            Some(appetite) if length <= appetite.bytes as u64 => {
                Some(Plan::Read { within: appetite.timeout, shown: true })
            }
            Some(appetite) if appetite.reject => Some(Plan::TooLarge { bound: appetite.bytes }),
            None if length <= WHOLE_BYTES => {
                Some(Plan::Read { within: bounds::BODY_TIMEOUT, shown: false })
            }
            _ => None,
        }
    }
}

impl Way<'_> {
    /// Carries the plan out. Inner `Err`: refused, the ledger says why.
    pub(super) async fn take_body(&mut self, plan: Plan) -> Result<Result<(), Refused>> {
        let shown = match plan {
            Plan::Refused => return Ok(Err(Refused)),
            Plan::TooLarge { bound } => {
                return Ok(Err(self.begun.exchange.ledger.refuse(too_large(bound))));
            }
            Plan::Nothing => true,
            Plan::Read { within, shown } => {
                if let Err(refused) = self.read_body(within).await? {
                    return Ok(Err(refused));
                }
                shown
            }
        };
        let body = &self.body;
        Ok(begun::judge_body(
            &self.gateway.telemetry,
            &mut self.begun.exchange,
            |inspection| match (shown, body.is_empty()) {
                (_, true) => {}
                (true, _) => inspection.feed(body, true),
                (false, _) => inspection.skip_body(),
            },
        ))
    }

    pub(super) fn is_body_here(&self) -> bool {
        self.body.len() as u64 == self.length
    }

    async fn read_body(&mut self, within: Duration) -> Result<Result<(), Refused>> {
        if self.is_body_here() {
            return Ok(Ok(()));
        }
        // Its bound was checked against memory when the plan was made.
        let mut body = BytesMut::with_capacity(usize::try_from(self.length).unwrap_or(usize::MAX));
        body.extend_from_slice(&self.body);
        let end = Instant::now() + within;
        while (body.len() as u64) < self.length {
            let next = Instant::now() + bounds::BODY_READ_TIMEOUT;
            match timeout_at(end.min(next), self.client.read_buf(&mut body)).await {
                Ok(Ok(1..)) => {}
                Ok(_) => return Err(Error::new(ErrorType::ConnectionClosed).into_down()),
                Err(_) => {
                    let bound = if next < end { bounds::BODY_READ_TIMEOUT } else { within };
                    return Ok(Err(self.begun.exchange.ledger.refuse(too_slow(bound))));
                }
            }
        }
        self.body = Bytes::from(body);
        Ok(Ok(()))
    }
}
