//! Matches as the caller will read them.

use std::sync::Arc;

use super::eval::Run;
use super::gather::Value;
use super::outcome::Match;
use crate::plan::{Link, Rule};
use crate::template::Template;

/// Longest matched value kept, in bytes.
const MATCHED_BYTES_MAX: usize = 256;
/// Longest message, log data or tag with macros, in bytes.
const TEXT_BYTES_MAX: usize = 1_024;

impl Run<'_> {
    pub(super) fn record(&mut self, rule: &Rule, link: &Link, value: &Value, score: i64) {
        if self.state.record.matches.len() >= self.profile.bounds.matches {
            self.state.record.dropped += 1;
            return;
        }
        let content = self.buffer(value.content);
        let matched = self.state.buffers.bytes(content);
        let matched = matched[..matched.len().min(MATCHED_BYTES_MAX)].to_vec();
        let record = Match {
            rule_id: rule.meta.id,
            phase: rule.meta.phase,
            severity: rule.meta.severity,
            message: self.log_text(&rule.meta.message, rule),
            data: self.log_text(&rule.meta.logdata, rule),
            tags: self.tags(rule),
            revision: rule.meta.revision.clone(),
            version: rule.meta.version.clone(),
            written_tags: rule.meta.tags.clone(),
            target: self.label(value),
            matched,
            score,
            log: rule.log,
            audit: rule.audit,
            operator: format!("{}{}", if link.negated { "!@" } else { "@" }, link.operator_name),
            file: rule.meta.file.clone(),
            line: rule.meta.line,
        };
        self.state.record.matches.push(record);
    }

    /// Sum of all anomaly scores, to tell what one match adds.
    pub(super) fn total_score(&self) -> i64 {
        let slots = &self.program.scores;
        let levels = slots.inbound.iter().chain(&slots.outbound).chain(&slots.inbound_3);
        let values = levels.filter_map(|slot| self.state.tx.get(*slot));
        values.map(|value| value.number(&self.state.buffers)).sum()
    }

    /// Tags without macros are shared by all matches of the rule.
    fn tags(&mut self, rule: &Rule) -> Arc<[String]> {
        let templates = &rule.meta.tag_templates;
        if templates.is_empty() {
            return rule.meta.tags.clone();
        }
        templates.iter().map(|template| self.log_text(template, rule)).collect()
    }

    fn log_text(&mut self, template: &Template, rule: &Rule) -> String {
        let text = self.expand_up_to(template, Some(rule), TEXT_BYTES_MAX);
        String::from_utf8_lossy(&text).into_owned()
    }
}
