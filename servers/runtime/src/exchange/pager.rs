//! Who is told of clients' page faults: brings a page of zeroes, and takes away the one that it brought before.

use lilliput_abi::{Error, Rights, fault};

use super::CLIENTS;
use crate::machine::Machine;
use crate::message::{Message, Word};
use crate::object::{Endpoint, Frames, Task};
use crate::place;
use crate::trial::kit::{SCRATCH, SCRATCH_END};

/// The page fault's vector.
const PAGE_FAULT: u8 = 14;

/// Goes on until it is ended. Client N's task is at [`place::FIRST_CLIENT`] + N, and under badge N it is told of it.
///
/// # Errors
/// What the kernel says where it should not.
pub fn run<K: Machine>() -> Result<(), Error> {
    let service = Endpoint::<K>::at(place::PAGER);
    let mut brought = [0; CLIENTS];
    let mut answer = None;
    loop {
        let received = service.next(answer.as_ref())?;
        let (client, message) = (received.badge, received.message);
        let [what, address, ip, sp] =
            [fault::VECTOR, fault::ADDRESS, fault::IP, fault::SP].map(|word| message.words[word]);
        let expected = message.label() == fault::FAULT_LABEL
            && what as u8 == PAGE_FAULT
            && (SCRATCH..SCRATCH_END).contains(&address)
            && (client as usize) < CLIENTS;
        assert!(expected, "client {client} raised {what:#x} at {address:#x}, ip {ip:#x}, sp {sp:#x}");
        bring::<K>(client, &mut brought[client as usize], address & !4095);
        answer = Some(Message::new(fault::RESUME, &[]));
    }
}

/// The client may be gone, or another one that has the number now: then what is mapped there is not what is thought.
fn bring<K: Machine>(client: u32, brought: &mut Word, page: Word) {
    let task = Task::<K>::at(place::FIRST_CLIENT + client);
    if *brought != 0 {
        let _ = task.unmap(*brought, 1);
    }
    *brought = page;
    match task.map(Frames::at(place::FRAMES), page, 0, 1, Rights::READ) {
        Ok(()) | Err(Error::BadCapability | Error::Occupied | Error::NoRight) => {}
        Err(error) => panic!("mapping a page for client {client} ended with {error:?}"),
    }
}
