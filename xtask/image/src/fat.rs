//! The file system of an image that boots by BIOS, as the boot loader's second stage reads it fast, and reads it at all.
//!
//! That stage asks the firmware for 16 KiB for each cluster, however small, and for the cluster's entry in the table. With the crate's clusters of 1 or 2 KiB a boot
//! reads an archive eight to sixteen times; in Bochs, whose disk seeks for 4 ms each time, that was half of a boot of the guest tests. So the files are put into large ones.
//!
//! It takes whatever has more sectors than 16 bits count (32 MiB) for FAT32, whose size of a table stands where FAT12 and FAT16 have the drive's number, a flag, and the
//! first byte of the volume's. If all of these are zero it goes on with the size that these have. They say nothing to anybody here: the flag is that a number and a label follow.

use std::fs::File;
use std::io::{Cursor, copy};
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use fatfs::{FileSystem, FormatVolumeOptions, FsOptions};

const SECTOR: usize = 512;
/// Where an entry of the table of partitions begins, and where its first sector and their number stand in it.
const PARTITIONS: usize = 446;
const ENTRY: usize = 16;
const FIRST_SECTOR: usize = 8;
const SECTORS: usize = 12;
/// The partition that has the files.
const FILES: usize = 1;
/// Bytes of a cluster: the most that everybody reads.
const CLUSTER: u32 = 32 << 10;

/// Lets the boot loader find its files in an image, however large that is, and read each piece once.
pub fn settle(image: &Path) -> Result<()> {
    let file = File::options().read(true).write(true).open(image)?;
    let mut sector = [0; SECTOR];
    file.read_exact_at(&mut sector, 0)?;
    let entry = &sector[PARTITIONS + FILES * ENTRY..];
    let number = |at: usize| u32::from_le_bytes([entry[at], entry[at + 1], entry[at + 2], entry[at + 3]]);
    let (first, sectors) = (number(FIRST_SECTOR), number(SECTORS));
    ensure!(first > 0, "there is no second partition");
    let start = u64::from(first) * SECTOR as u64;
    let mut volume = vec![0; sectors as usize * SECTOR];
    file.read_exact_at(&mut volume, start).context("the second partition is not whole")?;
    let mut volume = in_large_clusters(volume).context("the files can't be put into large clusters")?;
    settle_volume(&mut volume);
    Ok(file.write_all_at(&volume, start)?)
}

/// A volume of the same size with the same files, all of which lie in its root.
fn in_large_clusters(volume: Vec<u8>) -> Result<Vec<u8>> {
    let mut large = vec![0; volume.len()];
    fatfs::format_volume(Cursor::new(&mut large[..]), FormatVolumeOptions::new().bytes_per_cluster(CLUSTER))?;
    {
        let from = FileSystem::new(Cursor::new(volume), FsOptions::new())?;
        let to = FileSystem::new(Cursor::new(&mut large[..]), FsOptions::new())?;
        for entry in from.root_dir().iter() {
            let entry = entry?;
            ensure!(entry.is_file(), "{} is no file", entry.file_name());
            copy(&mut entry.to_file(), &mut to.root_dir().create_file(&entry.file_name())?)?;
        }
        to.unmount()?;
    }
    Ok(large)
}

/// Changes the first sector of a volume that would be taken for a FAT32 one.
fn settle_volume(volume: &mut [u8]) {
    let is_large = volume[19..21] == [0, 0];
    let is_fat32 = volume[22..24] == [0, 0];
    if is_large && !is_fat32 {
        volume[36..40].fill(0);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn only_a_large_volume_of_small_entries_is_changed() {
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

    /// An image with files in clusters of one sector, in its second partition.
    fn image(files: &[(&str, &[u8])]) -> Vec<u8> {
        const BYTES: usize = 2 << 20;
        let mut volume = vec![0; BYTES];
        let options = FormatVolumeOptions::new().bytes_per_cluster(SECTOR as u32);
        fatfs::format_volume(Cursor::new(&mut volume[..]), options).unwrap();
        let system = FileSystem::new(Cursor::new(&mut volume[..]), FsOptions::new()).unwrap();
        for (name, contents) in files {
            system.root_dir().create_file(name).unwrap().write_all(contents).unwrap();
        }
        system.unmount().unwrap();
        let mut bytes = vec![0xff; 2 * SECTOR];
        let entry = PARTITIONS + ENTRY;
        bytes[entry + FIRST_SECTOR..][..4].copy_from_slice(&2_u32.to_le_bytes());
        bytes[entry + SECTORS..][..4].copy_from_slice(&((BYTES / SECTOR) as u32).to_le_bytes());
        bytes.extend(volume);
        bytes
    }

    #[test]
    fn the_files_of_the_second_partition_are_the_same_in_large_clusters() {
        let long = (0..100_000_u32).flat_map(u32::to_le_bytes).collect::<Vec<_>>();
        let files: [(&str, &[u8]); 3] = [("kernel-x86_64", &long), ("ramdisk", b"r"), ("boot.json", b"")];
        let file = std::env::temp_dir().join(format!("lilliput-image-{}", std::process::id()));
        let before = image(&files);
        std::fs::write(&file, &before).unwrap();
        settle(&file).unwrap();
        let after = std::fs::read(&file).unwrap();
        let mut nowhere = before.clone();
        nowhere[PARTITIONS + ENTRY + FIRST_SECTOR..][..4].fill(0);
        std::fs::write(&file, &nowhere).unwrap();
        let refused = settle(&file).is_err();
        std::fs::remove_file(&file).unwrap();
        assert!(refused && after.len() == before.len() && after[..2 * SECTOR] == before[..2 * SECTOR]);
        let system = FileSystem::new(Cursor::new(after[2 * SECTOR..].to_vec()), FsOptions::new()).unwrap();
        assert_eq!((system.cluster_size(), system.root_dir().iter().count()), (CLUSTER, files.len()));
        for (name, contents) in files {
            let mut read = Vec::new();
            system.root_dir().open_file(name).unwrap().read_to_end(&mut read).unwrap();
            assert!(read == contents, "{name}");
        }
    }
}
