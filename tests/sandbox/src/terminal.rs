//! The terminal behind standard output, if there is any.

use std::io::{self, IsTerminal as _};

use terminal_size::{Height, Width, terminal_size_of};

/// Checks whether somebody looks at it.
pub(super) fn is_one() -> bool {
    io::stdout().is_terminal()
}

/// Columns and lines; nothing where it is no terminal.
pub(super) fn size() -> Option<(usize, usize)> {
    let (Width(columns), Height(lines)) = terminal_size_of(io::stdout())?;
    Some((usize::from(columns), usize::from(lines)))
}
