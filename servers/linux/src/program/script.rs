//! Scripts: files whose first line names their interpreter.

/// The longest first line.
const LONGEST: usize = 256;

/// The interpreter of a script and its one argument; none of what is no script.
pub fn interpreter(file: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    let line = file.strip_prefix(b"#!")?;
    let line = &line[..line.len().min(LONGEST)];
    let line = line.split(|&byte| byte == b'\n').next()?.trim_ascii();
    if line.is_empty() {
        return None;
    }
    Some(match line.iter().position(|byte| byte.is_ascii_whitespace()) {
        Some(at) => (&line[..at], Some(line[at..].trim_ascii())),
        None => (line, None),
    })
}
