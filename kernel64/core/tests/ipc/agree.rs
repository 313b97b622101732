//! Random traces: the core against the model, and the fast path against the general one.

use std::collections::HashSet;

use lilliput_abi::Error;
use lilliput_abi::error::CARRIED;
use lilliput_core::endpoint::{Endpoint, Queue};
use lilliput_core::slab::Index;
use lilliput_core::thread::State;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};

use crate::clock::Time;
use crate::model::{Doing, Model};
use crate::step::{ENDPOINTS, NOTIFICATIONS, REPLIES, Step, THREADS};
use crate::trace::{foreign_trace, trace};
use crate::world::World;

fn names(world: &World, queue: Queue) -> Vec<usize> {
    queue.iter(&world.machine.threads).map(|index| world.name(index).unwrap()).collect()
}

/// What a thread of the core does, in the model's words.
fn doing(world: &World, name: usize) -> Doing {
    let thread = world.thread(name);
    let place = |endpoint: Index<Endpoint>| {
        world.endpoints.iter().position(|capability| capability.number() == endpoint.number()).unwrap()
    };
    let sending = |wants_answer| Doing::Sending { endpoint: place(thread.endpoint), badge: thread.badge, wants_answer };
    match world.state(name) {
        State::Stopped => Doing::Stopped,
        State::Ready => Doing::Ready,
        State::Sending => sending(false),
        State::Calling => sending(true),
        State::Receiving => Doing::Receiving { endpoint: place(thread.home.endpoint) },
        State::AwaitingReply if !thread.kept.is_none() => {
            Doing::Kept((0..REPLIES).find(|&reply| world.kept(reply) == Some(name)).unwrap())
        }
        State::AwaitingReply => Doing::Awaiting(world.name(world.machine.server(world.threads[name])).unwrap()),
        State::Sleeping => Doing::Sleeping,
        State::Resting => Doing::Resting,
        State::Waiting => {
            let number = thread.notification.number();
            let place = world.notifications.iter().position(|capability| capability.number() == number);
            Doing::Waiting { notification: place.unwrap() }
        }
    }
}

/// Whether a thread sees in its registers what the model says.
fn compare_thread(world: &World, model: &Model, name: usize) -> Result<(), TestCaseError> {
    prop_assert_eq!(world.threads[name].is_none(), model.threads[name].is_none());
    let Some(expected) = &model.threads[name] else { return Ok(()) };
    let thread = world.thread(name);
    prop_assert_eq!(doing(world, name), expected.doing, "thread {}", name);
    prop_assert_eq!(world.name(thread.caller), expected.client, "client of {}", name);
    prop_assert_eq!(thread.priority, expected.new.priority);
    let deadline = (thread.timer.is_armed() && thread.state != State::Resting).then_some(thread.timer.deadline);
    prop_assert_eq!(deadline, expected.deadline, "deadline of {}", name);
    prop_assert_eq!((thread.account.messages(), thread.account.switches()), (expected.messages, expected.switches));
    // While a system call is under way nobody looks at the registers.
    if expected.doing == Doing::Ready {
        let (width, count) = if thread.kind.is_wide() { (u64::MAX, 11) } else { (u64::from(u32::MAX), 4) };
        let count = expected.words.len().min(count);
        let visible = |words: &[u64]| words[..count].iter().map(|word| word & width).collect::<Vec<_>>();
        prop_assert_eq!(thread.registers.status as u32, expected.status, "status of {}", name);
        prop_assert_eq!(thread.registers.tag as u32, expected.tag, "tag of {}", name);
        prop_assert_eq!(visible(&thread.registers.words), visible(&expected.words), "words of {}", name);
    }
    Ok(())
}

fn compare(world: &World, model: &Model) -> Result<(), TestCaseError> {
    prop_assert_eq!(world.machine.check(&world.cpu), Ok(()));
    prop_assert_eq!(world.running(), model.running);
    if model.running.is_some() {
        prop_assert_eq!((world.turn(), world.cpu.attention), (model.turn, model.attention));
    }
    for name in 0..THREADS {
        compare_thread(world, model, name)?;
    }
    for (priority, expected) in model.ready.iter().enumerate() {
        prop_assert_eq!(expected, &names(world, world.cpu.ready.queue(priority as u8)), "ready at {}", priority);
    }
    for name in 0..ENDPOINTS {
        let queues = world.senders(name).zip(world.receivers(name));
        let expected = model.endpoints[name].as_ref();
        prop_assert_eq!(
            queues,
            expected.map(|at| (Vec::from_iter(at.senders.clone()), Vec::from_iter(at.receivers.clone())))
        );
    }
    for name in 0..NOTIFICATIONS {
        let state = world.notification(name).map(|at| (at.bits, names(world, at.waiters)));
        let expected = model.notifications[name].as_ref();
        prop_assert_eq!(state, expected.map(|at| (at.bits, Vec::from_iter(at.waiters.clone()))));
    }
    for name in 0..REPLIES {
        prop_assert_eq!(world.kept(name), model.replies[name].flatten(), "kept in {}", name);
    }
    Ok(())
}

fn agrees_with_the_model(trace: &[Step], fast: bool) -> Result<(), TestCaseError> {
    let (mut world, mut model) = (World::new(fast), Model::new());
    for step in trace {
        let step = step.settled(&world);
        let _ = world.step(&step);
        model.step(&step);
        compare(&world, &model)?;
    }
    for (name, charged) in world.charged() {
        prop_assert_eq!(charged, model.threads[name].as_ref().unwrap().charged * Time::UNIT, "charged to {}", name);
    }
    Ok(())
}

/// All that counts of what a thread's block says: not what the fast path leaves stale, nor the vector registers, which IPC does not touch.
fn block(world: &World, name: usize) -> impl PartialEq + std::fmt::Debug + use<> {
    let (thread, state) = (world.thread(name), world.state(name));
    let links =
        [thread.caller, world.machine.server(world.threads[name]), thread.next, thread.previous, thread.sibling];
    let endpoint = if matches!(state, State::Sending | State::Calling) { thread.endpoint } else { Index::NONE };
    let places = (endpoint, (thread.home, thread.fast_home), (thread.notification, thread.bound), thread.task, links);
    let run = (thread.class(), state, thread.priority, (thread.turn, thread.late), thread.badge, thread.fault());
    let counts = (thread.account.messages(), thread.account.switches(), thread.account.faults, thread.budget);
    (thread.registers, thread.interrupted, run, places, counts)
}

/// Who is kept where.
fn kept(world: &World) -> Vec<Option<usize>> {
    (0..REPLIES).map(|name| world.kept(name)).collect()
}

fn both_paths_agree(trace: &[Step]) -> Result<(), TestCaseError> {
    let (mut fast, mut general) = (World::new(true), World::new(false));
    for step in trace {
        let step = step.settled(&fast);
        prop_assert_eq!(fast.step(&step), general.step(&step), "decisions");
        prop_assert_eq!((fast.cpu.current, fast.cpu.turn_end), (general.cpu.current, general.cpu.turn_end));
        prop_assert_eq!(fast.cpu.ready.occupied, general.cpu.ready.occupied);
        prop_assert_eq!(fast.cpu.attention, general.cpu.attention);
        for priority in 0..64 {
            let ready = |world: &World| names(world, world.cpu.ready.queue(priority));
            prop_assert_eq!(ready(&fast), ready(&general));
        }
        prop_assert_eq!(fast.threads, general.threads);
        for name in (0..THREADS).filter(|&name| !fast.threads[name].is_none()) {
            prop_assert_eq!(block(&fast, name), block(&general, name), "thread {}", name);
        }
        for name in 0..ENDPOINTS {
            let queues = |world: &World| world.senders(name).zip(world.receivers(name));
            prop_assert_eq!(queues(&fast), queues(&general));
        }
        prop_assert_eq!(&kept(&fast), &kept(&general));
        for name in 0..NOTIFICATIONS {
            let state = |world: &World| world.notification(name).map(|at| (at.bits, names(world, at.waiters)));
            prop_assert_eq!(state(&fast), state(&general));
        }
    }
    Ok(())
}

/// What a test proves depends on where its traces go: every error, every decision, every state, and the fast path.
#[test]
fn traces_reach_all_of_it() {
    let mut runner = TestRunner::deterministic();
    let (mut errors, mut decisions, mut states, mut fast) = (HashSet::new(), HashSet::new(), HashSet::new(), 0);
    let (mut restarted, mut stopped, mut signalled, mut answered, mut died) = (0, 0, 0, 0, 0);
    for _ in 0..250 {
        let mut world = World::new(true);
        for step in trace().new_tree(&mut runner).unwrap().current() {
            let step = step.settled(&world);
            let before = kept(&world);
            decisions.insert(core::mem::discriminant(&world.step(&step)));
            let ended =
                before.iter().zip(kept(&world)).filter(|(before, now)| before.is_some() && now.is_none()).count();
            *(if matches!(step, Step::ReplyKept { .. }) { &mut answered } else { &mut died }) += ended;
            for index in world.machine.threads.iter() {
                let thread = &world.machine.threads[index];
                let state = world.machine.state(&world.cpu, index);
                states.insert(state as u8);
                errors.extend(Error::from_status(thread.registers.status as u32).err());
                restarted += usize::from(state == State::Ready && thread.has_full_frame());
                stopped += usize::from(state == State::Stopped);
                signalled += usize::from(thread.registers.status as u32 == CARRIED);
            }
        }
        fast += world.fast_taken;
    }
    assert!(fast > 2000 && restarted > 50 && stopped > 50, "{fast} {restarted} {stopped}");
    assert!(signalled > 50, "{signalled}");
    assert!(answered > 200 && died > 20, "{answered} {died}");
    assert_eq!((decisions.len(), states.len()), (4, 9));
    use Error::*;
    for error in [
        BadCapability,
        WouldBlock,
        BadMessage,
        WordTooWide,
        Gone,
        NobodyToReplyTo,
        Unanswered,
        TimedOut,
        Occupied,
        Busy,
    ] {
        assert!(errors.contains(&error), "{error:?}");
    }
}

/// Foreign calls of both widths and their answers take the fast path often, and the general one as well; so do those that are put aside.
#[test]
fn traces_of_foreign_threads_reach_both_paths() {
    let mut runner = TestRunner::deterministic();
    let mut counts = [[[0; 2]; 2]; 4];
    for _ in 0..350 {
        let mut world = World::new(true);
        for step in foreign_trace().new_tree(&mut runner).unwrap().current() {
            let step = step.settled(&world);
            let before = world.fast_taken;
            let running = &world.machine.threads[world.cpu.current];
            let (way, foreign) = match step {
                Step::Foreign => (0, running),
                Step::ReturnHome(_) => (1, &world.machine.threads[running.caller]),
                Step::KeepHome(_) => (2, &world.machine.threads[running.caller]),
                Step::ReplyKept { reply, .. } if world.kept(reply).is_some() => {
                    (3, world.thread(world.kept(reply).unwrap_or_default()))
                }
                _ => (4, running),
            };
            let wide = usize::from(foreign.kind.is_wide());
            let _ = world.step(&step);
            let taken = usize::from(world.fast_taken != before);
            if let Some(count) = counts.get_mut(way) {
                count[wide][taken] += 1;
            }
        }
    }
    assert!(counts.iter().flatten().flatten().all(|&count| count > 50), "{counts:?}");
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, ..Config::default() })]

    #[test]
    fn the_general_path_agrees_with_the_model(trace in trace()) {
        agrees_with_the_model(&trace, false)?;
    }

    #[test]
    fn the_fast_path_agrees_with_the_model(trace in trace()) {
        agrees_with_the_model(&trace, true)?;
    }

    #[test]
    fn the_fast_path_does_what_the_general_path_does(trace in trace()) {
        both_paths_agree(&trace)?;
    }

    #[test]
    fn foreign_threads_find_on_the_fast_path_what_the_general_path_does(trace in foreign_trace()) {
        both_paths_agree(&trace)?;
    }
}
