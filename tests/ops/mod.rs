//! What operators do while clients are served: reload, upgrade, stop, lose a store, an issuer, a service. And what
//! clients do that wear a gateway out.

mod connections;
mod handover;
mod http2;
mod keys;
mod load;
mod memory;
mod pipelining;
mod process;
mod reload;
mod shutdown;
mod slow;
mod store;
mod upstream;
