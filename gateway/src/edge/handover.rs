//! A new binary takes the listeners over. The sockets themselves are passed, so no connection is ever refused:
//! the kernel's queue is the same before, during and after.
//!
//! 1. The successor connects to the handover socket of the running process; both must have the same user.
//! 2. The running process sends its listeners: their names in one message, with the descriptors.
//! 3. The successor, whose configuration is compiled, gets what it needs, starts to accept and says `ready`.
//! 4. Only then the predecessor stops accepting and drains. If the successor dies before, nothing has changed.

use std::fs;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg, sockopt,
};

/// Sockets in one handover (the kernel's own bound is 253).
const SOCKETS: usize = 64;
/// Names in one handover, bytes.
const NAMES_BYTES: usize = 8 * 1024;
const READY: &[u8] = b"ready\n";
/// How long a successor may take until it accepts.
pub const READY_TIMEOUT: Duration = Duration::from_secs(60);

/// A listener as it is passed: its bound address, and the socket.
#[derive(Debug)]
pub struct Passed {
    pub name: String,
    pub listener: TcpListener,
}

/// The successor's side. Dropped without [`Inheritance::ready`], the predecessor keeps serving.
#[derive(Debug)]
pub struct Inheritance {
    pub listeners: Vec<Passed>,
    predecessor: UnixStream,
}

impl Inheritance {
    /// Takes the listeners of the process behind `path`; `None` when nobody serves there.
    pub fn claim(path: &Path) -> io::Result<Option<Inheritance>> {
        let predecessor = match UnixStream::connect(path) {
            Ok(stream) => stream,
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
                ) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        same_user(&predecessor)?;
        predecessor.set_read_timeout(Some(Duration::from_secs(5)))?;
        let listeners = receive(&predecessor)?;
        Ok(Some(Inheritance { listeners, predecessor }))
    }

    /// We accept: the predecessor may drain.
    pub fn ready(mut self) -> io::Result<()> {
        self.predecessor.write_all(READY)
    }
}

/// Where a successor will find us. Bound beside its path, so that a predecessor's socket is found there until we
/// serve; removed when dropped unpublished.
#[derive(Debug)]
pub struct Offer {
    listener: UnixListener,
    bound: PathBuf,
    path: PathBuf,
}

impl Offer {
    /// Binds the socket, for this user alone.
    ///
    /// # Errors
    /// The directory cannot be written, or what is at `path` is no socket.
    pub fn bind(path: &Path) -> io::Result<Offer> {
        match fs::symlink_metadata(path) {
            Ok(found) if !found.file_type().is_socket() => {
                return Err(io::Error::new(
                    io::ErrorKind::AlreadyExists,
                    "the file is not a socket",
                ));
            }
            _ => {}
        }
        let mut bound = path.as_os_str().to_owned();
        bound.push(format!(".{}", std::process::id()));
        let bound = PathBuf::from(bound);
        let listener = UnixListener::bind(&bound)?;
        let offer = Offer { listener, bound, path: path.to_owned() };
        fs::set_permissions(&offer.bound, fs::Permissions::from_mode(0o600))?;
        Ok(offer)
    }

    /// Takes the path over from a predecessor, or from a process that is gone.
    pub fn publish(self) -> io::Result<UnixListener> {
        fs::rename(&self.bound, &self.path)?;
        self.listener.try_clone()
    }
}

impl Drop for Offer {
    fn drop(&mut self) {
        // After `publish` it is not there any more.
        let _ = fs::remove_file(&self.bound);
    }
}

/// The predecessor's side of one handover: sends the listeners and waits for `ready`. An error means that nothing
/// has changed and we go on serving.
pub fn hand_over(
    successor: &mut UnixStream,
    listeners: &[(String, BorrowedFd<'_>)],
) -> io::Result<()> {
    same_user(successor)?;
    successor.set_read_timeout(Some(READY_TIMEOUT))?;
    send(successor, listeners)?;
    let mut answer = [0u8; READY.len()];
    successor.read_exact(&mut answer)?;
    if answer != READY {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "successor did not say ready"));
    }
    Ok(())
}

fn same_user(stream: &UnixStream) -> io::Result<()> {
    let peer = sockopt::socket_peercred(stream)?;
    if peer.uid != rustix::process::geteuid() {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "handover peer is another user",
        ));
    }
    Ok(())
}

fn send(stream: &UnixStream, listeners: &[(String, BorrowedFd<'_>)]) -> io::Result<()> {
    let mut names = listeners.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join("\n");
    names.push_str("\n\n");
    if listeners.len() > SOCKETS || names.len() > NAMES_BYTES {
        let text = format!("{} listeners, bound {SOCKETS}", listeners.len());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    let sockets: Vec<BorrowedFd<'_>> = listeners.iter().map(|(_, socket)| *socket).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !ancillary.push(SendAncillaryMessage::ScmRights(&sockets)) {
        return Err(io::Error::other("no room for the listeners"));
    }
    let sent =
        sendmsg(stream, &[IoSlice::new(names.as_bytes())], &mut ancillary, SendFlags::empty())?;
    let mut rest = stream;
    rest.write_all(&names.as_bytes()[sent..])
}

fn receive(stream: &UnixStream) -> io::Result<Vec<Passed>> {
    let mut sockets: Vec<OwnedFd> = Vec::new();
    let mut names = Vec::new();
    while !names.ends_with(b"\n\n") {
        let mut bytes = vec![0u8; NAMES_BYTES];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut slices = [IoSliceMut::new(&mut bytes)];
        let received =
            recvmsg(stream.as_fd(), &mut slices, &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                sockets.extend(rights);
            }
        }
        if received.bytes == 0 || names.len() + received.bytes > NAMES_BYTES {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "handover ended early"));
        }
        names.extend_from_slice(&bytes[..received.bytes]);
    }
    let names = String::from_utf8_lossy(&names);
    let names: Vec<&str> = names.lines().filter(|name| !name.is_empty()).collect();
    if names.len() != sockets.len() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "handover names and sockets differ",
        ));
    }
    names
        .into_iter()
        .zip(sockets)
        .map(|(name, socket)| {
            Ok(Passed { name: name.to_owned(), listener: TcpListener::from(socket) })
        })
        .collect()
}
