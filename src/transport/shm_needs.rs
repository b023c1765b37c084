//! What shared memory needs of the system for all workers of a run, and which limit is too low for it.
//!
//! The worker inherits the supervisor's limits, so what is too low there is found here, before it is started. How much
//! address space a program of the user's own takes is not known; a built-in worker takes `WORKER_BYTES`.

use super::shm_area::PLAN;
use crate::sys::limits;
use crate::sys::shared_area::SharedArea;
use std::io;

/// Address space of the supervisor beyond what it has at the start, without the areas: 14 MiB at the most of which 8 are
/// the guard's table (measured 2026-11-27), and room for buffers.
const OWN_BYTES: u64 = 24 << 20;

/// Address space of a built-in worker without its area: 3.4 MiB (measured 2026-11-27), and room for buffers.
const WORKER_BYTES: u64 = 8 << 20;

/// Mappings of one worker's area, and of its progress page.
const MAPPINGS_EACH: u64 = 7;

/// Mappings of the supervisor beyond those: program, libraries, heap, stacks, buffers, input.
const OWN_MAPPINGS: u64 = 200;

const KIB: u64 = 1024;

/// Why shared memory cannot serve a run; completes "failed to share memory with workers: ".
#[derive(Debug, thiserror::Error)]
pub enum ShmError {
    #[error(
        "{needed} KiB in one file are needed and `ulimit -f` allows {limit} KiB; raise it, or give --transport pipe"
    )]
    File { needed: u64, limit: u64 },
    #[error(
        "{needed} KiB of address space are needed and `ulimit -v` allows {limit} KiB; raise it, or give fewer workers or --transport pipe"
    )]
    AddressSpace { needed: u64, limit: u64 },
    #[error(
        "{needed} mappings are needed and /proc/sys/vm/max_map_count allows {limit}; raise it, or give fewer workers or --transport pipe"
    )]
    Mappings { needed: u64, limit: u64 },
    #[error("{0}")]
    System(io::Error),
}

/// The limits that shared memory meets. `None`: there is none, or it cannot be read.
#[derive(Clone, Copy, Debug, Default)]
struct MemoryLimits {
    file_bytes: Option<u64>,
    address_bytes: Option<u64>,
    mappings: Option<u64>,
    /// What this process has of the second one.
    address_bytes_now: u64,
}

impl MemoryLimits {
    fn read() -> Self {
        Self {
            file_bytes: limits::file_bytes_max(),
            address_bytes: limits::address_bytes_max(),
            mappings: limits::mappings_max(),
            address_bytes_now: limits::address_bytes_now(),
        }
    }
}

/// Checks the limits, then makes one area and unmaps it: what no limit shows, such as a refused system call, shows then.
///
/// # Errors
/// The system has no shared memory, or not enough for so many workers.
pub(super) fn check(workers: u32) -> Result<(), ShmError> {
    check_limits(workers, &MemoryLimits::read())?;
    match SharedArea::create(PLAN) {
        // A lack of descriptors concerns every transport, and has its own error.
        Err(error) if !matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE)) => {
            Err(ShmError::System(error))
        }
        _ => Ok(()),
    }
}

fn check_limits(workers: u32, limits: &MemoryLimits) -> Result<(), ShmError> {
    let (workers, area_bytes) = (u64::from(workers), PLAN.mapped_bytes() as u64);
    let file_bytes = PLAN.file_bytes() as u64;
    if let Some(limit) = limits.file_bytes.filter(|limit| *limit < file_bytes) {
        return Err(ShmError::File { needed: file_bytes.div_ceil(KIB), limit: limit / KIB });
    }
    let of_supervisor = limits.address_bytes_now + OWN_BYTES + workers.saturating_mul(area_bytes);
    let needed = of_supervisor.max(WORKER_BYTES + area_bytes);
    if let Some(limit) = limits.address_bytes.filter(|limit| *limit < needed) {
        return Err(ShmError::AddressSpace { needed: needed.div_ceil(KIB), limit: limit / KIB });
    }
    let needed = OWN_MAPPINGS + workers * MAPPINGS_EACH;
    if let Some(limit) = limits.mappings.filter(|limit| *limit < needed) {
        return Err(ShmError::Mappings { needed, limit });
    }
    Ok(())
}

/// The error of one more area, in the middle of a run, that a limit refuses: with that limit. Any other error is as it
/// was.
pub(super) fn name_limit(error: io::Error) -> ShmError {
    let limits = MemoryLimits::read();
    match (error.raw_os_error(), limits.file_bytes, limits.address_bytes) {
        (Some(libc::EFBIG), Some(limit), _) => {
            ShmError::File { needed: (PLAN.file_bytes() as u64).div_ceil(KIB), limit: limit / KIB }
        }
        (Some(libc::ENOMEM), _, Some(limit)) => {
            let needed = limits.address_bytes_now + PLAN.mapped_bytes() as u64;
            ShmError::AddressSpace { needed: needed.div_ceil(KIB), limit: limit / KIB }
        }
        _ => ShmError::System(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(workers: u32, limits: MemoryLimits) -> String {
        check_limits(workers, &limits).map_or_else(|error| error.to_string(), |()| String::new())
    }

    #[test]
    fn each_limit_that_is_too_low_is_named_with_what_is_needed() {
        let file_bytes = PLAN.file_bytes() as u64;
        let limited = |limits| text(4, limits);
        assert_eq!(limited(MemoryLimits::default()), "");
        assert_eq!(limited(MemoryLimits { file_bytes: Some(file_bytes), ..MemoryLimits::default() }), "");
        assert_eq!(
            limited(MemoryLimits { file_bytes: Some(file_bytes - 1), ..MemoryLimits::default() }),
            format!(
                "{} KiB in one file are needed and `ulimit -f` allows {} KiB; raise it, or give --transport pipe",
                file_bytes / 1024,
                file_bytes / 1024 - 1
            )
        );
        let address_bytes_now = 5 << 20;
        let needed = address_bytes_now + OWN_BYTES + 4 * PLAN.mapped_bytes() as u64;
        let limited_to =
            |bytes| limited(MemoryLimits { address_bytes: Some(bytes), address_bytes_now, ..MemoryLimits::default() });
        assert_eq!(limited_to(needed), "");
        assert_eq!(
            limited_to(100 << 20),
            format!(
                "{} KiB of address space are needed and `ulimit -v` allows 102400 KiB; raise it, or give fewer workers or \
                 --transport pipe",
                needed / 1024
            )
        );
        assert_eq!(
            text(10_000, MemoryLimits { mappings: Some(65_530), ..MemoryLimits::default() }),
            "70200 mappings are needed and /proc/sys/vm/max_map_count allows 65530; raise it, or give fewer workers or \
             --transport pipe"
        );
    }
}
