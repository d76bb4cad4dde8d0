//! The call: arguments and reply of `script.lua`.

use redis::Value;
use smallvec::SmallVec;

use crate::base::units::Window;

use super::super::measure::Measure;
use super::super::table::{Charge, Subject};

/// The script.
pub(super) const TEXT: &str = include_str!("../script.lua");

/// Prefix of every key. The number changes when values change their meaning.
const PREFIX: &str = "yett:limit:1:";
/// Tells whether the store still has its memory.
pub(super) const EPOCH_KEY: &str = "yett:limit:1:epoch";

/// One call.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) charges: &'a [Charge],
    /// What each charge has spent at least; 0 says nothing.
    pub(super) seeds: SmallVec<[u64; 2]>,
    pub(super) wanted: u64,
    /// Server time after which nothing may be counted, microseconds.
    pub(super) not_after_us: u64,
}

/// One reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    /// `None`: the call came too late and counted nothing.
    pub(super) granted: Option<Granted>,
    /// Server time, microseconds.
    pub(super) now_us: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Granted {
    pub(super) requests: u64,
    /// Per charge: requests it had room for before, parts spent after.
    pub(super) limits: SmallVec<[(u64, u64); 2]>,
}

impl Call<'_> {
    /// `EVALSHA sha` or `EVAL text`.
    pub(super) fn command(&self, name: &str, script: &str) -> redis::Cmd {
        let mut command = redis::cmd(name);
        command.arg(script).arg(self.charges.len());
        for charge in self.charges {
            command.arg(key(charge.subject));
        }
        command.arg(self.wanted).arg(self.not_after_us);
        for (charge, seed) in self.charges.iter().zip(&self.seeds) {
            let measure = &charge.measure;
            command
                .arg(kind(measure))
                .arg(u8::from(charge.binding))
                .arg(measure.unit())
                .arg(measure.scale())
                .arg(measure.cap())
                .arg(*seed);
        }
        command
    }
}

impl Reply {
    /// Reads the reply to a call with so many charges; `None` when it is not one.
    pub(super) fn read(value: &Value, charges: usize) -> Option<Reply> {
        let Value::Array(items) = value else { return None };
        let numbers = items.iter().map(number).collect::<Option<SmallVec<[i64; 10]>>>()?;
        let unsigned = |number: i64| u64::try_from(number).ok();
        let now_us = unsigned(*numbers.get(1)?)?;
        if numbers[0] == -1 {
            return Some(Reply { granted: None, now_us });
        }
        let limits = numbers[2..]
            .chunks_exact(2)
            .map(|pair| Some((unsigned(pair[0])?, unsigned(pair[1])?)))
            .collect::<Option<SmallVec<[(u64, u64); 2]>>>()?;
        let granted = Granted { requests: unsigned(numbers[0])?, limits };
        (granted.limits.len() == charges).then_some(Reply { granted: Some(granted), now_us })
    }
}

fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Int(number) => Some(*number),
        _ => None,
    }
}

fn key(subject: Subject) -> String {
    format!("{PREFIX}{subject:032x}")
}

fn kind(measure: &Measure) -> u8 {
    match measure {
        Measure::Rate(_) => 0,
        Measure::Quota(quota) => match quota.window {
            Window::Hour => 1,
            Window::Day => 2,
            Window::Month => 3,
        },
    }
}
