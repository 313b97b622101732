use std::format;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::mutate::{mutate, mutations, survivors};

const BLOCK: usize = 512;

/// An archive as the image builder makes it.
fn build(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, data) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(data.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, data.as_slice()).unwrap();
    }
    builder.into_inner().unwrap()
}

/// Makes the checksum of a header right again, so that what was damaged in it is looked at.
fn repair(archive: &mut [u8], block: usize) {
    let Some(header) = archive.get_mut(block * BLOCK..(block + 1) * BLOCK) else { return };
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

fn read(archive: &Archive<'_>) -> Vec<(Option<String>, Vec<u8>)> {
    archive.files().map(|file| (file.name().map(ToString::to_string), file.data().to_vec())).collect()
}

#[test]
fn files_are_found_by_name() {
    let long = format!("{}/{}", "folder".repeat(20), "name".repeat(20));
    let files = [("boot.cfg", "a = 1"), ("32/bench", "\x7fELF"), (&long, "deep"), ("empty", ""), ("boot.cfg", "a = 2")]
        .map(|(name, data)| (name.to_string(), data.as_bytes().to_vec()));
    let bytes = build(&files);
    let archive = Archive::new(&bytes).unwrap();
    assert_eq!(read(&archive), files.map(|(name, data)| (Some(name), data)));
    assert_eq!(archive.find("32/bench"), Some(&b"\x7fELF"[..]));
    assert_eq!(archive.find(&long), Some(&b"deep"[..]));
    assert_eq!(archive.find("boot.cfg"), Some(&b"a = 2"[..]));
    assert_eq!(archive.find("empty"), Some(&[][..]));
    assert_eq!(archive.find("bench"), None);
}

#[test]
fn what_is_no_archive_is_refused() {
    let bytes = build(&[("file".to_string(), vec![7; 700])]);
    assert!(Archive::new(&[]).is_err());
    assert!(Archive::new(&bytes[..bytes.len() - 1]).is_err());
    assert!(Archive::new(&bytes[..BLOCK * 2]).is_err());
    assert!(Archive::new(&[0; BLOCK * 3]).is_ok());
    let mut damaged = bytes.clone();
    damaged[0] ^= 1;
    let error = Archive::new(&damaged).unwrap_err();
    assert_eq!(error.to_string(), "boot archive: header at block 0 has an invalid checksum");
    for size in ["77777777777\0", "\u{1}\0\0\0\0\0\0\0\0\0\0\0", "            "] {
        let mut damaged = bytes.clone();
        damaged[124..136].copy_from_slice(size.as_bytes());
        repair(&mut damaged, 0);
        assert!(Archive::new(&damaged).is_err(), "{size:?}");
    }
}

/// The blocks of the archive below that are headers.
const HEADERS: [usize; 3] = [0, 3, 4];

proptest! {
    #[test]
    fn what_was_written_is_read(
        files in proptest::collection::vec(
            ("[a-z0-9]{1,40}(/[a-z0-9]{1,40}){0,3}", proptest::collection::vec(any::<u8>(), 0..1200)),
            1..5,
        ),
    ) {
        let bytes = build(&files);
        let archive = Archive::new(&bytes).unwrap();
        let read = read(&archive).into_iter().map(|(name, data)| (name.unwrap(), data)).collect::<Vec<_>>();
        prop_assert_eq!(read, files);
    }

    #[test]
    fn random_bytes_do_no_harm(mut bytes in proptest::collection::vec(any::<u8>(), BLOCK * 4), repaired: bool) {
        if repaired {
            repair(&mut bytes, 0);
        }
        if let Ok(archive) = Archive::new(&bytes) {
            read(&archive);
        }
    }

    /// Headers damaged at will, with checksums that are right: whatever is read lies within the archive.
    #[test]
    fn damaged_headers_do_no_harm(
        damage in proptest::collection::vec((0usize..10, prop_oneof![0usize..BLOCK, 124usize..160, 257usize..265], any::<u8>()), 1..12),
        octal in proptest::option::of("[0-7 \0]{12}"),
        cut in prop_oneof![9 => Just(0), 1 => 1usize..8],
    ) {
        let mut bytes = build(&[("a".to_string(), vec![1; 600]), ("b".to_string(), vec![]), ("c".to_string(), vec![0; 512])]);
        for (block, at, byte) in damage {
            bytes[HEADERS[block % 3] * BLOCK + at] = byte;
        }
        if let Some(size) = octal {
            bytes[124..136].copy_from_slice(size.as_bytes());
        }
        for block in HEADERS {
            repair(&mut bytes, block);
        }
        let bytes = &bytes[..bytes.len() - cut * BLOCK];
        if let Ok(archive) = Archive::new(bytes) {
            for file in archive.files() {
                prop_assert!(file.data().is_empty() || bytes.as_ptr_range().contains(&file.data().as_ptr()));
            }
            archive.find("a");
        }
    }
}

fn small() -> Vec<u8> {
    build(&[
        ("boot.cfg".to_string(), vec![1; 600]),
        ("32/bench".to_string(), vec![]),
        ("root".to_string(), vec![0; 512]),
    ])
}

/// With the checksums of all blocks right again where there was a header before.
fn mutated(mut bytes: Vec<u8>, mutations: &[crate::mutate::Mutation], repaired: bool) -> Vec<u8> {
    mutate(&mut bytes, mutations);
    if repaired {
        HEADERS.into_iter().for_each(|block| repair(&mut bytes, block));
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn mutated_archives_do_no_harm(mutations in mutations(), repaired: bool) {
        let bytes = mutated(small(), &mutations, repaired);
        if let Ok(archive) = Archive::new(&bytes) {
            for file in archive.files() {
                let (all, data) = (bytes.as_ptr_range(), file.data().as_ptr_range());
                prop_assert!(file.data().is_empty() || all.start <= data.start && data.end <= all.end);
            }
            archive.find("root");
        }
    }
}

#[test]
fn mutated_archives_are_not_all_refused() {
    let good = survivors(&small(), |bytes| Archive::new(&mutated(bytes.to_vec(), &[], true)).is_ok());
    assert!((50..950).contains(&good), "{good} of 1000");
}
