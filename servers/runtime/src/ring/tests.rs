use std::collections::VecDeque;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Condvar, Mutex};
use std::thread;
use std::time::Duration;
use std::vec::Vec;

use lilliput_abi::Error;
use proptest::prelude::*;

use super::*;

fn memory(words: usize) -> Vec<AtomicU32> {
    (0..words).map(|_| AtomicU32::new(0)).collect()
}

proptest! {
    /// What comes out is what went in, in that order; never more than there is room for is inside, whatever is published when.
    #[test]
    fn it_is_a_queue_with_an_end(entries in 1_usize..20, steps in prop::collection::vec(0..4_u8, 1..300)) {
        let memory = memory(words_of(entries, 2));
        let mut producer = Producer::<2>::new(&memory).unwrap();
        let mut consumer = Consumer::<2>::new(&memory).unwrap();
        let capacity = producer.capacity() as usize;
        prop_assert_eq!(capacity, 1 << entries.ilog2());
        let (mut sent, mut hidden, mut visible, mut taken) = (0_u32, 0, VecDeque::new(), 0);
        for step in steps {
            match step {
                0 => {
                    let pushed = producer.push(&[sent, !sent]).unwrap();
                    prop_assert_eq!(pushed, hidden + visible.len() + taken < capacity);
                    if pushed {
                        sent += 1;
                        hidden += 1;
                    }
                }
                1 => {
                    prop_assert!(!producer.publish(), "nobody waits");
                    visible.extend(sent - hidden as u32..sent);
                    hidden = 0;
                }
                2 => {
                    let next = visible.pop_front();
                    prop_assert_eq!(consumer.pop().unwrap(), next.map(|number| [number, !number]));
                    taken += usize::from(next.is_some());
                }
                _ => {
                    prop_assert!(!consumer.publish(), "nobody waits");
                    taken = 0;
                }
            }
        }
    }

    /// Whatever the other side writes, an end says so or goes on, and stays within the memory.
    #[test]
    fn nonsense_does_no_harm(words in prop::collection::vec((0_usize..40, any::<u32>()), 1..200)) {
        let memory = memory(words_of(4, 2));
        let mut producer = Producer::<2>::new(&memory).unwrap();
        let mut consumer = Consumer::<2>::new(&memory).unwrap();
        for (at, word) in words {
            memory[at].store(word, Relaxed);
            let _ = (producer.push(&[1, 2]), producer.is_to_wait(), producer.publish());
            let _ = (consumer.pop(), consumer.is_to_wait(), consumer.publish());
        }
    }
}

#[test]
fn counts_that_cannot_be_are_found() {
    let memory = memory(words_of(4, 1));
    let mut producer = Producer::<1>::new(&memory).unwrap();
    let mut consumer = Consumer::<1>::new(&memory).unwrap();
    memory[16].store(1, Relaxed);
    assert_eq!(producer.is_to_wait(), Err(Broken), "consumed what was never produced");
    memory[0].store(5, Relaxed);
    assert_eq!(consumer.pop(), Err(Broken), "produced more than there is room for");
    memory[0].store(4, Relaxed);
    assert_eq!(consumer.pop(), Ok(Some([0])));
}

#[test]
fn too_little_memory_is_no_ring() {
    assert!(Producer::<4>::new(&memory(words_of(1, 4) - 1)).is_none());
    assert!(Consumer::<0>::new(&memory(100)).is_none());
    assert_eq!(Producer::<4>::new(&memory(words_of(1, 4))).unwrap().capacity(), 1);
}

/// Each side's step between saying that it waits and waiting, and each place at which the other one can come in between.
#[test]
fn who_comes_in_between_is_seen() {
    let memory = memory(words_of(1, 1));
    let mut producer = Producer::<1>::new(&memory).unwrap();
    let mut consumer = Consumer::<1>::new(&memory).unwrap();
    // Produced before the consumer says that it waits: it must not.
    assert_eq!(consumer.pop(), Ok(None));
    assert_eq!((producer.push(&[1]), producer.publish()), (Ok(true), false));
    assert_eq!(consumer.is_to_wait(), Ok(false));
    assert_eq!(consumer.pop(), Ok(Some([1])));
    // Room before the producer says that it waits: it must not.
    assert_eq!(producer.push(&[2]), Ok(false));
    assert!(!consumer.publish());
    assert_eq!(producer.is_to_wait(), Ok(false));
    assert_eq!((producer.push(&[2]), producer.publish()), (Ok(true), false));
    // Room after it: the consumer is told to wake it, once.
    assert_eq!(producer.push(&[3]), Ok(false));
    assert_eq!(producer.is_to_wait(), Ok(true));
    assert_eq!(consumer.pop(), Ok(Some([2])));
    assert_eq!((consumer.publish(), consumer.publish()), (true, false));
    // The same of the consumer.
    assert_eq!(consumer.is_to_wait(), Ok(true));
    assert_eq!(producer.push(&[3]), Ok(true));
    assert_eq!((producer.publish(), producer.publish()), (true, false));
}

/// A notification between threads. Rung before it is waited for counts; a wait that nobody ends is a failure.
#[derive(Default)]
struct Gong {
    rung: Mutex<bool>,
    change: Condvar,
}

struct Pair<'a> {
    other: &'a Gong,
    own: &'a Gong,
}

impl Bell for Pair<'_> {
    fn ring(&self) -> Result<(), Error> {
        *self.other.rung.lock().unwrap() = true;
        self.other.change.notify_one();
        Ok(())
    }

    fn wait(&self) -> Result<(), Error> {
        let rung = self.own.rung.lock().unwrap();
        let (mut rung, timeout) =
            self.own.change.wait_timeout_while(rung, Duration::from_secs(60), |rung| !*rung).unwrap();
        if timeout.timed_out() {
            return Err(Error::TimedOut);
        }
        *rung = false;
        Ok(())
    }
}

/// No wake-up is lost between threads that run at once, in rings so small that both sides wait all the time.
#[test]
fn no_wake_up_is_lost() {
    const ENTRIES: u32 = 30_000;
    for entries in [1, 2, 8] {
        let memory = memory(words_of(entries, 3));
        let [produced, consumed] = [(); 2].map(|()| Gong::default());
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut producer = Producer::<3>::new(&memory).unwrap();
                let bell = Pair { other: &produced, own: &consumed };
                for number in 0..ENTRIES {
                    producer.send(&[number, number ^ 0x5555, !number], &bell).unwrap();
                    // Sometimes several at once.
                    if number % 7 < 4 {
                        producer.flush(&bell).unwrap();
                    }
                }
                producer.flush(&bell).unwrap();
            });
            let mut consumer = Consumer::<3>::new(&memory).unwrap();
            let bell = Pair { other: &consumed, own: &produced };
            for number in 0..ENTRIES {
                assert_eq!(consumer.receive(&bell), Ok([number, number ^ 0x5555, !number]));
                if number % 5 < 3 {
                    consumer.flush(&bell).unwrap();
                }
            }
        });
    }
}
