//! chmpx, k2hdkc and chmpxstatus in one program, see `k2hdkc_simulators::simulators`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    k2hdkc_simulators::simulators::run(words)
}
