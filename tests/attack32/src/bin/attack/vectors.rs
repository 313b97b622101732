//! What others left in vector registers.

use core::arch::{asm, naked_asm};
use core::cell::UnsafeCell;

use lilliput_abi::{Error, Operation, Selector};
use lilliput_attack::kit::{self, WITNESSES};
use lilliput_attack::witness::{FILL, FILL_SLOWLY, Registers, is_secret};
use lilliput_attack::{Outcome, must};
use lilliput_attack32::Narrow;
use lilliput_user32::Native;
use lilliput_user32::runtime::machine::Vectors;
use lilliput_user32::runtime::{Endpoint, Machine, Message, invoke};

use crate::Routines;
use crate::registers::{RECEIVE, SIGNAL};

pub const ROUTINES: Routines = &[
    ("vectors-at-start", at_start),
    ("vectors-after-call", after_call),
    ("vectors-after-preemption", after_preemption),
    ("x87-pointers", x87_pointers),
    ("vectors-of-the-dead", of_the_dead),
    ("upper-vectors", upper_vectors),
];

/// What FXSAVE stores.
#[repr(C, align(16))]
struct Image(UnsafeCell<[u32; 128]>);

// SAFETY: written by the assembly of a thread that is waited for, and read afterwards.
unsafe impl Sync for Image {}

static IMAGE: Image = Image(UnsafeCell::new([0; 128]));

fn image() -> [u32; 128] {
    // SAFETY: whoever writes it has signalled that it is done.
    unsafe { IMAGE.0.get().read_volatile() }
}

/// A thread that stores the vector state that it starts with.
fn new_thread(start: unsafe extern "C" fn() -> !) -> Result<[u32; 128], Error> {
    // What an instruction leaves alone is zero, then.
    // SAFETY: nobody else uses the image now.
    unsafe { IMAGE.0.get().write_volatile([0; 128]) };
    let thread = kit::factory::<Native>().create_thread(kit::task(), kit::PRIORITY)?;
    thread.start(start as *const () as usize, 0x1_2344, [0, 0])?;
    kit::notification::<Native>().wait()?;
    kit::factory::<Native>().destroy(thread.place())?;
    Ok(image())
}

/// Runs the instructions given in a thread without a stack, signals and waits for ever.
macro_rules! without_stack {
    ($($line:literal),+) => {
        naked_asm!(
            $($line,)+
            "movl ${signal}, %eax",
            "xorl %edx, %edx",
            "int $0x40",
            "2: movl ${receive}, %eax",
            "xorl %edx, %edx",
            "int $0x40",
            "jmp 2b",
            image = sym IMAGE,
            signal = const SIGNAL,
            receive = const RECEIVE,
            options(att_syntax),
        )
    };
}

#[unsafe(naked)]
unsafe extern "C" fn save() -> ! {
    without_stack!("fxsave {image}")
}

#[unsafe(naked)]
unsafe extern "C" fn save_environment() -> ! {
    without_stack!("fnstenv {image}")
}

#[unsafe(naked)]
unsafe extern "C" fn save_all() -> ! {
    without_stack!("fnsave {image}")
}

fn fill(place: u32) -> Outcome {
    Endpoint::<Native>::at(place).request(FILL, &[]).map(drop)
}

/// Words of the image: see APM vol. 2, figure 11-7. Control word 0x37f, all empty, MXCSR 0x1f80, the rest zero.
fn is_initial(image: &[u32; 128]) -> bool {
    let [control, pointers, mxcsr, registers] =
        [image[0] & 0xffff, image[1] & 0xffff_0000 | image[2] | image[3] | image[4], image[6], 0];
    let rest = image[8..72].iter().fold(registers, |all, word| all | word);
    control == 0x37f && image[0] >> 16 == 0 && image[1] & 0xff == 0 && pointers == 0 && mxcsr == 0x1f80 && rest == 0
}

fn at_start() -> Outcome {
    for partner in WITNESSES {
        fill(partner)?;
        let image = new_thread(save)?;
        must!(Native, is_initial(&image), "a new thread's vector state is {:x?}", &image[..40]);
    }
    Ok(())
}

fn after_call() -> Outcome {
    let variant = kit::variant::<Native>();
    let label = [FILL, FILL_SLOWLY][variant / WITNESSES.len()];
    let selector = Selector::new(Operation::Call, WITNESSES[variant % WITNESSES.len()]);
    for seed in 1..20 {
        let mut vectors = Vectors::pattern(seed);
        let before = vectors;
        let status = Native::hold_vectors(&mut vectors, selector, &mut Message::new(label, &[]), 10);
        Error::from_status(status)?;
        must!(Native, vectors == before, "vector registers became {vectors:x?}");
    }
    Ok(())
}

fn after_preemption() -> Outcome {
    for seed in 1..4 {
        let mut vectors = Vectors::pattern(seed);
        let before = vectors;
        let yielding = Selector::new(Operation::Yield, 0);
        Native::hold_vectors(&mut vectors, yielding, &mut Message::default(), 2_000_000);
        must!(Native, vectors == before, "vector registers became {vectors:x?}");
    }
    Ok(())
}

/// Where FXRSTOR finds no exception pending, AMD's leaves the pointers of the last x87 instruction alone.
fn x87_pointers() -> Outcome {
    for partner in WITNESSES {
        for start in [save_environment, save_all] {
            fill(partner)?;
            invoke::give_way::<Native>();
            let image = new_thread(start)?;
            // FIP, its selector and the opcode, FDP, its selector: words 3 to 6.
            must!(
                Native,
                image[3] == 0 && image[4] & 0x07ff_0000 == 0 && image[5] == 0,
                "the x87 environment is {:x?}",
                &image[..7]
            );
        }
    }
    Ok(())
}

/// A thread fills its registers and ends; nobody may own them then.
fn of_the_dead() -> Outcome {
    for _ in 0..4 {
        // SAFETY: nobody else uses the image now.
        unsafe { IMAGE.0.get().write_volatile([0xdead_dead; 128]) };
        // The dead is a thread of this task: what it left is found as well as another task's would be.
        let thread = kit::factory::<Native>().create_thread(kit::task(), kit::PRIORITY)?;
        thread.start(fill_and_wait as *const () as usize, 0x1_2344, [0, 0])?;
        kit::notification::<Native>().wait()?;
        kit::factory::<Native>().destroy(thread.place())?;
        let image = new_thread(save)?;
        must!(Native, is_initial(&image), "a new thread's vector state is {:x?}", &image[..40]);
    }
    Ok(())
}

/// Fills vector registers with what is in the image.
#[unsafe(naked)]
unsafe extern "C" fn fill_and_wait() -> ! {
    without_stack!("movups {image}, %xmm0", "movups {image}, %xmm3", "movups {image}, %xmm7", "fldl {image}")
}

/// In 32-bit code FXSAVE stores eight registers. What is behind them in the image stays as it was, or is zero.
fn upper_vectors() -> Outcome {
    const BEFORE: u32 = 0x0a11_ce00;
    #[repr(C, align(16))]
    struct Filled([u32; 128]);
    for partner in WITNESSES {
        fill(partner)?;
        let mut image = Filled([BEFORE; 128]);
        // SAFETY: the image is written.
        unsafe { asm!("fxsave [{}]", in(reg) &raw mut image) };
        for (at, word) in image.0.into_iter().enumerate().skip(72) {
            must!(
                Native,
                matches!(word, BEFORE | 0) && !is_secret(u64::from(word)),
                "word {at} of the image is {word:#x}"
            );
        }
    }
    Narrow::fill_vectors(&Vectors::default());
    Ok(())
}
