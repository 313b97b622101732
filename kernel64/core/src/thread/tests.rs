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
fn one_comparison_tells_kind_and_state() {
    let all = [Kind::Small, Kind::Host, Kind::Wide].into_iter().flat_map(|kind| {
        let states = [State::Stopped, State::Ready, State::Sending, State::Calling, State::Receiving];
        states.into_iter().chain([State::AwaitingReply, State::Waiting]).map(move |state| readiness(kind, state))
    });
    let all: std::vec::Vec<_> = all.collect();
    for (at, word) in all.iter().enumerate() {
        assert!(!all[..at].contains(word));
    }
}
