//! `RequestPolicy`: the defaults and presets of requests, and the restriction to presets.

use crate::spec::{OptionDef, Options, Spec, SpecError, decode_pairs};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

/// The defaults and presets of a server.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RequestPolicy {
    /// Defaults for options that a request leaves out.
    pub base: Spec,
    /// Specs by name, for `preset=name`; other keys of the request override them.
    pub presets: BTreeMap<String, Spec>,
    /// Requires a preset, and refuses other picture options.
    pub only_presets: bool,
}

/// The policy in force, which a reload replaces. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct CurrentPolicy(Arc<RwLock<Arc<RequestPolicy>>>);

impl CurrentPolicy {
    /// A policy that holds until another one replaces it.
    pub fn new(policy: RequestPolicy) -> CurrentPolicy {
        CurrentPolicy(Arc::new(RwLock::new(Arc::new(policy))))
    }

    /// The policy of requests that begin now.
    pub fn current(&self) -> Arc<RequestPolicy> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces the policy. Returns what changes, for the log; `None` if nothing does.
    pub fn replace(&self, policy: RequestPolicy) -> Option<String> {
        let mut current = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let changes = current.changes_to(&policy);
        *current = Arc::new(policy);
        changes
    }
}

impl RequestPolicy {
    /// Names the presets that differ in `other`.
    fn changes_to(&self, other: &RequestPolicy) -> Option<String> {
        let mut changes = Vec::new();
        for (name, spec) in &other.presets {
            match self.presets.get(name) {
                None => changes.push(format!("preset '{name}' is new")),
                Some(before) if before != spec => changes.push(format!("preset '{name}' changed")),
                Some(_) => {}
            }
        }
        let gone = self.presets.keys().filter(|name| !other.presets.contains_key(*name));
        changes.extend(gone.map(|name| format!("preset '{name}' is gone")));
        if self.only_presets != other.only_presets {
            changes.push(format!("only_presets is {}", other.only_presets));
        }
        if self.base != other.base {
            changes.push("the defaults of requests changed".to_owned());
        }
        (!changes.is_empty()).then(|| changes.join(", "))
    }

    /// Adds a preset made of the same pairs as a request.
    ///
    /// # Errors
    /// [`SpecError`] as for a request.
    pub fn add_preset<V: AsRef<str>>(&mut self, name: &str, pairs: &[(&str, V)]) -> Result<(), SpecError> {
        let of_picture = |key: &str| OptionDef::of(key).is_some();
        let spec = Options::from_pairs(pairs, &self.base)?.spec;
        match pairs.iter().find(|(key, _)| !of_picture(key)) {
            Some((key, _)) => {
                Err(SpecError::Contradiction(format!("option '{key}' belongs to a call, not to a preset")))
            }
            None => {
                self.presets.insert(name.to_owned(), spec);
                Ok(())
            }
        }
    }

    /// Reads the options of a request.
    ///
    /// # Errors
    /// As [`Options::parse`], [`SpecError::UnknownPreset`] and [`SpecError::PresetsOnly`].
    pub fn parse(&self, encoded: &[u8]) -> Result<Options, SpecError> {
        self.parse_pairs(decode_pairs(encoded)?)
    }

    /// Reads the options of a request from decoded pairs.
    ///
    /// # Errors
    /// As [`RequestPolicy::parse`].
    pub fn parse_pairs(&self, mut pairs: Vec<(String, String)>) -> Result<Options, SpecError> {
        let mut named = pairs.extract_if(.., |(key, _)| key == "preset").map(|(_, name)| name);
        let (preset, second) = (named.next(), named.next());
        drop(named);
        if second.is_some() {
            return Err(SpecError::Repeated("preset".into()));
        }
        let base = match &preset {
            Some(name) => self.presets.get(name).ok_or_else(|| SpecError::unknown_preset(name))?,
            None => &self.base,
        };
        let options = Options::from_pairs(&pairs, base)?;
        let has_more = pairs.iter().any(|(key, _)| OptionDef::of(key).is_some());
        if self.only_presets && !options.call.ping && (preset.is_none() || has_more) {
            return Err(SpecError::PresetsOnly);
        }
        Ok(options)
    }

    /// Spec of a plain request: a JPEG of this size. Never passes the source through, because that client expects a
    /// new JPEG.
    ///
    /// # Errors
    /// As [`RequestPolicy::sized`]; [`SpecError::PresetsOnly`] always where only presets are offered.
    pub fn plain(&self, width: u32, height: u32) -> Result<Spec, SpecError> {
        if self.only_presets {
            return Err(SpecError::PresetsOnly);
        }
        Spec { passthrough: false, ..self.base.clone() }.sized(width, height)
    }

    /// Applies width and height of a request header to the spec of its options.
    ///
    /// # Errors
    /// As [`Spec::sized`]; [`SpecError::PresetsOnly`] for a size where only presets are offered.
    pub fn sized(&self, spec: Spec, width: u32, height: u32) -> Result<Spec, SpecError> {
        if self.only_presets && (width, height) != (0, 0) {
            return Err(SpecError::PresetsOnly);
        }
        spec.sized(width, height)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Fit;

    fn policy() -> RequestPolicy {
        let mut policy = RequestPolicy::default();
        policy.add_preset("thumb", &[("width", "200"), ("fit", "cover")]).unwrap();
        policy
    }

    #[test]
    fn a_preset_is_what_the_request_starts_from() {
        let spec = policy().parse(b"preset=thumb&height=100").unwrap().spec;
        assert_eq!((spec.width, spec.height, spec.fit), (200, 100, Fit::Cover));
        assert_eq!(policy().parse(b"width=9").unwrap().spec.fit, Fit::Fill);
    }

    #[test]
    fn unknown_and_repeated_presets_are_refused() {
        let error = policy().parse(b"preset=thum").unwrap_err();
        assert_eq!(error.to_string(), "unknown preset 'thum'");
        assert_eq!(policy().parse(b"preset=thumb&preset=thumb"), Err(SpecError::Repeated("preset".into())));
    }

    #[test]
    fn only_presets_means_nothing_else() {
        let policy = RequestPolicy { only_presets: true, ..policy() };
        let spec = policy.parse(b"preset=thumb&id=7").unwrap().spec;
        assert_eq!(spec.width, 200);
        assert!(policy.sized(spec.clone(), 0, 0).is_ok());
        assert!(policy.parse(b"op=ping").is_ok());
        for bad in [&b""[..], b"width=200", b"preset=thumb&quality=5"] {
            assert_eq!(policy.parse(bad), Err(SpecError::PresetsOnly));
        }
        assert_eq!(policy.sized(spec, 300, 0), Err(SpecError::PresetsOnly));
        assert_eq!(policy.plain(800, 600), Err(SpecError::PresetsOnly));
    }

    #[test]
    fn a_preset_holds_a_picture_and_no_call() {
        let mut policy = RequestPolicy::default();
        assert!(policy.add_preset("a", &[("token", "x")]).is_err());
        assert!(policy.add_preset("a", &[("quality", "101")]).is_err());
        assert!(policy.presets.is_empty());
    }

    #[test]
    fn a_plain_request_gets_a_new_jpeg_of_its_size() {
        let spec = RequestPolicy::default().plain(800, 600).unwrap();
        assert_eq!((spec.width, spec.height, spec.passthrough), (800, 600, false));
    }
}
