//! The lines that a server runs: `NAME|COMMAND`, each with the end of a line; others are none.

use alloc::string::String;

/// Whether somebody runs it.
fn is_line(line: &[u8]) -> bool {
    line.contains(&b'|')
}

/// The name of a line; none where there are no lines.
pub fn name(lines: &[u8], number: usize) -> Option<String> {
    let line = lines.split(|&byte| byte == b'\n').filter(|line| is_line(line)).nth(number)?;
    let name = line.split(|&byte| byte == b'|').next()?;
    Some(String::from_utf8_lossy(name).into_owned())
}

/// What comes after a line; nothing where that is not there.
pub fn after(lines: &[u8], number: usize) -> &[u8] {
    let mut rest = lines;
    let mut left = number + 1;
    while left > 0 && !rest.is_empty() {
        let end = rest.iter().position(|&byte| byte == b'\n').map_or(rest.len(), |at| at + 1);
        left -= usize::from(is_line(&rest[..end]));
        rest = &rest[end..];
    }
    rest
}
