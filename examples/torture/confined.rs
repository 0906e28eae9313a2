//! The server under limits of the system: `Confined` sets memory, open files or a jumping clock, `Cores` splits the cores
//! between the server and this program.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// A program that starts the server under a limit; removes its files and its control group on drop.
pub(crate) struct Confined {
    folder: tempfile::TempDir,
    group: Option<PathBuf>,
}

impl Confined {
    /// Writes a shell script that runs `setup` and then becomes the server. `setup` may use the folder.
    fn new(program: &Path, group: Option<PathBuf>, setup: impl FnOnce(&Path) -> String) -> Confined {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let confined = Confined { folder, group };
        let setup = setup(confined.folder.path());
        let script = format!("#!/bin/sh\n{setup}\nexec '{}' \"$@\"\n", program.display());
        std::fs::write(confined.program(), script).expect("writable");
        let _ = Command::new("chmod").arg("+x").arg(confined.program()).status();
        confined
    }

    /// Path of the program to start instead of the server.
    pub(crate) fn program(&self) -> PathBuf {
        self.folder.path().join("imgsrv-confined")
    }

    /// Limits open files to `count`.
    pub(crate) fn with_files(program: &Path, count: usize) -> Confined {
        Confined::new(program, None, |_| format!("ulimit -n {count}"))
    }

    /// Limits memory by a control group. Returns `None` where that is not permitted.
    pub(crate) fn with_memory(program: &Path, bytes: u64) -> Option<Confined> {
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
        Some(Confined::new(program, Some(group), |_| enter))
    }

    /// Number of processes in the group that the kernel killed for lack of memory.
    pub(crate) fn killed(&self) -> u64 {
        let Some(group) = &self.group else { return 0 };
        let texts =
            ["memory.oom_control", "memory.events"].map(|file| std::fs::read_to_string(group.join(file)));
        let text = texts.into_iter().find_map(Result::ok).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
        line.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
    }

    /// Moves the wall clock an hour ahead and an hour behind, alternating every `period`. The monotonic clock is
    /// unchanged. Returns `None` without a C compiler.
    pub(crate) fn with_jumping_clock(program: &Path, period: Duration) -> Option<Confined> {
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
        let confined = Confined::new(program, None, |folder| {
            let (source, library) = (folder.join("clock.c"), folder.join("clock.so"));
            let mut cc = Command::new("cc");
            cc.args(["-shared", "-fPIC", "-o"]).args([&library, &source]).arg("-ldl").stderr(Stdio::null());
            cc.arg(format!("-DPERIOD_MS={}", period.as_millis()));
            built = std::fs::write(&source, SHIM).is_ok() && cc.status().is_ok_and(|status| status.success());
            format!("export LD_PRELOAD='{}'", library.display())
        });
        built.then_some(confined)
    }
}

impl Drop for Confined {
    fn drop(&mut self) {
        if let Some(group) = &self.group {
            let _ = std::fs::remove_dir(group); // empty once the server has ended
        }
    }
}

/// Pins this program, and the server that it starts, to the first half of the cores. Then pins this program alone to the
/// other half. Does nothing on one core or without `taskset`. Restores all cores on drop.
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

    /// Number of cores of the server.
    pub(crate) fn count(&self) -> usize {
        if self.is_split { self.all / 2 } else { self.all }
    }

    pub(crate) fn described(&self) -> String {
        match (self.is_split, self.count()) {
            (true, 1) => "the server on one core and the clients on others".to_owned(),
            (true, count) => format!("the server on {count} cores and the clients on others"),
            (false, _) => "on the cores of the server".to_owned(),
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

/// Pins all threads of this program to these cores. Returns true on success.
fn keep_to(first: usize, end: usize) -> bool {
    let (list, me) = (format!("{first}-{}", end - 1), std::process::id().to_string());
    let kept = Command::new("taskset").args(["-a", "-c", "-p", &list, &me]).stdout(Stdio::null()).status();
    kept.is_ok_and(|status| status.success())
}
