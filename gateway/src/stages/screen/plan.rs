//! Address lists -> sorted ranges.

use ipnet::IpNet;

use super::blocks::Blocks;
use super::section::ScreenSection;
use crate::base::compile::{Compile, number};
use crate::base::decision::Mode;

/// One pair of lists: of the whole gateway, or of one route.
#[derive(Debug, Default)]
pub struct ScreenPlan {
    /// What an objection of these lists counts. Bans do not depend on it.
    pub mode: Mode,
    pub(super) allow: Blocks,
    pub(super) deny: Blocks,
}

impl ScreenPlan {
    /// Compiles the lists at the current place (`screen` or `routes[i].screen`).
    pub fn compile(section: &ScreenSection, cx: &mut Compile) -> ScreenPlan {
        let deny = Blocks::new(&section.deny);
        for (list, blocks) in [("allow", &section.allow), ("deny", &section.deny)] {
            cx.within(list, |cx| warn_host_bits(blocks, cx));
        }
        cx.within("allow", |cx| warn_shadowed(&section.allow, &deny, cx));
        ScreenPlan { mode: section.mode, allow: Blocks::new(&section.allow), deny }
    }

    /// There is nothing to decide.
    pub fn is_empty(&self) -> bool {
        self.allow.is_empty() && self.deny.is_empty()
    }
}

fn warn_host_bits(blocks: &[IpNet], cx: &mut Compile) {
    for (index, block) in blocks.iter().enumerate().filter(|(_, block)| block.trunc() != **block) {
        cx.within(index, |cx| {
            cx.warning(
                number::HOST_BITS,
                format!("block {block} has host bits set, read as {}", block.trunc()),
            );
        });
    }
}

fn warn_shadowed(allow: &[IpNet], deny: &Blocks, cx: &mut Compile) {
    for (index, block) in allow.iter().enumerate().filter(|(_, block)| deny.contains_block(**block))
    {
        cx.within(index, |cx| {
            cx.warning(
                number::SHADOWED_BLOCK,
                format!("block {block} never passes: `deny` holds all of it"),
            );
        });
    }
}
