//! Trials of a host: what is left of a client that is gone, when it runs on that one's page table still.

use lilliput_abi::layout::{HOST_START, PAGE_SIZE, SLOT_UNIT, USER_START};
use lilliput_abi::{Isolation, Rights, Tag};
use lilliput_runtime::trial::{self, Outcome, kit};
use lilliput_runtime::{Endpoint, Frames, Task, Thread, Word, place};
use lilliput_user64::Native;

/// Runs the trial of this name.
pub fn run(name: &str) -> Outcome {
    match name {
        "client-is-gone" => client_is_gone(),
        "next-client" => next_client(),
        _ => trial::run::<Native>(name).unwrap_or_else(|| panic!("there is no trial of this name")),
    }
}

/// Where this program has a client's pages to itself.
const WINDOW: Word = HOST_START as Word + kit::SCRATCH;
/// Where a client's word lies, from the start of its slot on, whatever the colour of its base.
const INTO_SLOT: Word = 0x18_0000;
/// How the client's own place of the host's endpoint is called.
const HOST: u8 = 2;
const PAGE: Word = PAGE_SIZE as Word;

/// A small task of two pages: it reads a word of its own and sends it to the host.
struct Client {
    task: Task<Native>,
    thread: Thread<Native>,
    frames: Frames<Native>,
    /// The linear address of its word.
    word: Word,
}

impl Client {
    fn new(isolation: Isolation, word: u32) -> Result<Self, lilliput_abi::Error> {
        let factory = kit::factory::<Native>();
        let (task, _) = factory.create_small(kit::arena(), kit::SMALL_SIZE, isolation, 0)?;
        let base = task.info()?.base;
        let linear = base / SLOT_UNIT as Word * SLOT_UNIT as Word + INTO_SLOT;
        let own = linear - base;
        let frames = factory.create_frames(2)?;
        let (code, data) = (Rights::READ | Rights::EXECUTE, Rights::READ | Rights::WRITE);
        kit::task::<Native>().map(frames, WINDOW, 0, 2, data)?;
        fill(own as u32, word);
        task.map(frames, USER_START as Word, 0, 1, code)?;
        task.map(frames, own, 1, 1, data)?;
        task.grant(place::SERVICE, Rights::SEND, 1, HOST.into())?;
        let thread = factory.create_thread(task, kit::PRIORITY)?;
        thread.start(USER_START as Word, 0, [0, 0])?;
        Ok(Self { task, thread, frames, word: linear })
    }

    /// What it sees, and what the host sees in the same place.
    fn seen(&self) -> Result<[u32; 2], lilliput_abi::Error> {
        let received = Endpoint::<Native>::at(place::SERVICE).receive()?;
        Ok([received.message.words[0] as u32, self.read()])
    }

    /// The client's word, read in place.
    fn read(&self) -> u32 {
        // SAFETY: nothing of this program is there. Where nothing is at all, this is the exception that ends the trial.
        unsafe { (self.word as *const u32).read_volatile() }
    }

    fn end(&self) -> Outcome {
        kit::factory::<Native>().destroy(self.task.place())?;
        kit::task::<Native>().delete(self.thread.place())
    }

    /// Frames can be destroyed when they are mapped nowhere: nothing of the client is.
    fn take_back(self) -> Outcome {
        kit::task::<Native>().unmap(WINDOW, 2)?;
        kit::factory::<Native>().destroy(self.frames.place())
    }
}

/// Writes code and word of a client into its pages.
fn fill(address: u32, word: u32) {
    let tag = Tag::new(0, 1).0.to_le_bytes();
    let [a0, a1, a2, a3] = address.to_le_bytes();
    let [t0, t1, t2, t3] = tag;
    // mov ebx, [address]; mov edx, tag; mov eax, HOST (a call); int 0x40; jmp $
    let code = [0x8b, 0x1d, a0, a1, a2, a3, 0xba, t0, t1, t2, t3, 0xb8, HOST, 0, 0, 0, 0xcd, 0x40, 0xeb, 0xfe];
    let window = WINDOW as *mut u8;
    // SAFETY: the two pages are mapped for this, and nothing else of this program is there.
    unsafe {
        core::ptr::copy_nonoverlapping(code.as_ptr(), window, code.len());
        window.byte_add(PAGE).cast::<u32>().write_volatile(word);
    }
}

/// A client calls, and is destroyed while its host runs on its page table: its memory is there no more.
fn client_is_gone() -> Outcome {
    let client = Client::new(Isolation::Page, 0x1111)?;
    assert_eq!(client.seen()?, [0x1111; 2], "what client and host see before");
    client.end()?;
    let left = client.read();
    panic!("{left:#x} is left of a client that is gone")
}

/// Clients of all modes have one slot, one after the other: each sees its own word there, and so does the host.
fn next_client() -> Outcome {
    use Isolation::{Auto, Page, PageUntagged};
    let mut before: Option<Client> = None;
    for (number, isolation) in [Auto, Page, Page, Auto, Auto, PageUntagged, Page, Auto].into_iter().enumerate() {
        let word = 0x2222_0000 + number as u32;
        if let Some(before) = &before {
            before.end()?;
        }
        let old = before.take().map_or(Ok(None), |before| {
            let word = before.word;
            before.take_back().map(|()| Some(word))
        })?;
        let client = Client::new(isolation, word)?;
        assert!(old.is_none_or(|old| old == client.word), "the slot is another one");
        assert_eq!(client.seen()?, [word; 2], "what client {number} and its host see");
        before = Some(client);
    }
    before.map_or(Ok(()), |last| last.end().and_then(|()| last.take_back()))
}
