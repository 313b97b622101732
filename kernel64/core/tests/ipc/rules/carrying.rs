//! What goes along with a message: capabilities, and strings across missing pages and ends in the middle.

use lilliput_abi::error::CARRIED;
use lilliput_abi::fault::{FAULT_LABEL, RESUME, STOP};
use lilliput_abi::tag::carried::{self, CAPABILITY, STRING};
use lilliput_abi::{Error, Rights};
use lilliput_core::capability::Capability;
use lilliput_core::frames::Frame;
use lilliput_core::ipc::carry::{self, STEP};
use lilliput_core::thread::{Kind, State};
use proptest::prelude::*;
use x86_64::structures::paging::PageTableFlags;

use super::{call, receive, reply_receive, send, server_and_client, words, world};
use crate::memory;
use crate::step::{Message, New, Step};
use crate::world::World;

const PAGE: u64 = Frame::SIZE;
/// Where strings are sent from, and where they arrive: across the same number of pages, and neither at their start.
const SOURCE: u64 = 0x10_0ffd;
const TARGET: u64 = 0x20_0ff0;
const ALL: PageTableFlags =
    PageTableFlags::PRESENT.union(PageTableFlags::WRITABLE).union(PageTableFlags::USER_ACCESSIBLE);
const READ_ONLY: PageTableFlags = PageTableFlags::PRESENT.union(PageTableFlags::USER_ACCESSIBLE);

/// Thread 0 and task 0 the server, thread 1 and task 1 the client; thread 2 of task 2 is their pager, and waits at endpoint 1.
const SERVER: usize = 0;
const CLIENT: usize = 1;
const PAGER: usize = 2;

impl World {
    fn root(&self, name: usize) -> Frame {
        self.machine.tasks[self.tasks[name]].space.root()
    }

    /// Lets a thread accept, which runs or waits.
    fn accept(&mut self, name: usize, place: u32, address: u64, length: u32) -> Result<(), Error> {
        let thread = &mut self.machine.threads[self.threads[name]];
        let before = thread.registers;
        thread.registers.words[..3].copy_from_slice(&[u64::from(place), address, u64::from(length)]);
        let result = carry::accept(&mut self.machine, self.threads[name]);
        self.machine.threads[self.threads[name]].registers = before;
        result
    }

    fn place(&self, task: usize, place: u32) -> Capability {
        self.machine.tasks[self.tasks[task]].capabilities.named(place).unwrap_or(Capability::NULL)
    }

    fn put(&mut self, task: usize, place: u32, rights: Rights) -> Capability {
        let capability = self.notifications[0].derive(rights, 5).unwrap();
        self.machine.tasks[self.tasks[task]].capabilities.insert(place, capability).unwrap();
        capability
    }

    /// Makes system calls again until nobody has to.
    fn settle(&mut self) -> usize {
        (0..10_000)
            .take_while(|_| {
                let repeated = self.repeat();
                assert_eq!(self.machine.check(&self.cpu), Ok(()));
                repeated
            })
            .count()
    }

    fn arrived(&self, name: usize) -> bool {
        self.thread(name).registers.status & u64::from(CARRIED) != 0
    }
}

fn capability(place: u32, rights: Rights) -> Message {
    words(&[1, 2, 3, carried::capability(place, rights).into()]).carrying(CAPABILITY)
}

fn string(address: u64, length: u64) -> Message {
    words(&[1, address, length, 4]).carrying(STRING)
}

#[test]
fn a_capability_is_copied_with_fewer_rights_or_moved() {
    for moved in [false, true] {
        for sender_first in [false, true] {
            let mut world = world(&[(Kind::Wide, 20), (Kind::Small, 10)]);
            world.accept(SERVER, 3, 0, 0).unwrap();
            let given = world.put(CLIENT, 2, Rights::SEND | Rights::GRANT | Rights::DESTROY);
            let mut message = capability(2, Rights::SEND);
            message.words[3] |= if moved { carried::MOVED.into() } else { 0 };
            if sender_first {
                world.run(Step::SetPriority { thread: CLIENT, priority: 30 });
                world.run(call(message));
            }
            world.run(receive());
            if !sender_first {
                world.run(call(message));
            }
            assert_eq!((world.running(), world.words(SERVER)[..4].to_vec()), (Some(SERVER), vec![1, 2, 3, 3]));
            assert_eq!(world.status(SERVER), Ok(7 | CARRIED));
            assert_eq!(world.thread(SERVER).tag().flags(), CAPABILITY);
            let arrived = world.place(0, 3);
            assert!(arrived.names_object_of(&given) && arrived.rights() == Rights::SEND && arrived.badge == 5);
            assert_eq!(world.place(1, 2), if moved { Capability::NULL } else { given });
        }
    }
}

#[test]
fn a_capability_that_cant_go_stays_and_nothing_arrives() {
    let refused = |place: u32, rights: Rights, moved: bool, room: u32| {
        let mut world = server_and_client(Kind::Wide, Kind::Wide);
        let _ = world.accept(SERVER, room, 0, 0);
        world.put(CLIENT, 1, Rights::SEND | Rights::GRANT);
        world.put(CLIENT, 2, Rights::SEND);
        world.put(CLIENT, 3, Rights::all());
        world.put(SERVER, 4, Rights::SEND);
        let before: Vec<_> = (0..8).map(|place| world.place(1, place)).collect();
        let mut message = capability(place, rights);
        message.words[3] |= if moved { carried::MOVED.into() } else { 0 };
        world.run(call(message));
        assert_eq!((world.running(), world.state(SERVER)), (Some(CLIENT), State::Receiving));
        assert_eq!((0..8).map(|place| world.place(1, place)).collect::<Vec<_>>(), before);
        assert_eq!(world.thread(CLIENT).account.messages(), 0);
        world.status(CLIENT).unwrap_err()
    };
    assert_eq!(refused(7, Rights::SEND, false, 5), Error::BadCapability);
    assert_eq!(refused(0, Rights::SEND, false, 5), Error::BadCapability);
    assert_eq!(refused(8, Rights::SEND, false, 5), Error::BadCapability);
    assert_eq!(refused(2, Rights::SEND, false, 5), Error::NoRight);
    assert_eq!(refused(1, Rights::RECEIVE, false, 5), Error::NoRight);
    assert_eq!(refused(1, Rights::empty(), false, 5), Error::BadArgument);
    assert_eq!(refused(3, Rights::SEND, true, 5), Error::BadArgument);
    assert_eq!(refused(1, Rights::SEND, true, 0), Error::Unaccepted);
    // It was free when it was named.
    let mut world = server_and_client(Kind::Wide, Kind::Wide);
    world.accept(SERVER, 4, 0, 0).unwrap();
    world.put(SERVER, 4, Rights::SEND);
    assert_eq!(world.accept(SERVER, 4, 0, 0), Err(Error::Occupied));
    world.put(CLIENT, 1, Rights::SEND | Rights::GRANT);
    world.run(call(capability(1, Rights::SEND)));
    assert_eq!(world.status(CLIENT), Err(Error::Unaccepted));
}

#[test]
fn flags_of_what_cant_be_carried_are_refused_whether_or_not_somebody_receives() {
    for flags in (0..=255).filter(|flags| *flags == 0 || flags & !carried::ALL != 0) {
        let mut waiting = server_and_client(Kind::Wide, Kind::Small);
        waiting.run(call(words(&[1]).carrying(flags)));
        assert_eq!((waiting.running(), waiting.status(CLIENT)), (Some(CLIENT), Err(Error::BadMessage)), "{flags}");
        let mut alone = world(&[(Kind::Wide, 1)]);
        alone.run(send(words(&[1]).carrying(flags)));
        assert_eq!(alone.status(0), Err(Error::BadMessage), "{flags}");
    }
}

/// A server and a client with memory for a string, all of it mapped; the server waits, the client runs.
fn with_memory(kinds: [Kind; 2], length: u32, bytes: &[u8]) -> World {
    memory::clear();
    let mut world = world(&[(kinds[0], 20), (kinds[1], 10), (Kind::Wide, 30)]);
    world.run(Step::Receive { endpoint: 1, blocking: true });
    world.run(receive());
    let handler = |badge| world.endpoints[1].derive(Rights::SEND, badge).unwrap();
    let handlers = [handler(40), handler(41)];
    for (task, handler) in handlers.into_iter().enumerate() {
        let index = world.tasks[task];
        world.machine.tasks[index].fault_handler = handler;
        for page in 0..(u64::from(length) + 2 * PAGE) / PAGE {
            memory::map(world.root(task), SOURCE + page * PAGE, ALL);
            memory::map(world.root(task), TARGET + page * PAGE, ALL);
        }
        world.accept(task, 0, TARGET, length).unwrap();
    }
    memory::write(world.root(1), SOURCE, bytes);
    world
}

fn bytes(length: u32) -> Vec<u8> {
    (0..length).map(|n| (n.wrapping_mul(0x9e37_79b9) >> 13) as u8).collect()
}

#[test]
fn a_string_goes_and_comes_back_in_steps() {
    for (length, steps) in [(0, 0), (1, 0), (4099, 0), (STEP, 0), (STEP + 1, 1), (3 * STEP + 5, 3)] {
        for kinds in [[Kind::Wide, Kind::Small], [Kind::Small, Kind::Wide], [Kind::Host, Kind::Small]] {
            let kinds = if kinds[0] == Kind::Host { [Kind::Wide, Kind::Wide] } else { kinds };
            let sent = bytes(length);
            let mut world = with_memory(kinds, length, &sent);
            world.run(call(string(SOURCE, length.into())));
            if steps > 0 {
                assert_eq!((world.running(), world.state(CLIENT)), (Some(SERVER), State::AwaitingReply));
                assert!(!world.arrived(SERVER), "before all is there");
            }
            assert_eq!(world.settle(), steps as usize, "steps for {length} bytes");
            assert_eq!((world.running(), world.status(SERVER)), (Some(SERVER), Ok(7 | CARRIED)));
            assert_eq!(world.words(SERVER)[..4], [1, TARGET, length.into(), 4]);
            assert_eq!(memory::read(world.root(0), TARGET, length.into()), sent);
            world.run(Step::ReplyHome(string(TARGET, length.into())));
            world.settle();
            assert_eq!((world.running(), world.status(CLIENT)), (Some(CLIENT), Ok(CARRIED)));
            assert_eq!(memory::read(world.root(1), TARGET, length.into()), sent);
            assert_eq!(world.state(SERVER), State::Receiving);
        }
    }
}

/// For a string the caller is the server's own again, as it may take several steps.
#[test]
fn a_kept_caller_gets_a_string_in_steps() {
    let length = 2 * STEP + 5;
    let mut world = with_memory([Kind::Wide, Kind::Small], length, &bytes(length));
    memory::write(world.root(0), SOURCE, &bytes(length));
    world.run(call(words(&[])));
    world.run(Step::KeepHome(0));
    world.run(Step::SetPriority { thread: PAGER, priority: 3 });
    let answer = |length| Step::ReplyKept { reply: 0, message: string(SOURCE, length) };
    // Somebody sends, so that the server goes on.
    world.run(Step::Start { thread: 3, new: New { kind: Kind::Wide, task: 3, priority: 9, budget: None } });
    world.run(call(words(&[])));
    world.run(answer(length.into()));
    assert_eq!((world.status(SERVER), world.kept(0)), (Err(Error::Busy), Some(CLIENT)));
    world.run(Step::Reply(words(&[])));
    world.run(answer(u64::from(length) + 1));
    world.settle();
    assert_eq!((world.status(SERVER), world.kept(0)), (Err(Error::Unaccepted), None));
    assert_eq!(world.thread(SERVER).caller, world.threads[CLIENT]);
    world.run(Step::KeepHome(1));
    world.run(call(words(&[])));
    world.run(Step::Reply(words(&[])));
    world.run(Step::ReplyKept { reply: 1, message: string(SOURCE, length.into()) });
    assert!(world.settle() >= 2, "in steps");
    assert_eq!((world.running(), world.status(SERVER), world.status(CLIENT)), (Some(SERVER), Ok(0), Ok(CARRIED)));
    assert!(memory::read(world.root(1), TARGET, length.into()) == bytes(length), "all of it");
}

#[test]
fn a_range_that_is_not_its_own_is_its_senders_error() {
    let end = 1 << 30;
    for (address, length) in [(0, 1), (0xffff, 2), (end - 1, 2), (end, 1), (u64::MAX, 1), (u64::MAX, 2), (1 << 63, 8)] {
        let mut world = with_memory([Kind::Wide, Kind::Wide], 16, &[]);
        world.run(call(string(address, length)));
        assert_eq!((world.running(), world.status(CLIENT)), (Some(CLIENT), Err(Error::BadAddress)), "{address:#x}");
        assert_eq!(world.accept(CLIENT, 0, address, length as u32), Err(Error::BadAddress));
        assert_eq!(world.state(SERVER), State::Receiving);
    }
    for length in [17, u64::from(u32::MAX), 1 << 32, u64::MAX] {
        let mut world = with_memory([Kind::Wide, Kind::Wide], 16, &[]);
        world.run(call(string(SOURCE, length)));
        assert_eq!((world.running(), world.status(CLIENT)), (Some(CLIENT), Err(Error::Unaccepted)), "{length:#x}");
    }
}

/// Device memory is not touched, whoever maps it.
#[test]
fn what_is_no_memory_is_not_copied() {
    for side in [SERVER, CLIENT] {
        let mut world = with_memory([Kind::Wide, Kind::Wide], 16, &[1; 16]);
        let address = if side == CLIENT { SOURCE } else { TARGET };
        memory::map(world.root(side), address, ALL | PageTableFlags::NO_CACHE);
        world.run(call(string(SOURCE, 16)));
        world.settle();
        assert_eq!(world.running(), Some(PAGER), "it is asked for other pages");
    }
}

/// In the middle of a string to the server, or of its answer, a page of one of the two is missing; their pager runs.
fn in_the_middle(answer: bool, lacks: usize, flags: Option<PageTableFlags>) -> (World, u64) {
    let length = 2 * STEP;
    let mut world = with_memory([Kind::Wide, Kind::Small], length, &bytes(length));
    let far = u64::from(STEP) + 3 * PAGE;
    let sends = if answer { SERVER } else { CLIENT };
    let address = if lacks == sends { SOURCE } else { TARGET } + far;
    match flags {
        Some(flags) => memory::map(world.root(lacks), address, flags),
        None => assert!(memory::unmap(world.root(lacks), address).is_some()),
    }
    if answer {
        world.run(call(words(&[])));
        world.run(Step::ReplyHome(string(SOURCE, length.into())));
    } else {
        world.run(call(string(SOURCE, length.into())));
    }
    world.settle();
    assert_eq!(world.running(), Some(PAGER), "{:?} {:?}", world.status(SERVER), world.status(CLIENT));
    assert_eq!(world.status(PAGER), Ok(40 + lacks as u32), "whose page it is");
    assert_eq!(world.thread(PAGER).tag().label(), FAULT_LABEL);
    let [what, at, ip, sp, ..] = world.words(PAGER);
    assert_eq!((what & 0xff, at & !(PAGE - 1), ip, sp), (14, address & !(PAGE - 1), 0, 0));
    let code = 4 + if lacks == sends { 0 } else { 2 } + u64::from(flags.is_some());
    assert_eq!(what >> 8, code, "the error code of the access");
    (world, address)
}

const CASES: [(bool, usize); 4] = [(false, SERVER), (false, CLIENT), (true, SERVER), (true, CLIENT)];

#[test]
fn a_string_goes_on_when_the_page_is_there() {
    for (answer, lacks) in CASES {
        let sends = if answer { SERVER } else { CLIENT };
        let flags = (lacks != sends).then_some(READ_ONLY);
        for flags in [None, flags] {
            let (mut world, address) = in_the_middle(answer, lacks, flags);
            memory::map(world.root(lacks), address, ALL);
            memory::write(world.root(sends), SOURCE, &bytes(2 * STEP));
            world.run(Step::ReplyReceive { endpoint: 1, message: Message { label: RESUME, ..words(&[]) } });
            world.settle();
            let receives = CLIENT - sends;
            assert_eq!((world.running(), world.arrived(receives)), (Some(receives), true));
            let expected = bytes(2 * STEP);
            let there = memory::read(world.root(receives), TARGET, (2 * STEP).into());
            // What had come over before the page was there has the bytes of then.
            assert!(there == expected || answer, "what arrived");
        }
    }
}

#[test]
fn a_page_that_is_refused_is_an_error_for_both() {
    for (answer, lacks) in CASES {
        for dies in [false, true] {
            let (mut world, _) = in_the_middle(answer, lacks, None);
            if dies {
                world.run(Step::Receive { endpoint: 1, blocking: false });
                // It took nothing else, and left who asked without an answer.
                world.run(Step::Receive { endpoint: 1, blocking: true });
            } else {
                answer_fault(&mut world, STOP);
            }
            world.settle();
            match (answer, lacks) {
                (false, SERVER) => {
                    assert_eq!(world.status(SERVER), Err(Error::BadAddress));
                    assert_eq!(world.status(CLIENT), Err(Error::Unaccepted));
                }
                (false, _) => {
                    assert_eq!(world.status(CLIENT), Err(Error::BadAddress));
                    assert_eq!(world.state(SERVER), State::Receiving, "for the next one");
                }
                (true, _) => {
                    let expected = if lacks == SERVER { Error::BadAddress } else { Error::Unaccepted };
                    assert_eq!((world.running(), world.status(SERVER)), (Some(SERVER), Err(expected)));
                    assert_eq!(world.state(CLIENT), State::AwaitingReply);
                    world.run(Step::ReplyHome(words(&[9])));
                    assert_eq!((world.status(CLIENT), world.words(CLIENT)[0]), (Ok(0), 9), "another answer");
                }
            }
        }
    }
}

/// The pager answers, and waits for the next. Who asked it may be gone.
fn answer_fault(world: &mut World, label: u16) {
    world.run(reply_to_fault(label));
    if (world.running(), world.status(PAGER)) == (Some(PAGER), Err(Error::NobodyToReplyTo)) {
        world.run(Step::Receive { endpoint: 1, blocking: true });
    }
}

fn reply_to_fault(label: u16) -> Step {
    let Step::ReplyReceive { message, .. } = reply_receive(words(&[])) else { unreachable!() };
    Step::ReplyReceive { endpoint: 1, message: Message { label, ..message } }
}

#[test]
fn whoever_is_destroyed_in_the_middle_leaves_the_other_a_clear_state() {
    for (answer, lacks) in CASES {
        for dies in [SERVER, CLIENT] {
            let (mut world, _) = in_the_middle(answer, lacks, None);
            world.run(Step::DestroyThread(dies));
            answer_fault(&mut world, RESUME);
            world.settle();
            if dies == SERVER {
                assert_eq!(world.status(CLIENT), Err(Error::Gone));
            } else if answer {
                assert_eq!(world.status(SERVER), Err(Error::NobodyToReplyTo));
            } else {
                assert_eq!(world.state(SERVER), State::Receiving);
            }
        }
    }
}

#[test]
fn a_deadline_ends_a_string_on_either_side() {
    // The server's, while it waits for the page.
    for answer in [false, true] {
        let length = 2 * STEP;
        let mut world = with_memory([Kind::Wide, Kind::Wide], length, &bytes(length));
        memory::unmap(world.root(1), if answer { TARGET } else { SOURCE } + u64::from(STEP));
        if answer {
            world.run(call(words(&[])));
            world.run(Step::Limit(3));
            world.run(Step::ReplyHome(string(SOURCE, length.into())));
        } else {
            // It waits with a deadline of its own.
            world = with_memory([Kind::Wide, Kind::Wide], length, &bytes(length));
            world.run(call(words(&[])));
            world.run(Step::Limit(3));
            world.run(Step::ReplyHome(words(&[])));
            memory::unmap(world.root(1), SOURCE + u64::from(STEP));
            world.run(call(string(SOURCE, length.into())));
        }
        world.settle();
        assert_eq!(world.running(), Some(PAGER));
        world.run(Step::Pass(5));
        answer_fault(&mut world, RESUME);
        world.settle();
        assert_eq!(world.status(SERVER), Err(Error::TimedOut));
        let other = if answer { Error::Unanswered } else { Error::Unaccepted };
        assert_eq!(world.status(CLIENT), Err(other));
    }
    // The client's: the server goes on without.
    let length = 2 * STEP;
    let mut world = with_memory([Kind::Wide, Kind::Wide], length, &bytes(length));
    memory::unmap(world.root(1), SOURCE + u64::from(STEP));
    world.run(Step::Limit(3));
    world.run(call(string(SOURCE, length.into())));
    world.settle();
    world.run(Step::Pass(5));
    assert_eq!(world.status(CLIENT), Err(Error::TimedOut));
    answer_fault(&mut world, RESUME);
    world.settle();
    assert_eq!(world.state(SERVER), State::Receiving);
}

#[test]
fn nobody_comes_between_the_two() {
    let length = 3 * STEP;
    let mut world = with_memory([Kind::Wide, Kind::Wide], length, &bytes(length));
    world.run(Step::Start {
        thread: 3,
        new: crate::step::New { kind: Kind::Small, task: 3, priority: 40, budget: None },
    });
    world.run(Step::Sleep(4));
    world.run(call(string(SOURCE, length.into())));
    assert!(world.repeat());
    world.run(Step::Pass(5));
    assert_eq!(world.running(), Some(3));
    world.run(call(words(&[8])));
    assert_eq!(world.state(3), State::Calling);
    world.settle();
    assert_eq!((world.running(), world.arrived(SERVER)), (Some(SERVER), true));
    assert_eq!(memory::read(world.root(0), TARGET, length.into()), bytes(length));
    assert_eq!(world.state(3), State::Calling, "it waits its turn");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is missing, and whatever the pager does: the string arrives as it was sent, or not at all and both know.
    #[test]
    fn all_of_a_string_or_nothing(
        length in 0..3 * STEP,
        missing in proptest::collection::btree_set((any::<bool>(), 0u64..26), 0..12),
        decisions in proptest::collection::vec(0..8u8, 12),
        kinds in proptest::sample::select(vec![[Kind::Small, Kind::Wide], [Kind::Wide, Kind::Small], [Kind::Wide; 2]]),
    ) {
        let sent = bytes(length);
        let mut world = with_memory(kinds, length, &sent);
        let mut kept = std::collections::BTreeMap::new();
        for &(source, page) in &missing {
            let (side, start) = if source { (CLIENT, SOURCE) } else { (SERVER, TARGET) };
            if let Some(was) = memory::unmap(world.root(side), start + page * PAGE) {
                kept.insert((side, (start + page * PAGE) / PAGE), was);
            }
        }
        world.run(call(string(SOURCE, length.into())));
        let mut decisions = decisions.into_iter();
        let mut ended = false;
        loop {
            world.settle();
            if world.running() != Some(PAGER) {
                break;
            }
            prop_assert!(!world.arrived(SERVER));
            let (badge, at) = (world.status(PAGER).unwrap(), world.words(PAGER)[1]);
            match decisions.next().unwrap_or(0) {
                7 => {
                    world.run(Step::DestroyThread(CLIENT));
                    ended = true;
                }
                6 => ended = true,
                _ => {
                    let side = badge as usize - 40;
                    let was = kept.remove(&(side, at / PAGE)).expect("a page that was taken away");
                    memory::put_back(world.root(side), at, was);
                }
            }
            answer_fault(&mut world, if ended { STOP } else { RESUME });
        }
        if ended {
            prop_assert!(!world.arrived(SERVER));
            prop_assert!(world.threads[CLIENT].is_none() || world.status(CLIENT).is_err());
        } else {
            prop_assert!(world.arrived(SERVER));
            prop_assert_eq!(memory::read(world.root(0), TARGET, length.into()), sent);
        }
    }
}
