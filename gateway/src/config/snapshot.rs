//! All plans of one configuration generation: immutable, behind one pointer. Every name is resolved; a request
//! follows references and looks nothing up.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::document::{Document, RespondSection};
use super::listener_plan::ListenerPlan;
use crate::base::decision::Mode;
use crate::stages::identity::forward::ForwardPlan;
use crate::stages::ratelimit::plan::RouteLimits;
use crate::stages::route::plan::RouteTable;
use crate::stages::screen::plan::ScreenPlan;
use crate::stages::upstream::plan::ServicePlan;
use crate::stages::{identity, normalise, policy, waf};
use crate::state::State;

/// One generation.
#[derive(Debug)]
pub struct Snapshot {
    /// Counts up from 1.
    pub generation: u64,
    pub document: Document,
    pub state: Arc<State>,
    pub listeners: BTreeMap<Arc<str>, Arc<ListenerPlan>>,
    pub screen: ScreenPlan,
    pub table: RouteTable,
    pub routes: Box<[RoutePlan]>,
    pub services: BTreeMap<String, Arc<ServicePlan>>,
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
    pub identity: Option<identity::plan::Plan>,
    pub auth_mode: Mode,
    pub policy: policy::plan::Plan,
    pub waf: Option<Arc<waf::plan::Plan>>,
    pub forward: ForwardPlan,
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
