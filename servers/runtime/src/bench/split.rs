//! Getting a page where something wants it: by the kernel alone, by a memory server, or by two, of which one knows spaces and the other frames.
//!
//! All three make the same two calls of the kernel, that makes a cleared frame and that maps it; what differs is who makes them.

use lilliput_abi::error::CARRIED;
use lilliput_abi::{Error, Operation, Rights};

use super::{parameter, rounds};
use crate::invoke::invoke;
use crate::machine::Machine;
use crate::message::{Message, Word};
use crate::object::{Endpoint, Factory, Frames, Parcel, Received, Task, accept};
use crate::{parent, place};

/// Who gets the page: the first word of the client's and the servers' second start word.
pub mod by {
    use crate::message::Word;

    /// The kernel alone: the client has a factory.
    pub const KERNEL: Word = 0;
    /// A memory server.
    pub const ONE: Word = 1;
    /// A server for spaces, which asks one for frames.
    pub const TWO: Word = 2;
}

/// Map a page there: `(address) -> ()`
const PAGE: u16 = 1;
/// Take it, or the last frame, back: `(address) -> ()`
const BACK: u16 = 2;
/// A frame: `() -> ()`, with its capability
const FRAME: u16 = 3;

/// Where who pays for frames is.
pub const FACTORY: u32 = place::FIRST_CLIENT;
/// Where a server has its client's frame.
const GIVEN: u32 = place::FIRST_CLIENT + 1;
/// Rounds, of which a quarter warms up.
const ROUNDS: usize = 32;
const RIGHTS: Rights = Rights::READ.union(Rights::WRITE);

/// Wants a page, uses it and gives it back, again and again.
///
/// # Errors
/// What the kernel says where something does not work.
pub fn run<K: Machine>(way: Word) -> Result<(), Error> {
    let address = parent::parameter::<K>(parameter::ADDRESS)?;
    let (factory, task) = (Factory::<K>::at(FACTORY), Task::<K>::at(place::TASK));
    let server = Endpoint::<K>::at(place::SERVER);
    rounds::alike::<K>("page", ROUNDS, |rounds| {
        rounds.begin()?;
        let mut frames = None;
        if way == by::KERNEL {
            let made = factory.create_frames(1)?;
            task.map(made, address, 0, 1, RIGHTS)?;
            frames = Some(made);
        } else {
            server.request(PAGE, &[address])?;
        }
        // Had nobody mapped it, this task would end here.
        K::touch(address, 1, 1);
        rounds.end()?;
        match frames {
            Some(made) => {
                task.unmap(address, 1)?;
                factory.destroy(made.place())?;
            }
            None => drop(server.request(BACK, &[address])?),
        }
        Ok(())
    })
}

/// Maps pages in the client's space, for ever: of frames that it makes, or that it asks another server for.
///
/// # Errors
/// What the kernel says where the server can't go on.
pub fn serve_pages<K: Machine>(way: Word) -> Result<(), Error> {
    let task = Task::<K>::at(place::TASK);
    accept::<K>(GIVEN, 0, 0)?;
    let mut given = None;
    let mut message = Message::default();
    invoke::<K>(Operation::Receive, place::SERVICE, &mut message)?;
    loop {
        let address = message.words[0];
        if message.label() == PAGE {
            let frames = frames::<K>(way)?;
            task.map(frames, address, 0, 1, RIGHTS)?;
            given = Some(frames);
        } else if let Some(frames) = given.take() {
            task.unmap(address, 1)?;
            Factory::<K>::at(FACTORY).destroy(frames.place())?;
            if way == by::TWO {
                Endpoint::<K>::at(place::SERVER).request(BACK, &[0])?;
            }
        }
        message = Message::new(0, &[]);
        invoke::<K>(Operation::ReplyReceive, 0, &mut message)?;
    }
}

fn frames<K: Machine>(way: Word) -> Result<Frames<K>, Error> {
    if way == by::ONE {
        return Factory::<K>::at(FACTORY).create_frames(1);
    }
    let mut message = Message::new(FRAME, &[]);
    let status = invoke::<K>(Operation::Call, place::SERVER, &mut message)?;
    let received = Received { badge: 0, carried: status & CARRIED != 0, message };
    received.capability().map(Frames::at).ok_or(Error::BadCapability)
}

/// Hands out frames, for ever. Whoever has one destroys it, and says so: then the name goes that this task has of it.
///
/// # Errors
/// What the kernel says where the server can't go on.
pub fn serve_frames<K: Machine>() -> Result<(), Error> {
    let rights = RIGHTS | Rights::SEND | Rights::GRANT | Rights::DESTROY;
    let mut last = None;
    let mut received = Endpoint::<K>::at(place::SERVICE).receive()?;
    loop {
        let answer = if received.message.label() == FRAME {
            let made = Factory::<K>::at(FACTORY).create_frames(1)?.place();
            last = Some(made);
            // What one may wait by can't be moved, and a new capability has all rights: so it is a copy.
            Parcel::new(0, &[]).capability(made, rights).invoke::<K>(Operation::ReplyReceive, 0)
        } else {
            last.take().map_or(Ok(()), |place| Task::<K>::at(place::TASK).delete(place))?;
            Endpoint::<K>::at(place::SERVICE).reply_receive(&Message::new(0, &[]))
        };
        received = answer?;
    }
}
