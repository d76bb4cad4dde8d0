//! Subjects leave the process only as a keyed hash: events of one person can be joined, the person cannot be
//! read from them, and forgetting the key forgets the link.

use aws_lc_rs::hmac;

/// HMAC-SHA-256 (RFC 2104) truncated to 64 bits.
pub struct SubjectHasher(hmac::Key);

impl SubjectHasher {
    /// With the operator's key, so that hashes agree between runs and gateways.
    pub fn new(key: &[u8]) -> SubjectHasher {
        SubjectHasher(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// With a key drawn now: hashes differ between runs.
    ///
    /// # Errors
    /// The operating system gives no randomness.
    pub fn random() -> Result<SubjectHasher, String> {
        let mut key = [0_u8; 32];
        getrandom::fill(&mut key).map_err(|error| format!("subject key: {error}"))?;
        Ok(SubjectHasher::new(&key))
    }

    /// Issuer and subject together name a person (OIDC Core §5.7). The length before the issuer keeps
    /// `("a", "bc")` apart from `("ab", "c")`.
    pub fn hash(&self, issuer: &str, subject: &str) -> u64 {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(&(issuer.len() as u64).to_be_bytes());
        context.update(issuer.as_bytes());
        context.update(subject.as_bytes());
        let tag = context.sign();
        let mut first = [0_u8; 8];
        first.copy_from_slice(&tag.as_ref()[..8]);
        u64::from_be_bytes(first)
    }
}

impl std::fmt::Debug for SubjectHasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SubjectHasher(..)")
    }
}
