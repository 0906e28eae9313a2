//! `BuildInfo`: version, commit, target and features of this build.

use crate::format::Format;
use std::fmt;

/// The facts of a build. Its text is what `--version` prints.
#[derive(Debug, Clone, Copy)]
pub struct BuildInfo {
    /// The version, as `0.1.0`.
    pub version: &'static str,
    /// The commit; empty in debug builds and outside of a clone.
    pub commit: &'static str,
    /// The target, as `x86_64-unknown-linux-gnu`.
    pub target: &'static str,
}

/// This build.
pub const BUILD_INFO: BuildInfo = BuildInfo {
    version: env!("CARGO_PKG_VERSION"),
    commit: env!("BUILD_COMMIT"),
    target: env!("BUILD_TARGET"),
};

/// Every cargo feature, and true for those that were on.
const FEATURES: &[(&str, bool)] = &[
    ("client", cfg!(feature = "client")),
    ("server", cfg!(feature = "server")),
    ("cli", cfg!(feature = "cli")),
    ("http", cfg!(feature = "http")),
    ("legacy", cfg!(feature = "legacy")),
    ("tls", cfg!(feature = "tls")),
    ("webp", cfg!(feature = "webp")),
    ("tasks", cfg!(feature = "tasks")),
    ("nats", cfg!(feature = "nats")),
    ("avif", cfg!(feature = "avif")),
];

impl BuildInfo {
    /// The cargo features of this build.
    pub fn features(&self) -> impl Iterator<Item = &'static str> {
        FEATURES.iter().filter(|(_, on)| *on).map(|(name, _)| *name)
    }
}

impl fmt::Display for BuildInfo {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let commit = if self.commit.is_empty() { "no commit recorded" } else { self.commit };
        writeln!(out, "{} ({commit}, {})", self.version, self.target)?;
        let names = |wanted: fn(Format) -> bool| {
            let formats = Format::ALL.into_iter().filter(|format| wanted(*format)).map(Format::name);
            formats.collect::<Vec<_>>().join(" ")
        };
        writeln!(out, "features: {}", self.features().collect::<Vec<_>>().join(" "))?;
        writeln!(out, "reads: {}", names(Format::is_readable))?;
        write!(
            out,
            "writes: {}",
            names(|format| format.is_writable() && (format != Format::Avif || cfg!(feature = "avif")))
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_features_are_those_of_the_manifest() {
        let manifest = include_str!("../Cargo.toml");
        let (_, rest) = manifest.split_once("[features]\n").unwrap();
        let (section, _) = rest.split_once("\n[").unwrap();
        let names = section.lines().filter_map(|line| line.split_once(" = ")).map(|(name, _)| name);
        let declared: BTreeSet<&str> = names.filter(|name| *name != "default").collect();
        assert_eq!(FEATURES.iter().map(|(name, _)| *name).collect::<BTreeSet<_>>(), declared);
    }

    #[test]
    fn the_text_names_version_features_and_formats() {
        let text = BUILD_INFO.to_string();
        assert!(text.starts_with(&format!("{} (", env!("CARGO_PKG_VERSION"))), "{text}");
        let line = |start: &str| text.lines().find(|line| line.starts_with(start)).unwrap().to_owned();
        assert_eq!(line("features").contains(" webp"), cfg!(feature = "webp"));
        assert!(line("reads").contains(" tga") && !line("writes").contains(" tga"), "{text}");
        assert_eq!(line("writes").contains(" avif"), cfg!(feature = "avif"));
    }
}
