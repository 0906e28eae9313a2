//! The types of setting values beside those of options: numbers, bytes, pixels, times, paths, words.

use super::{DataDir, LogFormat, LogLevel, Role, Sandbox};
use crate::service::proxies::{Proxies, ProxyHeader};
use crate::spec::{OptionValue, ValueSet, Words};
use std::path::PathBuf;
use std::time::Duration;

/// Largest number of threads, jobs or connections.
const MAX_COUNT: usize = 1 << 20;

const BYTES: &[(&str, u64)] =
    &[("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("MP", 1_000_000), ("B", 1)];

/// A positive number, alone or in GiB, MiB, KiB or MP (a million pixels).
impl OptionValue for u64 {
    fn values() -> ValueSet {
        ValueSet::Text("a positive number, alone or with KiB, MiB, GiB or MP".into())
    }

    fn read(text: &str) -> Option<Self> {
        let unit = BYTES.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)));
        let (digits, factor) = unit.unwrap_or((text, 1));
        digits.trim_end().parse::<u64>().ok()?.checked_mul(factor).filter(|n| *n > 0)
    }

    fn show(&self) -> String {
        let binary = BYTES[..3].iter().find(|(_, factor)| self.is_multiple_of(*factor));
        match binary {
            Some((unit, factor)) => format!("{}{unit}", self / factor),
            None if self.is_multiple_of(1_000_000) => format!("{}MP", self / 1_000_000),
            None => self.to_string(),
        }
    }
}

impl OptionValue for u32 {
    fn values() -> ValueSet {
        ValueSet::Integer { min: 1, max: u32::MAX.into() }
    }

    fn read(text: &str) -> Option<Self> {
        text.parse().ok().filter(|n| *n > 0)
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl OptionValue for usize {
    fn values() -> ValueSet {
        ValueSet::Integer { min: 1, max: MAX_COUNT as u64 }
    }

    fn read(text: &str) -> Option<Self> {
        text.parse().ok().filter(|n| (1..=MAX_COUNT).contains(n))
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

/// Units in milliseconds; `ms` stands before the letters that it ends in.
const TIMES: &[(&str, u64)] = &[("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// A year.
const MAX_TIME: u64 = 366 * 86_400_000;

impl OptionValue for Duration {
    fn values() -> ValueSet {
        ValueSet::Text("a time, such as 500ms, 5s, 2m or 24h".into())
    }

    fn read(text: &str) -> Option<Self> {
        let unit = TIMES.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)));
        let (digits, factor) = unit.unwrap_or((text, 1000));
        let ms = digits.parse::<u64>().ok()?.checked_mul(factor)?;
        (1..=MAX_TIME).contains(&ms).then(|| Duration::from_millis(ms))
    }

    fn show(&self) -> String {
        match self.as_millis() {
            ms if ms.is_multiple_of(3_600_000) => format!("{}h", ms / 3_600_000),
            ms if ms.is_multiple_of(1000) => format!("{}s", ms / 1000),
            ms => format!("{ms}ms"),
        }
    }
}

impl OptionValue for String {
    fn values() -> ValueSet {
        ValueSet::Text("a text".into())
    }

    fn read(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| text.to_owned())
    }

    fn show(&self) -> String {
        self.clone()
    }
}

/// Empty text for none.
impl<T: OptionValue> OptionValue for Option<T> {
    fn values() -> ValueSet {
        ValueSet::Text(format!("{}, or nothing", T::values()))
    }

    fn read(text: &str) -> Option<Self> {
        if text.is_empty() { Some(None) } else { T::read(text).map(Some) }
    }

    fn show(&self) -> String {
        self.as_ref().map(OptionValue::show).unwrap_or_default()
    }
}

impl OptionValue for PathBuf {
    fn values() -> ValueSet {
        ValueSet::Text("a path".into())
    }

    fn read(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| text.into())
    }

    fn show(&self) -> String {
        self.display().to_string()
    }
}

impl OptionValue for DataDir {
    fn values() -> ValueSet {
        ValueSet::Text("a folder, auto or none".into())
    }

    fn read(text: &str) -> Option<Self> {
        match text {
            "" => None,
            "auto" => Some(DataDir::Auto),
            "none" => Some(DataDir::None),
            path => Some(DataDir::At(path.into())),
        }
    }

    fn show(&self) -> String {
        match self {
            DataDir::Auto => "auto".to_owned(),
            DataDir::None => "none".to_owned(),
            DataDir::At(path) => path.show(),
        }
    }
}

impl Words for LogFormat {
    const WORDS: &'static [(&'static str, LogFormat)] =
        &[("auto", LogFormat::Auto), ("text", LogFormat::Text), ("json", LogFormat::Json)];
}

impl Words for LogLevel {
    const WORDS: &'static [(&'static str, LogLevel)] = &[
        ("error", LogLevel::Error),
        ("warn", LogLevel::Warn),
        ("info", LogLevel::Info),
        ("debug", LogLevel::Debug),
        ("trace", LogLevel::Trace),
    ];
}

impl Words for Sandbox {
    const WORDS: &'static [(&'static str, Sandbox)] =
        &[("auto", Sandbox::Auto), ("required", Sandbox::Required), ("off", Sandbox::Off)];
}

/// Lower-case names of hosts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostNames(pub Vec<String>);

/// Comma separated; empty text for none.
impl OptionValue for HostNames {
    fn values() -> ValueSet {
        ValueSet::Text("names, comma separated, or nothing".into())
    }

    fn read(text: &str) -> Option<Self> {
        let names = text.split(',').map(|name| name.trim().trim_end_matches('.').to_ascii_lowercase());
        let names: Vec<String> = names.filter(|name| !name.is_empty()).collect();
        let is_name = |name: &String| name.chars().all(|c| c.is_alphanumeric() || "-._".contains(c));
        names.iter().all(is_name).then_some(HostNames(names))
    }

    fn show(&self) -> String {
        self.0.join(",")
    }
}

/// Comma separated; empty text for none.
impl OptionValue for Proxies {
    fn values() -> ValueSet {
        ValueSet::Text("addresses and networks, comma separated, or nothing".into())
    }

    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Words for ProxyHeader {
    const WORDS: &'static [(&'static str, ProxyHeader)] =
        &[("x-forwarded-for", ProxyHeader::XForwardedFor), ("forwarded", ProxyHeader::Forwarded)];
}

impl Words for Role {
    const WORDS: &'static [(&'static str, Role)] =
        &[("all", Role::All), ("front", Role::Front), ("worker", Role::Worker)];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_pixels_take_units() {
        assert_eq!(u64::read("32MiB"), Some(32 << 20));
        assert_eq!(u64::read("50MP"), Some(50_000_000));
        assert_eq!(u64::read("50000000").map(|n| n.show()).as_deref(), Some("50MP"));
        for bad in ["", "0", "-1", "1.5", "99999999999GiB", "MiB"] {
            assert_eq!(u64::read(bad), None, "{bad}");
        }
    }

    #[test]
    fn times_take_units_and_mean_seconds_without_one() {
        assert_eq!(Duration::read("5"), Some(Duration::from_secs(5)));
        assert_eq!(Duration::read("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(Duration::read("2m"), Some(Duration::from_secs(120)));
        assert_eq!(Duration::read("7d").map(|time| time.show()).as_deref(), Some("168h"));
        for bad in ["", "0", "s", "-1s", "1y", "999999999s", "367d"] {
            assert_eq!(Duration::read(bad), None, "{bad}");
        }
    }
}
