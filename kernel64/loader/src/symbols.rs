//! Names for addresses: the text of `kernel.sym`, lines of hexadecimal address, space, name.
//!
//! This is read while the kernel panics, so it makes do with whatever it finds: lines that are not of this form are
//! passed over, and their order does not matter.

/// The symbol that an address lies in, as far as one can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Symbol<'a> {
    /// Its name, without anything but what can be printed where the file is what it should be.
    pub name: &'a [u8],
    /// How far behind its start the address lies.
    pub offset: u64,
}

/// The nearest symbol at or below an address.
pub fn look_up(text: &[u8], address: u64) -> Option<Symbol<'_>> {
    let mut nearest: Option<Symbol<'_>> = None;
    for (start, name) in text.split(|byte| *byte == b'\n').filter_map(read_line) {
        let Some(offset) = address.checked_sub(start) else { continue };
        if nearest.is_none_or(|symbol| offset < symbol.offset) {
            nearest = Some(Symbol { name, offset });
        }
    }
    nearest
}

/// Byte by byte: the readers of numbers and text that core has are many times as long, and would stay for this alone.
fn read_line(line: &[u8]) -> Option<(u64, &[u8])> {
    let space = line.iter().position(|&byte| byte == b' ')?;
    let (address, name) = (line.get(..space)?, line.get(space + 1..)?);
    let mut start: u64 = 0;
    for &digit in address {
        start = start.checked_mul(16)? + u64::from(char::from(digit).to_digit(16)?);
    }
    (!address.is_empty() && !name.is_empty()).then_some((start, name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use std::format;
    use std::vec::Vec;

    const TEXT: &[u8] = b"ffffffff80000000 start\nffffffff80000100 lilliput::main\n\
        garbage\n 10\n\xff\xfe\nzz name\nffffffff80000200 <T as Trait>::method\n";

    #[test]
    fn the_nearest_symbol_below_is_found() {
        let name = |address| look_up(TEXT, address).map(|symbol| (symbol.name, symbol.offset));
        assert_eq!(name(0xffff_ffff_8000_0000), Some((b"start".as_slice(), 0)));
        assert_eq!(name(0xffff_ffff_8000_01ff), Some((b"lilliput::main".as_slice(), 0xff)));
        assert_eq!(name(u64::MAX), Some((b"<T as Trait>::method".as_slice(), 0x7fff_fdff)));
        assert_eq!(name(0xffff_ffff_7fff_ffff), None);
        assert_eq!(look_up(b"", 0), None);
    }

    proptest! {
        #[test]
        fn random_bytes_do_no_harm(text in proptest::collection::vec(any::<u8>(), 0..300), address: u64) {
            look_up(&text, address);
        }

        #[test]
        fn agrees_with_a_map(
            symbols in proptest::collection::btree_map(any::<u64>(), "[a-z]{1,5}", 0..20),
            noise in proptest::collection::vec("[ -~]{0,6}", 0..5),
            address: u64,
        ) {
            let noise = noise.iter().filter(|line| read_line(line.as_bytes()).is_none()).cloned();
            let lines = symbols.iter().rev().map(|(start, name)| format!("{start:x} {name}"));
            let text = lines.chain(noise).collect::<Vec<_>>().join("\n");
            let symbols: BTreeMap<_, _> = symbols;
            for address in symbols.keys().copied().chain([address]) {
                let expected = symbols.range(..=address).next_back();
                let expected = expected.map(|(start, name)| Symbol { name: name.as_bytes(), offset: address - start });
                prop_assert_eq!(look_up(text.as_bytes(), address), expected);
            }
        }
    }
}
