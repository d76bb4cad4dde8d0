//! Why a request scored what it scored, and what other choices would have made of it.

use crate::{
    EngineMode, Interruption, Match, Profile, ProfileError, ProfileOptions, Score, Transaction,
};

/// A request under a profile, and under the same profile at each level.
#[derive(Debug)]
pub struct Explanation {
    /// The request as the profile sees it, run to its end: nothing interrupted it.
    pub transaction: Transaction,
    /// Rules by what they added, the heaviest first.
    pub weights: Vec<Weight>,
    /// Levels 1 to 4.
    pub levels: Vec<AtLevel>,
}

/// What one rule added to the scores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weight {
    pub rule_id: u32,
    /// Values it matched.
    pub matches: usize,
    pub score: i64,
}

/// What would have been decided with one level for both, detection and blocking.
#[derive(Debug, Clone)]
pub struct AtLevel {
    pub level: u8,
    pub score: Score,
    /// What the rules would have done with the request; nothing: let it pass.
    pub decision: Option<Interruption>,
}

impl AtLevel {
    /// Whether the request would be refused at another inbound threshold than the profile's.
    pub fn refused_at(&self, threshold: i64) -> bool {
        self.score.inbound >= threshold
    }
}

/// Runs a request, given by `feed`, in detection mode: under the profile, then at each level. Bounds hold as in the
/// profile.
///
/// # Errors
/// Those of [`Profile::new`], which took these options before.
pub fn explain(
    profile: &Profile,
    feed: impl Fn(Transaction) -> Transaction,
) -> Result<Explanation, Vec<ProfileError>> {
    let run = |options: ProfileOptions| {
        let options = ProfileOptions { engine: Some(EngineMode::DetectionOnly), ..options };
        Profile::new(profile.ruleset(), options).map(|profile| feed(Transaction::new(profile)))
    };
    let transaction = run(profile.options().clone())?;
    let at_level = |level| {
        let options = ProfileOptions {
            blocking_paranoia: level,
            detection_paranoia: level,
            ..profile.options().clone()
        };
        let transaction = run(options)?;
        Ok(AtLevel { level, score: transaction.score(), decision: transaction.detected().cloned() })
    };
    let levels = (1..=4).map(at_level).collect::<Result<_, Vec<ProfileError>>>()?;
    let weights = weigh(transaction.matches());
    Ok(Explanation { transaction, weights, levels })
}

fn weigh(matches: &[Match]) -> Vec<Weight> {
    let mut weights: Vec<Weight> = Vec::new();
    for found in matches.iter().filter(|found| found.score != 0) {
        match weights.iter_mut().find(|weight| weight.rule_id == found.rule_id) {
            Some(weight) => {
                weight.matches += 1;
                weight.score += found.score;
            }
            None => weights.push(Weight { rule_id: found.rule_id, matches: 1, score: found.score }),
        }
    }
    weights.sort_by_key(|weight| std::cmp::Reverse(weight.score));
    weights
}

#[cfg(test)]
mod tests;
