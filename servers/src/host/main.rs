//! The arena host: a 64-bit server in the page table of its small clients.
//!
//! Its memory lies above 4 GiB, out of reach of 32-bit addresses; its clients' memory lies where
//! their segments begin, and is read there in place.
#![no_std]
#![no_main]

mod trials;

use core::slice;

use lilliput_abi::layout::HOST_START;
use lilliput_runtime::trial::list::TRIALS;
use lilliput_runtime::work::server::{self, ClientMemory};
use lilliput_runtime::{Notification, Word, bench, exchange, fuzz, mortal, place, role, trial, work};
use lilliput_user64::{Native, entry};

entry!(main);

fn main(role: Word, parameter: Word) -> Word {
    let outcome = match role {
        role::WORK_SERVER => server::run::<Native>(&mut Clients::new()),
        role::WORK_CLIENT_THREAD => work::client::run::<Native>().and_then(|()| park()),
        role::BENCH_SERVER => bench::server::run::<Native>(),
        role::BENCH_CLIENT => bench::client::run::<Native>(parameter),
        role::TOUCH_SERVER => bench::touch::serve::<Native>(),
        role::PAGE_SERVER => bench::split::serve_pages::<Native>(parameter),
        role::FILES_SERVER => bench::files::serve::<Native>(parameter),
        role::MESSAGE_SERVER => bench::messages::server::serve::<Native>(parameter),
        role::FUZZ => fuzz::run::run::<Native>(),
        role::FUZZ_THREAD => fuzz::run::run_thread::<Native>(parameter),
        role::EXCHANGE_SERVER => exchange::server::run::<Native>(),
        role::EXCHANGE_FAULTLESS => exchange::client::run::<Native>(false),
        role::EXCHANGE_PAGER => exchange::pager::run::<Native>(),
        role::TRIAL => trials::run(TRIALS[parameter].name),
        role::TRIAL_PARTNER => trial::partner::run::<Native>(read),
        _ => mortal::run::<Native>(HOST_START as Word, role, parameter)
            .unwrap_or_else(|| panic!("the host has no role {role}")),
    };
    outcome.unwrap_or_else(|error| panic!("{error:?}"));
    0
}

/// A word of a client's memory, which waits for this task's answer.
fn read(linear: Word) -> u32 {
    assert!(linear < 1 << 32 && linear.is_multiple_of(4), "no client has memory at {linear:#x}");
    // SAFETY: nothing of this program lies below 4 GiB, and any bytes make a word. Should nothing be mapped there this
    // task ends, and the trial with it.
    unsafe { (linear as *const u32).read_volatile() }
}

/// Ends this thread's part while the task goes on: nobody signals any more.
fn park() -> Result<(), lilliput_abi::Error> {
    Notification::<Native>::at(place::NOTIFICATION).wait().map(drop)
}

/// How many small tasks can be registered.
const CLIENTS: usize = 512;

/// A small client: its badge and the linear range of its space. Badge 0 is nobody's.
#[derive(Clone, Copy)]
struct Client {
    badge: u32,
    base: Word,
    size: Word,
}

/// The small clients whose memory may be read.
struct Clients {
    clients: [Client; CLIENTS],
    count: usize,
}

impl Clients {
    const fn new() -> Self {
        Self { clients: [Client { badge: 0, base: 0, size: 0 }; CLIENTS], count: 0 }
    }
}

impl ClientMemory for Clients {
    fn register(&mut self, badge: u32, base: Word, size: Word) {
        if let Some(place) = self.clients.get_mut(self.count) {
            *place = Client { badge, base, size };
            self.count += 1;
        }
    }

    fn sum(&self, badge: u32, address: Word, bytes: Word) -> Option<u64> {
        let client = self.clients[..self.count].iter().find(|client| client.badge == badge)?;
        let end = address.checked_add(bytes)?;
        if end > client.size {
            return None;
        }
        // SAFETY: the range lies within the client's space, below 4 GiB in this page table while the client waits for its answer and so does not
        // write; nothing of this program is there. That it named mapped pages is its own risk and, for now, the host's, which serves this
        // workload only.
        let range = unsafe { slice::from_raw_parts((client.base + address) as *const u8, bytes) };
        Some(range.iter().map(|&byte| byte as u64).sum())
    }
}
