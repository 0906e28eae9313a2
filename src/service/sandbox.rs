//! `AccessRules`: the files and ports that a serving process may still use. Enforced by Linux (Landlock) alone.

use std::path::PathBuf;

/// Files and ports that the process may use. The kernel refuses to open, create, execute, bind, connect to or signal
/// anything else. Open files and sockets stay open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccessRules {
    /// Files, and folders with their contents, that can be read.
    pub read: Vec<PathBuf>,
    /// Folders in which files can be read, created, changed and removed.
    pub write: Vec<PathBuf>,
    /// TCP ports, of any host, that can be connected to.
    pub connect: Vec<u16>,
}

/// The part of [`AccessRules`] that the system enforces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enforcement {
    /// All rules.
    Full,
    /// Those of this version of Linux: files since 5.13, TCP since 6.7, signals since 6.12.
    Partial,
    /// None.
    None,
}

/// Rules that could not be applied.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct SandboxError(#[from] imp::Error);

impl AccessRules {
    /// Restricts this thread, and all threads that it starts from now on, for good.
    ///
    /// # Errors
    /// When a path does not exist, or the system refuses rules that it claims to support.
    pub fn restrict(&self) -> Result<Enforcement, SandboxError> {
        Ok(imp::restrict(self)?)
    }
}

#[cfg(target_os = "linux")]
mod imp {
    use super::{AccessRules, Enforcement};
    use landlock::{
        ABI, Access, AccessFs, AccessNet, NetPort, PathBeneath, PathFd, PathFdError, Ruleset, RulesetAttr,
        RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
    };
    use std::path::Path;

    /// The latest version of the kernel's interface that this was tested with. An older one enforces a part.
    const TESTED: ABI = ABI::V7;

    /// Figures of the kernel about this process.
    const OWN: &str = "/proc/self";

    #[derive(Debug, thiserror::Error)]
    pub enum Error {
        #[error("{0}")]
        Path(#[from] PathFdError),
        #[error("{0}")]
        Rules(#[from] RulesetError),
    }

    pub(crate) fn restrict(rules: &AccessRules) -> Result<Enforcement, Error> {
        let read = AccessFs::ReadFile | AccessFs::ReadDir;
        let write = AccessFs::from_all(TESTED) & !AccessFs::Execute;
        let mut ruleset = Ruleset::default()
            .handle_access(AccessFs::from_all(TESTED))?
            .handle_access(AccessNet::from_all(TESTED))?
            .scope(Scope::from_all(TESTED))?
            .create()?;
        let own = PathFd::new(OWN)?;
        ruleset = ruleset.add_rule(PathBeneath::new(&own, read))?;
        // The kernel may drop an inode of /proc that is not open, and with it the rule.
        std::mem::forget(own);
        for path in &rules.read {
            let read = if path.is_dir() { read } else { AccessFs::ReadFile.into() };
            ruleset = ruleset.add_rule(beneath(path, read)?)?;
        }
        for path in &rules.write {
            ruleset = ruleset.add_rule(beneath(path, write)?)?;
        }
        for port in &rules.connect {
            ruleset = ruleset.add_rule(NetPort::new(*port, AccessNet::ConnectTcp))?;
        }
        Ok(match ruleset.restrict_self()?.ruleset {
            RulesetStatus::FullyEnforced => Enforcement::Full,
            RulesetStatus::PartiallyEnforced => Enforcement::Partial,
            RulesetStatus::NotEnforced => Enforcement::None,
        })
    }

    fn beneath(
        path: &Path,
        access: impl Into<landlock::BitFlags<AccessFs>>,
    ) -> Result<PathBeneath<PathFd>, PathFdError> {
        Ok(PathBeneath::new(PathFd::new(path)?, access))
    }
}

#[cfg(not(target_os = "linux"))]
mod imp {
    use super::{AccessRules, Enforcement};

    /// No error is possible.
    #[derive(Debug, thiserror::Error)]
    pub enum Error {}

    pub(crate) fn restrict(_: &AccessRules) -> Result<Enforcement, Error> {
        Ok(Enforcement::None)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::fs::{self, File};
    use std::io::ErrorKind::PermissionDenied;
    use std::net::{TcpListener, TcpStream};
    use std::path::Path;
    use std::process::Command;

    /// Runs `test` in a restricted thread, unless this kernel enforces only a part of the rules.
    fn restricted(rules: &AccessRules, test: impl FnOnce() + Send) {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| match rules.restrict().expect("rules that apply") {
                Enforcement::Full => test(),
                enforcement => println!("skipped: this kernel enforces {enforcement:?} of the rules"),
            });
            thread.join().expect("no panic");
        });
    }

    fn denied<T>(outcome: std::io::Result<T>) -> bool {
        outcome.is_err_and(|error| error.kind() == PermissionDenied)
    }

    #[test]
    fn only_named_files_can_be_read_and_written() {
        let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
        let [read, write, other] = folders.each_ref().map(|folder| folder.path());
        for folder in [read, write, other] {
            fs::write(folder.join("file"), "text").unwrap();
        }
        let rules = AccessRules { read: vec![read.into()], write: vec![write.into()], connect: vec![] };
        restricted(&rules, || {
            assert_eq!(fs::read(read.join("file")).unwrap(), b"text");
            assert!(denied(fs::write(read.join("file"), "")) && denied(fs::write(read.join("new"), "")));
            assert_eq!(fs::read(write.join("file")).unwrap(), b"text");
            fs::write(write.join("new"), "more").unwrap();
            fs::create_dir(write.join("folder")).unwrap();
            fs::rename(write.join("new"), write.join("folder/new")).unwrap();
            fs::remove_file(write.join("file")).unwrap();
            assert!(denied(fs::read(other.join("file"))) && denied(fs::write(other.join("new"), "")));
            assert!(denied(fs::read_dir(other)) && denied(File::open("/etc/passwd")));
            std::os::unix::fs::symlink(other.join("file"), write.join("link")).unwrap();
            assert!(denied(fs::read(write.join("link"))), "a link leads out");
            assert!(fs::read_to_string("/proc/self/status").unwrap().contains("VmRSS"));
        });
        assert_eq!(fs::read(other.join("file")).unwrap(), b"text", "other threads are not restricted");
    }

    #[test]
    fn a_file_alone_can_be_named() {
        let rules = AccessRules { read: vec!["/dev/null".into()], ..AccessRules::default() };
        restricted(&rules, || {
            assert!(File::open("/dev/null").is_ok());
            assert!(denied(File::open("/dev/zero")));
        });
    }

    #[test]
    fn nothing_is_bound_executed_or_connected_to_except_named_ports() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let named = listener.local_addr().unwrap();
        let stranger = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        restricted(&AccessRules { connect: vec![named.port()], ..AccessRules::default() }, || {
            assert!(TcpStream::connect(named).is_ok() && listener.accept().is_ok());
            assert!(denied(TcpStream::connect(stranger)));
            assert!(denied(TcpListener::bind("127.0.0.1:0")));
            assert!(denied(Command::new("/bin/true").status()));
        });
    }

    #[test]
    fn a_missing_path_is_named_in_the_error() {
        let rules = AccessRules { read: vec![Path::new("/no/such/folder").into()], ..AccessRules::default() };
        assert!(rules.restrict().unwrap_err().to_string().contains("/no/such/folder"));
    }
}
