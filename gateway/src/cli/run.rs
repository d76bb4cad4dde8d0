//! `yett run`: read, compile, bind, serve, drain.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use waf_rules::FileStamp;

use super::control::GatewayControl;
use super::{CONFIG, ProcessArgs, SYSTEM, install_log};
use crate::base::clock::Now;
use crate::config::files;
use crate::config::live::Live;
use crate::config::reload::{Accepted, Host, Reloader, Source, accept};
use crate::config::snapshot::Snapshot;
use crate::edge::gateway::Gateway;
use crate::edge::handover::{Inheritance, Offer};
use crate::edge::server::{
    ServeAdmin, Server, access_log, adopt_state, audit_log, inherit, waf_log,
};
use crate::pipeline::trial;
use crate::state::State;
use crate::state::endpoints::{health, resolve};
use crate::state::keys::fetch::HttpFetch;
use crate::telemetry::Telemetry;

/// How often the configuration's and certificates' files are looked at.
const WATCH_INTERVAL: Duration = Duration::from_secs(2);
/// How long a thread for work that blocks waits for more. The allocator gives memory back to the system when a thread ends,
/// as far as it has been free for a second: shorter than [`WATCH_INTERVAL`], so that a thread ends after every look
/// at the files, and what a reload took is not kept by a gateway that has nothing to do.
const BLOCKING_KEEP_ALIVE: Duration = Duration::from_secs(1);
/// How long a successor waits for the keys of issuers before it takes requests.
const KEYS_DEADLINE: Duration = Duration::from_secs(5);
/// How long the end waits for the access log to be written.
const FLUSH_DEADLINE: Duration = Duration::from_secs(5);

/// Serves until told to stop. `serving` is called once listeners accept.
pub(super) fn run(source: Source, args: &ProcessArgs, serving: impl FnOnce()) -> ExitCode {
    install_log(args.log);
    let state = match HttpFetch::new() {
        Ok(fetch) => State::new(Arc::new(fetch), Now::read()),
        Err(error) => return system_error(&format!("TLS for key sets: {error}")),
    };
    let accepted = match accept(&source, &state, trial::tests, 1) {
        Ok(accepted) => accepted,
        Err(report) => {
            eprintln!("{report}");
            return ExitCode::from(CONFIG);
        }
    };
    if !accepted.warnings.is_empty() {
        eprintln!("{}", accepted.warnings);
    }
    let workers = args
        .workers
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
        .max(1);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .thread_name("yett")
        .thread_keep_alive(BLOCKING_KEEP_ALIVE)
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return system_error(&format!("worker threads: {error}")),
    };
    match runtime.block_on(serve(source, accepted, state, args, workers, serving)) {
        Ok(()) => {
            // Tasks that are left belong to clients that outstayed the grace period.
            runtime.shutdown_timeout(Duration::from_millis(100));
            ExitCode::SUCCESS
        }
        Err(error) => system_error(&error),
    }
}

fn system_error(error: &str) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::from(SYSTEM)
}

async fn serve(
    source: Source,
    accepted: Accepted,
    state: Arc<State>,
    args: &ProcessArgs,
    workers: usize,
    serving: impl FnOnce(),
) -> Result<(), String> {
    let mut signals = Signals::install()?;
    let telemetry = Telemetry::start(access_log(&accepted.snapshot), waf_log(&accepted.snapshot))?;
    telemetry.configure_audit(audit_log(&accepted.snapshot))?;
    let telemetry = Arc::new(telemetry);
    let live = Arc::new(Live::new(accepted.snapshot.clone()));
    let gateway = Gateway::new(live.clone(), telemetry.clone(), workers);
    let offer = bind_offer(args.handover.as_deref())?;
    let mut inheritance = claim(args.handover.as_deref())?;
    let inherited =
        inheritance.as_mut().map(|inheritance| std::mem::take(&mut inheritance.listeners));
    let server = Server::new(gateway, inherited.unwrap_or_default());
    let reloader = Arc::new(Reloader::new(
        source.clone(),
        &accepted,
        live.clone(),
        trial::tests,
        server.clone(),
    ));
    let control = Arc::new(GatewayControl::new(live.clone(), server.clone(), reloader.clone()));
    telemetry.metrics().ask(control.clone());
    server.serve_admin(serve_admin(control, telemetry.clone()));

    let first = accepted.snapshot.clone();
    drop(accepted);
    server.prepare_all(&first).await?;
    start_state(&state, &first, inheritance.is_some()).await;
    server.adopt(&first);
    server.close_unclaimed();
    if let Some(inheritance) = inheritance {
        inheritance.ready().map_err(|error| format!("handover: {error}"))?;
    }
    let succeeded = offer.map(|offer| await_successor(offer, &server)).transpose()?;
    watch_files(&source, &live, &reloader);
    log::info!(target: "yett", "serving generation {}", first.generation);
    // The first generation ends with the first reload, and not with the process.
    drop(first);
    serving();
    let end = signals.wait(&reloader, &telemetry, succeeded).await;
    if end == End::Told {
        server.announce_end();
        tokio::time::sleep(args.drain_delay).await;
    }
    log::info!(target: "yett", "draining for at most {} ms", args.grace.as_millis());
    if !server.drain(args.grace).await {
        log::warn!(target: "yett", "grace period is over, connections are cut");
    }
    telemetry.flush(FLUSH_DEADLINE);
    Ok(())
}

fn serve_admin(control: Arc<GatewayControl>, telemetry: Arc<Telemetry>) -> ServeAdmin {
    Box::new(move |socket, plan, stop| {
        let serve = crate::admin::serve(
            socket,
            plan.token.clone(),
            control.clone(),
            telemetry.clone(),
            stop,
        );
        tokio::spawn(async move {
            if let Err(error) = serve.await {
                log::error!(target: "yett", "admin listener: {error}");
            }
        });
    })
}

/// Background work of what outlives snapshots. A successor has keys before it takes requests: its predecessor has them,
/// and serves meanwhile.
async fn start_state(state: &Arc<State>, snapshot: &Snapshot, succeeds: bool) {
    let keys = state.clone();
    tokio::spawn(async move { keys.keys.run().await });
    let lookup: Arc<dyn resolve::Lookup> = Arc::new(resolve::SystemLookup);
    tokio::spawn(resolve::run(state.endpoints.clone(), lookup));
    tokio::spawn(health::run(state.endpoints.clone(), Now::read().unix_us));
    if succeeds {
        adopt_state(snapshot, &Handle::current());
        if !state.keys.loaded(KEYS_DEADLINE).await {
            log::warn!(target: "yett", "taking over without the keys of every issuer");
        }
    }
}

fn bind_offer(path: Option<&Path>) -> Result<Option<Offer>, String> {
    let Some(path) = path else { return Ok(None) };
    let offer = Offer::bind(path);
    offer.map(Some).map_err(|error| format!("handover over {}: {error}", path.display()))
}

fn claim(path: Option<&Path>) -> Result<Option<Inheritance>, String> {
    let Some(path) = path else { return Ok(None) };
    let inheritance =
        inherit(path).map_err(|error| format!("handover over {}: {error}", path.display()))?;
    if inheritance.is_some() {
        log::info!(target: "yett", "taking the listeners over from {}", path.display());
    }
    Ok(inheritance)
}

/// Offers the listeners to successors. Resolves when one has taken them.
fn await_successor(offer: Offer, server: &Arc<Server>) -> Result<oneshot::Receiver<()>, String> {
    let (taken, wait) = oneshot::channel();
    let door = match offer.publish() {
        Ok(door) => door,
        Err(error) => {
            // We serve already, and a predecessor does not any more: better no successor than nobody.
            log::error!(target: "yett", "no handover to a successor: {error}");
            return Ok(wait);
        }
    };
    let server = server.clone();
    // A thread of its own: it waits for successors all its life.
    std::thread::Builder::new()
        .name("yett-handover".into())
        .spawn(move || {
            server.hand_over(&door);
            let _ = taken.send(());
        })
        .map_err(|error| format!("handover thread: {error}"))?;
    Ok(wait)
}

/// Reloads what changed on disk: mounts that swap links send no signal.
fn watch_files(source: &Source, live: &Arc<Live>, reloader: &Arc<Reloader>) {
    let (source, live, reloader) = (source.clone(), live.clone(), reloader.clone());
    let runtime = Handle::current();
    runtime.spawn(async move {
        let mut seen = Seen { configuration: stamp(&source), ..Seen::default() };
        let mut ticks = tokio::time::interval(WATCH_INTERVAL);
        loop {
            ticks.tick().await;
            let (source, live, reloader, before) =
                (source.clone(), live.clone(), reloader.clone(), seen.clone());
            let looked =
                tokio::task::spawn_blocking(move || before.look(&source, &live, &reloader));
            if let Ok(now) = looked.await {
                seen = now;
            }
        }
    });
}

/// What the files looked like.
#[derive(Clone, Default)]
struct Seen {
    configuration: Option<files::Stamp>,
    /// Files of rules that are not what was loaded. They are read once they have stopped changing, because a part of a rule
    /// file is a rule file as well.
    changed: RuleFiles,
    /// Those that were tried like this: a file that is refused is not read again before it changes.
    tried: RuleFiles,
}

type RuleFiles = BTreeMap<PathBuf, FileStamp>;

impl Seen {
    /// Reloads what is worth it.
    fn look(mut self, source: &Source, live: &Live, reloader: &Reloader) -> Seen {
        refresh_certificates(live);
        let configuration = stamp(source);
        if configuration != self.configuration {
            reloader.reload_if_changed();
            self.configuration = configuration;
        }
        let changed = changed_rules(&live.load());
        if !changed.is_empty() && changed == self.changed && changed != self.tried {
            log::info!(target: "yett", "rule files changed");
            // What is wrong with them is logged where it is found.
            let _ = reloader.reload();
            self.tried = changed.clone();
        }
        Seen { changed, ..self }
    }
}

fn changed_rules(snapshot: &Snapshot) -> RuleFiles {
    let plans = snapshot.routes.iter().filter_map(|route| route.waf.as_ref());
    // Thousands of routes share a few rule sets.
    let rulesets: BTreeMap<&str, &RuleFiles> = plans
        .chain(&snapshot.watch)
        .map(|plan| plan.profile.ruleset())
        .map(|ruleset| (ruleset.version(), ruleset.files()))
        .collect();
    let looked = |(path, loaded): (&PathBuf, &FileStamp)| {
        let now = FileStamp::of(path);
        (now != *loaded).then(|| (path.clone(), now))
    };
    rulesets.into_values().flatten().filter_map(looked).collect()
}

fn stamp(source: &Source) -> Option<files::Stamp> {
    match source {
        Source::Path(path) => files::stamp(path).ok(),
        Source::Embedded { .. } => None,
    }
}

fn refresh_certificates(live: &Live) {
    for plan in live.load().listeners.values() {
        let Some(tls) = &plan.tls else { continue };
        match tls.certificates.refresh() {
            Ok(true) => log::info!(target: "yett", "listener `{}` has new certificates", plan.name),
            Ok(false) => {}
            Err(error) => {
                log::error!(target: "yett", "listener `{}` keeps its certificates: {error}", plan.name);
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Told,
    /// A successor accepts already.
    Succeeded,
}

struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn install() -> Result<Signals, String> {
        let listen = |kind| signal(kind).map_err(|error| format!("signals: {error}"));
        Ok(Signals {
            hangup: listen(SignalKind::hangup())?,
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    /// Serves SIGHUP until the end.
    async fn wait(
        &mut self,
        reloader: &Arc<Reloader>,
        telemetry: &Telemetry,
        succeeded: Option<oneshot::Receiver<()>>,
    ) -> End {
        let succeeded = async {
            let taken = match succeeded {
                Some(wait) => wait.await.is_ok(),
                None => false,
            };
            if !taken {
                std::future::pending::<()>().await;
            }
        };
        tokio::pin!(succeeded);
        loop {
            tokio::select! {
                () = &mut succeeded => return End::Succeeded,
                _ = self.terminate.recv() => return End::Told,
                _ = self.interrupt.recv() => return End::Told,
                _ = self.hangup.recv() => {
                    telemetry.reopen();
                    let reloader = reloader.clone();
                    // Refusals are logged where they happen.
                    let _ = tokio::task::spawn_blocking(move || reloader.reload()).await;
                }
            }
        }
    }
}
