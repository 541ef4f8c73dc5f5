//! The machine itself: its clocks, its randomness and its environment. Nothing else in the program asks for them.

use std::ffi::OsString;
use std::os::fd::AsFd;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use nix::errno::Errno;
use nix::libc::MCL_ONFAULT;
use nix::sys::mman::{MlockAllFlags, mlockall};
use nix::sys::prctl::set_dumpable;
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit};
use nix::sys::stat::fstat;
use nix::time::{ClockId, clock_gettime};
use rand::TryRng;
use rand::rngs::SysRng;

use crate::ports::clock::Clock;
use crate::ports::entropy::{Entropy, EntropyError};

/// The operating system's clocks.
pub(super) struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    fn wall(&self) -> Timestamp {
        Timestamp::now()
    }

    fn boot(&self) -> Duration {
        // The kernel knows this clock since 2.6.39 and reading it cannot fail; time that stands still is the safe answer if
        // it ever did, since every age then looks unmeasured or fresh for at most one signature's life.
        clock_gettime(ClockId::CLOCK_BOOTTIME).map(Duration::from).unwrap_or_default()
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that waits for real")]
    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// The operating system's random numbers.
pub(super) struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        SysRng.try_fill_bytes(bytes).map_err(|_| EntropyError)
    }
}

/// Keeps what is in memory there: no core file, and no other process of this user that looks in. What the system refuses is
/// not worth ending for; the unit says it again.
pub(super) fn keep_memory_private() {
    let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    let _ = set_dumpable(false);
}

/// Keeps what is in memory off the swap, where the system allows it. Locking is all or nothing: under a limit that a later
/// allocation would exceed, that allocation would fail, and a rotation with it.
pub(super) fn lock_memory() -> Result<(), NotLocked> {
    let refused = |error: Errno| NotLocked::Refused(error.desc());
    let (soft, hard) = getrlimit(Resource::RLIMIT_MEMLOCK).map_err(refused)?;
    if soft != RLIM_INFINITY && !is_above_limits() {
        // Only the superuser may raise the hard limit.
        let raised = setrlimit(Resource::RLIMIT_MEMLOCK, RLIM_INFINITY, RLIM_INFINITY);
        raised.map_err(|_| NotLocked::Limit { bytes: soft.min(hard) })?;
    }
    // Each page when it is first touched: the stacks of threads would otherwise be filled for nothing.
    let on_fault = MlockAllFlags::from_bits_retain(MCL_ONFAULT);
    mlockall(MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE | on_fault).map_err(refused)
}

/// Whether no limit holds this process: it has the right `CAP_IPC_LOCK`, and outside of any user namespace, where alone the
/// kernel honours it. What cannot be read is a no.
fn is_above_limits() -> bool {
    const IPC_LOCK: u32 = 14;
    let read = |file| std::fs::read_to_string(file).unwrap_or_default();
    let (status, users) = (read("/proc/self/status"), read("/proc/self/uid_map"));
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let effective = effective.and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok());
    let is_outside = users.split_whitespace().eq(["0", "0", "4294967295"]);
    is_outside && effective.is_some_and(|rights| rights >> IPC_LOCK & 1 == 1)
}

/// Why memory may reach the swap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotLocked {
    #[error("only {bytes} bytes may be locked, and less than everything is of no use; set LimitMEMLOCK=infinity")]
    Limit { bytes: u64 },
    #[error("the system refuses it: {0}")]
    Refused(&'static str),
}

/// Whether a stream leads straight into systemd's journal: `$JOURNAL_STREAM` names its device and inode then.
pub(super) fn is_journal(stream: &impl AsFd) -> bool {
    let Some(journal) = variable("JOURNAL_STREAM") else { return false };
    fstat(stream).is_ok_and(|found| journal == *format!("{}:{}", found.st_dev, found.st_ino))
}

/// One variable of the environment.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub(super) fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}
