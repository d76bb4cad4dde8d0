//! Methods as bits: whether a route takes a method is one `and`.

use http::Method;

/// Bit `n` stands for entry `n`; methods that only some configuration names follow.
const STANDARD: [Method; 8] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::DELETE,
    Method::PATCH,
    Method::OPTIONS,
    Method::TRACE,
];

/// Most methods in one configuration; the last bit stands for all that nobody listed.
pub(super) const METHODS: usize = 31;

/// A set of methods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct MethodSet(u32);

impl MethodSet {
    pub(super) const ANY: MethodSet = MethodSet(u32::MAX);
    pub(super) const NONE: MethodSet = MethodSet(0);

    pub(super) fn is_any(self) -> bool {
        self == MethodSet::ANY
    }

    pub(super) fn meets(self, other: MethodSet) -> bool {
        self.0 & other.0 != 0
    }

    #[must_use]
    pub(super) fn and(self, other: MethodSet) -> MethodSet {
        MethodSet(self.0 | other.0)
    }

    /// Every standard method is in it.
    pub(super) fn holds_standard(self) -> bool {
        let all = (1 << STANDARD.len()) - 1;
        self.0 & all == all
    }
}

/// Which bit stands for which method, in one table.
#[derive(Debug, Default)]
pub(super) struct MethodNames {
    /// Extension methods that some route lists.
    further: Vec<Method>,
}

impl MethodNames {
    /// The set of one method. One that no route lists is in no listed set, and in [`MethodSet::ANY`].
    pub(super) fn find(&self, method: &Method) -> MethodSet {
        let further = || self.further.iter().position(|name| name == method);
        let bit = STANDARD
            .iter()
            .position(|name| name == method)
            .or_else(|| further().map(|index| index + STANDARD.len()));
        MethodSet(1 << bit.unwrap_or(METHODS))
    }

    /// Reads the methods of one route. `GET` includes `HEAD` (RFC 9110 §9.3.2).
    pub(super) fn read(&mut self, token: &str) -> Result<MethodSet, String> {
        let method = Method::from_bytes(token.as_bytes())
            .map_err(|_| format!("`{token}` is not a method (RFC 9110 §5.6.2 token)"))?;
        if method == Method::CONNECT {
            return Err("method `CONNECT` is never routed: the gateway opens no tunnels".into());
        }
        if let Some(near) = STANDARD.iter().find(|name| is_misspelt(name.as_str(), token)) {
            return Err(format!("method `{token}`: methods are case-sensitive, write `{near}`"));
        }
        self.add(&method)?;
        let set = self.find(&method);
        Ok(if method == Method::GET { set.and(self.find(&Method::HEAD)) } else { set })
    }

    /// Value of `Allow`: the names, sorted.
    pub(super) fn allow(&self, set: MethodSet) -> String {
        let known = STANDARD.iter().chain(&self.further);
        let mut names: Vec<&str> =
            known.filter(|name| self.find(name).meets(set)).map(Method::as_str).collect();
        names.sort_unstable();
        names.join(", ")
    }

    fn add(&mut self, method: &Method) -> Result<(), String> {
        if self.find(method) != MethodSet(1 << METHODS) {
            return Ok(());
        }
        if STANDARD.len() + self.further.len() == METHODS {
            return Err(format!("method `{method}`: more than {METHODS} different methods"));
        }
        self.further.push(method.clone());
        Ok(())
    }
}

fn is_misspelt(name: &str, token: &str) -> bool {
    name != token && name.eq_ignore_ascii_case(token)
}
