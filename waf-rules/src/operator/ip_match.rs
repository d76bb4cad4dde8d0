//! `@ipMatch 127.0.0.1,10.0.0.0/8,::1`: the value is an address in one of the networks.

use std::net::IpAddr;

use super::DataFiles;

/// Networks as (address bits, prefix bits) of one width, 128; IPv4 lies in its mapped range.
#[derive(Debug)]
pub(crate) struct Networks(Vec<(u128, u32)>);

impl Networks {
    pub(super) fn parse(argument: &str) -> Result<Self, String> {
        Self::collect(argument.split([',', ' ', '\t']))
    }

    /// One network a line, `#` for comments.
    pub(super) fn from_file(name: &str, files: DataFiles<'_>) -> Result<Self, String> {
        let text = files(name.trim())?;
        Self::collect(text.lines().map(|line| line.split('#').next().unwrap_or_default()))
    }

    fn collect<'a>(parts: impl Iterator<Item = &'a str>) -> Result<Self, String> {
        let networks: Vec<_> = parts
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(network)
            .collect::<Result<_, _>>()?;
        if networks.is_empty() {
            return Err("no address or network given".to_owned());
        }
        Ok(Self(networks))
    }

    pub(super) fn contains(&self, input: &[u8]) -> bool {
        address(input).is_some_and(|address| {
            let bits = bits(address);
            self.0.iter().any(|(network, prefix)| mask(bits ^ network, *prefix) == 0)
        })
    }
}

/// The address that a value is, if it is one.
pub(crate) fn address(value: &[u8]) -> Option<IpAddr> {
    std::str::from_utf8(value).ok()?.trim().parse().ok()
}

fn network(text: &str) -> Result<(u128, u32), String> {
    let wrong = || format!("`{text}` is no address and no network");
    let (address, prefix) =
        text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
    let address: IpAddr = address.parse().map_err(|_| wrong())?;
    let width = if address.is_ipv4() { 32 } else { 128 };
    let prefix = prefix.map_or(Ok(width), |prefix| prefix.parse::<u32>().map_err(|_| wrong()))?;
    if prefix > width {
        return Err(format!("`{text}`: prefix of {prefix} bits, bound {width}"));
    }
    Ok((bits(address), 128 - width + prefix))
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

fn mask(difference: u128, prefix: u32) -> u128 {
    if prefix == 0 { 0 } else { difference >> (128 - prefix) }
}
