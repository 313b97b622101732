use std::vec::Vec;

use super::*;
use crate::slab::{Object, Slab};
use crate::timers::Timers;

fn slab<T: Object + Default>(entries: usize) -> Slab<T> {
    Slab::new((0..entries + T::FIRST as usize).map(|_| T::default()).collect::<Vec<_>>().leak())
}

/// A CPU and ready threads of these priorities, of which the first of the highest runs.
fn start(priorities: &[u8]) -> (Machine, Cpu, Vec<Index<Thread>>) {
    let mut machine = Machine {
        threads: slab(8),
        tasks: slab(1),
        endpoints: slab(1),
        notifications: slab(1),
        replies: slab(1),
        timers: Timers::for_tests(8),
        pages: crate::ipc::carry::Pages::NONE,
    };
    let mut cpu = Cpu::default();
    cpu.begin(0, [100; 2]);
    let mut start = |&priority| {
        let thread = machine.threads.insert(1, Thread { priority, ..Thread::default() }).unwrap();
        cpu.enqueue(&mut machine, thread);
        thread
    };
    let all = priorities.iter().map(&mut start).collect();
    cpu.apply(&mut machine, Decision::Block);
    (machine, cpu, all)
}

#[test]
fn all_time_is_charged_to_somebody_once() {
    let (mut machine, mut cpu, all) = start(&[5, 5]);
    let mut now = 1000;
    cpu.begin(now, [100; 2]);
    cpu.leave(&mut machine, Index::NONE, now);
    for step in 0..20 {
        let entered = cpu.current;
        now += 7 + step;
        cpu.enter(&mut machine, now);
        let decision = if step == 10 { Decision::Block } else { cpu.give_way(&mut machine) };
        if step == 10 {
            machine.threads[entered].state = State::Stopped;
        }
        cpu.apply(&mut machine, decision);
        now += 3;
        cpu.leave(&mut machine, entered, now);
    }
    // While a thread runs its account is short of the counter's value.
    cpu.enter(&mut machine, now);
    cpu.charge(&mut machine, now);
    let used = |&thread| machine.threads[thread].account.user + machine.threads[thread].account.kernel;
    assert_eq!(all.iter().map(used).sum::<u64>(), now - 1000);
    assert_eq!(all.iter().map(|&thread| machine.threads[thread].charged).sum::<u64>(), now - 1000);
    assert!(all.iter().all(|thread| used(thread) == machine.threads[*thread].charged), "nobody works for anybody");
    assert_eq!(all.iter().map(|&thread| machine.threads[thread].account.kernel).sum::<u64>(), 20 * 3);
}

#[test]
fn an_idle_cpu_charges_nobody_and_finds_the_first_who_is_ready() {
    let (mut machine, mut cpu, all) = start(&[5]);
    machine.threads[all[0]].state = State::Waiting;
    cpu.apply(&mut machine, Decision::Block);
    assert!(cpu.current.is_none());
    let before = machine.threads[all[0]].account;
    cpu.enter(&mut machine, 50);
    for _ in 0..2 {
        assert_eq!(cpu.rang(&mut machine), Decision::Stay);
        cpu.apply(&mut machine, Decision::Block);
    }
    assert_eq!((machine.threads[all[0]].account, cpu.reconsider(&mut machine)), (before, Decision::Stay));
    // Woken from outside of any thread: there is nobody to preempt.
    assert_eq!(cpu.wake(&mut machine, all[0]), Decision::Stay);
    cpu.apply(&mut machine, Decision::Block);
    assert_eq!(cpu.current, all[0]);
}

#[test]
fn whoever_is_woken_yields_to_those_that_outrank_it() {
    let (mut machine, mut cpu, all) = start(&[5, 5]);
    let add =
        |machine: &mut Machine, priority| machine.threads.insert(1, Thread { priority, ..Thread::default() }).unwrap();
    let (middle, highest) = (add(&mut machine, 6), add(&mut machine, 7));
    cpu.enqueue(&mut machine, highest);
    let decision = cpu.wake(&mut machine, middle);
    assert_eq!(decision, Decision::Preempt(middle));
    cpu.apply(&mut machine, decision);
    let mut order = Vec::new();
    while !cpu.current.is_none() {
        order.push(cpu.current);
        machine.threads[cpu.current].state = State::Stopped;
        cpu.apply(&mut machine, Decision::Block);
    }
    assert_eq!(order, [highest, middle, all[0], all[1]]);
}

#[test]
fn a_donation_keeps_the_turn_and_a_block_begins_one() {
    let (mut machine, mut cpu, all) = start(&[5, 5]);
    cpu.leave(&mut machine, Index::NONE, 1000);
    machine.threads[all[0]].state = State::AwaitingReply;
    cpu.ready.remove(&mut machine.threads, all[1]);
    cpu.apply(&mut machine, Decision::Donate(all[1]));
    cpu.leave(&mut machine, all[0], 1010);
    assert_eq!((cpu.current, cpu.turn_end), (all[1], 1100));
    cpu.enqueue(&mut machine, all[0]);
    machine.threads[all[1]].state = State::Stopped;
    cpu.apply(&mut machine, Decision::Block);
    cpu.leave(&mut machine, all[1], 1020);
    assert_eq!((cpu.current, cpu.turn_end), (all[0], 1120));
    assert_eq!(
        [0, 1].map(|name| machine.threads[all[name]].account.switches()),
        [1, 0],
        "who stopped did not give way"
    );
}

/// Who has begun a new turn keeps it, though it is outranked before its first instruction.
#[test]
fn a_turn_that_has_not_begun_is_kept_whole() {
    let (mut machine, mut cpu, all) = start(&[5]);
    let [equal, higher] =
        [5, 9].map(|priority| machine.threads.insert(1, Thread { priority, ..Thread::default() }).unwrap());
    cpu.leave(&mut machine, Index::NONE, 0);
    cpu.enter(&mut machine, 100);
    assert_eq!(cpu.rang(&mut machine), Decision::Stay, "nobody else is ready yet");
    cpu.enqueue(&mut machine, equal);
    cpu.enqueue(&mut machine, higher);
    let decision = cpu.reconsider(&mut machine);
    cpu.apply(&mut machine, decision);
    cpu.leave(&mut machine, all[0], 110);
    assert_eq!(cpu.current, higher);
    machine.threads[higher].state = State::Stopped;
    cpu.apply(&mut machine, Decision::Block);
    cpu.leave(&mut machine, higher, 120);
    assert_eq!((cpu.current, cpu.turn_end), (all[0], 220));
}

/// What the assembly of the fast path notes of a signal is as good as what the general path does at once.
#[test]
fn a_signal_on_the_fast_path_is_made_up_for() {
    let run = |fast: bool| {
        let (mut machine, mut cpu, all) = start(&[5, 7]);
        let [low, high] = [all[0], all[1]];
        cpu.leave(&mut machine, Index::NONE, 0);
        cpu.enter(&mut machine, 10);
        machine.threads[high].state = State::Waiting;
        cpu.apply(&mut machine, Decision::Block);
        cpu.leave(&mut machine, high, 10);
        assert_eq!((cpu.current, cpu.turn_end), (low, 110));
        if fast {
            machine.threads[high].state = State::Ready;
            cpu.ready.push_front(&mut machine.threads, low);
            (cpu.preempted, cpu.preempted_at, cpu.current) = (low, 40, high);
            let accounts = [low, high].map(|thread| machine.threads[thread].account.user);
            machine.threads[low].account.user = accounts[0].wrapping_add(40);
            machine.threads[high].account.user = accounts[1].wrapping_sub(40);
        } else {
            cpu.enter(&mut machine, 40);
            let decision = cpu.wake(&mut machine, high);
            cpu.apply(&mut machine, decision);
            cpu.leave(&mut machine, low, 40);
        }
        cpu.enter(&mut machine, 60);
        assert!(cpu.preempted.is_none());
        let turns = (cpu.current, cpu.turn_end, machine.threads[low].turn);
        machine.threads[high].state = State::Waiting;
        cpu.apply(&mut machine, Decision::Block);
        cpu.leave(&mut machine, high, 70);
        let end = cpu.turn_end;
        cpu.enter(&mut machine, 95);
        cpu.charge(&mut machine, 95);
        let thread = |index: Index<Thread>| (machine.threads[index].charged, machine.threads[index].account.user);
        (turns, end, thread(low), thread(high))
    };
    let low = Thread::FIRST;
    let expected = ((low + 1, 140, 70), 140, (55, 55), (40, 30));
    for fast in [false, true] {
        let ((current, turn_end, left), end, low, high) = run(fast);
        assert_eq!(((current.number(), turn_end, left), end, low, high), expected, "fast: {fast}");
    }
}

/// A chain of threads of which each waits for the answer of the next, and one that is ready.
fn chain(priorities: &[u8], ready: u8) -> (Machine, Cpu) {
    let threads = priorities.len() as u32 + 1;
    let mut machine = Machine {
        threads: slab(threads as usize),
        tasks: slab(1),
        endpoints: slab(1),
        notifications: slab(1),
        replies: slab(1),
        timers: Timers::for_tests(8),
        pages: crate::ipc::carry::Pages::NONE,
    };
    let mut cpu = Cpu::default();
    let mut caller = Index::NONE;
    for &priority in priorities {
        let thread = Thread { priority, caller, state: State::Ready, ..Thread::default() };
        let thread = machine.threads.insert(1, thread).unwrap();
        machine.threads[caller].server = thread;
        caller = thread;
    }
    cpu.current = caller;
    let thread = machine.threads.insert(1, Thread { priority: ready, ..Thread::default() }).unwrap();
    cpu.enqueue(&mut machine, thread);
    cpu.apply(&mut machine, Decision::Stay);
    (machine, cpu)
}

#[test]
fn attention_is_for_whoever_is_outranked_in_a_chain() {
    for (priorities, ready, attention) in [
        (&[5][..], 5, false),
        (&[5], 6, true),
        (&[5, 9], 5, false),
        (&[5, 9], 6, true),
        (&[9, 5, 9], 6, true),
        (&[9, 9, 9], 8, false),
        (&[9; LINKS - 1], 9, false),
        // Longer chains are not walked: somebody may be outranked.
        (&[9; LINKS], 9, true),
    ] {
        assert_eq!(chain(priorities, ready).1.attention, attention, "{priorities:?} against {ready}");
    }
}

#[test]
fn stepping_turns_grow_by_one_and_begin_anew() {
    let (mut machine, mut cpu, _) = start(&[5]);
    let mut now = 1000;
    cpu.begin(now, [10, 12]);
    cpu.begins = cpu.whole_turn;
    let lengths = [(); 5].map(|()| {
        cpu.leave(&mut machine, Index::NONE, now);
        let length = cpu.turn_end - now;
        now = cpu.turn_end;
        cpu.enter(&mut machine, now);
        assert_eq!(cpu.rang(&mut machine), Decision::Stay, "nobody else is ready");
        now += 100;
        length
    });
    assert_eq!(lengths, [10, 11, 12, 10, 11]);
}
