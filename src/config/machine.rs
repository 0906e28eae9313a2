//! `Machine`: the cores and the memory that this process may use.

use std::path::Path;

/// Cores and memory, from which some defaults follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Machine {
    /// Cores that this process may use.
    pub cores: usize,
    /// Memory that this process may use, in bytes.
    pub memory: u64,
}

impl Machine {
    /// This machine: its cores, and the smallest of its memory and the limits of its control groups.
    pub fn detect() -> Machine {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let text = |path: &Path| std::fs::read_to_string(path).ok();
        let all = text(Path::new("/proc/meminfo")).and_then(|info| {
            let line = info.lines().find(|line| line.starts_with("MemTotal:"))?;
            line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
        });
        let groups = text(Path::new("/proc/self/cgroup")).unwrap_or_default();
        let group = group_limit(&groups, |path| text(path)?.trim().parse().ok());
        Machine { cores, memory: group.unwrap_or(u64::MAX).min(all.unwrap_or(u64::MAX)) }
    }
}

/// A name of this process that no other has: that of the machine, and the number of the process.
#[cfg(feature = "nats")]
pub(super) fn node_name() -> String {
    let uname = rustix::system::uname();
    format!("{}-{}", uname.nodename().to_string_lossy(), std::process::id())
}

/// The smallest memory limit among the control groups that `/proc/self/cgroup` names and those around them.
/// Within a container the names may be those outside of it; then only the root is there, and is the container's.
fn group_limit(groups: &str, limit: impl Fn(&Path) -> Option<u64>) -> Option<u64> {
    let of_line = |line: &str| {
        let mut fields = line.splitn(3, ':');
        let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        let (root, file) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max"),
            list if list.split(',').any(|one| one == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => return None,
        };
        let around = Path::new(path.trim_start_matches('/')).ancestors();
        around.filter_map(|group| limit(&Path::new(root).join(group).join(file))).min()
    };
    groups.lines().filter_map(of_line).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(groups: &str, files: &[(&str, u64)]) -> Option<u64> {
        group_limit(groups, |path| files.iter().find(|(name, _)| Path::new(name) == path).map(|(_, n)| *n))
    }

    #[test]
    fn the_tightest_group_around_the_process_counts() {
        let files = [
            ("/sys/fs/cgroup/system.slice/memory.max", 500),
            ("/sys/fs/cgroup/system.slice/imgsrv.service/memory.max", 900),
        ];
        assert_eq!(found("0::/system.slice/imgsrv.service\n", &files), Some(500));
        assert_eq!(found("0::/\n", &files), None);
    }

    #[test]
    fn a_container_that_sees_only_its_own_root_finds_its_limit() {
        let files = [("/sys/fs/cgroup/memory/memory.limit_in_bytes", 300)];
        assert_eq!(found("5:cpu:/docker/1a\n4:memory:/docker/1a\n0::/docker/1a\n", &files), Some(300));
    }
}
