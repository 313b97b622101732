//! Random traces of what happens.

use lilliput_abi::fault::{RESUME, STOP};
use lilliput_core::thread::Kind;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::clock::Units;
use crate::step::{ENDPOINTS, Message, NOTIFICATIONS, New, REPLIES, Raised, Step, TASKS, THREADS};

/// Few priorities, so that there are equals; those at both ends, where shifts go wrong.
fn priority() -> impl Strategy<Value = u8> {
    select(vec![0, 1, 1, 7, 7, 7, 30, 62, 63])
}

fn word() -> impl Strategy<Value = u64> {
    prop_oneof![
        6 => any::<u32>().prop_map(u64::from),
        1 => select(vec![0, u64::from(u32::MAX), 1 << 32, u64::MAX]),
        1 => any::<u64>(),
    ]
}

/// Words by the dozen: from a seed, since a strategy for each would take most of the test's time. Most fit 32 bits; bit N
/// of `wide` says that word N does not.
fn words(seed: u64, wide: u16) -> [u64; 11] {
    let mut state = seed;
    core::array::from_fn(|at| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        if wide >> at & 1 != 0 { state | 1 << 32 } else { state >> 32 }
    })
}

fn message() -> impl Strategy<Value = Message> {
    let length = prop_oneof![12 => 0..=4u8, 3 => 5..=11u8, 1 => 12..=255u8];
    let flags = prop_oneof![30 => Just(0u8), 1 => 1..=255u8];
    let label = prop_oneof![4 => Just(RESUME), 1 => Just(STOP), 1 => any::<u16>()];
    let wide = prop_oneof![4 => Just(0), 1 => any::<u16>()];
    let short = proptest::bool::weighted(0.1);
    (label, flags, length, any::<u64>(), wide, short).prop_map(|(label, flags, length, seed, wide, short)| Message {
        carries: false,
        label,
        flags,
        length,
        long: !short && (length > 4 || flags != 0),
        words: words(seed, wide),
    })
}

/// A message that nearly all can exchange.
fn short() -> impl Strategy<Value = Message> {
    let wide = prop_oneof![8 => Just(0), 1 => 0..16u16];
    (0..=4u8, any::<u64>(), wide).prop_map(|(length, seed, wide)| Message {
        length,
        words: words(seed, wide),
        ..Message::default()
    })
}

fn new() -> impl Strategy<Value = New> {
    let kinds = select(vec![Kind::Small, Kind::Host, Kind::Wide]);
    (kinds, priority(), 0..TASKS, budget()).prop_map(|(kind, priority, task, budget)| New {
        kind,
        task,
        priority,
        budget,
    })
}

fn budget() -> impl Strategy<Value = Units> {
    prop_oneof![2 => Just(None), 1 => (1..6_u32, 6..30_u32).prop_map(Some)]
}

fn raised() -> impl Strategy<Value = Raised> {
    (0..32u8, any::<u32>(), word(), word(), word()).prop_map(|(vector, code, address, ip, sp)| Raised {
        vector,
        code,
        address,
        ip,
        sp,
    })
}

fn step() -> impl Strategy<Value = Step> {
    let blocking = || prop_oneof![4 => Just(true), 1 => Just(false)];
    let badge = || 0..1u32 << 31;
    let bits = || prop_oneof![1 => Just(0), 6 => badge()];
    prop_oneof![
        4 => (0..ENDPOINTS, badge(), blocking(), message())
            .prop_map(|(endpoint, badge, blocking, message)| Step::Send { endpoint, badge, blocking, message }),
        10 => (0..ENDPOINTS, badge(), blocking(), message())
            .prop_map(|(endpoint, badge, blocking, message)| Step::Call { endpoint, badge, blocking, message }),
        8 => (0..ENDPOINTS, blocking()).prop_map(|(endpoint, blocking)| Step::Receive { endpoint, blocking }),
        3 => message().prop_map(Step::Reply),
        6 => (0..ENDPOINTS, message()).prop_map(|(endpoint, message)| Step::ReplyReceive { endpoint, message }),
        6 => message().prop_map(Step::ReplyHome),
        3 => (0..REPLIES).prop_map(Step::KeepHome),
        3 => (0..REPLIES, message()).prop_map(|(reply, message)| Step::ReplyKept { reply, message }),
        4 => (0..NOTIFICATIONS, bits())
            .prop_map(|(notification, bits)| Step::Signal { notification, bits }),
        3 => (0..NOTIFICATIONS, blocking())
            .prop_map(|(notification, blocking)| Step::Wait { notification, blocking }),
        3 => proptest::option::weighted(0.8, 0..NOTIFICATIONS).prop_map(Step::Bind),
        1 => Just(Step::Yield),
        12 => (0..8_u64).prop_map(Step::Limit),
        2 => (0..8_u64).prop_map(Step::Sleep),
        12 => select(vec![1, 1, 1, 2, 3, 4, 9, 10, 25]).prop_map(Step::Pass),
        3 => (raised(), proptest::option::weighted(0.9, 0..ENDPOINTS), badge())
            .prop_map(|(raised, handler, badge)| Step::Fault { raised, handler, badge }),
        1 => (0..THREADS, priority()).prop_map(|(thread, priority)| Step::SetPriority { thread, priority }),
        1 => (0..THREADS, budget()).prop_map(|(thread, budget)| Step::SetBudget { thread, budget }),
        4 => (0..THREADS, new()).prop_map(|(thread, new)| Step::Start { thread, new }),
        2 => (0..THREADS).prop_map(Step::DestroyThread),
        1 => (0..ENDPOINTS).prop_map(Step::DestroyEndpoint),
        1 => (0..NOTIFICATIONS).prop_map(Step::DestroyNotification),
        1 => (0..REPLIES).prop_map(Step::DestroyReply),
        2 => Just(Step::Renew),
        40 => (0..ENDPOINTS, badge(), short(), 0..THREADS, new())
            .prop_map(|(endpoint, badge, message, thread, new)| Step::Sensible { endpoint, badge, message, thread, new }),
    ]
}

/// A trace in which some threads are foreign.
pub fn foreign_trace() -> impl Strategy<Value = Vec<Step>> {
    let makes = || {
        (1..THREADS, select(vec![0, 0, 0, 1, 2]), 0..1u32 << 30)
            .prop_map(|(thread, handler, badge)| Step::MakeForeign { thread, handler, badge })
    };
    let steps =
        prop_oneof![12 => step(), 8 => Just(Step::Foreign), 3 => message().prop_map(Step::ReturnHome), 1 => makes()];
    let busy = vec(prop_oneof![1 => step(), 12 => Just(Step::Foreign)], 1..150).prop_map(|steps| (true, steps));
    let rest = prop_oneof![vec(steps, 1..150).prop_map(|steps| (false, steps)), busy];
    (trace(), vec(makes(), 1..6), rest).prop_map(|(mut start, foreign, (plain, rest))| {
        start.truncate(THREADS);
        // Where they do little else the host outranks all others, which are equals, nobody's budget has an end, and there are no other hosts.
        let priority = if plain { 63 } else { 30 };
        start[0] = Step::Start { thread: 0, new: New { kind: Kind::Host, task: 0, priority, budget: None } };
        for step in start.iter_mut().skip(1).filter(|_| plain) {
            if let Step::Start { new, .. } = step {
                (new.budget, new.priority) = (None, 7);
                new.kind = if new.kind == Kind::Host { Kind::Small } else { new.kind };
            }
        }
        start.extend(foreign);
        start.extend(rest);
        start
    })
}

/// A random trace: all threads are started, then anything happens.
pub fn trace() -> impl Strategy<Value = Vec<Step>> {
    let start = vec(new(), THREADS).prop_map(|all| {
        all.into_iter().enumerate().map(|(thread, new)| Step::Start { thread, new }).collect::<Vec<_>>()
    });
    (start, vec(step(), 1..150)).prop_map(|(mut start, rest)| {
        start.extend(rest);
        start
    })
}
