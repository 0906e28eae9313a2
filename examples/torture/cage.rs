//! `Cage`: the server within limits of the system: memory of a control group, open files, a clock that jumps.
//! `Cores`: the server on some cores and this program on the others.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// A program that starts the server within limits; gone with what it made when dropped.
pub(crate) struct Cage {
    folder: tempfile::TempDir,
    group: Option<PathBuf>,
}

impl Cage {
    /// Runs what `setup` says, which may use the folder, in a shell that then becomes the server.
    fn new(program: &Path, group: Option<PathBuf>, setup: impl FnOnce(&Path) -> String) -> Cage {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let cage = Cage { folder, group };
        let setup = setup(cage.folder.path());
        let script = format!("#!/bin/sh\n{setup}\nexec '{}' \"$@\"\n", program.display());
        std::fs::write(cage.program(), script).expect("writable");
        let _ = Command::new("chmod").arg("+x").arg(cage.program()).status();
        cage
    }

    /// What to start in the server's place.
    pub(crate) fn program(&self) -> PathBuf {
        self.folder.path().join("imgsrv-caged")
    }

    /// No more than `count` open files.
    pub(crate) fn with_files(program: &Path, count: usize) -> Cage {
        Cage::new(program, None, |_| format!("ulimit -n {count}"))
    }

    /// A control group of its own with a limit of memory; nothing where that is not allowed.
    pub(crate) fn with_memory(program: &Path, bytes: u64) -> Option<Cage> {
        let name = format!("imgsrv-torture-{}", std::process::id());
        let (group, _) =
            [("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")]
                .map(|(root, limit)| (PathBuf::from(root).join(&name), limit))
                .into_iter()
                .find(|(group, limit)| {
                    std::fs::create_dir_all(group).is_ok()
                        && std::fs::write(group.join(limit), bytes.to_string()).is_ok()
                })?;
        let enter = format!("echo $$ > '{}'", group.join("cgroup.procs").display());
        Some(Cage::new(program, Some(group), |_| enter))
    }

    /// How many processes the kernel has killed in the group for want of memory.
    pub(crate) fn killed(&self) -> u64 {
        let Some(group) = &self.group else { return 0 };
        let texts =
            ["memory.oom_control", "memory.events"].map(|file| std::fs::read_to_string(group.join(file)));
        let text = texts.into_iter().find_map(Result::ok).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
        line.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
    }

    /// A wall clock that is an hour ahead and an hour behind by turns, a turn being `period` long. The steady
    /// clock stays as it is. Nothing where there is no C compiler.
    pub(crate) fn with_jumping_clock(program: &Path, period: Duration) -> Option<Cage> {
        const SHIM: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>
int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int outcome = real(clock, now);
    if (clock == CLOCK_REALTIME) {
        long long ms = now->tv_sec * 1000LL + now->tv_nsec / 1000000;
        now->tv_sec += (ms / PERIOD_MS) % 2 ? 3600 : -3600;
    }
    return outcome;
}
"#;
        let mut built = false;
        let cage = Cage::new(program, None, |folder| {
            let (source, library) = (folder.join("clock.c"), folder.join("clock.so"));
            let mut cc = Command::new("cc");
            cc.args(["-shared", "-fPIC", "-o"]).args([&library, &source]).arg("-ldl").stderr(Stdio::null());
            cc.arg(format!("-DPERIOD_MS={}", period.as_millis()));
            built = std::fs::write(&source, SHIM).is_ok() && cc.status().is_ok_and(|status| status.success());
            format!("export LD_PRELOAD='{}'", library.display())
        });
        built.then_some(cage)
    }
}

impl Drop for Cage {
    fn drop(&mut self) {
        if let Some(group) = &self.group {
            let _ = std::fs::remove_dir(group); // empty once the server has ended
        }
    }
}

/// Keeps this program on the first half of the machine's cores, where what it starts stays, and then on the others.
/// All cores again when dropped; and at all times where there is one core, or no `taskset`.
pub(crate) struct Cores {
    all: usize,
    is_split: bool,
}

impl Cores {
    pub(crate) fn halves() -> Cores {
        let all = std::thread::available_parallelism().map_or(1, usize::from);
        Cores { all, is_split: all > 1 && keep_to(0, all / 2) }
    }

    /// Moves this program to the other half.
    pub(crate) fn others(&mut self) {
        self.is_split = self.is_split && keep_to(self.all / 2, self.all);
    }

    /// How many the server has.
    pub(crate) fn count(&self) -> usize {
        if self.is_split { self.all / 2 } else { self.all }
    }

    pub(crate) fn described(&self) -> String {
        match (self.is_split, self.count()) {
            (true, 1) => "the server on one core and they on others".to_owned(),
            (true, count) => format!("the server on {count} cores and they on others"),
            (false, _) => "who share the server's cores".to_owned(),
        }
    }
}

impl Drop for Cores {
    fn drop(&mut self) {
        if self.is_split {
            keep_to(0, self.all);
        }
    }
}

/// Whether all threads of this program run on these cores from now on.
fn keep_to(first: usize, end: usize) -> bool {
    let (list, me) = (format!("{first}-{}", end - 1), std::process::id().to_string());
    let kept = Command::new("taskset").args(["-a", "-c", "-p", &list, &me]).stdout(Stdio::null()).status();
    kept.is_ok_and(|status| status.success())
}
