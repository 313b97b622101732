use std::vec::Vec;

use super::*;
use crate::endpoint::{Endpoint, Notification};
use crate::task::Task;
use crate::thread::Fault;
use crate::timers::Timers;

fn slab<T: Object + Default>(entries: usize) -> Slab<T> {
    Slab::new((0..entries + T::FIRST as usize).map(|_| T::default()).collect::<Vec<_>>().leak())
}

const RUNNING: usize = 0;
const READY: usize = 1;
const RECEIVING: usize = 2;
const SENDING: usize = 3;
const SERVED: usize = 4;
const WAITING: usize = 5;
const STOPPED: usize = 6;
const READY_TOO: usize = 7;

/// One thread of each state; the one that runs serves one of the others.
struct Sound {
    machine: Machine,
    cpu: Cpu,
    threads: Vec<Index<Thread>>,
    endpoints: [Index<Endpoint>; 2],
    notification: Index<Notification>,
    task: Index<Task>,
}

fn sound() -> Sound {
    let mut machine = Machine {
        threads: slab(8),
        tasks: slab(2),
        endpoints: slab(2),
        notifications: slab(1),
        replies: slab(1),
        timers: Timers::for_tests(8),
        pages: crate::ipc::carry::Pages::NONE,
    };
    let task = machine.tasks.insert(1, Task::default()).unwrap();
    machine.tasks.insert(1, Task::default()).unwrap();
    let endpoints = [(); 2].map(|()| machine.endpoints.insert(1, Endpoint::default()).unwrap());
    let notification = machine.notifications.insert(1, Notification::default()).unwrap();
    let mut cpu = Cpu::new();
    let mut threads = Vec::new();
    for _ in 0..8 {
        let thread = machine.threads.insert(1, Thread { task, priority: 9, ..Thread::default() }).unwrap();
        machine.join(thread);
        threads.push(thread);
    }
    cpu.current = threads[RUNNING];
    machine.threads[threads[RUNNING]].state = State::Ready;
    machine.threads[threads[RUNNING]].caller = threads[SERVED];
    cpu.enqueue(&mut machine, threads[READY]);
    cpu.enqueue(&mut machine, threads[READY_TOO]);
    let queued = [(RECEIVING, State::Receiving, endpoints[0]), (SENDING, State::Sending, endpoints[1])];
    for (name, state, endpoint) in queued {
        machine.queue_at(endpoint, threads[name], state);
    }
    machine.threads[threads[SERVED]].state = State::AwaitingReply;
    machine.threads[threads[SERVED]].server = threads[RUNNING];
    machine.threads[threads[WAITING]].state = State::Waiting;
    machine.threads[threads[WAITING]].notification = notification;
    machine.notifications[notification].waiters.push_back(&mut machine.threads, threads[WAITING]);
    Sound { machine, cpu, threads, endpoints, notification, task }
}

impl Sound {
    fn thread(&mut self, name: usize) -> &mut Thread {
        &mut self.machine.threads[self.threads[name]]
    }
}

#[test]
fn what_is_sound_passes() {
    let Sound { machine, cpu, .. } = sound();
    assert_eq!(machine.check(&cpu), Ok(()));
}

/// Each way to break it, and a part of what is said of it.
#[test]
fn what_is_broken_is_found() {
    type Break = fn(&mut Sound);
    let all: [(Break, &str); 36] = [
        (|s| s.thread(READY).state = State::Stopped, "not the one of its state"),
        (|s| s.thread(READY).priority = 8, "not the one of its state"),
        (|s| s.thread(READY).priority = 64, "not the one of its state"),
        (|s| s.thread(STOPPED).priority = 64, "above the highest"),
        (|s| s.thread(STOPPED).state = State::Ready, "in no queue"),
        (|s| s.thread(STOPPED).state = State::Receiving, "in no queue"),
        (|s| s.thread(STOPPED).state = State::Waiting, "in no queue"),
        (|s| s.thread(STOPPED).next = s.threads[READY], "links of a thread"),
        (|s| s.thread(STOPPED).set_fault(Some(Fault::default())), "nobody is told"),
        (|s| s.thread(STOPPED).caller = s.threads[SERVED], "does not wait for its server"),
        (|s| s.thread(STOPPED).state = State::AwaitingReply, "in no queue"),
        (|s| s.thread(SERVED).server = Index::NONE, "does not wait for its server"),
        (|s| s.thread(SERVED).server = s.threads[STOPPED], "does not wait for its server"),
        (|s| s.thread(RUNNING).caller = Index::NONE, "in no queue"),
        (|s| s.thread(RUNNING).guest = s.threads[SERVED], "two callers"),
        (|s| s.thread(SENDING).obstacles = Obstacles::empty(), "not the one of its state"),
        (|s| s.thread(STOPPED).obstacles = Obstacles::SENDS, "told from a receiver"),
        (|s| s.thread(RECEIVING).obstacles = Obstacles::CROWDED, "crowd"),
        (|s| s.thread(STOPPED).gate.places = 1, "places that are not there"),
        (|s| s.thread(RUNNING).caller = s.threads[WAITING], "does not wait for its server"),
        (|s| s.thread(RUNNING).state = State::Waiting, "running thread is not ready"),
        (|s| s.cpu.current = Index::NONE, "in no queue"),
        (|s| s.cpu.current = s.threads[READY], "not the one of its state"),
        (|s| s.cpu.ready.occupied |= 1, "bitmap"),
        (|s| s.cpu.ready.occupied = 0, "bitmap"),
        (|s| s.thread(RECEIVING).home.endpoint = s.endpoints[1], "not the one of its state"),
        (|s| s.thread(READY_TOO).previous = Index::NONE, "back and forth"),
        (|s| s.thread(READY_TOO).next = s.threads[READY], "back and forth"),
        (|s| s.machine.notifications[s.notification].bits = 4, "bits and somebody"),
        (|s| s.thread(STOPPED).bound = s.notification, "its notification does not know"),
        (|s| s.machine.notifications[s.notification].bound = s.threads[STOPPED], "its thread does not know"),
        (|s| s.thread(STOPPED).fast_home = s.endpoints[0], "is not to go to"),
        (|s| s.thread(RECEIVING).fast_home = Index::NONE, "does not know"),
        (|s| s.machine.tasks[s.task].threads = s.threads[READY], "linked differently back and forth"),
        (|s| s.machine.tasks[s.task].threads = Index::NONE, "does not know"),
        (|s| s.thread(STOPPED).task = Index::new(2), "another's thread"),
    ];
    for (number, (spoil, said)) in all.into_iter().enumerate() {
        let mut spoilt = sound();
        spoil(&mut spoilt);
        let broken = spoilt.machine.check(&spoilt.cpu).expect_err("something is broken");
        assert!(broken.contains(said), "case {number}: {broken}");
    }
}

#[test]
fn senders_and_receivers_at_one_endpoint_are_found() {
    let mut spoilt = sound();
    let [first, second] = spoilt.endpoints;
    let sender = spoilt.threads[SENDING];
    spoilt.machine.take_from(second, sender);
    spoilt.machine.queue_at(first, sender, State::Sending);
    assert!(spoilt.machine.check(&spoilt.cpu).unwrap_err().contains("not the one of its state"));
}

#[test]
fn threads_that_are_gone_are_found() {
    for (name, said) in [(READY, "in a queue that is gone"), (RUNNING, "the running thread is gone")] {
        let mut spoilt = sound();
        let thread = spoilt.threads[name];
        spoilt.machine.threads.remove(thread);
        assert!(spoilt.machine.check(&spoilt.cpu).unwrap_err().contains(said));
    }
}

#[test]
fn lists_that_go_round_end() {
    let mut spoilt = sound();
    spoilt.thread(RUNNING).sibling = spoilt.threads[READY];
    assert_eq!(spoilt.machine.check(&spoilt.cpu), Err("a task's threads that are linked differently back and forth"));
}
