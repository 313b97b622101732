//! Measures what system calls cost, as a 64-bit task: server or client.
#![no_std]
#![no_main]

use lilliput_user64::runtime::bench::{client, disturb, files, messages, server, split, touch};
use lilliput_user64::runtime::{Word, role};
use lilliput_user64::{Native, entry};

entry!(main);

fn main(role: Word, operation: Word) -> Word {
    let outcome = match role {
        role::BENCH_SERVER => server::run::<Native>(),
        role::BENCH_CLIENT => client::run::<Native>(operation),
        role::TOUCH_SERVER => touch::serve::<Native>(),
        role::TOUCH_CLIENT => touch::run::<Native>(operation),
        role::DISTURBER => disturb::run::<Native>(operation),
        role::PAGE_CLIENT => split::run::<Native>(operation),
        role::PAGE_SERVER => split::serve_pages::<Native>(operation),
        role::FRAME_SERVER => split::serve_frames::<Native>(),
        role::FILES_CLIENT => files::run::<Native>(operation),
        role::FILES_SERVER => files::serve::<Native>(operation),
        role::MESSAGE_CLIENT => messages::run::<Native>(operation),
        role::MESSAGE_SERVER => messages::server::serve::<Native>(operation),
        _ => panic!("nothing is measured by role {role}"),
    };
    outcome.unwrap_or_else(|error| panic!("{error:?}"));
    0
}
