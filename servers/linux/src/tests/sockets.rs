//! Sockets: what is refused, what waits, what is bounded.

use linux_raw_sys::general::{O_NONBLOCK, SIGPIPE};
use linux_raw_sys::net::{AF_INET, AF_UNIX, MSG_DONTWAIT, SOCK_DGRAM, SOCK_STREAM};
use syscalls::Errno;

use super::{Scene, both};
use crate::arch::Arch;
use crate::process::End;
use crate::server::Answer;

const UNIX: u64 = AF_UNIX as u64;
const INTERNET: u64 = AF_INET as u64;
const STREAM: u64 = SOCK_STREAM as u64;
const DATAGRAM: u64 = SOCK_DGRAM as u64;

impl Scene {
    fn address(&mut self, host: u32, port: u16) -> u64 {
        let at = self.memory() + 0x600;
        let bytes = [&2_u16.to_le_bytes()[..], &port.to_be_bytes(), &host.to_be_bytes(), &[0; 8]].concat();
        self.user(1, |user| user.write(at, &bytes)).unwrap();
        at
    }

    fn pair(&mut self, style: u64) -> [u64; 2] {
        let place = self.memory() + 0x700;
        assert_eq!(self.done(1, "socketpair", &[UNIX, style, 0, place]), 0);
        [self.number(1, 0x700).into(), self.number(1, 0x704).into()]
    }

    /// A listener at a port, and what it listens by.
    fn listener(&mut self, port: u16, most: u64) -> (u64, u64) {
        let socket = self.done(1, "socket", &[INTERNET, STREAM, 0]);
        let address = self.address(0x7f00_0001, port);
        assert_eq!(self.done(1, "bind", &[socket, address, 16]), 0);
        assert_eq!(self.done(1, "listen", &[socket, most]), 0);
        (socket, address)
    }
}

#[test]
fn streams_carry_bytes_both_ways_and_tell_of_their_end() {
    both(|mut scene| {
        let [one, other] = scene.pair(STREAM);
        let text = scene.text(1, 0, "question");
        assert_eq!(scene.done(1, "write", &[one, text, 8]), 8);
        assert_eq!(scene.done(1, "recvfrom", &[other, scene.memory() + 0x20, 100, 0, 0, 0]), 8);
        assert_eq!(scene.bytes(1, 0x20, 8), b"question");
        assert_eq!(scene.done(1, "fork", &[]), 2);
        let place = scene.memory() + 0x20;
        assert_eq!(scene.call(2, "read", &[one, place, 9]), Answer::Keep);
        assert_eq!(scene.done(1, "sendto", &[other, text, 3, 0, 0, 0]), 3);
        assert_eq!((scene.registers(2).get(3), scene.bytes(2, 0x20, 3)), (3, b"que".to_vec()));
        assert_eq!(scene.call(2, "read", &[one, place, 9]), Answer::Keep);
        assert_eq!(scene.done(1, "shutdown", &[other, 1]), 0);
        assert_eq!(scene.registers(2).get(3), 0);
        scene.fails(2, "sendmsg", &[one, 16, 0], Errno::EFAULT);
        assert_eq!(scene.call(1, "write", &[other, text, 1]), Answer::Nobody);
        assert_eq!(scene.server.ended(), Some(End::Signal(SIGPIPE as u8)));
    });
}

#[test]
fn who_connects_is_accepted_in_turn_and_no_more_wait_than_may() {
    both(|mut scene| {
        let (listener, address) = scene.listener(80, 1);
        let connect = |scene: &mut Scene, flags: u64| {
            let socket = scene.done(1, "socket", &[INTERNET, STREAM | flags, 0]);
            (socket, scene.call(1, "connect", &[socket, address, 16]))
        };
        let (client, answer) = connect(&mut scene, 0);
        assert_eq!(answer, Answer::Result(0));
        scene.fails(1, "connect", &[client, address, 16], Errno::EISCONN);
        let full = -i64::from(Errno::EAGAIN.into_raw()) as u64;
        assert_eq!(connect(&mut scene, O_NONBLOCK.into()).1, Answer::Result(full));
        let place = scene.memory() + 0x40;
        scene.user(1, |user| user.write(place, &[16, 0, 0, 0])).unwrap();
        let accepted = scene.done(1, "accept4", &[listener, place + 8, place, 0]);
        // A port was found for the client.
        assert_eq!(scene.bytes(1, 0x48, 8), [2, 0, 0x80, 0, 127, 0, 0, 1]);
        let text = scene.text(1, 0, "hello");
        assert_eq!(scene.done(1, "write", &[client, text, 5]), 5);
        assert_eq!(scene.done(1, "read", &[accepted, place, 9]), 5);
        assert_eq!(scene.done(1, "fork", &[]), 2);
        assert_eq!(scene.call(2, "accept4", &[listener, 0, 0, 0]), Answer::Keep);
        assert_eq!(connect(&mut scene, 0).1, Answer::Result(0));
        assert!((scene.registers(2).get(3) as i64) > 0);
    });
}

#[test]
fn addresses_are_checked() {
    both(|mut scene| {
        let (_, here) = scene.listener(80, 1);
        let socket = scene.done(1, "socket", &[INTERNET, STREAM, 0]);
        scene.fails(1, "bind", &[socket, here, 16], Errno::EADDRINUSE);
        scene.fails(1, "bind", &[socket, here, 4], Errno::EINVAL);
        scene.fails(1, "bind", &[0, here, 16], Errno::ENOTSOCK);
        scene.fails(1, "accept4", &[socket, 0, 0, 0], Errno::EINVAL);
        scene.fails(1, "getpeername", &[socket, here, here], Errno::ENOTCONN);
        scene.fails(1, "shutdown", &[socket, 1], Errno::ENOTCONN);
        let nobody = scene.address(0x7f00_0001, 81);
        scene.fails(1, "connect", &[socket, nobody, 16], Errno::ECONNREFUSED);
        let abroad = scene.address(0x0808_0808, 80);
        scene.fails(1, "connect", &[socket, abroad, 16], Errno::ENETUNREACH);
        scene.fails(1, "bind", &[socket, abroad, 16], Errno::EADDRNOTAVAIL);
        for (domain, style, protocol, error) in [
            (10, STREAM, 0, Errno::EAFNOSUPPORT),
            (INTERNET, 9, 0, Errno::EINVAL),
            (INTERNET, STREAM, 17, Errno::EPROTONOSUPPORT),
        ] {
            scene.fails(1, "socket", &[domain, style, protocol], error);
        }
    });
}

#[test]
fn datagrams_come_as_a_whole_and_no_more_than_there_is_room_for() {
    both(|mut scene| {
        let [one, other] = scene.pair(DATAGRAM);
        let (text, place) = (scene.text(1, 0, "datagram"), scene.memory() + 0x20);
        assert_eq!(scene.done(1, "write", &[one, text, 8]), 8);
        assert_eq!(scene.done(1, "write", &[one, text, 4]), 4);
        assert_eq!(scene.done(1, "read", &[other, place, 5]), 5);
        assert_eq!(scene.done(1, "read", &[other, place, 5]), 4);
        let wait = u64::from(MSG_DONTWAIT);
        scene.fails(1, "recvfrom", &[other, place, 5, wait, 0, 0], Errno::EAGAIN);
        let mut count = 0;
        while scene.call(1, "sendto", &[one, text, 8, wait, 0, 0]) == Answer::Result(8) {
            count += 1;
        }
        assert_eq!(count, 64);
        scene.fails(1, "sendto", &[one, text, 70_000, wait, 0, 0], Errno::EMSGSIZE);
    });
}

#[test]
fn a_datagram_goes_straight_to_who_waits_for_one_and_what_does_not_fit_is_lost() {
    both(|mut scene| {
        let [one, other] = scene.pair(DATAGRAM);
        assert_eq!(scene.done(1, "fork", &[]), 2);
        let (text, place) = (scene.text(1, 0, "a datagram"), scene.memory() + 0x20);
        for (name, room) in [("read", 100), ("recvfrom", 10), ("read", 4), ("recvfrom", 3)] {
            assert_eq!(scene.call(2, name, &[one, place, room, 0, 0, 0]), Answer::Keep);
            assert_eq!(scene.done(1, "write", &[other, text, 10]), 10);
            let count = room.min(10);
            assert_eq!(scene.registers(2).get(3), count);
            assert_eq!(scene.bytes(2, 0x20, count as usize), b"a datagram"[..count as usize]);
            scene.fails(2, "recvfrom", &[one, place, 10, MSG_DONTWAIT.into(), 0, 0], Errno::EAGAIN);
        }
        // Nothing is too short for any room, and it ends no wait for whose memory it does not go to.
        assert_eq!(scene.call(2, "read", &[one, place, 10]), Answer::Keep);
        assert_eq!(scene.done(1, "write", &[other, text, 0]), 0);
        assert_eq!(scene.registers(2).get(3), 0);
        assert_eq!(scene.call(2, "read", &[one, 16, 10]), Answer::Keep);
        assert_eq!(scene.done(1, "write", &[other, text, 10]), 10);
        assert_eq!(scene.registers(2).get(3) as i32, -Errno::EFAULT.into_raw());
        assert_eq!(scene.done(2, "read", &[one, place, 10]), 10);
    });
}

#[test]
fn there_are_so_many_sockets_and_no_more_until_some_are_closed() {
    both(|mut scene| {
        let mut last = 0;
        while let Answer::Result(number @ 3..=2000) = scene.call(1, "socket", &[UNIX, STREAM, 0]) {
            last = number;
        }
        assert_eq!(last, 3 + 255);
        scene.fails(1, "socket", &[UNIX, STREAM, 0], Errno::ENFILE);
        let (place, memory) = (scene.memory() + 0x700, scene.memory());
        scene.fails(1, "socketpair", &[UNIX, STREAM, 0, place], Errno::ENFILE);
        assert_eq!(scene.done(1, "close", &[last]), 0);
        scene.fails(1, "socketpair", &[UNIX, STREAM, 0, place], Errno::ENFILE);
        assert_eq!(scene.done(1, "socket", &[UNIX, STREAM, 0]), last);
        scene.fails(1, "getsockname", &[last, memory, 16], Errno::EFAULT);
    });
}

#[test]
fn a_name_of_a_file_is_gone_with_its_socket_for_who_connects() {
    both(|mut scene| {
        let place = scene.memory() + 0x600;
        scene.user(1, |user| user.write(place, b"\x01\0/tmp/name\0")).unwrap();
        let listener = scene.done(1, "socket", &[UNIX, STREAM, 0]);
        assert_eq!(scene.done(1, "bind", &[listener, place, 12]), 0);
        assert_eq!(scene.done(1, "listen", &[listener, 1]), 0);
        let client = scene.done(1, "socket", &[UNIX, STREAM, 0]);
        scene.fails(1, "bind", &[client, place, 12], Errno::EADDRINUSE);
        assert_eq!(scene.done(1, "connect", &[client, place, 12]), 0);
        assert_eq!(scene.done(1, "close", &[listener]), 0);
        let client = scene.done(1, "socket", &[UNIX, STREAM, 0]);
        scene.fails(1, "connect", &[client, place, 12], Errno::ECONNREFUSED);
        scene.fails(1, "open", &[place + 2, 2, 0], Errno::ENXIO);
        assert_eq!(scene.done(1, "unlink", &[place + 2]), 0);
    });
}

#[test]
fn the_old_call_of_32_bit_programs_is_all_of_them() {
    let mut scene = Scene::new(Arch::I386);
    let place = scene.memory() + 0x100;
    let words: Vec<u8> = [AF_UNIX, SOCK_STREAM, 0].iter().flat_map(|word| word.to_le_bytes()).collect();
    scene.user(1, |user| user.write(place, &words)).unwrap();
    assert_eq!(scene.done(1, "socketcall", &[1, place]), 3);
    scene.fails(1, "socketcall", &[99, place], Errno::EINVAL);
    scene.fails(1, "socketcall", &[1, 16], Errno::EFAULT);
}

#[test]
fn sockets_wait_no_longer_than_they_are_told_to() {
    const SECOND: u64 = 1_000_000_000;
    both(|mut scene| {
        let [one, _other] = scene.pair(STREAM);
        let word = scene.arch.word();
        let time = |scene: &mut Scene, seconds: u64, microseconds: u64| {
            let place = scene.memory() + 0x300;
            let bytes = [seconds, microseconds].map(|number| number.to_le_bytes()[..word as usize].to_vec()).concat();
            scene.user(1, |user| user.write(place, &bytes)).unwrap();
            place
        };
        let place = time(&mut scene, 1, 500_000);
        scene.fails(1, "setsockopt", &[one, 1, 20, place, 2 * word - 1], Errno::EINVAL);
        assert_eq!(scene.done(1, "setsockopt", &[one, 1, 20, place, 2 * word]), 0);
        let place = time(&mut scene, 0, 1_000_000);
        scene.fails(1, "setsockopt", &[one, 1, 21, place, 2 * word], Errno::EDOM);
        let place = time(&mut scene, 2, 0);
        assert_eq!(scene.done(1, "setsockopt", &[one, 1, 21, place, 2 * word]), 0);
        let (out, length) = (scene.memory() + 0x400, scene.memory() + 0x500);
        scene.user(1, |user| user.write(length, &64_u32.to_le_bytes())).unwrap();
        assert_eq!(scene.done(1, "getsockopt", &[one, 1, 20, out, length]), 0);
        assert_eq!(u64::from(scene.number(1, 0x500)), 2 * word);
        let started = scene.server.machine.now;
        assert_eq!(scene.call(1, "read", &[one, out, 1]), Answer::Keep);
        assert_eq!(scene.server.deadline(), Some(started + SECOND * 3 / 2));
        scene.server.machine.now += SECOND;
        scene.server.tick();
        assert!(scene.server.machine.running().is_empty());
        scene.server.machine.now += SECOND;
        scene.server.tick();
        let refused = |error: Errno| narrow(word, -i64::from(error.into_raw()) as u64);
        assert_eq!(scene.registers(1).get(3), refused(Errno::EAGAIN));
        // What was sent before the time was up is sent.
        let large = scene.map(1, 100_000, 3);
        assert_eq!(scene.call(1, "write", &[one, large, 100_000]), Answer::Keep);
        scene.server.machine.now += 3 * SECOND;
        scene.server.tick();
        assert_eq!(scene.registers(1).get(3), 64 << 10);
    });
}

/// As a program of this width has it in a register.
fn narrow(word: u64, value: u64) -> u64 {
    if word == 4 { value & 0xffff_ffff } else { value }
}
