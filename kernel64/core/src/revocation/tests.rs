use std::vec::Vec;

use lilliput_abi::Error;
use proptest::prelude::*;

use super::*;
use crate::capability::CapabilityTable;
use crate::endpoint::{Endpoint, Notification};
use crate::slab::{Object, Slab};
use crate::thread::{State, Thread};
use crate::timers::Timers;

const PLACES: usize = 16;
const BADGE: u32 = 7;

fn slab<T: Object + Default>(entries: usize) -> Slab<T> {
    Slab::new((0..entries + T::FIRST as usize).map(|_| T::default()).collect::<Vec<_>>().leak())
}

fn full<T: Object>(slab: &Slab<T>, index: Index<T>) -> Capability {
    Capability::new(index.number(), slab[index].header(), Rights::all())
}

struct World {
    machine: Machine,
    cpu: Cpu,
    tasks: Vec<Index<Task>>,
    /// To two endpoints and two notifications, without badges.
    originals: Vec<Capability>,
}

/// Some tasks; the first has the original capability to the first endpoint at place 1.
fn world() -> World {
    world_of(8)
}

/// The same with room for so many threads.
fn world_of(threads: usize) -> World {
    let mut machine = Machine {
        threads: slab(threads),
        tasks: slab(4),
        endpoints: slab(2),
        notifications: slab(2),
        replies: slab(1),
        timers: Timers::for_tests(threads),
        pages: crate::ipc::carry::Pages::NONE,
    };
    let table = || CapabilityTable::new(std::vec![Capability::NULL; PLACES].leak());
    let new = || Task { capabilities: table(), ..Task::default() };
    let tasks: Vec<_> = (0..4).map(|_| machine.tasks.insert(1, new()).unwrap()).collect();
    let endpoints = [(); 2].map(|()| machine.endpoints.insert(1, Endpoint::default()).unwrap());
    let notifications = [(); 2].map(|()| machine.notifications.insert(1, Notification::default()).unwrap());
    let originals = endpoints.map(|at| full(&machine.endpoints, at)).into_iter();
    let originals: Vec<_> = originals.chain(notifications.map(|at| full(&machine.notifications, at))).collect();
    machine.tasks[tasks[0]].capabilities.insert(1, originals[0]).unwrap();
    World { machine, cpu: Cpu::new(), tasks, originals }
}

impl World {
    fn thread(&mut self, task: usize) -> Index<Thread> {
        let task = self.tasks[task];
        let thread = self.machine.threads.insert(1, Thread { task, ..Thread::default() }).unwrap();
        self.machine.join(thread);
        thread
    }

    /// A thread that waits at the first endpoint, under a badge.
    fn waiting(&mut self, task: usize, state: State, badge: u32) -> Index<Thread> {
        let thread = self.thread(task);
        let endpoint = self.endpoint();
        self.machine.threads[thread].badge = badge;
        self.machine.queue_at(endpoint, thread, state);
        thread
    }

    fn endpoint(&self) -> Index<Endpoint> {
        Index::new(self.originals[0].number())
    }

    fn give(&mut self, task: usize, rights: Rights, badge: u32) -> u32 {
        let derived = self.originals[0].derive(rights, badge).unwrap();
        self.machine.tasks[self.tasks[task]].capabilities.insert(0, derived).unwrap()
    }

    /// Revokes by the first task's place 1.
    fn revoke(&mut self, badge: u32, work: u32) -> Revocation {
        let mut sweep = Revocation::new(self.originals[0], badge, self.tasks[0], 1);
        while !sweep.step(&mut self.machine, &mut self.cpu, work) {}
        self.machine.check(&self.cpu).unwrap();
        sweep
    }

    fn ended(&self, thread: Index<Thread>) -> bool {
        let status = self.machine.threads[thread].registers.status;
        self.machine.state(&self.cpu, thread) == State::Ready && status == u64::from(Error::Gone.status())
    }
}

proptest! {
    /// Every capability of the lineage goes, but the one that stays, and no other does; whatever a step is.
    #[test]
    fn the_lineage_goes_and_nothing_else(
        held in proptest::collection::vec((0..4_usize, 0..4_usize, 1..0x80_u8, 0..3_u32), 0..40),
        badge in 0..3_u32,
        work in 1..40_u32,
    ) {
        let mut world = world();
        for (task, object, rights, badge) in held {
            let rights = Rights::from_bits_retain(rights);
            let derived = world.originals[object].derive(rights, badge).unwrap();
            let _full = world.machine.tasks[world.tasks[task]].capabilities.insert(0, derived);
        }
        let tables = |world: &World| -> Vec<Vec<Capability>> {
            let of = |&task: &Index<Task>| {
                let table = &world.machine.tasks[task].capabilities;
                (0..PLACES as u32).map(|place| table.named(place).unwrap_or(Capability::NULL)).collect()
            };
            world.tasks.iter().map(of).collect()
        };
        let mut expected = tables(&world);
        let number = world.originals[0];
        for (task, table) in expected.iter_mut().enumerate() {
            for (place, capability) in table.iter_mut().enumerate() {
                let object = (capability.number(), capability.key >> 40) == (number.number(), number.key >> 40);
                if object && (task, place) != (0, 1) && (badge == 0 || capability.badge == badge) {
                    *capability = Capability::NULL;
                }
            }
        }
        world.revoke(badge, work);
        prop_assert_eq!(tables(&world), expected);
    }
}

/// A task that ends while the sweep is in the middle of its table leaves nothing out of the next one's.
#[test]
fn the_table_behind_that_of_a_task_that_ended_is_looked_at_as_a_whole() {
    let mut world = world();
    let other = world.originals[1].derive(Rights::SEND, 0).unwrap();
    for _ in 1..PLACES {
        world.machine.tasks[world.tasks[1]].capabilities.insert(0, other).unwrap();
    }
    let place = world.give(2, Rights::SEND, BADGE);
    let mut sweep = Revocation::new(world.originals[0], 0, world.tasks[0], 1);
    while (sweep.next, sweep.place) != (world.tasks[1].number(), PLACES as u32 / 2) {
        assert!(!sweep.step(&mut world.machine, &mut world.cpu, 1), "it came by no half of the table");
    }
    world.machine.tasks.remove(world.tasks[1]);
    while !sweep.step(&mut world.machine, &mut world.cpu, 1) {}
    let left = world.machine.tasks[world.tasks[2]].capabilities.named(place);
    assert_eq!(left, Err(Error::BadCapability));
}

#[test]
fn places_behind_the_last_capability_are_not_looked_at() {
    let mut world = world();
    let mut sweep = Revocation::new(world.originals[0], 0, world.tasks[0], 1);
    // Two places of the first table, and a little for each of them: all in one step, and threads in another.
    let steps = (1..).find(|_| sweep.step(&mut world.machine, &mut world.cpu, PLACES as u32)).unwrap();
    assert_eq!(steps, 2);
}

#[test]
fn who_waits_by_what_is_taken_learns_it() {
    let mut world = world();
    world.give(1, Rights::SEND, BADGE);
    let taken = [State::Sending, State::Calling].map(|state| world.waiting(1, state, BADGE));
    let others = [world.waiting(1, State::Sending, BADGE + 1), world.waiting(0, State::Calling, 0)];
    world.revoke(BADGE, 1);
    assert!(taken.into_iter().all(|thread| world.ended(thread)));
    assert!(others.into_iter().all(|thread| !world.ended(thread)), "those of other lineages wait on");
    world.revoke(0, 1);
    assert!(world.ended(others[0]), "all but its own are taken");
    assert!(!world.ended(others[1]), "who revokes goes on");
}

#[test]
fn who_can_receive_no_more_does_not() {
    let mut world = world();
    world.give(1, Rights::RECEIVE, 0);
    world.give(2, Rights::SEND, 0);
    let receivers = [0, 1].map(|task| world.waiting(task, State::Receiving, 0));
    world.revoke(0, 3);
    assert_eq!(receivers.map(|thread| world.ended(thread)), [false, true]);
    assert_eq!(world.machine.threads[receivers[1]].home.endpoint, Index::NONE, "an answer leads nowhere");
    assert_eq!(world.machine.first_receiver(world.endpoint()), Some(receivers[0]));
}

#[test]
fn who_waits_for_signals_learns_it() {
    let mut world = world();
    let original = world.originals[2];
    let place = world.machine.tasks[world.tasks[0]].capabilities.insert(0, original).unwrap();
    let derived = original.derive(Rights::RECEIVE, 0).unwrap();
    world.machine.tasks[world.tasks[1]].capabilities.insert(0, derived).unwrap();
    let notification = Index::<Notification>::new(original.number());
    let waiters = [0, 1, 1].map(|task| {
        let thread = world.thread(task);
        let World { machine, .. } = &mut world;
        machine.threads[thread].state = State::Waiting;
        machine.threads[thread].notification = notification;
        machine.notifications[notification].waiters.push_back(&mut machine.threads, thread);
        thread
    });
    let mut sweep = Revocation::new(original, 0, world.tasks[0], place);
    while !sweep.step(&mut world.machine, &mut world.cpu, 5) {}
    world.machine.check(&world.cpu).unwrap();
    assert_eq!(waiters.map(|thread| world.ended(thread)), [false, true, true]);
}

#[test]
fn handlers_of_faults_are_taken() {
    let mut world = world();
    let (mine, others) = [BADGE, BADGE + 1].map(|badge| world.originals[0].derive(Rights::SEND, badge).unwrap()).into();
    let thread = world.thread(1);
    world.machine.threads[thread].fault_handler = mine;
    world.machine.tasks[world.tasks[1]].fault_handler = mine;
    world.machine.tasks[world.tasks[2]].fault_handler = others;
    world.revoke(BADGE, 2);
    assert!(world.machine.threads[thread].fault_handler.is_null());
    assert!(world.machine.tasks[world.tasks[1]].fault_handler.is_null());
    assert_eq!(world.machine.tasks[world.tasks[2]].fault_handler, others);
}

#[test]
fn the_next_object_in_the_place_is_another() {
    let mut world = world();
    let old = world.originals[0];
    world.machine.endpoints.remove(world.endpoint());
    let next = world.machine.endpoints.insert(1, Endpoint::default()).unwrap();
    let capability = full(&world.machine.endpoints, next);
    assert_eq!(capability.number(), old.number());
    assert!(!Revocation::new(old, 0, world.tasks[0], 1).takes(&capability));
}

/// Threads of a task beyond what a step goes through, the thread that is next among those that end meanwhile.
#[test]
fn many_threads_lose_what_they_wait_by_in_steps() {
    const MANY: usize = 40;
    for ended in 0..MANY {
        let mut world = world_of(MANY);
        let threads: Vec<_> = (0..MANY).map(|_| world.waiting(1, State::Receiving, 0)).collect();
        let Machine { endpoints, .. } = &world.machine;
        let lost = Capability::new(world.endpoint().number(), endpoints[world.endpoint()].header(), Rights::RECEIVE);
        let mut eviction = Eviction::new(&mut world.machine, world.tasks[1], lost);
        let mut steps = 1;
        while !eviction.step(&mut world.machine, &mut world.cpu) {
            world.machine.check(&world.cpu).unwrap();
            if steps == 1 {
                crate::ipc::end::detach(&mut world.machine, &mut world.cpu, threads[ended]);
                world.machine.leave_home(threads[ended]);
                world.machine.part(threads[ended]);
                world.machine.threads.remove(threads[ended]);
            }
            steps += 1;
        }
        assert!(steps > 2, "{steps} steps");
        let others = threads.iter().filter(|&&thread| thread != threads[ended]);
        assert!(others.into_iter().all(|&thread| world.ended(thread)), "{ended} ended");
    }
}

#[test]
fn an_eviction_ends_with_its_task_or_object() {
    for task_ends in [true, false] {
        let mut world = world_of(40);
        for _ in 0..40 {
            world.waiting(1, State::Receiving, 0);
        }
        let endpoint = world.endpoint();
        let lost = Capability::new(endpoint.number(), world.machine.endpoints[endpoint].header(), Rights::RECEIVE);
        let mut eviction = Eviction::new(&mut world.machine, world.tasks[1], lost);
        assert!(!eviction.step(&mut world.machine, &mut world.cpu));
        if task_ends {
            world.machine.tasks.remove(world.tasks[1]);
        } else {
            world.machine.endpoints.remove(endpoint);
        }
        assert!(eviction.step(&mut world.machine, &mut world.cpu));
    }
}
