//! Tasks that are made to end, as a 32-bit task: see `lilliput_runtime::mortal`.
#![no_std]
#![no_main]

use lilliput_user32::runtime::{Word, mortal};
use lilliput_user32::{Native, entry};

entry!(main);

fn main(role: Word, parameter: Word) -> Word {
    match mortal::run::<Native>(0, role, parameter) {
        Some(outcome) => outcome.unwrap_or_else(|error| panic!("the kernel said {}", error.name())),
        None => panic!("mortals have no role {role}"),
    }
    0
}
