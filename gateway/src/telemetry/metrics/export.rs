//! The sums as `prometheus` families. Runs at a scrape only, on the admin listener's threads.

use std::sync::Arc;

use prometheus::core::{Collector, Desc};
use prometheus::proto::{Bucket, Counter, Gauge, LabelPair, MetricFamily, MetricType};
use prometheus::{Registry, TextEncoder};

use super::cells::{HistogramTotal, REQUEST_BOUNDS_US, STAGE_BOUNDS_US, read};
use super::routes::CLASSES;
use super::{Kind, Metric, Metrics, TOKEN_RESULTS, UPSTREAM_RESULTS};
use crate::base::code::{Code, Stage};
use crate::base::event::{LimitDecision, Outcome};

/// Issuer of tokens that were refused: what a token claims of itself is the client's word.
pub(super) const NO_ISSUER: &str = "_none";

/// Values that live elsewhere: open connections, key sets, health. Asked for at each scrape.
pub trait Gauges: std::fmt::Debug + Send + Sync {
    fn read(&self, into: &mut GaugeValues);
}

/// Values given by [`Gauges`].
#[derive(Debug, Default)]
pub struct GaugeValues(Vec<(Metric, Vec<String>, f64)>);

impl GaugeValues {
    /// Gives a value, with the metric's labels in their declared order. Label values must come from the
    /// configuration. Values for metrics that are kept here, or with missing labels, are not exported.
    pub fn set(&mut self, metric: Metric, labels: &[&str], value: f64) {
        let fits = metric.is_asked() && labels.len() == metric.labels().len();
        debug_assert!(fits, "{} takes {:?}", metric.name(), metric.labels());
        if fits {
            self.0.push((metric, labels.iter().map(|label| (*label).to_owned()).collect(), value));
        }
    }
}

/// Everything, in the Prometheus text format 0.0.4.
///
/// # Errors
/// The encoder's, which only a wrong declaration here can cause.
pub(in crate::telemetry) fn text(metrics: &Arc<Metrics>) -> Result<String, String> {
    let registry = Registry::new();
    let exporter = Exporter { metrics: metrics.clone(), descriptions: descriptions()? };
    registry.register(Box::new(exporter)).map_err(|error| error.to_string())?;
    let process = prometheus::process_collector::ProcessCollector::for_self();
    registry.register(Box::new(process)).map_err(|error| error.to_string())?;
    TextEncoder::new().encode_to_string(&registry.gather()).map_err(|error| error.to_string())
}

fn descriptions() -> Result<Vec<Desc>, String> {
    let describe = |metric: &Metric| {
        let labels = metric.labels().iter().map(|label| (*label).to_owned()).collect();
        Desc::new(metric.name().into(), metric.help().into(), labels, Default::default())
            .map_err(|error| error.to_string())
    };
    Metric::ALL.iter().map(describe).collect()
}

struct Exporter {
    metrics: Arc<Metrics>,
    descriptions: Vec<Desc>,
}

impl Collector for Exporter {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut families = Families::new();
        self.metrics.export_routes(&mut families);
        self.metrics.export_stages(&mut families);
        self.metrics.export_tallies(&mut families);
        self.metrics.export_process(&mut families);
        let mut asked = GaugeValues::default();
        for gauges in self.metrics.asked.read().iter() {
            gauges.read(&mut asked);
        }
        for (metric, labels, value) in asked.0 {
            let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
            families.value(metric, &labels, value);
        }
        families.0
    }
}

impl Metrics {
    fn export_routes(&self, families: &mut Families) {
        for (route, cells) in self.routes.load().exported() {
            let totals = cells.totals();
            for outcome in Outcome::ALL {
                for (class, count) in CLASSES.iter().zip(totals.requests[outcome as usize]) {
                    let labels = [route, outcome.as_str(), class];
                    families.count(Metric::Requests, &labels, count);
                }
            }
            for code in Code::ALL {
                for (enforced, count) in
                    ["false", "true"].iter().zip(totals.findings[*code as usize])
                {
                    families.count(Metric::Findings, &[route, code.as_str(), enforced], count);
                }
            }
            families.histogram(
                Metric::RequestDuration,
                &[route],
                &REQUEST_BOUNDS_US,
                &totals.duration,
            );
        }
    }

    fn export_stages(&self, families: &mut Families) {
        for stage in Stage::ALL {
            let mut total = HistogramTotal::default();
            for shard in &self.stages {
                shard.0[stage as usize].add_to(&mut total);
            }
            families.histogram(Metric::StageDuration, &[stage.as_str()], &STAGE_BOUNDS_US, &total);
        }
    }

    fn export_tallies(&self, families: &mut Families) {
        for (class, [count]) in self.waf_matches.totals() {
            families.count(Metric::WafMatches, &[&class], count);
        }
        for (limit, counts) in self.limits.totals() {
            for (decision, count) in LimitDecision::ALL.iter().zip(counts) {
                families.count(Metric::LimitDecisions, &[&limit, decision.as_str()], count);
            }
        }
        let codes = Code::ALL.iter().map(|code| code.as_str());
        let token_results: Vec<&str> = TOKEN_RESULTS.into_iter().chain(codes).collect();
        for (issuer, counts) in self.tokens.totals() {
            for (result, count) in token_results.iter().zip(counts) {
                families.count(Metric::TokenVerifications, &[&issuer, result], count);
            }
        }
        for (service, counts) in self.upstreams.totals() {
            for (result, count) in UPSTREAM_RESULTS.iter().zip(counts) {
                families.count(Metric::UpstreamRequests, &[&service, result], count);
            }
        }
        for (service, [count]) in self.retries.totals() {
            families.count(Metric::UpstreamRetries, &[&service], count);
        }
    }

    /// These are always exported: an alert on them must not depend on their having happened once.
    fn export_process(&self, families: &mut Families) {
        for (kind, counts) in ["routine", "security"].iter().zip(&self.dropped) {
            for (place, count) in ["queue", "target"].iter().zip(counts) {
                families.number(Metric::AccessLogDropped, &[kind, place], read(count));
            }
        }
        for (result, count) in ["refused", "taken"].iter().zip(&self.reloads) {
            families.number(Metric::ConfigReloads, &[result], read(count));
        }
        let alone = [
            (Metric::ConfigLastReloadSuccess, &self.last_reload_success),
            (Metric::ConfigGeneration, &self.generation),
            (Metric::AccessLogErrors, &self.log_errors),
            (Metric::WafLogDropped, &self.waf_log_dropped),
            (Metric::AuditLogDropped, &self.audit_log_dropped),
            (Metric::Panics, &self.panics),
            (Metric::ProcessLogSuppressed, &self.process_log_suppressed),
        ];
        for (metric, count) in alone {
            families.number(metric, &[], read(count));
        }
    }
}

/// Families by their position in [`Metric::ALL`].
struct Families(Vec<MetricFamily>);

impl Families {
    fn new() -> Families {
        let family = |metric: &Metric| {
            let mut family = MetricFamily::default();
            family.set_name(metric.name().into());
            family.set_help(metric.help().into());
            family.set_field_type(match metric.kind() {
                Kind::Counter => MetricType::COUNTER,
                Kind::Gauge => MetricType::GAUGE,
                Kind::Histogram => MetricType::HISTOGRAM,
            });
            family
        };
        Families(Metric::ALL.iter().map(family).collect())
    }

    /// A counter, once it has counted.
    fn count(&mut self, metric: Metric, labels: &[&str], count: u64) {
        if count > 0 {
            self.number(metric, labels, count);
        }
    }

    #[allow(clippy::cast_precision_loss)] // the format's numbers are doubles; 2^53 is far away
    fn number(&mut self, metric: Metric, labels: &[&str], number: u64) {
        self.value(metric, labels, number as f64);
    }

    fn value(&mut self, metric: Metric, labels: &[&str], value: f64) {
        let mut sample = prometheus::proto::Metric::from_label(pairs(metric, labels));
        match metric.kind() {
            Kind::Counter => {
                let mut counter = Counter::default();
                counter.set_value(value);
                sample.set_counter(counter);
            }
            Kind::Gauge | Kind::Histogram => {
                let mut gauge = Gauge::default();
                gauge.set_value(value);
                sample.set_gauge(gauge);
            }
        }
        self.0[metric as usize].mut_metric().push(sample);
    }

    /// A histogram, once it has observed.
    #[allow(clippy::cast_precision_loss)] // microseconds below 2^53: 285 years
    fn histogram(
        &mut self,
        metric: Metric,
        labels: &[&str],
        bounds_us: &[u64],
        total: &HistogramTotal,
    ) {
        let mut cumulative = 0;
        let mut buckets = Vec::with_capacity(bounds_us.len());
        for (bound_us, count) in bounds_us.iter().zip(total.buckets) {
            cumulative += count;
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(*bound_us as f64 / 1e6);
            bucket.set_cumulative_count(cumulative);
            buckets.push(bucket);
        }
        let count = total.buckets.iter().sum();
        if count > 0 {
            let mut histogram = prometheus::proto::Histogram::default();
            histogram.set_bucket(buckets);
            histogram.set_sample_count(count);
            histogram.set_sample_sum(total.sum_us as f64 / 1e6);
            let mut sample = prometheus::proto::Metric::from_label(pairs(metric, labels));
            sample.set_histogram(histogram);
            self.0[metric as usize].mut_metric().push(sample);
        }
    }
}

fn pairs(metric: Metric, labels: &[&str]) -> Vec<LabelPair> {
    let pair = |(name, value): (&&str, &&str)| {
        let mut pair = LabelPair::default();
        pair.set_name((*name).to_owned());
        pair.set_value((*value).to_owned());
        pair
    };
    metric.labels().iter().zip(labels).map(pair).collect()
}
