//! Objects of several types, tables as large as the promise, and entries that are used up.

use std::boxed::Box;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::endpoint::{Endpoint, Notification};
use crate::reply::Reply;
use crate::slab::Filling;

/// What may be had of each type.
const OBJECTS: u64 = 24;
const ARENAS: u64 = 6;
/// Page frames, of which nobody uses any.
const FREE: u64 = 10;
/// As the kernel has it: the first entry, and the first factory's.
const FURTHER: usize = 2;

fn table<T: Object + Default>(objects: u64) -> Slab<T> {
    let entries: Vec<T> = (0..objects as usize + FURTHER).map(|_| T::default()).collect();
    Slab::new(Box::leak(entries.into_boxed_slice()))
}

/// An object that is none of a factory's, in its table.
#[derive(Clone, Copy, Debug)]
enum Made {
    Endpoint(Index<Endpoint>),
    Notification(Index<Notification>),
    /// A reply object stands for an arena: what has a quota of its own beside that of objects.
    Arena(Index<Reply>),
}

struct World {
    factories: Slab<Factory>,
    first: Index<Factory>,
    endpoints: Slab<Endpoint>,
    notifications: Slab<Notification>,
    arenas: Slab<Reply>,
    made: Vec<Made>,
}

impl World {
    fn new() -> Self {
        let mut factories = table::<Factory>(OBJECTS);
        let quota = |limit| Quota { used: 0, limit };
        let all = Factory { objects: quota(OBJECTS), arenas: quota(ARENAS), ..Factory::default() };
        let first = factories.insert(0, all).unwrap();
        let (endpoints, notifications, arenas) = (table(OBJECTS), table(OBJECTS), table(ARENAS));
        Self { factories, first, endpoints, notifications, arenas, made: Vec::new() }
    }

    fn all(&self) -> Vec<Index<Factory>> {
        self.factories.iter().collect()
    }

    /// What was charged is there: that a table is full is a failure.
    fn make(&mut self, by: Index<Factory>, kind: u8, quotas: [u64; 2]) {
        if self.factories[by].objects.charge(1).is_err() {
            return;
        }
        let number = by.number();
        match kind {
            0 => self.made.push(Made::Endpoint(self.endpoints.insert(number, Endpoint::default()).unwrap())),
            1 => {
                self.made.push(Made::Notification(self.notifications.insert(number, Notification::default()).unwrap()))
            }
            2 if self.factories[by].arenas.charge(1).is_ok() => {
                self.made.push(Made::Arena(self.arenas.insert(number, Reply::default()).unwrap()));
            }
            3 => {
                let Factory { objects, arenas, depth, .. } = self.factories[by];
                let [of_objects, of_arenas] = quotas;
                let may = depth < MAX_DEPTH
                    && of_objects <= objects.limit - objects.used
                    && of_arenas <= arenas.limit - arenas.used;
                let made = self.factories.make(by, [0, of_objects, of_arenas]);
                assert_eq!(made.is_ok(), may);
                if made.is_err() {
                    self.factories[by].objects.refund(1);
                }
            }
            _ => self.factories[by].objects.refund(1),
        }
    }

    fn end(&mut self, made: Made, worn: bool) {
        fn take<T: Object>(slab: &mut Slab<T>, index: Index<T>, worn: bool) -> Header {
            if worn {
                slab[index].header_mut().wear();
            }
            let header = *slab[index].header();
            slab.remove(index);
            header
        }
        let header = match made {
            Made::Endpoint(index) => take(&mut self.endpoints, index, worn),
            Made::Notification(index) => take(&mut self.notifications, index, worn),
            Made::Arena(index) => take(&mut self.arenas, index, worn),
        };
        if matches!(made, Made::Arena(_)) {
            self.factories.give_back(&header, |factory| &mut factory.arenas);
        }
        self.factories.give_back(&header, |factory| &mut factory.objects);
    }

    /// Ends what a factory and all below it made, and then them.
    fn end_factory(&mut self, doomed: Index<Factory>, worn: bool) {
        let payer = |world: &Self, made| match made {
            Made::Endpoint(index) => world.endpoints[index].header.factory,
            Made::Notification(index) => world.notifications[index].header.factory,
            Made::Arena(index) => world.arenas[index].header.factory,
        };
        let all = core::mem::take(&mut self.made);
        for made in all {
            if self.factories.is_within(payer(self, made), doomed) {
                self.end(made, false);
            } else {
                self.made.push(made);
            }
        }
        let mut gone = self.all();
        gone.retain(|at| self.factories.is_within(at.number(), doomed));
        gone.sort_by_key(|at| core::cmp::Reverse(self.factories[*at].depth));
        for at in gone {
            if worn && at == doomed {
                self.factories[at].header.wear();
            }
            self.factories.unmake(at);
        }
    }

    fn check(&self) -> Result<(), &'static str> {
        let promised = [self.endpoints.filling(), self.notifications.filling()];
        let none = Filling { live: 0, capacity: 0 };
        self.factories.check(self.first, &promised, self.arenas.filling(), none, FREE)
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Make { by: usize, kind: u8, quotas: [u64; 2] },
    End { which: usize, worn: bool },
    EndFactory { which: usize, worn: bool },
}

fn step() -> impl Strategy<Value = Step> {
    let worn = || prop::bool::weighted(0.1);
    prop_oneof![
        12 => (any::<usize>(), 0..4_u8, [0..OBJECTS / 2, 0..ARENAS])
            .prop_map(|(by, kind, quotas)| Step::Make { by, kind, quotas }),
        4 => (any::<usize>(), worn()).prop_map(|(which, worn)| Step::End { which, worn }),
        1 => (any::<usize>(), worn()).prop_map(|(which, worn)| Step::EndFactory { which, worn }),
    ]
}

proptest! {
    /// Whoever was charged finds a place, whatever others have, and also where entries were used up.
    #[test]
    fn a_charge_finds_its_place(steps in proptest::collection::vec(step(), 0..400)) {
        let mut world = World::new();
        for step in steps {
            match step {
                Step::Make { by, kind, quotas } => {
                    let all = world.all();
                    world.make(all[by % all.len()], kind, quotas);
                }
                Step::End { which, worn } if !world.made.is_empty() => {
                    let made = world.made.swap_remove(which % world.made.len());
                    world.end(made, worn);
                }
                Step::End { .. } => {}
                Step::EndFactory { which, worn } => {
                    let all = world.all();
                    let doomed = all[which % all.len()];
                    if doomed != world.first {
                        world.end_factory(doomed, worn);
                    }
                }
            }
            prop_assert_eq!(world.check(), Ok(()));
        }
    }
}

/// One who makes all it may of a type takes nothing of what another was promised, of any.
#[test]
fn a_promise_holds_for_each_type() {
    for kind in [0, 1, 3] {
        let mut world = World::new();
        world.make(world.first, 3, [5, 0]);
        let promised = world.all()[1];
        while world.factories[world.first].objects.charge(1).is_ok() {
            world.factories[world.first].objects.refund(1);
            world.make(world.first, kind, [0, 0]);
        }
        for _ in 0..5 {
            world.make(promised, kind, [0, 0]);
        }
        assert_eq!(world.factories[promised].objects, Quota { used: 5, limit: 5 });
        assert_eq!(world.check(), Ok(()));
    }
}

/// An entry that is used up is one object less for its factory, and for those above, not for others.
#[test]
fn who_uses_an_entry_up_has_one_less() {
    let mut world = World::new();
    for _ in 0..2 {
        world.make(world.first, 3, [5, 0]);
    }
    let [wasteful, other] = [world.all()[1], world.all()[2]];
    world.make(wasteful, 0, [0, 0]);
    let made = world.made.pop().unwrap();
    world.end(made, true);
    let limits = [world.first, wasteful, other].map(|at| world.factories[at].objects);
    assert_eq!(limits, [(11, OBJECTS - 1), (0, 4), (0, 5)].map(|(used, limit)| Quota { used, limit }));
    world.end_factory(wasteful, false);
    assert_eq!(world.factories[world.first].objects, Quota { used: 6, limit: OBJECTS - 1 });
    assert_eq!(world.check(), Ok(()));
}

/// What the checks of the kernel's own are for.
#[test]
fn broken_accounts_are_found() {
    let mut world = World::new();
    world.make(world.first, 0, [0, 0]);
    assert_eq!(world.check(), Ok(()));
    world.factories[world.first].objects.refund(1);
    assert!(world.check().is_err(), "an object that is not charged");
    world.factories[world.first].objects.used = 2;
    assert!(world.check().is_err(), "a charge for nothing");
    world.factories[world.first].objects = Quota { used: 1, limit: OBJECTS + 1 };
    assert!(world.check().is_err(), "more than a table holds");
    world.factories[world.first].objects = Quota { used: 1, limit: 0 };
    assert!(world.check().is_err(), "more than may be");
    world.factories[world.first].objects.limit = OBJECTS;
    world.factories[world.first].arenas.used = 1;
    assert!(world.check().is_err(), "an arena that is not there");
    world.factories[world.first].arenas.used = 0;
    world.factories[world.first].frames = Quota { used: 3, limit: FREE + 3 };
    assert_eq!(world.check(), Ok(()));
    world.factories[world.first].frames.used = 2;
    assert!(world.check().is_err(), "frames that are not there");
}
