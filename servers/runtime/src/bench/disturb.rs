//! A task that touches much memory, and between whiles calls servers that touch little: see [`super::touch`], whose servers they are.
//!
//! Only the calls are measured: what they take when somebody else has used caches and TLBs before.

use lilliput_abi::{Error, Operation};

use super::{parameter, rounds, touch};
use crate::invoke::invoke;
use crate::machine::Machine;
use crate::message::{Message, Word};
use crate::object::Endpoint;
use crate::parent;

/// Rounds, of which a quarter warms up.
const ROUNDS: usize = 16;

/// Touches as many KiB of lines as its parameter `LENGTHS` says, then calls so many servers, of which each touches `TARGET` pages, a line in each,
/// or, where that is 0, 32 KiB of lines; again and again.
///
/// # Errors
/// What the kernel says where something does not work.
pub fn run<K: Machine>(servers: Word) -> Result<(), Error> {
    let start = parent::parameter::<K>(parameter::ADDRESS)?;
    let own = parent::parameter::<K>(parameter::LENGTHS)?;
    let pages = parent::parameter::<K>(parameter::TARGET)?;
    let kib = if pages == 0 { QUIET_KIB } else { 0 };
    let all = touch::SERVERS..touch::SERVERS + servers as u32;
    for server in all.clone() {
        Endpoint::<K>::at(server).request(touch::SET, &[pages, kib])?;
    }
    rounds::alike::<K>("calls", ROUNDS, |rounds| {
        K::touch(start, touch::LINE, own * 1024 / touch::LINE);
        rounds.begin()?;
        for server in all.clone() {
            invoke::<K>(Operation::Call, server, &mut Message::new(touch::PASS, &[]))?;
        }
        rounds.end()
    })
}

/// KiB that a server which is to answer soon touches.
pub const QUIET_KIB: Word = 32;
