//! `initcol`, `setsid`, `setuid`, `setrsc`, `expirevar`, `deprecatevar`: persistent collections.

use super::setvar::place;
use crate::collection::Collection;

/// An action on a persistent collection, its texts not yet split into macros.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Persist {
    /// `initcol:ip=%{REMOTE_ADDR}`.
    Open { collection: Collection, key: String },
    /// `expirevar:ip.x=60`, seconds.
    Expire { collection: Collection, name: String, seconds: String },
    /// `deprecatevar:ip.x=60/300`: 60 less every 300 seconds.
    Decay { collection: Collection, name: String, amount: i64, period_s: u64 },
}

impl Persist {
    /// `name` is the action, in lower case.
    pub(super) fn parse(name: &str, value: &str) -> Result<Self, String> {
        match name {
            "initcol" => open(value),
            "expirevar" => expire(value),
            "deprecatevar" => decay(value),
            "setsid" => Ok(Self::Open { collection: Collection::Session, key: value.to_owned() }),
            "setuid" => Ok(Self::Open { collection: Collection::User, key: value.to_owned() }),
            _ => Ok(Self::Open { collection: Collection::Resource, key: value.to_owned() }),
        }
    }
}

fn open(value: &str) -> Result<Persist, String> {
    let (name, key) = value
        .split_once('=')
        .filter(|(_, key)| !key.is_empty())
        .ok_or_else(|| format!("initcol `{value}`, expected COLLECTION=KEY"))?;
    let collection = Collection::parse(name).ok_or_else(|| {
        format!("initcol `{name}`, expected ip, global, resource, session or user")
    })?;
    Ok(Persist::Open { collection, key: key.to_owned() })
}

fn expire(value: &str) -> Result<Persist, String> {
    let (target, seconds) = value
        .split_once('=')
        .filter(|(_, seconds)| !seconds.is_empty())
        .ok_or_else(|| format!("expirevar `{value}`, expected ip.NAME=SECONDS"))?;
    let (collection, name) = stored("expirevar", target)?;
    Ok(Persist::Expire { collection, name, seconds: seconds.to_owned() })
}

fn decay(value: &str) -> Result<Persist, String> {
    let wrong = || format!("deprecatevar `{value}`, expected ip.NAME=AMOUNT/SECONDS");
    let (target, rate) = value.split_once('=').ok_or_else(wrong)?;
    let (amount, period) = rate.split_once('/').ok_or_else(wrong)?;
    let (collection, name) = stored("deprecatevar", target)?;
    let amount = amount.trim().parse::<i64>().ok().filter(|amount| *amount > 0);
    let period_s = period.trim().parse::<u64>().ok().filter(|period| *period > 0);
    let (amount, period_s) = amount.zip(period_s).ok_or_else(wrong)?;
    Ok(Persist::Decay { collection, name, amount, period_s })
}

fn stored(action: &str, target: &str) -> Result<(Collection, String), String> {
    let (collection, name) = place(action, target, false)?;
    let collection = collection.ok_or_else(|| format!("{action} `{target}` has no collection"))?;
    Ok((collection, name))
}
