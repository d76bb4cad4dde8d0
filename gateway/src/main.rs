//! The binary: hands over to [`yett::cli`].

use std::process::ExitCode;

/// A bare proxy of the framework used a fifth less processor time per request with it than with the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    yett::cli::main()
}
