//! What the process asks of its system: no core dumps, enough descriptors, panics told in the log.

/// Descriptors kept for the log, the listener, metrics and files.
#[cfg(unix)]
const KEPT_BACK: u64 = 64;

/// No core dump, which would hold pictures and tokens; and no other process may look into this one.
#[cfg(target_os = "linux")]
pub(crate) fn forbid_core_dumps() {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    if let Err(error) = setrlimit(Resource::Core, none) {
        log::warn!("core dumps cannot be forbidden: {error}");
    }
    if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        log::warn!("the process cannot be made undumpable: {error}");
    }
}

/// Elsewhere the service manager sees to it.
#[cfg(not(target_os = "linux"))]
pub(crate) fn forbid_core_dumps() {}

/// Raises the limit of open files as far as it goes. How many connections of `wanted` there are
/// descriptors for.
#[cfg(unix)]
pub(crate) fn connections(wanted: usize) -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let needed = wanted as u64 + KEPT_BACK;
    let raised = maximum.map_or(needed, |most| most.min(needed)).max(current.unwrap_or(u64::MAX));
    let limit = match setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum }) {
        Ok(()) => raised,
        Err(_) => current.unwrap_or(u64::MAX),
    };
    let room = usize::try_from(limit.saturating_sub(KEPT_BACK)).unwrap_or(usize::MAX).max(1);
    if room < wanted {
        log::warn!("{limit} open files are allowed: at most {room} connections instead of {wanted}");
    }
    wanted.min(room)
}

/// Elsewhere there is no such limit.
#[cfg(not(unix))]
pub(crate) fn connections(wanted: usize) -> usize {
    wanted
}

/// Panics are defects: told in the log, in one line.
pub(crate) fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let payload = panic.payload();
        let text = payload.downcast_ref::<&str>().copied();
        let message =
            text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("panic");
        log::error!(place = place.as_str(); "defect: {message}");
    }));
}
