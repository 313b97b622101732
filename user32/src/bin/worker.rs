//! A worker of the mixed workload, as a 32-bit task: client or server; of the random exchange; and what is kept.
#![no_std]
#![no_main]

use lilliput_user32::runtime::work::{client, server};
use lilliput_user32::runtime::{Word, exchange, keeper, pager, role};
use lilliput_user32::{Native, entry};

entry!(main);

fn main(role: Word, parameter: Word) -> Word {
    let outcome = match role {
        role::WORK_SERVER => server::run::<Native>(&mut server::NoClientMemory),
        role::WORK_CLIENT => client::run::<Native>(),
        role::WARD => keeper::ward::run::<Native>(false),
        role::SHORT_LIVED => keeper::ward::run::<Native>(true),
        role::WARD_CLIENT => keeper::ward::client::<Native>(parameter),
        role::PAGED => pager::client::run::<Native>(parameter),
        role::EXCHANGE_SERVER => exchange::server::run::<Native>(),
        role::EXCHANGE_CLIENT => exchange::client::run::<Native>(true),
        role::EXCHANGE_PAGER => exchange::pager::run::<Native>(),
        role::EXCHANGE_WAITER => exchange::waiter::run::<Native>(),
        _ => panic!("a worker has no role {role}"),
    };
    outcome.unwrap_or_else(|error| panic!("{error:?}"));
    0
}
