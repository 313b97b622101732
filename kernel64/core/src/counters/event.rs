//! Which event of which processor is what is counted. An event stands here only where its number is sure; what has none is not counted there.

use lilliput_abi::object::counter;

/// Whose processor it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maker {
    Intel,
    Amd,
}

impl Maker {
    /// By the words EBX, EDX, ECX of CPUID's leaf 0.
    pub fn of(words: [u32; 3]) -> Option<Self> {
        let word =
            |name: &[u8; 12], at: usize| u32::from_le_bytes([name[at], name[at + 1], name[at + 2], name[at + 3]]);
        let is = |name: &[u8; 12]| words == [word(name, 0), word(name, 4), word(name, 8)];
        if is(b"GenuineIntel") {
            return Some(Self::Intel);
        }
        (is(b"AuthenticAMD") || is(b"HygonGenuine")).then_some(Self::Amd)
    }
}

/// An event and its unit mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Select(pub u8, pub u8);

impl Select {
    /// The bits of an event select.
    pub const fn bits(self) -> u64 {
        self.0 as u64 | (self.1 as u64) << 8
    }
}

/// Events by the numbers of [`counter`].
pub type Events = [Option<Select>; counter::COUNT];

/// Family and model, of which the upper parts are added (CPUID leaf 1, EAX).
fn family_and_model(cpuid: &dyn Fn(u32, u32) -> [u32; 4]) -> (u32, u32) {
    let a = cpuid(1, 0)[0];
    let (family, model) = (a >> 8 & 0xf, a >> 4 & 0xf);
    let extended = family == 6 || family == 0xf;
    (family + if family == 0xf { a >> 20 & 0xff } else { 0 }, model | if extended { a >> 12 & 0xf0 } else { 0 })
}

/// INST_RETIRED.ANY_P and CPU_CLK_UNHALTED.CORE are architectural (Intel SDM vol. 3, "Pre-defined Architectural Performance Events"). Of the others, as
/// Intel's list of events (perfmon-events.intel.com) has them:
///
/// - Skylake and what goes by its events (06_4E, 5E, 55, 8E, 9E, A5, A6): `DTLB_LOAD_MISSES.WALK_COMPLETED` 08/0E,
///   `DTLB_STORE_MISSES.WALK_COMPLETED` 49/0E, `ITLB_MISSES.WALK_COMPLETED` 85/0E, `L2_RQSTS.MISS` 24/3F.
/// - Golden Cove (06_8F, CF; 97, 9A, B7, BA, BF where leaf 0x1A says that this core is one of the large ones): the same of 12/0E, 13/0E, 11/0E and
///   24/3F.
pub fn intel(cpuid: &dyn Fn(u32, u32) -> [u32; 4]) -> Events {
    const CACHE: Select = Select(0x24, 0x3f);
    let of = |walks: [u8; 3]| [Select(walks[0], 0xe), Select(walks[1], 0xe), Select(walks[2], 0xe), CACHE].map(Some);
    let is_large = || cpuid(0, 0)[0] >= 0x1a && cpuid(0x1a, 0)[0] >> 24 == 0x40;
    let [loads, stores, code, cache] = match family_and_model(cpuid) {
        (6, 0x4e | 0x5e | 0x55 | 0x8e | 0x9e | 0xa5 | 0xa6) => of([0x08, 0x49, 0x85]),
        (6, 0x8f | 0xcf) => of([0x12, 0x13, 0x11]),
        (6, 0x97 | 0x9a | 0xb7 | 0xba | 0xbf) if is_large() => of([0x12, 0x13, 0x11]),
        _ => [None; 4],
    };
    [Some(Select(0xc0, 0)), Some(Select(0x3c, 0)), loads, stores, code, cache]
}

/// PMCx0C0 counts retired instructions, PMCx076 cycles while not halted, since family 10h. Of the others, as AMD's "Processor Programming Reference" of family
/// 17h, models 30h and on (Zen 2), and of family 19h (Zen 3 and 4), has them: PMCx045 is a miss of the first data TLB, of whose unit mask bits 7:4 are those
/// that miss the second one too, of each page size, by loads and stores alike; PMCx085 an instruction fetch that misses both (bits 2:0, of Zen 3 and 4
/// 3:0); PMCx064 what the second level of cache was asked for, of whose mask bits 3 and 0 are its misses for data and for code.
pub fn amd(cpuid: &dyn Fn(u32, u32) -> [u32; 4]) -> Events {
    let [data, code, cache] = match family_and_model(cpuid) {
        (0x17, 0x30..) => [Select(0x45, 0xf0), Select(0x85, 0x07), Select(0x64, 0x09)].map(Some),
        (0x19, _) => [Select(0x45, 0xf0), Select(0x85, 0x0f), Select(0x64, 0x09)].map(Some),
        _ => [None; 3],
    };
    [Some(Select(0xc0, 0)), Some(Select(0x76, 0)), data, None, code, cache]
}
