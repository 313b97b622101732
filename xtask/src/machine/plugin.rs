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
    /// What it looks at.
    pub watched: Watched,
}

/// What a plugin looks at.
#[derive(Clone, Debug)]
pub enum Watched {
    /// Each instruction and access, between marks.
    All {
        /// Where the kernel's table of descriptors is.
        descriptors: Range<u64>,
        /// Whose kernel it is, by the plugin's name for what it maps by large pages.
        layout: &'static str,
    },
    /// How long the kernel keeps interrupts off.
    Passes {
        /// The code that only boot executes.
        boot: Range<u64>,
    },
}

impl Plugin {
    /// The option's value, for a boot in this folder.
    pub fn option(&self, folder: &Path) -> Result<String> {
        let (library, output) = (escaped(&self.library)?, escaped(&Self::output(folder))?);
        Ok(match &self.watched {
            Watched::All { descriptors: Range { start, end }, layout } => {
                format!("file={library},out={output},descriptors={start:x}-{end:x},layout={layout}")
            }
            Watched::Passes { boot: Range { start, end } } => {
                format!("file={library},passes={output},boot={start:x}-{end:x}")
            }
        })
    }

    /// What it writes in a boot in this folder: a line of JSON for each way of each batch, or each kind of pass.
    pub fn output(folder: &Path) -> PathBuf {
        folder.join(OUTPUT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_in_names_are_doubled() {
        let plugin = Plugin {
            library: "/a,b/c.so".into(),
            watched: Watched::All { descriptors: 0xffff_0040..0xffff_0080, layout: "linux" },
        };
        let expected = "file=/a,,b/c.so,out=/f/counts.jsonl,descriptors=ffff0040-ffff0080,layout=linux";
        assert_eq!(plugin.option(Path::new("/f")).unwrap(), expected);
    }
}
