//! Files for programs to work on: words, numbers, and bytes of all values, the same each time.

use std::io::Write;

use anyhow::Result;
use flate2::write::GzEncoder;
use flate2::{Compression, GzBuilder};

use super::tree::{Node, Tree};

/// How many words there are to choose from.
const VOCABULARY: usize = 400;
/// Lines of the long text, and of each of the short ones.
const LONG: usize = 400;
const SHORT: usize = 50;
/// How many short ones there are.
const FILES: usize = 20;
/// Lines of numbers.
const NUMBERS: usize = 500;
/// How many bytes of all values there are, and as many more that can be compressed.
const BYTES: usize = 0x1_0000;
/// Bytes of the longest text.
const MEBIBYTE: usize = 1 << 20;

/// Puts the files into the tree's `/data`.
pub fn put(tree: &mut Tree) -> Result<()> {
    let mut random = Random(0x4c69_6c6c_6970_7574);
    let vocabulary: Vec<_> = (0..VOCABULARY).map(|_| random.word()).collect();
    let text = random.text(&vocabulary, LONG);
    let mut bytes: Vec<u8> = (0..BYTES).map(|_| random.below(256) as u8).collect();
    bytes.extend(text.bytes().cycle().take(BYTES));
    tree.put("data/text", Node::file(text))?;
    let numbers: String = (0..NUMBERS).map(|line| format!("{line} {}\n", random.below(1000))).collect();
    tree.put("data/nums", Node::file(numbers))?;
    tree.put("data/bin.gz", Node::file(gzip(&bytes)?))?;
    tree.put("data/bin", Node::file(bytes))?;
    for file in 0..FILES {
        tree.put(&format!("data/sub/f{file}"), Node::file(random.text(&vocabulary, SHORT)))?;
    }
    tree.put("data/sub/deep/x", Node::file("needle here\n"))
}

/// A mebibyte of text.
pub fn mebibyte() -> Vec<u8> {
    let mut random = Random(0x4d65_6269_6279_7465);
    let vocabulary: Vec<_> = (0..VOCABULARY).map(|_| random.word()).collect();
    let mut text = String::new();
    while text.len() < MEBIBYTE {
        text.push_str(&random.text(&vocabulary, LONG));
    }
    text.truncate(MEBIBYTE - 1);
    text.push('\n');
    text.into_bytes()
}

fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder: GzEncoder<Vec<u8>> = GzBuilder::new().mtime(0).write(Vec::new(), Compression::default());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}

/// Numbers without a pattern that a program would notice: xorshift64*.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }

    /// Two to eight letters.
    fn word(&mut self) -> String {
        let length = 2 + self.below(7);
        (0..length).map(|_| (b'a' + self.below(20) as u8) as char).collect()
    }

    fn text(&mut self, vocabulary: &[String], lines: usize) -> String {
        let mut text = String::new();
        for _ in 0..lines {
            let words: Vec<_> = (0..8).map(|_| vocabulary[self.below(vocabulary.len())].as_str()).collect();
            text.extend([&words.join(" "), "\n"]);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::linux::tree::Kind;

    #[test]
    fn the_same_files_come_each_time() {
        let (mut one, mut other) = (Tree::default(), Tree::default());
        put(&mut one).unwrap();
        put(&mut other).unwrap();
        assert_eq!(one, other);
        assert_eq!(one.iter().count(), 3 + 5 + FILES);
    }

    #[test]
    fn what_is_compressed_is_the_same() {
        let mut tree = Tree::default();
        put(&mut tree).unwrap();
        let file = |path: &str| match &tree.get(path).unwrap().kind {
            Kind::File(contents) => contents.clone(),
            other => panic!("{path} is {other:?}"),
        };
        let (bytes, packed) = (file("data/bin"), file("data/bin.gz"));
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut unpacked).unwrap();
        assert!(unpacked == bytes && bytes.len() == 2 * BYTES && packed.len() < bytes.len());
    }
}
