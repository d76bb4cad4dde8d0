//! Asks lists about clients.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hickory_resolver::config::{ResolveHosts, ResolverConfig};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::{Resolver, TokioResolver};
use moka::sync::Cache;
use smallvec::SmallVec;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time;
use waf_rules::Listing;

use super::list::{Ended, List};
use super::question::{ANSWER_TIMEOUT, Answer, Question, Said};
use super::servers::configured;

/// Answers that are kept: some 300 bytes each. Beyond it those that are asked for least are forgotten.
const KNOWN_MAX: u64 = 32_768;
/// How long an answer that nobody asks for is kept, current or not.
const IDLE: Duration = Duration::from_secs(3600);
/// Questions under way at once. A client has as many addresses as he likes; beyond it nobody new is asked about.
const UNDER_WAY_MAX: usize = 256;
/// Time for one attempt of a question.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(1);
/// Attempts that a question has.
const ATTEMPTS: usize = 2;

/// Lists that have an address, by their position among those that were asked, with their answers.
pub type Listings = SmallVec<[(usize, Ipv4Addr); 1]>;

/// Asks one set of name servers, and keeps what they said.
pub struct Asker {
    servers: Vec<SocketAddr>,
    resolver: TokioResolver,
    known: Cache<(Arc<str>, IpAddr), Arc<Question>>,
    under_way: Arc<Semaphore>,
}

/// Where an answer is to come from.
enum Source {
    Question(Arc<Question>),
    /// Nobody is asked: there is no need, or no way now.
    Known(Said),
}

impl Asker {
    pub(super) fn new(servers: &[SocketAddr]) -> Result<Asker, String> {
        let config =
            ResolverConfig::from_name_servers(servers.iter().copied().map(configured).collect());
        let mut builder = Resolver::builder_with_config(config, TokioRuntimeProvider::default());
        let options = builder.options_mut();
        options.timeout = ATTEMPT_TIMEOUT;
        options.attempts = ATTEMPTS;
        options.use_hosts_file = ResolveHosts::Never;
        options.max_active_requests = UNDER_WAY_MAX;
        // What is known is kept here, with what failed.
        options.cache_size = 0;
        Ok(Asker {
            servers: servers.to_vec(),
            resolver: builder.build().map_err(|error| error.to_string())?,
            known: Cache::builder().max_capacity(KNOWN_MAX).time_to_idle(IDLE).build(),
            under_way: Arc::new(Semaphore::new(UNDER_WAY_MAX)),
        })
    }

    pub(super) fn asks(&self, servers: &[SocketAddr]) -> bool {
        self.servers == servers
    }

    /// Asks all lists at once whether they have the address. What is not answered within `wait` counts as not listed, and
    /// is counted.
    pub async fn ask(
        self: &Arc<Self>,
        lists: &[List],
        address: IpAddr,
        wait: Duration,
    ) -> Listings {
        let address = address.to_canonical();
        let deadline = time::Instant::now() + wait;
        let source = |list| self.source(list, address, Instant::now());
        let sources: SmallVec<[Source; 4]> = lists.iter().map(source).collect();
        let mut listings = Listings::new();
        for (at, (list, source)) in lists.iter().zip(&sources).enumerate() {
            let said = match source {
                Source::Question(question) => question.said_before(deadline).await,
                Source::Known(said) => *said,
            };
            match said {
                Said::Listed(answer) => listings.push((at, answer)),
                Said::Clear => {}
                Said::Nothing => list.unanswered(),
            }
        }
        listings
    }

    fn source(self: &Arc<Self>, list: &List, address: IpAddr, now: Instant) -> Source {
        let key = (list.zone.clone(), address);
        let known = self.known.get(&key);
        if let Some(current) = known.as_ref().filter(|known| !known.is_stale(now)) {
            return Source::Question(current.clone());
        }
        let before = known.map_or(Said::Nothing, |known| known.said());
        // A list that cannot have such an address does not have it.
        let Some(name) = list.list.question(address) else { return Source::Known(Said::Clear) };
        if list.rests(now) {
            return Source::Known(before);
        }
        let Ok(permit) = self.under_way.clone().try_acquire_owned() else {
            return Source::Known(before);
        };
        let fresh = Arc::new(Question::new(before, now));
        let entry = self.known.entry(key);
        let entry = entry.or_insert_with_if(|| fresh.clone(), |known| known.is_stale(now));
        let question = entry.into_value();
        if Arc::ptr_eq(&question, &fresh) {
            // Whoever waits may leave: the answer is for those who come next as well.
            tokio::spawn(self.clone().settle(list.clone(), name, fresh, permit));
        }
        Source::Question(question)
    }

    async fn settle(
        self: Arc<Self>,
        list: List,
        name: String,
        question: Arc<Question>,
        _permit: OwnedSemaphorePermit,
    ) {
        let found = time::timeout(ANSWER_TIMEOUT, self.look_up(&name)).await;
        let now = Instant::now();
        let (ended, why, answer) = match found.unwrap_or(Err(NetError::Timeout)) {
            Ok((addresses, ttl)) => match list.list.read(addresses) {
                Listing::Listed(answer) => {
                    (Ended::Listed, String::new(), Answer::kept(Said::Listed(answer), ttl, now))
                }
                Listing::Clear => {
                    (Ended::Clear, String::new(), Answer::kept(Said::Clear, ttl, now))
                }
                Listing::Refused(answer) => {
                    let why = format!("it answers {answer}, which lists nobody");
                    (Ended::Refused, why, Answer::kept(Said::Nothing, ttl, now))
                }
            },
            Err(error) => {
                let nothing = Answer::kept(Said::Nothing, Duration::ZERO, now);
                (Ended::Failed, without_name(&error), nothing)
            }
        };
        list.ended(ended, &why, now);
        question.answer(answer);
    }

    /// The addresses of a name, and how long they may be kept; none: there is no such name.
    async fn look_up(&self, name: &str) -> Result<(Vec<Ipv4Addr>, Duration), NetError> {
        // Fully qualified: search domains are for people.
        let name = Name::from_ascii(format!("{name}."))?;
        match self.resolver.lookup(name, RecordType::A).await {
            Ok(found) => Ok((
                addresses(&found),
                found.valid_until().saturating_duration_since(Instant::now()),
            )),
            Err(NetError::Dns(DnsError::NoRecordsFound(none))) if is_said(none.response_code) => {
                let ttl_s = none.negative_ttl.unwrap_or_default();
                Ok((Vec::new(), Duration::from_secs(ttl_s.into())))
            }
            Err(error) => Err(error),
        }
    }
}

/// The name does not exist, or has no address.
fn is_said(code: ResponseCode) -> bool {
    matches!(code, ResponseCode::NXDomain | ResponseCode::NoError)
}

fn addresses(found: &Lookup) -> Vec<Ipv4Addr> {
    let records = found.answers().iter();
    let address = |data: &RData| if let RData::A(address) = data { Some(address.0) } else { None };
    records.filter_map(|record| address(&record.data)).collect()
}

/// What went wrong, in words that hold no name: it has a client's address in it, and maybe a key.
fn without_name(error: &NetError) -> String {
    match error {
        NetError::Dns(DnsError::ResponseCode(code)) => format!("its name servers say {code}"),
        NetError::Timeout => "no answer in time".into(),
        NetError::Io(error) => error.kind().to_string(),
        _ => error.as_metrics_label().into(),
    }
}

impl std::fmt::Debug for Asker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Asker").field("servers", &self.servers).finish_non_exhaustive()
    }
}
