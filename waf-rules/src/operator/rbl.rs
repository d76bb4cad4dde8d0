//! `@rbl zen.spamhaus.org`: a list of addresses that is kept in the DNS names the client (RFC 5782).
//!
//! A list is asked by the engine's caller, before the rules run: what is asked and what an answer means is here.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// Longest zone, in bytes: with an address of IPv6 or a key before it, its names still fit into 253 (RFC 1035 §2.3.4).
const ZONE_BYTES_MAX: usize = 180;
/// Longest label of a name, in bytes (RFC 1035 §2.3.4).
const LABEL_BYTES_MAX: usize = 63;
/// What visitors of the answering network are, by the last octet of http:BL's answer.
const VISITORS: [&str; 8] = [
    "Search Engine",
    "Suspicious IP",
    "Harvester IP",
    "Suspicious harvester IP",
    "Comment spammer IP",
    "Suspicious comment spammer IP",
    "Harvester and comment spammer IP",
    "Suspicious harvester comment spammer IP",
];

/// A list of addresses in the DNS that rules ask about the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressList {
    zone: Arc<str>,
    family: Family,
    /// Who asks, as far as the list wants to know: a label of its names that no log shows.
    key: Option<Arc<str>>,
}

/// What an answer of a list means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listing {
    /// The address is not on it.
    Clear,
    /// It is, with this answer.
    Listed(Ipv4Addr),
    /// It says nothing about the address: whoever asks may not, or somebody else answers in the list's place.
    Refused(Ipv4Addr),
}

/// Who keeps the list, as far as the meaning of an answer depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    /// The key stands before the address.
    HttpBl,
    Spamhaus,
    /// Spamhaus's Data Query Service: the key stands behind the address.
    SpamhausDqs,
    Uribl,
    Other,
}

impl AddressList {
    pub(crate) fn parse(argument: &str) -> Result<Self, String> {
        let zone = argument.trim().trim_end_matches('.').to_ascii_lowercase();
        if zone.contains("%{") {
            return Err("a list is asked before the rules run: its name holds no macro".to_owned());
        }
        let is_label = |label: &str| {
            (1..=LABEL_BYTES_MAX).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        if zone.len() > ZONE_BYTES_MAX || !zone.split('.').all(is_label) {
            return Err(format!(
                "`{zone}` is no zone of a list, expected a name such as zen.spamhaus.org"
            ));
        }
        let family = Family::of(&zone);
        let (key, zone) = match zone.split_once('.') {
            Some((key, rest)) if family == Family::SpamhausDqs => (Some(key.into()), rest.into()),
            _ => (None, zone.into()),
        };
        Ok(Self { zone, family, key })
    }

    /// The name that rules have for it, without its key.
    pub fn zone(&self) -> &str {
        &self.zone
    }

    /// The name whose A record says what the list knows of an address (RFC 5782 §2.1 and §2.4). `None`: it knows no such
    /// addresses, as http:BL knows IPv4 alone.
    pub fn question(&self, address: IpAddr) -> Option<String> {
        let (address, zone) = (self.reversed(address)?, &self.zone);
        Some(match &self.key {
            None => format!("{address}.{zone}"),
            Some(key) if self.family == Family::HttpBl => format!("{key}.{address}.{zone}"),
            Some(key) => format!("{address}.{key}.{zone}"),
        })
    }

    /// What the records of its answer say; none: the name does not exist. Of several the lowest counts, in whatever
    /// order they come.
    pub fn read(&self, answers: impl IntoIterator<Item = Ipv4Addr>) -> Listing {
        let Some(lowest) = answers.into_iter().min() else { return Listing::Clear };
        if self.is_refusal(lowest) { Listing::Refused(lowest) } else { Listing::Listed(lowest) }
    }

    /// It can be asked: http:BL cannot without a key.
    pub(crate) fn is_complete(&self) -> bool {
        self.family != Family::HttpBl || self.key.is_some()
    }

    /// Gives it the key of `SecHttpBlKey`, which is of use for http:BL alone.
    pub(crate) fn set_key(&mut self, key: Option<&str>) {
        if self.family == Family::HttpBl {
            self.key = key.map(Arc::from);
        }
    }

    /// What a match has to say for itself, in the words that rules search for: those of ModSecurity 2. The key is
    /// not among them, for they end in logs.
    pub(crate) fn explain(&self, address: IpAddr, target: &str, answer: Ipv4Addr) -> String {
        let (address, zone) = (self.reversed(address).unwrap_or_default(), &self.zone);
        let found = format!("RBL lookup of {address}.{zone} succeeded at {target}");
        let [_, days, score, last] = answer.octets();
        let about = match (self.family, last) {
            (Family::HttpBl, kind) => {
                let visitor = VISITORS.get(usize::from(kind)).unwrap_or(&" ");
                return format!(
                    "{found}. {visitor}: {days} days since last activity, threat score {score}"
                );
            }
            (Family::Uribl, 2) => "BLACK",
            (Family::Uribl, 4) => "GREY",
            (Family::Uribl, 8) => "RED",
            (Family::Uribl, 14) => "BLACK,GREY,RED",
            (Family::Uribl, _) => "WHITE",
            (Family::Spamhaus | Family::SpamhausDqs, 2 | 3) => "Static UBE sources",
            (Family::Spamhaus | Family::SpamhausDqs, 4..=7) => "Illegal 3rd party exploits",
            (Family::Spamhaus | Family::SpamhausDqs, 10 | 11) => {
                "Delivering unauthenticated SMTP email"
            }
            (Family::Spamhaus | Family::SpamhausDqs | Family::Other, _) => {
                return format!("{found}.");
            }
        };
        format!("{found} ({about}).")
    }

    /// Octets of IPv4 or digits of IPv6, the last one first.
    fn reversed(&self, address: IpAddr) -> Option<String> {
        let labels: Vec<String> = match address.to_canonical() {
            IpAddr::V4(address) => address.octets().iter().rev().map(u8::to_string).collect(),
            IpAddr::V6(_) if self.family == Family::HttpBl => return None,
            IpAddr::V6(address) => {
                let digits = |octet: &u8| format!("{:x}.{:x}", octet & 15, octet >> 4);
                address.octets().iter().rev().map(digits).collect()
            }
        };
        Some(labels.join("."))
    }

    /// An answer that is no listing. Lists answer within 127.0.0.0/8 (RFC 5782 §2.1): anything else comes from a name server
    /// that invents addresses for names that do not exist. Some of it says that the asker may not ask.
    fn is_refusal(&self, answer: Ipv4Addr) -> bool {
        match (self.family, answer.octets()) {
            (_, [first, ..]) if first != 127 => true,
            // Days and score can be anything.
            (Family::HttpBl, _) => false,
            // <https://uribl.com/about.shtml>: asked too much, or through somebody else's name server.
            (Family::Uribl, [.., 1 | 255]) => true,
            // Spamhaus's return codes: a wrong name, a public name server, too many questions. Others follow it.
            (_, [127, 255, 255, _]) => true,
            _ => false,
        }
    }
}

impl Family {
    fn of(zone: &str) -> Self {
        let is_of = |domain: &str| {
            zone.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        if is_of("httpbl.org") {
            Self::HttpBl
        } else if is_of("dq.spamhaus.net") {
            Self::SpamhausDqs
        } else if is_of("spamhaus.org") {
            Self::Spamhaus
        } else if is_of("uribl.com") {
            Self::Uribl
        } else {
            Self::Other
        }
    }
}

/// A key of http:BL: one label of a name.
pub(crate) fn parse_key(text: &str) -> Result<String, String> {
    let is_label = (1..=LABEL_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    // What was written may be a key all the same, so it is not repeated.
    let wrong = || "expected a key of http:BL, letters and digits".to_owned();
    is_label.then(|| text.to_ascii_lowercase()).ok_or_else(wrong)
}
