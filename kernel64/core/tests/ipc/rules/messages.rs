//! What a receiver gets of what a sender had.

use lilliput_abi::Error;
use lilliput_core::thread::{Kind, State};

use super::{call, receive, send, server_and_client, words, world};
use crate::step::{Message, Step};

const KINDS: [Kind; 3] = [Kind::Small, Kind::Host, Kind::Wide];

#[test]
fn a_word_too_wide_is_refused_and_the_receiver_still_waits() {
    for at in 0..4 {
        let mut world = server_and_client(Kind::Small, Kind::Wide);
        let before = world.thread(0).registers;
        let mut sent = [1, 2, 3, 4];
        sent[at] = 1 << 32;
        world.run(call(words(&sent)));
        assert_eq!((world.running(), world.status(1)), (Some(1), Err(Error::WordTooWide)));
        assert_eq!(world.state(0), State::Receiving);
        assert_eq!(world.thread(0).registers, before, "nothing was delivered");
        assert_eq!(world.thread(1).account.messages(), 0);
        world.run(call(words(&[1, 2, 3, 4])));
        assert_eq!((world.running(), world.words(0)[..4].to_vec()), (Some(0), vec![1, 2, 3, 4]));
    }
}

#[test]
fn of_a_hosts_words_32_bits_arrive_at_a_small_task() {
    let sent = words(&[0xffff_ffff_0000_0001, 2 << 32, 3, 4]);
    let mut called = server_and_client(Kind::Small, Kind::Host);
    called.run(call(sent));
    assert_eq!((called.running(), called.words(0)[..4].to_vec()), (Some(0), vec![1, 0, 3, 4]));
    let mut answered = server_and_client(Kind::Host, Kind::Small);
    answered.run(call(words(&[])));
    answered.run(Step::ReplyHome(sent));
    assert_eq!((answered.running(), answered.words(1)[..4].to_vec()), (Some(1), vec![1, 0, 3, 4]));
}

/// Whoever receives looks at it: the kernel does not.
#[test]
fn the_tag_of_a_short_message_arrives_as_it_is() {
    for (length, flags) in [(4, 0), (9, 0), (255, 0x80)] {
        let message = Message { length, flags, words: [5; 11], ..Message::default() };
        let mut world = server_and_client(Kind::Wide, Kind::Wide);
        world.run(call(message));
        assert_eq!((world.running(), world.thread(0).tag().0), (Some(0), message.tag()));
        assert_eq!(world.words(0), [5, 5, 5, 5, 0, 0, 0, 0, 0, 0, 0]);
    }
}

#[test]
fn a_word_beyond_the_length_may_be_wide_and_comes_out_as_zero() {
    let mut world = server_and_client(Kind::Small, Kind::Wide);
    let mut message = words(&[1, 2]);
    message.words[2] = u64::MAX;
    message.words[3] = 3;
    world.run(call(message));
    assert_eq!((world.running(), world.status(0)), (Some(0), Ok(7)));
    assert_eq!(world.words(0), [1, 2, 0, 3, 0, 0, 0, 0, 0, 0, 0]);
}

/// The world fills upper halves and upper registers of 32-bit threads with residue.
#[test]
fn a_32_bit_senders_words_are_zero_extended_and_no_others_go_along() {
    for server in KINDS {
        let mut world = server_and_client(server, Kind::Small);
        world.run(call(words(&[0xffff_ffff, 0, 0x8000_0000, 1])));
        assert_eq!(world.words(0), [0xffff_ffff, 0, 0x8000_0000, 1, 0, 0, 0, 0, 0, 0, 0]);
        let registers = &world.thread(0).registers;
        assert_eq!((registers.tag, registers.rcx, registers.r11), (0x5_0004, 0, 0));
    }
}

#[test]
fn up_to_eleven_words_between_64_bit_threads() {
    let eleven: Vec<u64> = (1..=11).map(|n| n << 32 | n).collect();
    for server in [Kind::Host, Kind::Wide] {
        for length in 0..=11 {
            let mut world = server_and_client(server, Kind::Wide);
            let mut message = words(&eleven);
            (message.length, message.long) = (length as u8, length > 4);
            world.run(call(message));
            assert_eq!(world.words(0)[..length], eleven[..length]);
            if length <= 4 {
                assert_eq!(world.words(0)[4..], [0; 7], "no register carries what is no part of the message");
            }
        }
    }
}

#[test]
fn more_words_than_two_parties_can_exchange() {
    for server in KINDS {
        for client in KINDS {
            let most = if server.is_wide() && client.is_wide() { 11 } else { 4 };
            for length in 0..=255 {
                let mut world = server_and_client(server, client);
                world.run(call(Message { length, long: true, ..Message::default() }));
                let expected = if length <= most { Ok(()) } else { Err(Error::BadMessage) };
                let delivered = world.running() == Some(0);
                assert_eq!(if delivered { Ok(()) } else { world.status(1).map(drop) }, expected, "{length} words");
            }
        }
    }
}

#[test]
fn reserved_flags_are_refused_whether_or_not_somebody_receives() {
    for flag in 0..8 {
        let message = Message { flags: 1 << flag, long: true, ..Message::default() };
        let mut waiting = server_and_client(Kind::Wide, Kind::Wide);
        waiting.run(call(message));
        assert_eq!((waiting.running(), waiting.status(1)), (Some(1), Err(Error::BadMessage)));
        let mut alone = world(&[(Kind::Wide, 1)]);
        alone.run(send(message));
        assert_eq!((alone.running(), alone.status(0)), (Some(0), Err(Error::BadMessage)));
    }
}

#[test]
fn the_badge_of_the_senders_capability_arrives() {
    // With the receiver first, and with the sender first.
    let mut receiver_first = server_and_client(Kind::Small, Kind::Small);
    receiver_first.run(call(words(&[1])));
    assert_eq!(receiver_first.status(0), Ok(7));
    let mut sender_first = world(&[(Kind::Small, 20), (Kind::Wide, 10)]);
    sender_first.run(send(words(&[1])));
    sender_first.run(receive());
    assert_eq!((sender_first.running(), sender_first.status(1), sender_first.words(1)[0]), (Some(0), Ok(7), 1));
    assert_eq!(sender_first.status(0), Ok(0));
}

#[test]
fn messages_that_a_receiver_cant_have_are_their_senders_errors() {
    let mut world = world(&[(Kind::Wide, 30), (Kind::Wide, 20), (Kind::Small, 10)]);
    world.run(send(words(&[1 << 32])));
    world.run(send(words(&[1; 5])));
    // The third receives, gets nothing, and waits; the senders go on with an error each.
    world.run(receive());
    assert_eq!((world.state(2), world.running()), (State::Receiving, Some(0)));
    assert_eq!((world.status(0), world.status(1)), (Err(Error::WordTooWide), Err(Error::BadMessage)));
}
