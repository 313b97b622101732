use std::vec::Vec;

use lilliput_abi::Tag;
use proptest::prelude::*;

use super::*;
use crate::slab::{Object, Slab};
use crate::thread::Kind;
use crate::timers::Timers;

const SENDERS: usize = 40;

fn slab<T: Object + Default>(entries: usize) -> Slab<T> {
    Slab::new((0..entries + T::FIRST as usize).map(|_| T::default()).collect::<Vec<_>>().leak())
}

fn machine(threads: usize, endpoints: usize) -> Machine {
    Machine {
        threads: slab(threads),
        tasks: slab(1),
        endpoints: slab(endpoints),
        notifications: slab(1),
        replies: slab(1),
        timers: Timers::for_tests(1),
        pages: carry::Pages::NONE,
    }
}

/// Each handles the trap of the one before, until the last one traps: none of them can go back, so all stop, in one step that has a bound.
#[test]
fn handlers_of_traps_are_not_nested_without_end() {
    let trap = Fault { vector: 3, code: 0, address: 0 };
    let mut machine = machine(TRAPS + 3, TRAPS + 3);
    let mut cpu = Cpu::new();
    let handlers: Vec<_> = (0..TRAPS + 3)
        .map(|_| {
            let endpoint = machine.endpoints.insert(1, Endpoint::default()).unwrap();
            let index = machine.threads.insert(1, Thread { kind: Kind::Wide, ..Thread::default() }).unwrap();
            machine.queue_at(endpoint, index, State::Receiving);
            (index, endpoint)
        })
        .collect();
    machine.take_from(handlers[0].1, handlers[0].0);
    machine.threads[handlers[0].0].state = State::Ready;
    cpu.current = handlers[0].0;
    for pair in handlers[..TRAPS + 1].windows(2) {
        let decision = raise(&mut machine, &mut cpu, pair[1].1, 0, trap);
        assert_eq!(machine.threads[pair[1].0].caller, pair[0].0, "told at once");
        assert_eq!(decision, Decision::Donate(pair[1].0));
        cpu.current = pair[1].0;
    }
    // A fault is told all the same: whoever raised it can go back.
    let (last, next) = (cpu.current, handlers[TRAPS + 1]);
    let fault = Fault { vector: 14, ..trap };
    assert_eq!(raise(&mut machine, &mut cpu, next.1, 0, fault), Decision::Donate(next.0));
    machine.threads[next.0].forget(last);
    machine.threads[last].server = Index::NONE;
    machine.threads[last].set_fault(None);
    assert_eq!(raise(&mut machine, &mut cpu, handlers[TRAPS + 2].1, 0, trap), Decision::Block);
    for &(thread, _) in &handlers[..=TRAPS] {
        assert_eq!(machine.threads[thread].state, State::Stopped);
    }
    assert!(machine.threads[handlers[TRAPS + 2].0].caller.is_none(), "never told");
}

proptest! {
    /// However many there are, each step has a bound, each of them has its error, and the message behind them arrives.
    #[test]
    fn messages_that_nobody_can_have_are_refused_in_steps(refused in 0..SENDERS) {
        let mut machine = machine(SENDERS + 2, 1);
        let mut cpu = Cpu::new();
        let endpoint = machine.endpoints.insert(1, Endpoint::default()).unwrap();
        let senders: Vec<_> = (0..=refused).map(|number| {
            let index = machine.threads.insert(1, Thread { kind: Kind::Wide, ..Thread::default() }).unwrap();
            // A flag that no message has, where the selector says that it counts; but for the last.
            let flags = u8::from(number < refused) << 6;
            machine.threads[index].registers.tag = u64::from(Tag::new(0, 0).with_flags(flags).0);
            machine.threads[index].registers.status = u64::from(Selector::new(Operation::Send, 1).long().0);
            machine.queue_at(endpoint, index, State::Sending);
            index
        }).collect();
        let receiver = machine.threads.insert(1, Thread { kind: Kind::Wide, ..Thread::default() }).unwrap();
        machine.threads[receiver].state = State::Ready;
        cpu.current = receiver;
        let mut steps = 0;
        while machine.threads[senders[refused]].state == State::Sending {
            let told = |machine: &Machine| senders.iter().filter(|&&it| machine.threads[it].state != State::Sending).count();
            let before = told(&machine);
            let decision = receive(&mut machine, &mut cpu, endpoint, true);
            prop_assert_eq!(decision, Decision::Stay);
            prop_assert!(told(&machine) - before <= REFUSED as usize);
            if machine.threads[senders[refused]].state == State::Sending {
                let thread = &machine.threads[receiver];
                prop_assert!(thread.has_full_frame(), "it makes a system call again");
                prop_assert_eq!(thread.selector(), Selector::new(Operation::Receive, 0));
            }
            steps += 1;
        }
        prop_assert_eq!(steps, refused / REFUSED as usize + 1);
        let status = |index| Error::from_status(machine.threads[index].registers.status as u32);
        for &sender in &senders[..refused] {
            prop_assert_eq!(status(sender), Err(Error::BadMessage));
        }
        prop_assert_eq!((status(senders[refused]), status(receiver)), (Ok(0), Ok(0)));
    }
}
