//! The clock, randomness, and who this process runs as.

use rustix::rand::{GetRandomFlags, getrandom};
use rustix::time::{ClockId, clock_gettime};

use crate::error::Error;

/// Nanoseconds of a clock that all processes of the machine share; good to a few milliseconds, which ages need, at the
/// price of two loads.
pub(crate) fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::MonotonicCoarse);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// As [`monotonic_ns`], good to less than a microsecond.
pub(crate) fn precise_monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// Sixteen bytes that no other arena has.
///
/// # Errors
/// [`Error::Io`].
pub(crate) fn random_bytes() -> Result<[u8; 16], Error> {
    let mut bytes = [0; 16];
    getrandom(&mut bytes, GetRandomFlags::empty())
        .map_err(|errno| Error::Io { what: "getrandom", source: errno.into() })?;
    Ok(bytes)
}

/// The user this process runs as.
pub(crate) fn user_id() -> u32 {
    rustix::process::getuid().as_raw()
}
