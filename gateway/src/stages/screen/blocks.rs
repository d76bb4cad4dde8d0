//! A set of address blocks: a binary search, however long the list is.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::base::net::{canonical_block, canonical_ip};

/// Addresses in sorted ranges that neither overlap nor touch.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    v4: Vec<(u32, u32)>,
    v6: Vec<(u128, u128)>,
}

impl Blocks {
    pub(super) fn new(blocks: &[IpNet]) -> Blocks {
        let mut set = Blocks::default();
        for block in blocks {
            match canonical_block(*block) {
                IpNet::V4(net) => set.v4.push((net.network().into(), net.broadcast().into())),
                IpNet::V6(net) => set.v6.push((net.network().into(), net.broadcast().into())),
            }
        }
        set.v4 = merged(set.v4, |end| end.checked_add(1));
        set.v6 = merged(set.v6, |end| end.checked_add(1));
        set
    }

    pub(super) fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }

    pub(super) fn contains(&self, ip: IpAddr) -> bool {
        match canonical_ip(ip) {
            IpAddr::V4(ip) => holds(&self.v4, ip.into(), ip.into()),
            IpAddr::V6(ip) => holds(&self.v6, ip.into(), ip.into()),
        }
    }

    /// Every address of the block is in the set.
    pub(super) fn contains_block(&self, block: IpNet) -> bool {
        match canonical_block(block) {
            IpNet::V4(net) => holds(&self.v4, net.network().into(), net.broadcast().into()),
            IpNet::V6(net) => holds(&self.v6, net.network().into(), net.broadcast().into()),
        }
    }
}

fn holds<T: Ord + Copy>(ranges: &[(T, T)], first: T, last: T) -> bool {
    let above = ranges.partition_point(|(start, _)| *start <= first);
    above.checked_sub(1).is_some_and(|index| ranges[index].1 >= last)
}

fn merged<T: Ord + Copy>(mut ranges: Vec<(T, T)>, next: impl Fn(T) -> Option<T>) -> Vec<(T, T)> {
    ranges.sort_unstable();
    let mut out: Vec<(T, T)> = Vec::new();
    for (start, end) in ranges {
        match out.last_mut() {
            Some(last) if next(last.1).is_none_or(|next| start <= next) => last.1 = last.1.max(end),
            _ => out.push((start, end)),
        }
    }
    out.shrink_to_fit();
    out
}
