//! A name server on a free port of loopback, which answers as the test says and remembers what it was asked.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use hickory_resolver::proto::op::{Message, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, SOA};
use hickory_resolver::proto::rr::{Name, RData, Record};

/// What is said to a question.
#[derive(Clone, Debug)]
pub enum Reply {
    /// These addresses, to be kept for so many seconds.
    Addresses(Vec<Ipv4Addr>, u32),
    /// There is no such name, which is to be kept for so many seconds.
    NoSuchName(u32),
    Failure(ResponseCode),
    Silence,
}

/// A running name server. It ends when it is dropped.
pub struct NameServer {
    socket: Arc<UdpSocket>,
    told: Arc<Mutex<Told>>,
    thread: Option<JoinHandle<()>>,
}

struct Told {
    names: HashMap<String, Reply>,
    otherwise: Reply,
    asked: Vec<String>,
    ends: bool,
}

impl NameServer {
    pub fn start() -> NameServer {
        let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").unwrap());
        let told = Arc::new(Mutex::new(Told {
            names: HashMap::new(),
            otherwise: Reply::NoSuchName(600),
            asked: Vec::new(),
            ends: false,
        }));
        let (served, state) = (socket.clone(), told.clone());
        let thread = Some(std::thread::spawn(move || serve(&served, &state)));
        NameServer { socket, told, thread }
    }

    pub fn address(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    /// Says this to questions for a name.
    pub fn say(&self, name: &str, reply: Reply) {
        lock(&self.told).names.insert(name.to_owned(), reply);
    }

    /// Says this to all other questions.
    pub fn otherwise(&self, reply: Reply) {
        lock(&self.told).otherwise = reply;
    }

    /// Every name that was asked for so far, as often as it was.
    pub fn asked(&self) -> Vec<String> {
        lock(&self.told).asked.clone()
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        lock(&self.told).ends = true;
        let _ = self.socket.send_to(b"end", self.address());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn lock(told: &Mutex<Told>) -> MutexGuard<'_, Told> {
    told.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(socket: &UdpSocket, told: &Mutex<Told>) {
    let mut datagram = [0; 4096];
    loop {
        let (length, from) = socket.recv_from(&mut datagram).unwrap();
        if lock(told).ends {
            return;
        }
        let Ok(question) = Message::from_vec(&datagram[..length]) else { continue };
        let Some(answer) = answer(&question, told) else { continue };
        let _ = socket.send_to(&answer.to_vec().unwrap(), from);
    }
}

fn answer(question: &Message, told: &Mutex<Told>) -> Option<Message> {
    let query = question.queries.first()?;
    let name = query.name().to_ascii().trim_end_matches('.').to_ascii_lowercase();
    let mut told = lock(told);
    told.asked.push(name.clone());
    let reply = told.names.get(&name).unwrap_or(&told.otherwise).clone();
    let mut answer = Message::response(question.metadata.id, OpCode::Query);
    answer.metadata.recursion_desired = question.metadata.recursion_desired;
    answer.metadata.recursion_available = true;
    answer.add_query(query.clone());
    match reply {
        Reply::Addresses(addresses, ttl_s) => {
            answer.add_answers(addresses.into_iter().map(|address| {
                Record::from_rdata(query.name().clone(), ttl_s, RData::A(A(address)))
            }));
        }
        Reply::NoSuchName(ttl_s) => {
            answer.metadata.response_code = ResponseCode::NXDomain;
            let (zone, who) = (query.name().base_name(), Name::root());
            let authority = SOA::new(who.clone(), who, 1, 60, 60, 60, ttl_s);
            answer.add_authority(Record::from_rdata(zone, ttl_s, RData::SOA(authority)));
        }
        Reply::Failure(code) => answer.metadata.response_code = code,
        Reply::Silence => return None,
    }
    Some(answer)
}
