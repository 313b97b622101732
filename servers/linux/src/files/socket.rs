//! Sockets: pairs of pipes for streams, queues of datagrams, and addresses that others find them by.

use alloc::collections::VecDeque;
use alloc::rc::{Rc, Weak};
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use super::{End, Kind, Open, Pipe, Ready};

/// Bytes of datagrams that wait, and how many there may be of them.
const MOST_BYTES: usize = 64 << 10;
const MOST_DATAGRAMS: usize = 64;

/// What a socket moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Bytes, in order.
    Stream,
    /// Messages, each as a whole.
    Datagram,
}

/// Where a socket is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A name of the domain `AF_UNIX`: a path, what follows a zero, or nothing.
    Unix(Vec<u8>),
    /// IPv4: address and port.
    Internet(u32, u16),
}

impl Address {
    /// This machine's own address.
    pub const LOCALHOST: u32 = 0x7f00_0001;

    /// The same in the same domain, that says nothing.
    pub fn none(&self) -> Self {
        match self {
            Self::Unix(_) => Self::Unix(Vec::new()),
            Self::Internet(..) => Self::Internet(0, 0),
        }
    }

    /// Whether who asks for another address means a socket with this one.
    pub fn is_meant_by(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Internet(here, port), Self::Internet(there, wanted)) => {
                port == wanted && (*here == 0 || here == there || *there == 0)
            }
            _ => self == other && !matches!(self, Self::Unix(name) if name.is_empty()),
        }
    }
}

/// What became of a socket of streams.
#[derive(Default)]
pub enum State {
    /// Nothing yet.
    #[default]
    Idle,
    /// It takes connections: those that wait, and how many may.
    Listens(VecDeque<Rc<Socket>>, usize),
    /// It is connected: the ends that it reads and writes, as far as they were not shut down.
    Connected(Option<End>, Option<End>),
}

/// A datagram.
#[derive(Clone)]
pub struct Datagram {
    /// Whom it is from.
    pub sender: Address,
    /// What it says.
    pub bytes: Vec<u8>,
    /// Descriptions that are sent along.
    pub passed: Vec<Rc<Open>>,
}

/// A socket.
pub struct Socket {
    /// Its number, of which no pipe or node was ever.
    pub number: u64,
    /// What it moves.
    pub style: Style,
    /// Its own address; of the right domain from the beginning.
    pub local: RefCell<Address>,
    /// Whether somebody gave it that.
    pub is_bound: Cell<bool>,
    /// That of its partner.
    pub remote: RefCell<Option<Address>>,
    /// What became of it.
    pub state: RefCell<State>,
    /// Datagrams that wait.
    pub datagrams: RefCell<VecDeque<Datagram>>,
    /// Who gets its datagrams, if it is one of a pair.
    pub partner: RefCell<Weak<Self>>,
    /// How many nanoseconds receiving and sending wait; 0 for as long as it takes.
    pub patience: [Cell<u64>; 2],
    /// The process at the other end when they were connected; of one that listens, who made it do so.
    pub peer: Cell<u32>,
    /// How many datagrams and connections came.
    came: Cell<u64>,
    /// How many there are of all, this among them.
    count: Rc<Cell<usize>>,
}

impl Socket {
    /// One that has nothing but a domain, which the address says.
    pub fn new(number: u64, style: Style, local: Address, count: &Rc<Cell<usize>>) -> Rc<Self> {
        count.set(count.get() + 1);
        Rc::new(Self {
            number,
            style,
            local: RefCell::new(local),
            is_bound: Cell::new(false),
            remote: RefCell::new(None),
            state: RefCell::default(),
            datagrams: RefCell::default(),
            partner: RefCell::default(),
            patience: Default::default(),
            peer: Cell::default(),
            came: Cell::default(),
            count: count.clone(),
        })
    }

    /// Connects two by pipes of these numbers.
    pub fn join(&self, other: &Self, numbers: [u64; 2]) {
        let [there, back] = numbers.map(Pipe::new);
        *self.state.borrow_mut() = State::Connected(Some(End::new(&back, false)), Some(End::new(&there, true)));
        *other.state.borrow_mut() = State::Connected(Some(End::new(&there, false)), Some(End::new(&back, true)));
    }

    /// The pipe that it reads from, and the one that it writes to; none that was shut down. Nothing if it is not connected.
    pub fn pipes(&self) -> Option<[Option<Rc<Pipe>>; 2]> {
        match &*self.state.borrow() {
            State::Connected(input, output) => {
                Some([input, output].map(|end| end.as_ref().map(|end| end.pipe.clone())))
            }
            _ => None,
        }
    }

    /// What waits in it and was sent along: nobody reads it any more.
    pub fn take_passed(&self) -> Vec<Rc<Open>> {
        let mut taken: Vec<_> = self.datagrams.take().into_iter().flat_map(|datagram| datagram.passed).collect();
        match &*self.state.borrow() {
            State::Connected(Some(input), _) => {
                taken.extend(input.pipe.passed.take().into_iter().flat_map(|passed| passed.open));
            }
            State::Listens(waiting, _) => waiting.iter().for_each(|socket| taken.extend(socket.take_passed())),
            _ => {}
        }
        taken
    }

    /// Whether what waits in a pipe or at a socket of this number could be all that a description is kept by: one can come from the other to it, by what is sent along.
    pub fn leads_to(open: &Rc<Open>, number: u64) -> bool {
        let (mut left, mut seen) = (Vec::new(), Vec::new());
        let socket_of = |open: &Rc<Open>| match &open.node.kind {
            Kind::Socket(socket) => Some(socket.clone()),
            _ => None,
        };
        left.extend(socket_of(open));
        while let Some(socket) = left.pop() {
            if seen.contains(&socket.number) {
                continue;
            }
            seen.push(socket.number);
            if socket.number == number {
                return true;
            }
            for datagram in socket.datagrams.borrow().iter() {
                left.extend(datagram.passed.iter().filter_map(socket_of));
            }
            for pipe in socket.pipes().into_iter().flatten().flatten() {
                if pipe.number == number {
                    return true;
                }
                let passed = pipe.passed.borrow();
                left.extend(passed.iter().flat_map(|passed| &passed.open).filter_map(socket_of));
            }
            if let State::Listens(waiting, _) = &*socket.state.borrow() {
                left.extend(waiting.iter().cloned());
            }
        }
        false
    }

    /// How often something came to it, and how often there was room again.
    pub fn happenings(&self) -> [u64; 2] {
        let came = self.came.get();
        match &*self.state.borrow() {
            State::Connected(input, output) => {
                let of = |end: &Option<End>, which: usize| end.as_ref().map_or(0, |end| end.pipe.happenings()[which]);
                // What was shut down came to an end as well.
                let shut = [input, output].map(|end| u64::from(end.is_none()));
                [came + of(input, 0) + shut[0], of(output, 1) + shut[1]]
            }
            _ => [came; 2],
        }
    }

    /// A datagram came, or somebody who connects.
    pub fn came(&self) {
        self.came.set(self.came.get() + 1);
    }

    /// How many bytes could be read now.
    pub fn waiting(&self) -> usize {
        match (self.style, self.pipes()) {
            (Style::Datagram, _) => self.datagrams.borrow().front().map_or(0, |datagram| datagram.bytes.len()),
            (Style::Stream, Some([Some(pipe), _])) => pipe.bytes.borrow().len(),
            (Style::Stream, _) => 0,
        }
    }

    /// Whether one more datagram of so many bytes can wait.
    pub fn has_room(&self, bytes: usize) -> bool {
        let datagrams = self.datagrams.borrow();
        let waiting: usize = datagrams.iter().map(|datagram| datagram.bytes.len()).sum();
        datagrams.len() < MOST_DATAGRAMS && waiting + bytes <= MOST_BYTES
    }

    /// What could be done without waiting.
    pub fn ready(&self) -> Ready {
        if self.style == Style::Datagram {
            let read = !self.datagrams.borrow().is_empty();
            return Ready { read, write: true, ..Ready::default() };
        }
        match &*self.state.borrow() {
            State::Idle => Ready { write: true, hung_up: true, ..Ready::default() },
            State::Listens(waiting, _) => Ready { read: !waiting.is_empty(), ..Ready::default() },
            State::Connected(input, output) => {
                let ended = input.as_ref().is_none_or(|end| !end.pipe.has_writers());
                let unheard = output.as_ref().is_none_or(|end| !end.pipe.has_readers());
                let waits = input.as_ref().is_some_and(|end| !end.pipe.bytes.borrow().is_empty());
                Ready {
                    read: ended || waits,
                    write: unheard || output.as_ref().is_some_and(|end| end.pipe.room() > 0),
                    hung_up: ended && unheard,
                    ended,
                }
            }
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.count.set(self.count.get() - 1);
    }
}

/// Sockets by their addresses, as long as they are there.
#[derive(Default)]
pub struct Names(Vec<(Address, Weak<Socket>)>);

impl Names {
    /// The socket of this style that an address means.
    pub fn find(&self, address: &Address, style: Style) -> Option<Rc<Socket>> {
        let sockets =
            self.0.iter().filter(|(name, _)| name.is_meant_by(address)).filter_map(|(_, socket)| socket.upgrade());
        sockets.into_iter().find(|socket| socket.style == style)
    }

    /// Gives a socket a name.
    pub fn add(&mut self, address: Address, socket: &Rc<Socket>) {
        self.0.retain(|(_, socket)| socket.strong_count() > 0);
        self.0.push((address, Rc::downgrade(socket)));
    }
}
