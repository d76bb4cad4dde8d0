//! What every connection of this process shares.

use std::sync::Arc;
use std::time::Duration;

use pingora::proxy::{HttpProxy, http_proxy};
use pingora::server::configuration::ServerConf;
use pingora::time::fast_timeout::set_fast_timeout_to_tokio_threshold;

use super::idle::Idle;
use super::proxy::Proxy;
use crate::config::live::Live;
use crate::telemetry::Telemetry;

/// Connections to services that are kept, per worker thread.
const POOL_SIZE: usize = 512;

/// The running gateway, shared by all listeners.
pub struct Gateway {
    pub live: Arc<Live>,
    pub telemetry: Arc<Telemetry>,
    pub(super) proxy: Arc<HttpProxy<Proxy>>,
    pub(super) idle: Arc<Idle>,
}

impl Gateway {
    pub fn new(live: Arc<Live>, telemetry: Arc<Telemetry>, workers: usize) -> Arc<Gateway> {
        let conf = ServerConf {
            threads: workers,
            upstream_keepalive_pool_size: POOL_SIZE,
            // The stage decides about retries; this is only the framework's own ceiling.
            max_retries: 8,
            ..ServerConf::default()
        };
        // The framework's own timers stay in a tree until they would have fired, used or not. Tokio's go when dropped.
        set_fast_timeout_to_tokio_threshold(Some(Duration::ZERO));
        let app = Proxy::new(live.clone(), telemetry.clone());
        let conf = Arc::new(conf);
        let proxy = Arc::new(http_proxy(&conf, app));
        let idle = Idle::new(&conf);
        tokio::spawn(Idle::sweep(Arc::downgrade(&idle)));
        Arc::new(Gateway { live, telemetry, proxy, idle })
    }
}
