//! What the kernel knows of a process.

use std::fs;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Resident memory, KiB.
pub fn resident_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse().unwrap()
}

/// Lets this process, and those that it starts, open so many files; false when the machine does not.
pub fn allow_files(count: u64) -> bool {
    let known = getrlimit(Resource::Nofile);
    if known.current.is_none_or(|current| current >= count) {
        return true;
    }
    let maximum = known.maximum.map(|maximum| maximum.max(count));
    setrlimit(Resource::Nofile, Rlimit { current: Some(count), maximum }).is_ok()
}
