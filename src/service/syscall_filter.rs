//! `SyscallFilter`: the system calls that a serving process never needs, which Linux (seccomp) then refuses.
//!
//! It names what is refused and allows the rest: a call of the C library that nobody thought of fails no start.

/// System calls that are refused with `EPERM`: programs, other processes, kernel modules, mounts, keys, clocks, users, and
/// sockets of families that a server does not use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyscallFilter {
    /// Allows UDP, by which host names are resolved.
    pub resolves_names: bool,
}

/// A filter that could not be installed.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct FilterError(#[from] imp::Error);

impl SyscallFilter {
    /// Filters the calls of this thread, and of all threads that it starts from now on, for good. Returns false on a system
    /// or processor without a filter.
    ///
    /// # Errors
    /// When the kernel refuses the filter.
    pub fn install(self) -> Result<bool, FilterError> {
        Ok(imp::install(self)?)
    }
}

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod imp {
    use super::SyscallFilter;
    use seccompiler::{
        BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen as Width, SeccompCmpOp as Is,
        SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
    };
    use std::collections::BTreeMap;

    #[derive(Debug, thiserror::Error)]
    pub enum Error {
        #[error("the filter of system calls is wrong: {0}")]
        Rules(#[from] BackendError),
        #[error("the kernel refuses the filter of system calls: {0}")]
        Install(#[from] seccompiler::Error),
    }

    /// The same as `libc::SYS_kexec_file_load`, which the crate lacks for ARM64 with musl.
    const KEXEC_FILE_LOAD: i64 = if cfg!(target_arch = "aarch64") { 294 } else { 320 };

    /// Calls that are refused whatever their arguments.
    const REFUSED: &[i64] = &[
        // Programs, and the memory of other processes.
        libc::SYS_execve,
        libc::SYS_execveat,
        libc::SYS_ptrace,
        libc::SYS_process_vm_readv,
        libc::SYS_process_vm_writev,
        libc::SYS_pidfd_getfd,
        libc::SYS_kcmp,
        // Code and events of the kernel.
        libc::SYS_bpf,
        libc::SYS_init_module,
        libc::SYS_finit_module,
        libc::SYS_delete_module,
        libc::SYS_kexec_load,
        KEXEC_FILE_LOAD,
        libc::SYS_perf_event_open,
        libc::SYS_userfaultfd,
        libc::SYS_io_uring_setup,
        libc::SYS_io_uring_enter,
        libc::SYS_io_uring_register,
        libc::SYS_fanotify_init,
        libc::SYS_syslog,
        // File systems and namespaces.
        libc::SYS_mount,
        libc::SYS_umount2,
        libc::SYS_move_mount,
        libc::SYS_open_tree,
        libc::SYS_fsopen,
        libc::SYS_fsconfig,
        libc::SYS_fsmount,
        libc::SYS_fspick,
        libc::SYS_pivot_root,
        libc::SYS_chroot,
        libc::SYS_unshare,
        libc::SYS_setns,
        libc::SYS_open_by_handle_at,
        libc::SYS_mknodat,
        libc::SYS_quotactl,
        libc::SYS_swapon,
        libc::SYS_swapoff,
        // Keys, users and the machine.
        libc::SYS_keyctl,
        libc::SYS_add_key,
        libc::SYS_request_key,
        libc::SYS_setuid,
        libc::SYS_setgid,
        libc::SYS_setreuid,
        libc::SYS_setregid,
        libc::SYS_setresuid,
        libc::SYS_setresgid,
        libc::SYS_setgroups,
        libc::SYS_capset,
        libc::SYS_personality,
        libc::SYS_acct,
        libc::SYS_reboot,
        libc::SYS_settimeofday,
        libc::SYS_clock_settime,
        libc::SYS_clock_adjtime,
        libc::SYS_adjtimex,
        libc::SYS_sethostname,
        libc::SYS_setdomainname,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_iopl,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_ioperm,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_modify_ldt,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_mknod,
    ];

    /// Bit of the calls of the x32 interface, and the numbers that mean other calls there.
    #[cfg(target_arch = "x86_64")]
    const X32: (i64, std::ops::RangeInclusive<i64>) = (1 << 30, 512..=547);

    /// The kind of a socket without its flags.
    const KIND: u64 = 0xF;

    fn argument(index: u8, is: Is, value: i32) -> Result<SeccompCondition, BackendError> {
        SeccompCondition::new(index, Width::Dword, is, value as u64)
    }

    /// The sockets that are refused: of other families than Unix and IP, raw ones, and UDP unless names are resolved.
    fn sockets(filter: SyscallFilter) -> Result<Vec<SeccompRule>, BackendError> {
        let families =
            [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6].map(|family| argument(0, Is::Ne, family));
        let mut rules = vec![SeccompRule::new(families.into_iter().collect::<Result<_, _>>()?)?];
        let kinds =
            if filter.resolves_names { &[libc::SOCK_RAW][..] } else { &[libc::SOCK_RAW, libc::SOCK_DGRAM] };
        for kind in kinds {
            let other_than_unix = argument(0, Is::Ne, libc::AF_UNIX)?;
            rules.push(SeccompRule::new(vec![other_than_unix, argument(1, Is::MaskedEq(KIND), *kind)?])?);
        }
        Ok(rules)
    }

    fn program(filter: SyscallFilter) -> Result<BpfProgram, BackendError> {
        let arch = TargetArch::try_from(std::env::consts::ARCH)?;
        let mut rules: BTreeMap<i64, Vec<SeccompRule>> = REFUSED.iter().map(|call| (*call, vec![])).collect();
        rules.insert(libc::SYS_socket, sockets(filter)?);
        #[cfg(target_arch = "x86_64")]
        {
            let (bit, own) = X32;
            let calls: Vec<i64> = rules.keys().copied().chain(own).collect();
            rules.extend(calls.into_iter().map(|call| (call | bit, vec![])));
        }
        let refuse = SeccompAction::Errno(libc::EPERM as u32);
        SeccompFilter::new(rules, SeccompAction::Allow, refuse, arch)?.try_into()
    }

    pub(crate) fn install(filter: SyscallFilter) -> Result<bool, Error> {
        seccompiler::apply_filter(&program(filter)?)?;
        Ok(true)
    }
}

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
mod imp {
    use super::SyscallFilter;

    /// No error is possible.
    #[derive(Debug, thiserror::Error)]
    pub enum Error {}

    pub(crate) fn install(_: SyscallFilter) -> Result<bool, Error> {
        Ok(false)
    }
}

#[cfg(all(test, target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod tests {
    use super::*;
    use socket2::{Domain, Socket, Type};
    use std::io;
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::os::unix::net::{UnixDatagram, UnixStream};
    use std::process::Command;

    /// Runs `test` in a thread of its own with a filter.
    fn filtered(resolves_names: bool, test: impl FnOnce() + Send) {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                assert!(SyscallFilter { resolves_names }.install().expect("a filter that applies"));
                test();
            });
            thread.join().expect("no panic");
        });
    }

    fn refused<T>(outcome: io::Result<T>) -> bool {
        outcome.is_err_and(|error| error.raw_os_error() == Some(libc::EPERM))
    }

    #[test]
    fn programs_and_sockets_of_other_families_are_refused() {
        filtered(false, || {
            assert!(refused(Command::new("/bin/true").status()));
            for family in [libc::AF_NETLINK, libc::AF_PACKET, libc::AF_ALG, libc::AF_VSOCK] {
                assert!(refused(Socket::new(Domain::from(family), Type::RAW, None)), "{family}");
            }
            assert!(refused(Socket::new(Domain::IPV4, Type::RAW, None)));
            assert!(refused(UdpSocket::bind("127.0.0.1:0")));
            std::thread::spawn(|| assert!(refused(Command::new("/bin/true").status())))
                .join()
                .expect("threads of the thread are filtered too");
        });
        assert!(Command::new("/bin/true").status().unwrap().success(), "other threads are not filtered");
    }

    #[test]
    fn what_a_server_does_goes_on() {
        filtered(true, || {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            listener.accept().unwrap();
            UdpSocket::bind("127.0.0.1:0").unwrap();
            UnixStream::pair().unwrap();
            UnixDatagram::unbound().unwrap();
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("a"), "text").unwrap();
            std::fs::rename(folder.path().join("a"), folder.path().join("b")).unwrap();
            std::thread::spawn(|| {}).join().unwrap();
        });
    }
}
