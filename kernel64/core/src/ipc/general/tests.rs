use std::vec::Vec;

use lilliput_abi::Tag;
use proptest::prelude::*;

use super::*;
use crate::slab::{Object, Slab};
use crate::thread::Kind;
use crate::timers::Timers;

const SENDERS: usize = 40;

fn slab<T: Object + Default>(entries: usize) -> Slab<T> {
    Slab::new((0..=entries).map(|_| T::default()).collect::<Vec<_>>().leak())
}

proptest! {
    /// However many there are, each step has a bound, each of them has its error, and the message behind them arrives.
    #[test]
    fn messages_that_nobody_can_have_are_refused_in_steps(refused in 0..SENDERS) {
        let mut machine = Machine {
            threads: slab(SENDERS + 2),
            tasks: slab(1),
            endpoints: slab(1),
            notifications: slab(1),
            timers: Timers::for_tests(1),
            pages: carry::Pages::NONE,
        };
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
