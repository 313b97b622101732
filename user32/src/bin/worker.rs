//! A worker of the mixed workload, as a 32-bit task: client or server.
#![no_std]
#![no_main]

use lilliput_user32::runtime::work::{client, server};
use lilliput_user32::runtime::{Word, pager, role};
use lilliput_user32::{Native, entry};

entry!(main);

fn main(role: Word, parameter: Word) -> Word {
    let outcome = match role {
        role::WORK_SERVER => server::run::<Native>(&mut server::NoClientMemory),
        role::WORK_CLIENT => client::run::<Native>(),
        role::PAGED => pager::client::run::<Native>(parameter),
        _ => panic!("a worker has no role {role}"),
    };
    outcome.unwrap_or_else(|error| panic!("{error:?}"));
    0
}
