//! Environment variables that look like a setting and are none: mostly a name that is spelled wrong.

use super::{SETTINGS, Setting};
use crate::spec::nearest;
use std::ffi::OsString;

const PREFIX: &str = "IMGSRV_";

/// Variables of the two programs and the client packages that are no settings.
const OTHERS: &[&str] = &["IMGSRV_CONFIG", "IMGSRV_SERVER", "IMGSRV_TOKEN", "IMGSRV_PROGRAM"];

/// A variable that neither program knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown variable {name}{}", nearest.as_ref().map(|near| format!(", did you mean {near}?")).unwrap_or_default())]
pub struct UnknownVariable {
    /// Its name.
    pub name: String,
    /// The variable of a setting that is spelled nearly so.
    pub nearest: Option<String>,
}

/// Finds the names that begin as those of settings do, and are none.
pub fn unknown_variables(names: impl Iterator<Item = OsString>) -> Vec<UnknownVariable> {
    let is_known = |name: &str| {
        SETTINGS.iter().any(|setting| setting.variable() == name)
            || OTHERS.contains(&name)
            || is_of_kubernetes(name)
    };
    let names = names.filter_map(|name| name.into_string().ok());
    let unknown = names.filter(|name| name.starts_with(PREFIX) && !is_known(name));
    unknown
        .map(|name| {
            let key = name[PREFIX.len()..].to_ascii_lowercase();
            let near = nearest(&key, SETTINGS.iter().map(|setting| setting.name));
            let near = SETTINGS.iter().find(|setting| Some(setting.name) == near).map(Setting::variable);
            UnknownVariable { name, nearest: near }
        })
        .collect()
}

/// Returns true if a name is one that Kubernetes makes for a service whose name is, or begins with, imgsrv.
fn is_of_kubernetes(name: &str) -> bool {
    let is_number = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit());
    name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || name.ends_with("_PORT")
        || name.split_once("_PORT_").is_some_and(|(_, rest)| is_number(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unknown(name: &str) -> Option<String> {
        unknown_variables([OsString::from(name)].into_iter()).pop().map(|unknown| unknown.to_string())
    }

    #[test]
    fn only_a_name_that_nothing_explains_is_unknown() {
        for known in [
            "IMGSRV_MAX_BODY",
            "IMGSRV_CONFIG",
            "IMGSRV_TOKEN",
            "IMGSRV_SERVICE_HOST",
            "IMGSRV_SERVICE_PORT_HTTP",
            "IMGSRV_PORT",
            "IMGSRV_PORT_8080_TCP_ADDR",
            "IMGSRV_FRONT_SERVICE_HOST",
            "PATH",
        ] {
            assert_eq!(unknown(known), None, "{known}");
        }
        let wrong = unknown("IMGSRV_MAX_BODDY").unwrap();
        assert_eq!(wrong, "unknown variable IMGSRV_MAX_BODDY, did you mean IMGSRV_MAX_BODY?");
        assert_eq!(unknown("IMGSRV_XYZZY_PLUGH").unwrap(), "unknown variable IMGSRV_XYZZY_PLUGH");
    }
}
