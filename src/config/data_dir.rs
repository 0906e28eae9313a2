//! `DataDir`: the folder of the tasks, given or found.

use std::ffi::OsString;
use std::path::PathBuf;

/// The folder for state that outlives the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataDir {
    /// The system's folder for the state of programs.
    Auto,
    /// Nothing is kept.
    None,
    /// This folder.
    At(PathBuf),
}

impl DataDir {
    /// The folder; `None` if there is none. For [`DataDir::Auto`] the `StateDirectory=` of a systemd unit, else `imgsrv`
    /// within `XDG_STATE_HOME`, else within `~/.local/state`.
    pub fn folder(&self, variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
        let path = |name| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
        match self {
            DataDir::At(path) => Some(path.clone()),
            DataDir::None => None,
            DataDir::Auto => path("STATE_DIRECTORY")
                .or_else(|| Some(path("XDG_STATE_HOME")?.join("imgsrv")))
                .or_else(|| Some(path("HOME")?.join(".local/state/imgsrv"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(variables: &[(&str, &str)]) -> Option<PathBuf> {
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| OsString::from(value))
        };
        DataDir::Auto.folder(variable)
    }

    #[test]
    fn the_systems_folder_is_found_by_its_variables() {
        let home = ("HOME", "/home/me");
        let state = ("XDG_STATE_HOME", "/home/me/state");
        assert_eq!(found(&[home]), Some("/home/me/.local/state/imgsrv".into()));
        assert_eq!(found(&[home, state]), Some("/home/me/state/imgsrv".into()));
        assert_eq!(
            found(&[home, state, ("STATE_DIRECTORY", "/var/lib/imgsrv")]),
            Some("/var/lib/imgsrv".into())
        );
        assert_eq!(found(&[("HOME", "")]), None);
        assert_eq!(
            found(&[home, ("XDG_STATE_HOME", "relative")]),
            Some("/home/me/.local/state/imgsrv".into())
        );
    }
}
