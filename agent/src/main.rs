//! The `k2hdkc-agent` program. Everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    k2hdkc_agent::cli::main()
}
