//! What lists in the DNS say of the client, before the rules run that ask them.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use waf_rules::{AddressList, Profile};

use super::section::DnsblSection;
use crate::base::compile::{Compile, number};
use crate::base::units::Span;
use crate::state::dnsbl::Dnsbl;
use crate::state::dnsbl::asker::{Asker, Listings};
use crate::state::dnsbl::list::List;
use crate::state::dnsbl::servers;

/// Most name servers that can be written.
const SERVERS_MAX: usize = 8;
/// Bounds of `deadline`: less answers nothing, more makes a slow list the clients' problem.
const DEADLINE: [Duration; 2] = [Duration::from_millis(1), Duration::from_secs(2)];

/// The lists of one profile.
#[derive(Debug)]
pub struct Lists {
    asker: Arc<Asker>,
    lists: Box<[List]>,
    deadline: Duration,
}

impl Lists {
    /// Asks all of them about a client: waits for `deadline` at most, and not at all for what is known.
    pub async fn ask(&self, client: IpAddr) -> Listings {
        self.asker.ask(&self.lists, client, self.deadline).await
    }

    /// The list at a position of [`Listings`].
    pub fn list(&self, at: usize) -> &AddressList {
        &self.lists[at].list
    }
}

/// How the lists of a configuration are asked.
#[derive(Debug)]
pub struct Asking<'s> {
    state: &'s Dnsbl,
    servers: Result<Vec<SocketAddr>, String>,
    deadline: Duration,
}

impl<'s> Asking<'s> {
    /// Compiles `dnsbl`.
    pub fn compile(section: &DnsblSection, state: &'s Dnsbl, cx: &mut Compile) -> Asking<'s> {
        let servers = match &section.servers {
            Some(servers) => Ok(cx.within("servers", |cx| parse(servers, cx))),
            None => servers::of_the_system(),
        };
        let [least, most] = DEADLINE;
        if !(least..=most).contains(&section.deadline.0) {
            let (deadline, least, most) = (section.deadline, Span(least), Span(most));
            let text = format!("deadline {deadline}, allowed: {least} to {most}");
            cx.within("deadline", |cx| _ = cx.error(number::RANGE, text));
        }
        Asking { state, servers, deadline: section.deadline.0 }
    }

    /// What a profile asks; `None`: nothing, or there is nobody to ask, which is reported at the current place.
    pub fn lists(&self, profile: &Profile, cx: &mut Compile) -> Option<Lists> {
        let lists = profile.address_lists();
        if lists.is_empty() {
            return None;
        }
        let asker = self.servers.clone().and_then(|servers| self.state.asker(&servers));
        match asker {
            Ok(asker) => {
                let lists = lists.into_iter().map(|list| self.state.list(list)).collect();
                Some(Lists { asker, lists, deadline: self.deadline })
            }
            Err(why) => {
                let zones: Vec<&str> = lists.iter().map(AddressList::zone).collect();
                let text =
                    format!("rules ask {}, and no name server is known: {why}", zones.join(", "));
                cx.error(number::NAME_SERVERS, text).hint("`dnsbl.servers` names them");
                None
            }
        }
    }
}

fn parse(written: &[String], cx: &mut Compile) -> Vec<SocketAddr> {
    if !(1..=SERVERS_MAX).contains(&written.len()) {
        let text = format!("{} name servers, allowed: 1 to {SERVERS_MAX}", written.len());
        cx.error(number::RANGE, text);
    }
    let mut parsed = Vec::new();
    for (index, text) in written.iter().enumerate() {
        let problem = match servers::parse(text) {
            None => "is not the address of a name server",
            Some(server) if server.port() == 0 => "has no port that can be asked",
            Some(server) if parsed.contains(&server) => "is named twice",
            Some(server) => {
                parsed.push(server);
                continue;
            }
        };
        cx.within(index, |cx| {
            cx.error(number::FORMAT, format!("`{text}` {problem}")).hint("ADDRESS or ADDRESS:PORT");
        });
    }
    parsed
}
