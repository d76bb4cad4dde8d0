//! The admin listener follows the configuration: a reload may move it, change its token or end it.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;

use super::control::GatewayControl;
use crate::config::snapshot::AdminPlan;
use crate::edge::server::Server;
use crate::telemetry::Telemetry;

/// Starts and stops the admin listener.
pub(super) struct Operators {
    server: Arc<Server>,
    control: Arc<GatewayControl>,
    telemetry: Arc<Telemetry>,
    running: Mutex<Option<Running>>,
}

struct Running {
    plan: AdminPlan,
    stop: watch::Sender<bool>,
}

impl Operators {
    pub(super) fn new(
        server: Arc<Server>,
        control: Arc<GatewayControl>,
        telemetry: Arc<Telemetry>,
    ) -> Operators {
        Operators { server, control, telemetry, running: Mutex::new(None) }
    }

    /// Makes the admin listener what the configuration wants. Errors leave none running.
    pub(super) fn follow(&self, wanted: Option<&AdminPlan>) -> Result<(), String> {
        let mut running = self.running.lock();
        if running.as_ref().map(|one| &one.plan) == wanted {
            return Ok(());
        }
        if let Some(old) = running.take() {
            old.stop.send_replace(true);
        }
        let Some(plan) = wanted else {
            self.server.close_admin();
            return Ok(());
        };
        let socket = self
            .server
            .bind_admin(plan.bind)
            .map_err(|error| format!("admin listener cannot bind {}: {error}", plan.bind))?;
        if let Ok(address) = socket.local_addr() {
            log::info!(target: "yett", "admin listener on {address}");
        }
        let (stop, stopped) = watch::channel(false);
        let serve = crate::admin::serve(
            socket,
            plan.token.clone(),
            self.control.clone(),
            self.telemetry.clone(),
            stopped,
        );
        tokio::spawn(async move {
            if let Err(error) = serve.await {
                log::error!(target: "yett", "admin listener: {error}");
            }
        });
        *running = Some(Running { plan: plan.clone(), stop });
        Ok(())
    }
}
