//! The least proxy that the framework allows: one upstream, no hook of its own. What Yett adds is measured against it.
//!
//! It is an example of the package, so that it is built with the profile, the dependencies and the allocator of `yett`.
//!
//! ```text
//! bare_proxy LISTEN UPSTREAM      e.g. bare_proxy 127.0.0.1:8081 127.0.0.1:3000
//! ```

use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;

use async_trait::async_trait;
use pingora::prelude::HttpPeer;
use pingora::proxy::{ProxyHttp, Session, http_proxy_service};
use pingora::server::Server;
use pingora::server::configuration::ServerConf;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Idle upstream connections that are kept; more than the load has connections, so that none is opened anew.
const UPSTREAM_POOL: usize = 1024;

struct Bare {
    upstream: SocketAddr,
}

#[async_trait]
impl ProxyHttp for Bare {
    type CTX = ();

    fn new_ctx(&self) -> Self::CTX {}

    async fn upstream_peer(&self, _: &mut Session, _: &mut ()) -> pingora::Result<Box<HttpPeer>> {
        Ok(Box::new(HttpPeer::new(self.upstream, false, String::new())))
    }
}

fn main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}; usage: bare_proxy LISTEN UPSTREAM");
            ExitCode::from(2)
        }
    }
}

fn serve() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let mut address = |name: &str| -> Result<SocketAddr, Box<dyn Error>> {
        let text = args.next().ok_or_else(|| format!("{name} is missing"))?;
        text.parse().map_err(|_| format!("{name} `{text}` is not ADDRESS:PORT").into())
    };
    let (listen, upstream) = (address("LISTEN")?, address("UPSTREAM")?);
    // One thread, as `yett run --workers 1`; both are pinned to one core.
    let conf = ServerConf {
        threads: 1,
        upstream_keepalive_pool_size: UPSTREAM_POOL,
        ..Default::default()
    };
    let mut server = Server::new_with_opt_and_conf(None, conf);
    server.bootstrap();
    let mut proxy = http_proxy_service(&server.configuration, Bare { upstream });
    proxy.add_tcp(&listen.to_string());
    server.add_service(proxy);
    server.run_forever()
}
