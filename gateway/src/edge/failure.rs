//! What a failure between client and service means: a finding to answer with, an outcome for the event.

use pingora::{Error, ErrorSource, ErrorType};

use super::peer;
use crate::base::code::Code;
use crate::base::decision::Finding;
use crate::base::event::Outcome;
use crate::pipeline::exchange::Exchange;
use crate::stages::normalise::chunks::Broken;

/// Whether the client is there to be answered. Then the ledger says with what: the finding that ended the exchange, or
/// one that this failure stands for.
pub(super) fn is_answerable(exchange: &mut Exchange, error: &Error) -> bool {
    if exchange.ledger.decisive().is_some() {
        return true;
    }
    let Some(code) = finding(error) else { return false };
    exchange.ledger.refuse(Finding::new(code, text(error)));
    true
}

/// How an exchange ended that no finding explains.
pub(super) fn outcome(error: &Error) -> Outcome {
    match error.esource() {
        ErrorSource::Downstream => Outcome::ClientGone,
        ErrorSource::Upstream => Outcome::UpstreamError,
        _ => Outcome::Error,
    }
}

/// The finding that a failure stands for; `None` when the client is gone.
fn finding(error: &Error) -> Option<Code> {
    use ErrorType::{ConnectTimedout, ReadTimedout, TLSHandshakeTimedout, WriteTimedout};
    match (error.esource(), error.etype()) {
        (ErrorSource::Downstream, ReadTimedout) => Some(Code::WafBodyTimeout),
        (ErrorSource::Downstream, ErrorType::InvalidHTTPHeader | ErrorType::Custom(_)) => {
            Some(Code::NormaliseFraming)
        }
        (ErrorSource::Downstream, _) => is_broken(error).then_some(Code::NormaliseFraming),
        (_, ConnectTimedout | ReadTimedout | WriteTimedout | TLSHandshakeTimedout) => {
            Some(Code::UpstreamTimeout)
        }
        (ErrorSource::Upstream, etype) if peer::is_connect(etype) => Some(Code::UpstreamConnect),
        (ErrorSource::Upstream, _) => Some(Code::UpstreamBroken),
        _ => Some(Code::EdgePanic),
    }
}

/// The client sent chunks that can be read in more than one way.
fn is_broken(error: &Error) -> bool {
    let cause = error.root_cause().downcast_ref::<std::io::Error>();
    cause.and_then(std::io::Error::get_ref).is_some_and(|inner| inner.is::<Broken>())
}

/// Type and cause, without what the client or the service sent.
fn text(error: &Error) -> String {
    format!("{}: {}", error.esource().as_str(), error.etype().as_str())
}
