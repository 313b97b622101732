use super::*;

#[test]
fn the_end_of_a_system_call_leaves_nothing_of_the_kernels() {
    let registers = Registers { words: [7; 11], tag: 7, status: u64::MAX, rcx: 1, r11: 2 };
    let mut thread = Thread { registers, ..Thread::default() };
    thread.finish(Err(Error::Gone));
    let ended = Registers { words: [7; 11], tag: 7, status: u64::from(Error::Gone.status()), rcx: 0, r11: 0 };
    assert_eq!(thread.registers, ended);
    thread.finish(Ok(()));
    assert_eq!(thread.registers.status, 0);
}

#[test]
fn an_answer_is_a_message_of_so_many_words() {
    let mut thread = Thread::default();
    thread.registers.words = [9; 11];
    thread.answer(&[1, 2]);
    assert_eq!((thread.registers.words[..3].to_vec(), thread.tag()), (std::vec![1, 2, 9], Tag::new(0, 2)));
    thread.answer(&[]);
    assert_eq!((thread.tag(), thread.registers.status), (Tag::new(0, 0), 0));
}

#[test]
fn a_tag_is_32_bits_of_its_register() {
    let mut thread = Thread::default();
    thread.registers.tag = 0xdead_beef_0001_0002;
    assert_eq!(thread.tag(), Tag::new(1, 2));
}

#[test]
fn vector_state_begins_as_after_initialisation() {
    let VectorState(bytes) = VectorState::default();
    let set: std::vec::Vec<_> = bytes.iter().enumerate().filter(|(_, byte)| **byte != 0).collect();
    // The control word at 0 and MXCSR at 24 mask all exceptions; all else is zero.
    assert_eq!(set, [(0, &0x7f), (1, &0x03), (24, &0x80), (25, &0x1f)]);
}

#[test]
fn vector_state_is_loaded_without_bits_of_mxcsr_that_there_are_not() {
    let with = |mxcsr: u32| {
        let mut state = VectorState([0xff; 512]);
        state.0[24..28].copy_from_slice(&mxcsr.to_le_bytes());
        state
    };
    for mask in [0xffbf, 0xffff, 0x2_ffff] {
        assert!(with(mask).is_loadable(mask) && with(0).is_loadable(mask));
        for bit in (0..32).map(|bit| 1 << bit) {
            assert_eq!(with(bit).is_loadable(mask), mask & bit != 0);
        }
    }
}

/// What a fast path compares: another thread's class with its own peers.
#[test]
fn one_comparison_tells_whom_the_short_way_leads_to() {
    let thread = |kind, arena, root, obstacles| {
        let mut thread = Thread { kind, arena, obstacles, ..Thread::default() };
        thread.set_peers(root);
        thread
    };
    let mut all = std::vec::Vec::new();
    // A small thread without an arena has a root of its own (0), as a 64-bit one; a host never. Arena 3 shares the host of arena 1.
    let kinds = [(Kind::Small, 0, &[0][..]), (Kind::Small, 1, &[1, 3, 0]), (Kind::Small, 2, &[2, 0])];
    let others = [(Kind::Host, 1, &[1][..]), (Kind::Host, 2, &[2]), (Kind::Wide, 0, &[0])];
    for (kind, arena, roots) in kinds.into_iter().chain(others) {
        for &root in roots {
            let obstacles = (0..32).map(Obstacles::from_bits_retain);
            all.extend(obstacles.map(|obstacles| (root, thread(kind, arena, root, obstacles))));
        }
    }
    for (root, from) in &all {
        for (to_root, to) in &all {
            let plain = to.obstacles.is_empty();
            let short = match (from.kind, to.kind) {
                (Kind::Small, Kind::Small) => *root != 0 && root == to_root,
                (Kind::Wide, Kind::Wide) => true,
                _ => false,
            };
            assert_eq!(from.peers == to.class(), short && plain, "{:?} {:?}", from.class(), to.class());
            let hosted = from.kind == Kind::Small && to.kind == Kind::Host && from.arena == to.arena;
            assert_eq!(from.host_peer == to.class(), hosted && plain);
        }
    }
}

#[test]
fn foreign_calls_of_all_but_hosts_go_home_while_the_gate_is_open() {
    for (kind, ways, open) in [Kind::Small, Kind::Host, Kind::Wide]
        .into_iter()
        .flat_map(|kind| [(kind, Ways::Foreign, true), (kind, Ways::Foreign, false), (kind, Ways::own(kind), true)])
    {
        let mut thread = Thread { kind, ways, ..Thread::default() };
        thread.home.endpoint = Index::new(3);
        thread.set_gate(open);
        let granted = open && ways == Ways::Foreign && kind != Kind::Host;
        assert_eq!(thread.foreign, if granted { Index::new(3) } else { Index::NONE }, "{kind:?} {ways:?} {open}");
    }
}

#[test]
fn a_closed_gate_grants_nothing() {
    let mut thread = Thread { places: 7, ..Thread::default() };
    thread.fast_home = Index::new(3);
    thread.set_gate(true);
    assert_eq!((thread.gate.places, thread.gate.home), (7, Index::new(3)));
    thread.set_gate(false);
    assert_eq!((thread.gate.places, thread.gate.home), (0, Index::NONE));
}
