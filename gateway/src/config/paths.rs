//! Relative paths in a configuration start from its own folder: it means the same wherever the gateway is started.

use std::path::{Path, PathBuf};

use super::document::Document;
use crate::base::units::SecretRef;

/// Makes every path of the document absolute or relative to the working directory.
pub fn resolve(document: &mut Document, directory: &Path) {
    let anchor = Anchor(directory);
    for listener in document.listeners.values_mut() {
        let Some(tls) = &mut listener.tls else { continue };
        for pair in &mut tls.certificates {
            anchor.text(&mut pair.cert);
            anchor.text(&mut pair.key);
        }
        if let Some(clients) = &mut tls.client_certificates {
            anchor.text(&mut clients.ca);
        }
    }
    for issuer in document.issuers.values_mut() {
        if let Some(path) = issuer.jwks.strip_prefix("file:") {
            issuer.jwks = format!("file:{}", anchor.joined(path).display());
        }
    }
    for profile in document.waf.values_mut() {
        profile
            .rules
            .iter_mut()
            .filter(|rule| *rule != "builtin")
            .for_each(|rule| anchor.text(rule));
    }
    for service in document.services.values_mut() {
        if let Some(ca) = service.tls.as_mut().and_then(|tls| tls.ca.as_mut()) {
            anchor.text(ca);
        }
    }
    let telemetry = &mut document.telemetry;
    let waf_log = telemetry.waf_log.as_mut().map(|log| &mut log.to);
    let audit_log = telemetry.audit_log.as_mut().map(|log| &mut log.to);
    for log in [Some(&mut telemetry.access_log.to), waf_log, audit_log].into_iter().flatten() {
        if !matches!(log.as_str(), "stdout" | "stderr" | "off") {
            anchor.text(log);
        }
    }
    anchor.secret(document.admin.as_mut().map(|admin| &mut admin.token));
    anchor.secret(document.telemetry.subject_key.as_mut());
    anchor.secret(document.store.as_mut().and_then(|store| store.password.as_mut()));
}

struct Anchor<'a>(&'a Path);

impl Anchor<'_> {
    fn joined(&self, path: &str) -> PathBuf {
        self.0.join(path)
    }

    fn text(&self, path: &mut String) {
        *path = self.joined(path).display().to_string();
    }

    fn secret(&self, secret: Option<&mut SecretRef>) {
        if let Some(SecretRef::File(path)) = secret {
            *path = self.0.join(&*path);
        }
    }
}
