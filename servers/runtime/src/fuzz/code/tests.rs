use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::fuzz::generate::Generator;

fn code(seed: u64, page: Word) -> Code {
    let mut generator = Generator::new(seed, 0x40_0000, true);
    let step = generator.step();
    Code::new(generator.random(), page, &step)
}

proptest! {
    #[test]
    fn code_fits_its_page(seed: u64) {
        let code = code(seed, kit::SCRATCH);
        prop_assert!(code.offset >= DATA_WORDS * size_of::<Word>());
        prop_assert!(code.length <= MOST && code.offset + code.length <= kit::PAGE);
        let ends_invalid = code.bytes[..code.length].ends_with(&INVALID);
        prop_assert!(ends_invalid || code.offset + code.length == kit::PAGE, "code that nothing ends");
    }

    #[test]
    fn a_seed_repeats_its_code(seed: u64) {
        let (one, other) = (code(seed, kit::SCRATCH), code(seed, kit::SCRATCH));
        prop_assert_eq!((one.bytes, one.data, one.offset, one.sure), (other.bytes, other.data, other.offset, other.sure));
    }
}

#[test]
fn every_instruction_comes_last() {
    let kinds: BTreeSet<usize> = (0..2000).map(|seed| code(seed, kit::SCRATCH).finale as usize).collect();
    assert_eq!(kinds.len(), Finale::ALL.len());
    assert!((0..200).any(|seed| code(seed, kit::SCRATCH).sure) && (0..200).any(|seed| !code(seed, kit::SCRATCH).sure));
}

#[test]
fn loads_are_encoded_as_the_manual_says() {
    let mut code = Assembler::new();
    code.load(register::BX, 0x1122_3344);
    code.load(9, 5);
    code.load_segment(Segment::Ds, 0x23);
    code.with_memory(&[0xff], 5, 0x20_0010);
    // REX.W, and REX.B for registers from 8 on (AMD64 APM vol. 3, 1.2.7).
    let expected = [
        &[0x48, 0xbb, 0x44, 0x33, 0x22, 0x11, 0, 0, 0, 0][..],
        &[0x49, 0xb9, 5, 0, 0, 0, 0, 0, 0, 0],
        &[0x66, 0xb8, 0x23, 0, 0x8e, 0xd8],
        &[0xff, 0x2c, 0x25, 0x10, 0, 0x20, 0],
    ]
    .concat();
    assert_eq!(&code.bytes_so_far(), &expected);
}
