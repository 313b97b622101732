//! The program as it is written for calls: each file is opened, read and closed, and whatever fails is known where it was asked for.

use lilliput_abi::Error;

use super::request::{CLOSE, OPEN, READ};
use super::{FILES, Shared, WORDS, name};
use crate::machine::Machine;
use crate::message::Word;
use crate::object::Endpoint;
use crate::place;

/// Reads all files.
pub(super) fn read_all<K: Machine>(shared: &Shared) -> Result<(), Error> {
    let server = Endpoint::<K>::at(place::SERVER);
    for file in 0..FILES {
        let [first, second] = name(file);
        let opened = server.request(OPEN, &[file as Word, first as Word, second as Word])?;
        assert_eq!(opened.words[0], 1, "file {file}");
        let read = server.request(READ, &[file as Word])?;
        assert!(read.words[0] == WORDS && shared.is_right(file), "file {file}");
        let closed = server.request(CLOSE, &[file as Word])?;
        assert_eq!(closed.words[0], 1, "file {file}");
    }
    Ok(())
}
