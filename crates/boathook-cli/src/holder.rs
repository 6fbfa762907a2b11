//! The name by which this process holds the lease of a release. It says to people who is at work, and to a process of the same
//! user on the same machine whether that one still lives: then nobody waits until the lease of a killed command ends. Linux
//! only; elsewhere the lease alone tells.

use std::fmt;
use std::os::unix::fs::MetadataExt as _;

/// A process of this machine since it was started, in this container, as this user.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Process {
    /// Of a later start of the machine nothing here is known.
    boot: String,
    /// Process ids of one container mean nothing in another.
    namespace: u64,
    /// Processes of other users may be hidden.
    user: u32,
    id: u32,
    /// Tells it from a later process with its id.
    started: u64,
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { boot, namespace, user, id, started } = self;
        write!(f, "process {id} ({boot}.{namespace}.{user}.{started})")
    }
}

impl Process {
    /// This process.
    fn own() -> Option<Self> {
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        let id = std::process::id();
        Some(Self {
            boot: boot.split('-').next()?.to_owned(),
            namespace: std::fs::metadata("/proc/self/ns/pid").ok()?.ino(),
            user: std::fs::metadata("/proc/self").ok()?.uid(),
            id,
            started: started(id)?,
        })
    }

    /// The one that a holder's name ends with.
    fn of(holder: &str) -> Option<Self> {
        let (id, rest) = holder.rsplit_once("process ")?.1.split_once(" (")?;
        let mut parts = rest.strip_suffix(')')?.split('.');
        let boot = parts.next()?.to_owned();
        let namespace = parts.next()?.parse().ok()?;
        let user = parts.next()?.parse().ok()?;
        Some(Self { boot, namespace, user, id: id.parse().ok()?, started: parts.next()?.parse().ok()? })
    }
}

/// When a process was started, in ticks since the machine was; nothing if there is no such process, or only what its parent has
/// not asked for yet.
fn started(id: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name of its program, in parentheses, may hold anything; its state comes next, and 18 numbers before the time.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let ended = matches!(fields.next()?, "Z" | "X");
    fields.nth(18)?.parse().ok().filter(|_| !ended)
}

/// Who we are: unique for the process.
pub(crate) fn name() -> String {
    let user = std::env::var("USER").unwrap_or_else(|_| "somebody".to_owned());
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = if host.trim().is_empty() { "this machine" } else { host.trim() };
    match Process::own() {
        Some(process) => format!("{user} on {host}, {process}"),
        None => format!("{user} on {host}, process {} ({:x})", std::process::id(), crate::running::seed()),
    }
}

/// Whether a holder lives; nothing if it is none of this machine's.
pub(crate) fn is_alive(holder: &str) -> Option<bool> {
    let (own, other) = (Process::own()?, Process::of(holder)?);
    let same = (&own.boot, own.namespace, own.user) == (&other.boot, other.namespace, other.user);
    same.then(|| started(other.id) == Some(other.started))
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    #[test]
    fn a_process_of_this_machine_is_known_to_live_or_not() {
        assert_eq!(is_alive(&name()), Some(true));
        let own = Process::own().unwrap();
        let told = |process: Process| is_alive(&format!("ann (2) on ci-7, {process}"));
        assert_eq!(Process::of(&format!("ann on ci-7, {own}")), Some(own.clone()));
        assert_eq!(
            told(Process { started: own.started + 1, ..own.clone() }),
            Some(false),
            "its id is another's now"
        );
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let id = child.id();
        let gone = || told(Process { id, started: started(id).unwrap_or_default(), ..own.clone() });
        while gone() == Some(true) {
            std::thread::yield_now();
        }
        assert_eq!(gone(), Some(false), "it ended, and nobody asked for it yet");
        child.wait().unwrap();
        assert_eq!(told(Process { id, ..own.clone() }), Some(false), "gone");
        assert_eq!(
            told(Process { boot: "0".to_owned(), ..own.clone() }),
            None,
            "before the machine was started"
        );
        assert_eq!(told(Process { namespace: 1, ..own.clone() }), None, "in another container");
        assert_eq!(told(Process { user: own.user + 1, ..own }), None, "another user's, perhaps hidden");
        assert_eq!(is_alive("ann on ci-7, process 4711 (b7c0ffee)"), None);
        assert_eq!(is_alive("somebody else"), None);
    }
}
