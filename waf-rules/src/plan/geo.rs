//! What rules ask of places that cannot be answered.

use super::assemble::{Assembly, Draft};
use crate::seclang::source::Span;
use crate::variable::Kind;

/// A look-up without a database, and `GEO` without a look-up: the first place of either.
pub(crate) fn unlocated(assembly: &Assembly) -> Option<(Span, String)> {
    let drafts = || assembly.kept_rules();
    if let Some(asked) = drafts().find_map(looks_up) {
        let message = "@geoLookup never matches: no SecGeoLookupDb names a database";
        return assembly.settings.geo_database.is_none().then(|| (asked, message.to_owned()));
    }
    let message = "GEO is always empty: no rule fills it with @geoLookup";
    drafts().find_map(shows).map(|shown| (shown, message.to_owned()))
}

fn looks_up(draft: &Draft) -> Option<Span> {
    let operators = draft.links.iter().filter_map(|link| link.operator.as_ref().zip(Some(link)));
    let mut asked = operators.filter(|(operator, _)| operator.name == "geoLookup");
    asked.next().map(|(_, link)| link.span)
}

fn shows(draft: &Draft) -> Option<Span> {
    let mut targets = draft.links.iter().flat_map(|link| &link.targets);
    targets.find(|target| target.variable.kind == Kind::Geo).map(|target| target.span)
}
