//! The file system of an image that boots by BIOS, where the boot loader takes it for another.
//!
//! Its second stage takes whatever has more sectors than 16 bits count (32 MiB) for FAT32, whose size of a table stands where FAT16 has the drive's number, a flag, and the
//! first byte of the volume's. If all of these are zero it goes on with FAT16's size. They say nothing to anybody here: the flag is that a number and a label follow.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::{Context, Result, ensure};

const SECTOR: usize = 512;
/// Where an entry of the table of partitions begins, and where its first sector stands in it.
const PARTITIONS: usize = 446;
const ENTRY: usize = 16;
const FIRST_SECTOR: usize = 8;
/// The partition that has the files.
const FILES: usize = 1;

/// Lets the boot loader find its files in an image, however large that is.
pub fn settle(image: &Path) -> Result<()> {
    let file = File::options().read(true).write(true).open(image)?;
    let mut sector = [0; SECTOR];
    file.read_exact_at(&mut sector, 0)?;
    let at = PARTITIONS + FILES * ENTRY + FIRST_SECTOR;
    let first = u32::from_le_bytes([sector[at], sector[at + 1], sector[at + 2], sector[at + 3]]);
    ensure!(first > 0, "there is no second partition");
    let start = u64::from(first) * SECTOR as u64;
    file.read_exact_at(&mut sector, start).context("the second partition is not whole")?;
    settle_volume(&mut sector);
    Ok(file.write_all_at(&sector, start)?)
}

/// Changes the first sector of a FAT16 volume that would be taken for a FAT32 one.
fn settle_volume(sector: &mut [u8; SECTOR]) {
    let is_large = sector[19..21] == [0, 0];
    let is_fat32 = sector[22..24] == [0, 0];
    if is_large && !is_fat32 {
        sector[36..40].fill(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_large_volume_of_16_bits_is_changed() {
        let volume = |few: u16, table: u16| {
            let mut sector = [0xff; SECTOR];
            sector[19..21].copy_from_slice(&few.to_le_bytes());
            sector[22..24].copy_from_slice(&table.to_le_bytes());
            sector
        };
        for (few, table, is_changed) in [(40_000, 100, false), (0, 0, false), (0, 152, true)] {
            let before = volume(few, table);
            let mut after = before;
            settle_volume(&mut after);
            assert_eq!(after[36..40] == [0; 4], is_changed, "{few} sectors, {table} of a table");
            assert!(before[..36] == after[..36] && before[40..] == after[40..]);
        }
    }

    #[test]
    fn the_volume_is_where_the_second_partition_is() {
        let image = std::env::temp_dir().join(format!("lilliput-image-{}", std::process::id()));
        let mut bytes = vec![0xff; 4 * SECTOR];
        bytes[PARTITIONS + ENTRY + FIRST_SECTOR..][..4].copy_from_slice(&2_u32.to_le_bytes());
        bytes[2 * SECTOR + 19..][..2].fill(0);
        std::fs::write(&image, &bytes).unwrap();
        settle(&image).unwrap();
        let mut wanted = bytes.clone();
        wanted[2 * SECTOR + 36..][..4].fill(0);
        let after = std::fs::read(&image).unwrap();
        bytes[PARTITIONS + ENTRY + FIRST_SECTOR..][..4].fill(0);
        std::fs::write(&image, &bytes).unwrap();
        let refused = settle(&image).is_err();
        std::fs::remove_file(&image).unwrap();
        assert!(after == wanted && refused);
    }
}
