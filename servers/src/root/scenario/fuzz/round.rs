//! The tasks of a round, and what they are given.

use alloc::format;
use alloc::vec::Vec;

use lilliput_abi::object::fact;
use lilliput_abi::{Isolation, Rights};
use lilliput_runtime::fuzz::kit::{self, at, badge, mix, parameter, poker};
use lilliput_runtime::object::{Arena, Factory};
use lilliput_runtime::random::Random;
use lilliput_runtime::{Word, place, role};
use lilliput_user64::Native;

use super::standing::Standing;
use crate::failure::{Failure, context};
use crate::settings::Settings;
use crate::spawn::{Space, destroy};
use crate::supervisor::{Id, Supervisor};
use crate::{FACTORY, SYSTEM};

const ENDPOINTS: usize = poker::ENDPOINTS.end as usize - poker::ENDPOINTS.start as usize;
const NOTIFICATIONS: usize = poker::NOTIFICATIONS.end as usize - poker::NOTIFICATIONS.start as usize;
/// Pages of the frames that all may read.
const SHARED_PAGES: usize = 4;
/// What the tasks of a round may make together: objects, and how many of the frames that are free.
const OBJECTS: usize = 10_000;
const SHARE_OF_FRAMES: usize = 2;
/// Steps of a task, at least and how many more at most.
const STEPS: (u32, u32) = (40, 400);
/// The kinds of task: in either arena, the second one's host, 64-bit.
const KINDS: u32 = 8;

/// A task of the round.
#[derive(Clone, Copy)]
pub struct Fuzzer {
    /// Its number.
    pub id: Id,
    /// Whether it does itself no harm, and nobody else can: then what it does not ask for is a finding.
    pub steady: bool,
    factory: bool,
}

/// What its tasks run: small ones, a host, 64-bit ones.
pub const PROGRAMS: [&str; 3] = ["32/fuzz", "host", "64/fuzz"];

/// A round.
pub struct Round {
    arenas: [Arena<Native>; 2],
    /// What makes all that the tasks ask for. With it ends what nobody has a capability to any more.
    factory: Factory<Native>,
    /// Endpoints, notifications, frames.
    objects: Vec<u32>,
    /// Its tasks.
    pub tasks: Vec<Fuzzer>,
}

impl Round {
    /// Makes the tasks and lets them run.
    pub fn new(
        supervisor: &mut Supervisor,
        settings: &Settings,
        standing: &Standing,
        seed: u64,
    ) -> Result<Self, Failure> {
        let mut random = Random::new(mix(seed, 0));
        // The second one may have a host; the first has none, or shares it.
        let hosted = context(FACTORY.create_arena(), "an arena")?;
        let shares = random.below(4) == 0;
        let other = if shares { FACTORY.create_arena_beside(hosted) } else { FACTORY.create_arena() };
        let arenas = [context(other, "another arena")?, hosted];
        let free = context(SYSTEM.fact(fact::FREE_FRAMES), "how much memory is free")? as usize;
        let factory = context(FACTORY.create_factory(free / SHARE_OF_FRAMES, OBJECTS), "a factory for the round")?;
        let mut round = Self { arenas, factory, objects: Vec::new(), tasks: Vec::new() };
        let mut host = false;
        // Among them one steady task at least.
        let steady = 1 + random.below(2) as usize;
        for number in 0..settings.fuzz_tasks {
            let isolation = match settings.isolation {
                Isolation::Auto => {
                    [Isolation::Auto, Isolation::Page, Isolation::PageUntagged][random.below(3) as usize]
                }
                asked => asked,
            };
            let small = |arena, domain| Space::Small(arena, kit::SMALL_SIZE, isolation, domain);
            let space = match random.below(KINDS) {
                // Two domains share a root in no mode, and where `segment` is asked for there is no other.
                0..=2 => small(arenas[0], if isolation == Isolation::Segment { 0 } else { random.below(2) }),
                3 | 4 => small(arenas[1], 0),
                5 if !host => Space::Host(arenas[1]),
                _ => Space::Wide,
            };
            let [small, host_program, wide] = PROGRAMS;
            let program = match space {
                Space::Small(..) => small,
                Space::Host(_) => host_program,
                Space::Wide => wide,
            };
            host |= matches!(space, Space::Host(_));
            let id = supervisor.create(program, &format!("fuzzer {number}"), space)?;
            // A host reaches all small tasks of the arenas that it serves: one that is wild can harm them.
            let in_reach = matches!(space, Space::Small(arena, ..) if shares || arena.place() == hosted.place());
            let steady = number < steady && !in_reach;
            round.tasks.push(Fuzzer { id, steady, factory: steady && random.below(3) > 0 });
        }
        round.furnish(supervisor, standing, seed, &mut random)?;
        Ok(round)
    }

    /// Hands out what [`kit`] promises, and starts the tasks.
    fn furnish(
        &mut self,
        supervisor: &mut Supervisor,
        standing: &Standing,
        seed: u64,
        random: &mut Random,
    ) -> Result<(), Failure> {
        let poking = supervisor.child(standing.poker).task;
        let give = |places: core::ops::Range<u32>, number: usize, from: u32, rights, badge| {
            let place = places.start + number as u32;
            context(poking.grant(from, rights, badge, place), "a capability for the poker").map(drop)
        };
        let (both, send) = (Rights::SEND | Rights::RECEIVE, Rights::SEND);
        let mut endpoints = Vec::new();
        for number in 0..ENDPOINTS {
            let endpoint = context(FACTORY.create_endpoint(), "an endpoint")?;
            give(poker::ENDPOINTS, number, endpoint.place(), both, badge::poked_endpoint(number))?;
            endpoints.push(endpoint.place());
        }
        let mut notifications = Vec::new();
        for number in 0..NOTIFICATIONS {
            let notification = context(FACTORY.create_notification(), "a notification")?;
            give(poker::NOTIFICATIONS, number, notification.place(), both, badge::poked_notification(number))?;
            notifications.push(notification.place());
        }
        let shared = context(FACTORY.create_frames(SHARED_PAGES), "frames that all may read")?.place();
        self.objects.extend(endpoints.iter().chain(&notifications).chain([&shared]));
        for (number, fuzzer) in self.tasks.iter().enumerate() {
            let frames = context(FACTORY.create_frames(kit::FRAMES_PAGES), "a fuzzer's frames")?.place();
            self.objects.push(frames);
            let mut any = |from: &[u32]| from[random.below(from.len() as u32) as usize];
            let (all, grant) = (Rights::all(), Rights::GRANT);
            let child = supervisor.child_mut(fuzzer.id);
            // What a fuzzer prints nobody wants to read.
            context(child.task.delete(place::CONSOLE), "taking the console away")?;
            child.leave_free_at_top(if matches!(child.kind, lilliput_abi::object::kind::SMALL) {
                kit::FREE_TOP
            } else {
                0
            });
            // Nobody outranks the poker: else whoever never waits would be the last to run.
            context(child.task.set_ceiling(kit::PRIORITY), "a fuzzer's ceiling")?;
            let own = badge::fuzzer(number);
            for (place, rights) in at::ENDPOINTS.into_iter().zip([all, send | grant, Rights::RECEIVE, both]) {
                child.grant(place, any(&endpoints), rights, own)?;
            }
            child.grant(at::NOTIFICATIONS[0], any(&notifications), all, badge::waited_for(number))?;
            child.grant(at::NOTIFICATIONS[1], any(&notifications), send, badge::SIGNALLED)?;
            // Of itself a steady task gives nothing away.
            let of_itself = if fuzzer.steady { send | Rights::DESTROY } else { all };
            // With a badge: what has the right to destroy and no badge may take these objects from the root task.
            child.grant(place::TASK, child.task.place(), of_itself, own)?;
            child.grant(place::FRAMES, frames, all, own)?;
            child.grant(at::READ_ONLY_FRAMES, shared, Rights::READ | grant, 0)?;
            child.grant(at::WITNESS, standing.witness(random.below(2) as usize).place(), send, own)?;
            if fuzzer.factory {
                child.grant(at::FACTORY, self.factory.place(), send, 0)?;
                child.grant(at::KEEPER, poking.place(), send, 0)?;
                child.grant(at::ARENA, self.arenas[random.below(2) as usize].place(), send | grant, 0)?;
            }
            // One or two tasks are steady, and so have room for what they make.
            let kept_from = if fuzzer.factory { poker::KEPT.start + number as u32 * kit::MOST_MADE } else { 0 };
            let seed = mix(seed, 1 + number as u64);
            let halves = [seed as u32 as Word, (seed >> 32) as Word];
            child.parameters.extend([
                (parameter::SEED, halves[0]),
                (parameter::SEED_HIGH, halves[1]),
                (parameter::STEPS, (STEPS.0 + random.below(STEPS.1)) as Word),
                (parameter::STEADY, Word::from(fuzzer.steady)),
                (parameter::KEPT_FROM, kept_from as Word),
            ]);
            child.start(kit::PRIORITY, [role::FUZZ, 0])?;
            let thread = child.threads[0].place();
            child.grant(at::THREAD, thread, of_itself, own)?;
            give(poker::THREADS, number, thread, send, 0)?;
        }
        self.introduce(supervisor, random)
    }

    /// Gives each task one of the wild ones as a partner, to do to it what it likes.
    fn introduce(&self, supervisor: &Supervisor, random: &mut Random) -> Result<(), Failure> {
        let wild: Vec<Id> = self.tasks.iter().filter(|fuzzer| !fuzzer.steady).map(|fuzzer| fuzzer.id).collect();
        for fuzzer in &self.tasks {
            let others: Vec<Id> = wild.iter().copied().filter(|&id| id != fuzzer.id).collect();
            if others.is_empty() {
                continue;
            }
            let partner = supervisor.child(others[random.below(others.len() as u32) as usize]);
            let child = supervisor.child(fuzzer.id);
            child.grant(at::PARTNER, partner.task.place(), Rights::all(), badge::PARTNER)?;
            child.grant(at::PARTNER_THREAD, partner.threads[0].place(), Rights::all(), badge::PARTNER)?;
        }
        Ok(())
    }

    /// Gives back what is left, after the tasks have ended and so has all that they made.
    pub fn end(self, supervisor: &mut Supervisor) -> Result<(), Failure> {
        for fuzzer in self.tasks {
            supervisor.forget(fuzzer.id)?;
        }
        context(destroy(self.factory.place()), "destroying the factory of the round")?;
        for place in self.objects {
            context(destroy(place), "destroying an object of the round")?;
        }
        self.arenas.into_iter().try_for_each(|arena| context(destroy(arena.place()), "destroying an arena"))
    }
}
