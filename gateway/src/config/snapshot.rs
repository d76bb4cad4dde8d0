//! All plans of one configuration generation: immutable, behind one pointer. Every name is resolved; a request
//! follows references and looks nothing up.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use super::document::{AccessLogSection, AuditLogSection, RespondSection, WafLogSection};
use super::listener_plan::ListenerPlan;
use super::redact::Written;
use crate::base::decision::Mode;
use crate::base::subject::SubjectHasher;
use crate::stages::identity::IssuerPlan;
use crate::stages::identity::forward::Forward;
use crate::stages::ratelimit::plan::RouteLimits;
use crate::stages::route::RouteTable;
use crate::stages::screen::ScreenPlan;
use crate::stages::upstream::ServicePlan;
use crate::stages::{identity, normalise, policy, waf};
use crate::state::State;
use crate::state::counters::store::StoreTarget;

/// One generation.
#[derive(Debug)]
pub struct Snapshot {
    /// Counts up from 1.
    pub generation: u64,
    /// For operators to look at; nothing is decided by it.
    pub written: Written,
    pub access_log: AccessLogSection,
    pub waf_log: Option<WafLogSection>,
    pub audit_log: Option<AuditLogSection>,
    pub state: Arc<State>,
    pub listeners: BTreeMap<Arc<str>, Arc<ListenerPlan>>,
    pub admin: Option<AdminPlan>,
    pub store: Option<StoreTarget>,
    pub subjects: SubjectHasher,
    pub issuers: Vec<Arc<IssuerPlan>>,
    pub screen: ScreenPlan,
    pub table: RouteTable,
    pub routes: Box<[RoutePlan]>,
    pub services: BTreeMap<String, Arc<ServicePlan>>,
    /// Rules look at some requests: then heads are kept as they were sent.
    pub inspects: bool,
    /// The default profile, where matches are logged: its rules also look at requests that are refused at the door.
    pub watch: Option<Arc<waf::plan::Plan>>,
}

/// The operators' own listener.
#[derive(Clone, PartialEq, Eq)]
pub struct AdminPlan {
    pub bind: SocketAddr,
    pub token: Arc<str>,
}

impl std::fmt::Debug for AdminPlan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AdminPlan").field("bind", &self.bind).finish_non_exhaustive()
    }
}

/// One route with everything that guards it.
#[derive(Debug)]
pub struct RoutePlan {
    pub id: Arc<str>,
    /// Dense index in the generation, for metrics.
    pub slot: u32,
    pub normalise: normalise::plan::Plan,
    pub screen: Option<ScreenPlan>,
    pub limits: RouteLimits,
    /// `None` for a public route.
    pub identity: Option<identity::Plan>,
    pub auth_mode: Mode,
    pub policy: policy::Plan,
    pub waf: Option<Arc<waf::plan::Plan>>,
    pub forward: Forward,
    /// Exactly one of `service` and `respond`.
    pub service: Option<Arc<ServicePlan>>,
    pub respond: Option<Arc<RespondSection>>,
}

impl Snapshot {
    pub fn listener(&self, name: &str) -> Option<&Arc<ListenerPlan>> {
        self.listeners.get(name)
    }

    /// The route that a decision of this snapshot's table names.
    pub fn route(&self, index: u32) -> &RoutePlan {
        &self.routes[index as usize]
    }
}
