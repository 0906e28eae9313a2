//! `Fence`: the files and ports that are left to this process once it serves, whatever a stranger talks it into.
//! Kept by Linux (Landlock); elsewhere there is none.

use std::path::PathBuf;

/// What is left to the process. Everything else that could be opened, made, executed, bound, connected to or signalled
/// is refused; what is open already stays so.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fence {
    /// Files, and folders with all that lies in them, that can be read.
    pub read: Vec<PathBuf>,
    /// Folders in which files can be read, made, changed and removed.
    pub write: Vec<PathBuf>,
    /// TCP ports, of whatever host, that can be connected to.
    pub connect: Vec<u16>,
}

/// How much of a [`Fence`] the system keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// All of it.
    All,
    /// What this version of Linux can: files since 5.13, TCP since 6.7, signals since 6.12.
    Part,
    /// Nothing.
    Nothing,
}

/// Why a [`Fence`] could not be closed.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct FenceError(#[from] imp::Error);

impl Fence {
    /// Puts this thread, and all that it starts from now on, inside the fence, for good.
    ///
    /// # Errors
    /// When one of the paths does not exist, or the system refuses what it said that it could do.
    pub fn close(&self) -> Result<Kept, FenceError> {
        Ok(imp::close(self)?)
    }
}

#[cfg(target_os = "linux")]
mod imp {
    use super::{Fence, Kept};
    use landlock::{
        ABI, Access, AccessFs, AccessNet, NetPort, PathBeneath, PathFd, PathFdError, Ruleset, RulesetAttr,
        RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
    };
    use std::path::Path;

    /// The latest version of the kernel's interface that this was tested with. What is older keeps a part.
    const TESTED: ABI = ABI::V7;

    /// What the kernel says about this process.
    const OWN: &str = "/proc/self";

    #[derive(Debug, thiserror::Error)]
    pub enum Error {
        #[error("{0}")]
        Path(#[from] PathFdError),
        #[error("{0}")]
        Rules(#[from] RulesetError),
    }

    pub(crate) fn close(fence: &Fence) -> Result<Kept, Error> {
        let read = AccessFs::ReadFile | AccessFs::ReadDir;
        let write = AccessFs::from_all(TESTED) & !AccessFs::Execute;
        let mut rules = Ruleset::default()
            .handle_access(AccessFs::from_all(TESTED))?
            .handle_access(AccessNet::from_all(TESTED))?
            .scope(Scope::from_all(TESTED))?
            .create()?;
        let own = PathFd::new(OWN)?;
        rules = rules.add_rule(PathBeneath::new(&own, read))?;
        // The kernel may forget an inode of /proc that nobody holds, and with it the rule.
        std::mem::forget(own);
        for path in &fence.read {
            let read = if path.is_dir() { read } else { AccessFs::ReadFile.into() };
            rules = rules.add_rule(beneath(path, read)?)?;
        }
        for path in &fence.write {
            rules = rules.add_rule(beneath(path, write)?)?;
        }
        for port in &fence.connect {
            rules = rules.add_rule(NetPort::new(*port, AccessNet::ConnectTcp))?;
        }
        Ok(match rules.restrict_self()?.ruleset {
            RulesetStatus::FullyEnforced => Kept::All,
            RulesetStatus::PartiallyEnforced => Kept::Part,
            RulesetStatus::NotEnforced => Kept::Nothing,
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
    use super::{Fence, Kept};

    /// Nothing can go wrong where nothing is done.
    #[derive(Debug, thiserror::Error)]
    pub enum Error {}

    pub(crate) fn close(_: &Fence) -> Result<Kept, Error> {
        Ok(Kept::Nothing)
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

    /// Runs `test` in a thread inside the fence, unless this kernel keeps only a part of it.
    fn inside(fence: &Fence, test: impl FnOnce() + Send) {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| match fence.close().expect("a fence") {
                Kept::All => test(),
                kept => println!("skipped: this kernel keeps {kept:?} of a fence"),
            });
            thread.join().expect("no panic inside");
        });
    }

    fn denied<T>(outcome: std::io::Result<T>) -> bool {
        outcome.is_err_and(|error| error.kind() == PermissionDenied)
    }

    #[test]
    fn only_what_was_named_can_be_read_and_written() {
        let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
        let [read, write, other] = folders.each_ref().map(|folder| folder.path());
        for folder in [read, write, other] {
            fs::write(folder.join("file"), "text").unwrap();
        }
        let fence = Fence { read: vec![read.into()], write: vec![write.into()], connect: vec![] };
        inside(&fence, || {
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
        assert_eq!(fs::read(other.join("file")).unwrap(), b"text", "the other threads are outside");
    }

    #[test]
    fn a_file_alone_can_be_named() {
        let fence = Fence { read: vec!["/dev/null".into()], ..Fence::default() };
        inside(&fence, || {
            assert!(File::open("/dev/null").is_ok());
            assert!(denied(File::open("/dev/zero")));
        });
    }

    #[test]
    fn nothing_is_bound_executed_or_connected_to_but_the_named_ports() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let named = listener.local_addr().unwrap();
        let stranger = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        inside(&Fence { connect: vec![named.port()], ..Fence::default() }, || {
            assert!(TcpStream::connect(named).is_ok() && listener.accept().is_ok());
            assert!(denied(TcpStream::connect(stranger)));
            assert!(denied(TcpListener::bind("127.0.0.1:0")));
            assert!(denied(Command::new("/bin/true").status()));
        });
    }

    #[test]
    fn a_path_that_is_not_there_is_named() {
        let fence = Fence { read: vec![Path::new("/no/such/folder").into()], ..Fence::default() };
        assert!(fence.close().unwrap_err().to_string().contains("/no/such/folder"));
    }
}
