mod breaker;
mod contract;
mod loss;
pub(crate) mod server;
mod target;
