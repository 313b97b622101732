//! A promise of objects, and another who makes all that it may: for each type that a quota of objects is good for.

use lilliput_abi::Error;
use lilliput_abi::layout::MOST_THREADS;

use crate::invoke::Invoke;
use crate::object::{Factory, IoPorts, Task};

/// Objects that are promised.
pub const PROMISED: usize = 40;
/// Page frames for each of any type, at most: a 64-bit task's root and capability table.
pub const FRAMES: usize = 2;
/// Threads that each task of the materials is given, but the first: that has those which are promised as well.
pub const THREADS: usize = MOST_THREADS as usize - PROMISED;

/// What objects are made of, and who makes them.
pub struct Materials<'a, K> {
    /// The task whose table has the capabilities.
    pub own: Task<K>,
    /// Tasks for threads.
    pub tasks: &'a [Task<K>],
    /// Ports to make others from.
    pub ports: IoPorts<K>,
    /// The first of these.
    pub port: u16,
}

/// Makes the object with this number: its place.
pub type Make<K> = fn(Factory<K>, &Materials<K>, usize) -> Result<u32, Error>;

/// The types, and how one of each is made.
pub fn makers<K: Invoke>() -> [(&'static str, Make<K>); 8] {
    [
        ("threads", |factory, of, number| {
            let task = of.tasks.get(number / THREADS).ok_or(Error::BadArgument)?;
            factory.create_thread(*task, 1).map(|made| made.place())
        }),
        ("tasks", |factory, _, _| factory.create_wide().map(|made| made.place())),
        ("endpoints", |factory, _, _| factory.create_endpoint().map(|made| made.place())),
        ("notifications", |factory, _, _| factory.create_notification().map(|made| made.place())),
        ("replies", |factory, _, _| factory.create_reply().map(|made| made.place())),
        ("frames", |factory, _, _| factory.create_frames(1).map(|made| made.place())),
        ("factories", |factory, _, _| factory.create_factory(0, 0).map(|made| made.place())),
        ("ports", |factory, of, _| factory.split_ports(of.ports, of.port, 1).map(|made| made.place())),
    ]
}

/// How many objects were made, and how many were to be.
type Count = (usize, usize);

/// What became of a promise.
#[derive(Debug)]
pub struct Outcome {
    /// Who was promised them.
    pub promised: Count,
    /// Who had all others.
    pub greedy: Count,
    /// What the factory is told that promised: it has no more to give.
    pub top: Option<Error>,
}

impl Outcome {
    /// Whether everybody got what it was promised, and no more.
    pub fn is_kept(&self) -> bool {
        let all = |(made, promised)| made == promised;
        all(self.promised) && all(self.greedy) && self.top == Some(Error::NoMemory)
    }
}

/// Promises some objects of `top`'s, gives all others to another who uses them up, and only then has what was promised made.
///
/// # Errors
/// What the kernel says, but that there are no more.
pub fn keep<K: Invoke>(top: Factory<K>, of: &Materials<K>, make: Make<K>) -> Result<Outcome, Error> {
    let promised = top.create_factory(FRAMES * PROMISED, PROMISED)?;
    let ((frames, most_frames), (objects, most)) = (top.usage()?, top.objects()?);
    let rest = most - objects - 1;
    let greedy = top.create_factory(most_frames - frames, rest)?;
    let made_greedily = exhaust(greedy, of, make)?;
    let refused = top.create_endpoint().err();
    let made = exhaust(promised, of, make)?;
    for factory in [greedy, promised] {
        top.destroy(factory.place())?;
    }
    Ok(Outcome { promised: (made, PROMISED), greedy: (made_greedily, rest), top: refused })
}

/// How many are made before there are no more. What names them is deleted.
fn exhaust<K: Invoke>(factory: Factory<K>, of: &Materials<K>, make: Make<K>) -> Result<usize, Error> {
    let mut made = 0;
    loop {
        match make(factory, of, made) {
            Ok(place) => of.own.delete(place)?,
            Err(Error::NoMemory) => return Ok(made),
            Err(error) => return Err(error),
        }
        made += 1;
    }
}
