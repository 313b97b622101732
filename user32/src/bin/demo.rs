//! Demonstrations, as a 32-bit task.
#![no_std]
#![no_main]

use lilliput_user32::runtime::{Word, demo};
use lilliput_user32::{Native, entry};

entry!(main);

fn main(_: Word, number: Word) -> Word {
    demo::run::<Native>(number).unwrap_or_else(|error| panic!("{error:?}"));
    0
}
