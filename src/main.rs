//! The program: everything is in the library.

use std::alloc::System;
use std::process::ExitCode;

use zeroizing_alloc::ZeroAlloc;

/// Wipes what is given back, also by libraries that do not: bodies, JSON and clear text pass through their buffers.
#[global_allocator]
static WIPING: ZeroAlloc<System> = ZeroAlloc(System);

fn main() -> ExitCode {
    ncloud_rotator::daemon::main()
}
