//! Reading the serial port: lines without what firmware mixes into them.

use std::io::{BufRead, BufReader, Read};

use crate::build::without_escapes;

/// What UEFI's boot manager prints; of no interest once the kernel runs.
const FIRMWARE: &str = "BdsDxe: ";

/// Passes the stream's lines to `take`, until the stream ends or `take` says so.
pub fn read(stream: impl Read, mut take: impl FnMut(String) -> bool) {
    let mut reader = BufReader::new(stream);
    let mut bytes = Vec::new();
    let mut begun = false;
    // An error is the end as well: the pipe's other end is gone.
    while reader.read_until(b'\n', &mut bytes).is_ok_and(|count| count > 0) {
        let line = clean(&bytes);
        bytes.clear();
        begun |= !line.trim().is_empty();
        if begun && !line.starts_with(FIRMWARE) && !take(line) {
            return;
        }
    }
}

/// A line as text, without the line end and control characters. It begins with `@`, as records do, only if it did before.
fn clean(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let plain = without_escapes(&text);
    let mut line = String::new();
    line.extend(plain.chars().filter(|character| !character.is_control() || *character == '\t'));
    if line.starts_with('@') && !bytes.starts_with(b"@") {
        line.insert(0, ' ');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        read(bytes, |line| {
            lines.push(line);
            true
        });
        lines
    }

    #[test]
    fn firmware_goes_text_stays() {
        let bytes = b"\x1b[2J\x1b[01;01H\x1b[=3h\r\nBdsDxe: starting Boot0001\r\n\x1b[0mboot: 1\r\n\r\n@test a ok\nend";
        assert_eq!(lines(bytes), ["boot: 1", "", "@test a ok", "end"]);
    }

    #[test]
    fn bytes_that_are_no_text_do_no_harm() {
        assert_eq!(lines(b"a\xff\xfeb\x00c\n"), ["a\u{fffd}\u{fffd}bc"]);
    }

    #[test]
    fn nobody_makes_a_record_by_control_characters() {
        let bytes = b"\r@test a ok\n\x1b[1m@test a ok\n\xc2\x80@test a ok\n\x7f@test a ok\r\n@test b ok\r\n";
        assert_eq!(lines(bytes), [" @test a ok", " @test a ok", " @test a ok", " @test a ok", "@test b ok"]);
    }

    #[test]
    fn stops_when_told() {
        let mut count = 0;
        read(&b"a\nb\nc\n"[..], |_| {
            count += 1;
            false
        });
        assert_eq!(count, 1);
    }
}
