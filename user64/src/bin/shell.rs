//! The shell.
#![no_std]
#![no_main]

use lilliput_user64::runtime::{Word, shell};
use lilliput_user64::{Native, entry};

entry!(main);

fn main(_: Word, _: Word) -> Word {
    shell::run::<Native>().unwrap_or_else(|error| panic!("{error:?}"));
    0
}
