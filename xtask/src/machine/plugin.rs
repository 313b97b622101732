//! The plugin that counts, as the emulator loads it: see `xtask/plugin`.

use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::escaped;

/// Name in a boot's folder of what the plugin writes.
const OUTPUT: &str = "counts.jsonl";

/// A plugin with what it has to know.
#[derive(Clone, Debug)]
pub struct Plugin {
    /// The library.
    pub library: PathBuf,
    /// Where the kernel's table of descriptors is.
    pub descriptors: Range<u64>,
    /// Whose kernel it is, by the plugin's name for what it maps by large pages.
    pub layout: &'static str,
}

impl Plugin {
    /// The option's value, for a boot in this folder.
    pub fn option(&self, folder: &Path) -> Result<String> {
        let (Range { start, end }, layout) = (self.descriptors.clone(), self.layout);
        let (library, output) = (escaped(&self.library)?, escaped(&Self::output(folder))?);
        Ok(format!("file={library},out={output},descriptors={start:x}-{end:x},layout={layout}"))
    }

    /// What it writes in a boot in this folder: a line of JSON for each way of each batch.
    pub fn output(folder: &Path) -> PathBuf {
        folder.join(OUTPUT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_in_names_are_doubled() {
        let plugin = Plugin { library: "/a,b/c.so".into(), descriptors: 0xffff_0040..0xffff_0080, layout: "linux" };
        let expected = "file=/a,,b/c.so,out=/f/counts.jsonl,descriptors=ffff0040-ffff0080,layout=linux";
        assert_eq!(plugin.option(Path::new("/f")).unwrap(), expected);
    }
}
