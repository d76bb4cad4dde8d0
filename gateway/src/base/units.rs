//! Values with units, as operators write them. A number without a unit is refused: nobody has to guess.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Implements serde and the JSON schema for a unit written as text.
macro_rules! textual {
    ($type:ident, $pattern:literal, $doc:literal, $example:literal) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "type": "string", "pattern": $pattern, "description": $doc, "examples": [$example]
                })
            }
        }
    };
}

/// A length of time: `5ms`, `3s`, `5m`, `12h`, `7d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);
textual!(
    Span,
    "^[0-9]+(us|ms|s|m|h|d)$",
    "a length of time with its unit: us, ms, s, m, h or d",
    "3s"
);

/// Memory or message size: `512B`, `64KiB`, `1MiB`, `1GiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub usize);
textual!(Size, "^[0-9]+(B|KiB|MiB|GiB)$", "a size with its unit: B, KiB, MiB or GiB", "64KiB");

/// So many per time: `100/1s`, `5/1m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    pub count: u64,
    pub period: Duration,
}
textual!(Rate, "^[0-9]+/[0-9]+(ms|s|m|h|d)$", "a count per length of time", "100/1s");

/// So many per calendar window of UTC: `1000000/month`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    pub count: u64,
    pub window: Window,
}
textual!(Quota, "^[0-9]+/(hour|day|month)$", "a count per calendar window of UTC", "1000000/month");

/// A calendar window, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    Hour,
    Day,
    Month,
}

/// A share of a whole, in hundredths: `10%`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percent(pub u8);
textual!(Percent, "^(100|[0-9]{1,2})%$", "a share in percent", "10%");

/// Where a secret is kept; never the secret itself, so that a configuration can be shown and committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretRef {
    /// `file:PATH`; a trailing line break is not part of the secret.
    File(PathBuf),
    /// `env:NAME`.
    Env(String),
}
textual!(SecretRef, "^(file|env):.+$", "a reference to a secret", "file:/run/secrets/token");

impl SecretRef {
    /// Reads the secret. Errors name the place, never the content.
    pub fn read(&self) -> Result<String, String> {
        let text = match self {
            SecretRef::File(path) => std::fs::read_to_string(path)
                .map_err(|error| format!("secret file `{}`: {error}", path.display()))?,
            SecretRef::Env(name) => std::env::var(name)
                .map_err(|_| format!("environment variable `{name}` is not set"))?,
        };
        let text = text.trim_end_matches(['\r', '\n']);
        if text.is_empty() {
            return Err(format!("secret `{self}` is empty"));
        }
        Ok(text.to_owned())
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Span, String> {
        let (count, unit) = split_unit(text, "duration", "3s, 500ms or 5m")?;
        let micros: u64 = match unit {
            "us" => 1,
            "ms" => 1_000,
            "s" => 1_000_000,
            "m" => 60_000_000,
            "h" => 3_600_000_000,
            "d" => 86_400_000_000,
            _ => {
                return Err(format!(
                    "unknown unit `{unit}` in duration `{text}`, allowed: us, ms, s, m, h, d"
                ));
            }
        };
        let micros =
            count.checked_mul(micros).ok_or_else(|| format!("duration `{text}` is too long"))?;
        Ok(Span(Duration::from_micros(micros)))
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Size, String> {
        let (count, unit) = split_unit(text, "size", "64KiB or 1MiB")?;
        let shift = match unit {
            "B" => 0,
            "KiB" => 10,
            "MiB" => 20,
            "GiB" => 30,
            _ => {
                return Err(format!(
                    "unknown unit `{unit}` in size `{text}`, allowed: B, KiB, MiB, GiB"
                ));
            }
        };
        usize::try_from(count)
            .ok()
            .and_then(|count| count.checked_mul(1 << shift))
            .map(Size)
            .ok_or_else(|| format!("size `{text}` is too large"))
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Rate, String> {
        let wrong = || format!("rate `{text}` is not a count per time, for example 100/1s");
        let (count, period) = text.split_once('/').ok_or_else(wrong)?;
        let count = count.parse().map_err(|_| wrong())?;
        let period = period.parse::<Span>()?.0;
        if count == 0 || period.is_zero() {
            return Err(format!(
                "rate `{text}` is zero; a route that nobody may use needs no limit"
            ));
        }
        Ok(Rate { count, period })
    }
}

impl FromStr for Quota {
    type Err = String;

    fn from_str(text: &str) -> Result<Quota, String> {
        let wrong = || {
            format!(
                "quota `{text}` is not a count per hour, day or month, for example 1000000/month"
            )
        };
        let (count, window) = text.split_once('/').ok_or_else(wrong)?;
        let count = count.parse().map_err(|_| wrong())?;
        let window = match window {
            "hour" => Window::Hour,
            "day" => Window::Day,
            "month" => Window::Month,
            _ => return Err(wrong()),
        };
        if count == 0 {
            return Err(format!("quota `{text}` is zero"));
        }
        Ok(Quota { count, window })
    }
}

impl FromStr for Percent {
    type Err = String;

    fn from_str(text: &str) -> Result<Percent, String> {
        text.strip_suffix('%')
            .and_then(|number| number.parse().ok())
            .filter(|number| *number <= 100)
            .map(Percent)
            .ok_or_else(|| format!("`{text}` is not a share from 0% to 100%"))
    }
}

impl FromStr for SecretRef {
    type Err = String;

    fn from_str(text: &str) -> Result<SecretRef, String> {
        match text.split_once(':') {
            Some(("file", path)) if !path.is_empty() => Ok(SecretRef::File(path.into())),
            Some(("env", name)) if !name.is_empty() => Ok(SecretRef::Env(name.into())),
            // The text may be the secret itself: it is not repeated.
            _ => Err("a secret is written as a reference, file:PATH or env:NAME".into()),
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u128, &str); 5] = [
            (86_400_000_000, "d"),
            (3_600_000_000, "h"),
            (60_000_000, "m"),
            (1_000_000, "s"),
            (1_000, "ms"),
        ];
        let micros = self.0.as_micros();
        let fits = UNITS.iter().find(|(size, _)| micros != 0 && micros.is_multiple_of(*size));
        match fits {
            Some((size, unit)) => write!(f, "{}{unit}", micros / size),
            None => write!(f, "{micros}us"),
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(usize, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
        match UNITS.iter().find(|(size, _)| self.0 != 0 && self.0.is_multiple_of(*size)) {
            Some((size, unit)) => write!(f, "{}{unit}", self.0 / size),
            None => write!(f, "{}B", self.0),
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.count, Span(self.period))
    }
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let window = match self.window {
            Window::Hour => "hour",
            Window::Day => "day",
            Window::Month => "month",
        };
        write!(f, "{}/{window}", self.count)
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SecretRef::File(path) => write!(f, "file:{}", path.display()),
            SecretRef::Env(name) => write!(f, "env:{name}"),
        }
    }
}

fn split_unit<'t>(text: &'t str, kind: &str, example: &str) -> Result<(u64, &'t str), String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (count, unit) = text.split_at(digits);
    if count.is_empty() {
        return Err(format!("{kind} `{text}` does not start with a number, for example {example}"));
    }
    if unit.is_empty() {
        return Err(format!("{kind} `{text}` has no unit, for example {example}"));
    }
    let count = count.parse().map_err(|_| format!("{kind} `{text}` is too large"))?;
    Ok((count, unit))
}
