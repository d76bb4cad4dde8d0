//! `@detectXSS`: libinjection's HTML tokeniser in its five contexts.

pub(super) fn matches(input: &[u8]) -> bool {
    libinjectionrs::detect_xss(input).is_injection()
}
