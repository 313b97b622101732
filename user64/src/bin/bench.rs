//! Measures what system calls cost, as a 64-bit task: server or client.
#![no_std]
#![no_main]

use lilliput_user64::runtime::bench::{client, server};
use lilliput_user64::runtime::{Word, role};
use lilliput_user64::{Native, entry};

entry!(main);

fn main(role: Word, operation: Word) -> Word {
    let outcome = match role {
        role::BENCH_SERVER => server::run::<Native>(),
        role::BENCH_CLIENT => client::run::<Native>(operation),
        _ => panic!("nothing is measured by role {role}"),
    };
    outcome.unwrap_or_else(|error| panic!("{error:?}"));
    0
}
