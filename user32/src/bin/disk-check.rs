//! The test of the disk, as a 32-bit task.
#![no_std]
#![no_main]

use lilliput_user32::runtime::{Word, disk};
use lilliput_user32::{Native, entry};

entry!(main);

fn main(_: Word, _: Word) -> Word {
    disk::check::run::<Native>().unwrap_or_else(|error| panic!("{error:?}"));
    0
}
