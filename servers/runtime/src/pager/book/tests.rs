use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const READ_WRITE: Rights = Rights::READ.union(Rights::WRITE);
const READ: Access = Access { write: false, fetch: false };
const WRITE: Access = Access { write: true, fetch: false };
const FETCH: Access = Access { write: false, fetch: true };

fn zero(start: u64, pages: u64, rights: Rights) -> Region {
    Region::zero(start, start + pages * PAGE_SIZE, rights).unwrap()
}

fn book(quota: usize) -> Box<Book<8>> {
    let mut book: Box<Book<8>> = Box::default();
    assert!(book.attach(1, quota));
    assert!(book.add(1, zero(0x1_0000, 4, READ_WRITE)));
    assert!(book.add(1, zero(0x2_0000, 1, Rights::READ | Rights::EXECUTE)));
    assert!(book.add(1, zero(0x3_0000, 1, Rights::READ)));
    book
}

#[test]
fn regions_stay_apart() {
    let mut book = book(4);
    assert!(!book.attach(1, 1) && !book.attach(MOST_CLIENTS, 1));
    assert!(!book.add(1, zero(0x1_3000, 2, Rights::READ)), "meets another");
    assert!(!book.add(1, zero(0x5_0000, 1, Rights::WRITE | Rights::EXECUTE)), "writable and executable");
    assert!(!book.add(2, zero(0x5_0000, 1, Rights::READ)), "of nobody");
    let room = (0..).take_while(|at| book.add(1, zero(0x10_0000 + at * PAGE_SIZE, 1, Rights::READ))).count();
    assert_eq!(room, MOST_REGIONS - 3);
}

#[test]
fn a_page_is_had_as_its_region_allows() {
    let mut book = book(4);
    for (address, access, reason) in [
        (0x1_4000, READ, Reason::NoRegion),
        (0xffff, READ, Reason::NoRegion),
        (0x1_0000, FETCH, Reason::NotAllowed),
        (0x2_0000, WRITE, Reason::NotAllowed),
        (0x3_0000, WRITE, Reason::NotAllowed),
        (0x3_0000, FETCH, Reason::NotAllowed),
    ] {
        assert_eq!(book.fault(1, address, access), Err(reason), "{address:#x} {access:?}");
    }
    assert_eq!(book.fault(2, 0x1_0000, READ), Err(Reason::NoRegion));
    assert_eq!((book.free(), book.used(1)), (8, 0));
    let first = book.fault(1, 0x1_0123, READ).unwrap();
    assert_eq!((first.rights, first.contents), (READ_WRITE, Contents::Filled(Fill::default())));
    // Again, as by another thread: the same.
    assert_eq!(book.fault(1, 0x1_0fff, WRITE), Ok(Mapping { contents: Contents::Kept, ..first }));
    assert_eq!(book.fault(1, 0x2_0000, FETCH).unwrap().rights, Rights::READ | Rights::EXECUTE);
    book.undo(1, 0x2_0044);
    assert_eq!((book.free(), book.used(1)), (7, 1));
}

#[test]
fn a_quota_is_one_clients() {
    let mut book = book(2);
    book.fault(1, 0x1_0000, READ).unwrap();
    book.fault(1, 0x1_1000, READ).unwrap();
    assert_eq!(book.fault(1, 0x1_2000, READ), Err(Reason::Quota));
    assert!(book.attach(2, 100) && book.add(2, zero(0, 100, READ_WRITE)));
    for page in 0..6 {
        book.fault(2, page * PAGE_SIZE, WRITE).unwrap();
    }
    assert_eq!(book.fault(2, 6 * PAGE_SIZE, WRITE), Err(Reason::NoMemory));
    assert_eq!(book.detach(1), 2);
    assert!(book.fault(2, 6 * PAGE_SIZE, WRITE).is_ok());
}

#[test]
fn what_is_shared_is_copied_by_who_writes_first() {
    let mut book = book(4);
    let first = book.fault(1, 0x1_0000, WRITE).unwrap().frame;
    book.fault(1, 0x2_0000, FETCH).unwrap();
    let mut shared = Vec::new();
    assert!(book.fork(1, 2, &mut |frame, page| shared.push((frame, page))));
    assert_eq!(shared, [(first, 0x1_0000)], "pages that are not written need no change");
    assert!(!book.fork(1, 2, &mut |_, _| {}) && !book.fork(3, 4, &mut |_, _| {}));
    assert_eq!(
        book.fault(2, 0x1_0000, READ).unwrap(),
        Mapping { frame: first, rights: Rights::READ, contents: Contents::Kept }
    );
    let copy = book.fault(2, 0x1_0000, WRITE).unwrap();
    assert_eq!((copy.contents, copy.rights), (Contents::Copied(first), READ_WRITE));
    // The last one has it to itself.
    assert_eq!(
        book.fault(1, 0x1_0000, WRITE).unwrap(),
        Mapping { frame: first, rights: READ_WRITE, contents: Contents::Kept }
    );
    assert_eq!((book.used(1), book.used(2), book.free()), (2, 2, 5));
}

#[derive(Clone, Debug)]
enum Step {
    Touch { client: usize, page: u64, write: bool },
    Fork(usize, usize),
    Detach(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0usize..4, 0u64..6, any::<bool>()).prop_map(|(client, page, write)| Step::Touch { client, page, write }),
        2 => (0usize..4, 0usize..4).prop_map(|(parent, child)| Step::Fork(parent, child)),
        1 => (0usize..4).prop_map(Step::Detach),
    ]
}

proptest! {
    /// Clients that see, through what a pager maps, each just its own memory: against maps of values. A write makes a
    /// value that nobody else has.
    #[test]
    fn every_client_sees_its_own_memory(steps in prop::collection::vec(step(), 1..200)) {
        let mut book: Box<Book<10>> = Box::default();
        let mut frames = [0u32; 10];
        // What is mapped: frame and whether it can be written.
        let mut mapped: BTreeMap<(usize, u64), (usize, bool)> = BTreeMap::new();
        let mut model: [Option<BTreeMap<u64, u32>>; 4] = [const { None }; 4];
        let mut value = 0;
        for step in steps {
            match step {
                Step::Touch { client, page, write } => {
                    if model[client].is_none() {
                        prop_assert!(book.attach(client, 5) && book.add(client, zero(0, 6, READ_WRITE)));
                        model[client] = Some(BTreeMap::new());
                    }
                    let memory = model[client].as_mut().unwrap();
                    let there = mapped.get(&(client, page)).copied();
                    if there.is_none_or(|(_, writable)| write && !writable) {
                        let address = page * PAGE_SIZE + 5;
                        match book.fault(client, address, Access { write, fetch: false }) {
                            Ok(Mapping { frame, rights, contents }) => {
                                match contents {
                                    Contents::Kept => {}
                                    Contents::Copied(from) => frames[frame] = frames[from],
                                    Contents::Filled(fill) => {
                                        prop_assert_eq!(fill.length, 0);
                                        frames[frame] = 0;
                                    }
                                }
                                mapped.insert((client, page), (frame, rights.contains(Rights::WRITE)));
                            }
                            Err(Reason::Quota) => prop_assert!(book.used(client) == 5 && there.is_none()),
                            Err(reason) => prop_assert!(reason == Reason::NoMemory && book.free() == 0),
                        }
                    }
                    let Some(&(frame, writable)) = mapped.get(&(client, page)) else { continue };
                    prop_assert_eq!(frames[frame], memory.get(&page).copied().unwrap_or(0));
                    if write && writable {
                        value += 1;
                        frames[frame] = value;
                        memory.insert(page, value);
                    }
                }
                Step::Fork(parent, child) => {
                    let mut shared = Vec::new();
                    let done = book.fork(parent, child, &mut |frame, page| shared.push((frame, page)));
                    prop_assert_eq!(done, model[parent].is_some() && model[child].is_none());
                    if done {
                        for (frame, page) in shared {
                            // It may have had the page from a fork, and not touched it.
                            let was = mapped.insert((parent, page / PAGE_SIZE), (frame, false));
                            prop_assert!(was.is_none_or(|was| was.0 == frame));
                        }
                        model[child] = model[parent].clone();
                    }
                }
                Step::Detach(client) => {
                    book.detach(client);
                    mapped.retain(|&(of, _), _| of != client);
                    model[client] = None;
                }
            }
            // A frame that several have mapped can't be written.
            for (key, &(frame, writable)) in &mapped {
                let others = mapped.iter().any(|(other, &(of, _))| other != key && of == frame);
                prop_assert!(!(writable && others), "{key:?} writes frame {frame}");
            }
        }
        for client in 0..4 {
            book.detach(client);
        }
        prop_assert_eq!(book.free(), 10);
    }
}
