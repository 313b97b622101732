//! Finds out from which mirror this machine gets its Debian packages.

use std::fs;
use std::path::Path;

/// A source of packages, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The archive's address.
    pub uri: String,
    /// File with the keys that sign it, where the entry names one.
    pub keys: Option<String>,
}

/// An entry in either format.
#[derive(Debug, Default)]
struct Entry {
    kinds: Vec<String>,
    uris: Vec<String>,
    suites: Vec<String>,
    components: Vec<String>,
    keys: Option<String>,
    disabled: bool,
}

/// The archive of the system itself, out of all sources that the machine is set up with.
///
/// `etc` is `/etc` but for tests.
pub fn system_archive(etc: &Path) -> Option<Source> {
    let release = fs::read_to_string(etc.join("os-release")).unwrap_or_default();
    let codename = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="))?.trim_matches('"');
    let mut files: Vec<_> =
        fs::read_dir(etc.join("apt/sources.list.d")).into_iter().flatten().flatten().map(|file| file.path()).collect();
    files.sort();
    files.insert(0, etc.join("apt/sources.list"));
    let entries = files.iter().flat_map(|file| {
        let text = fs::read_to_string(file).unwrap_or_default();
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("list") => text.lines().filter_map(one_line).collect(),
            Some("sources") => stanzas(&text),
            _ => Vec::new(),
        }
    });
    entries.filter(|entry| entry.serves(codename)).find_map(Entry::source)
}

impl Entry {
    /// Whether this is where packages of the release come from. Other people's archives use its name for
    /// their own suites too, but not for a component `main` beside it.
    fn serves(&self, codename: &str) -> bool {
        let named = |names: &[String], name: &str| names.iter().any(|candidate| candidate == name);
        !self.disabled
            && named(&self.kinds, "deb")
            && named(&self.components, "main")
            && (named(&self.suites, codename) || named(&self.suites, "stable"))
    }

    fn source(self) -> Option<Source> {
        let uri = self.uris.into_iter().next()?;
        Some(Source { uri: uri.trim_end_matches('/').to_owned(), keys: self.keys })
    }
}

/// Reads `deb [option=value ...] uri suite component ...`.
fn one_line(line: &str) -> Option<Entry> {
    let line = line.split('#').next()?.trim();
    let (kind, rest) = line.split_once(char::is_whitespace)?;
    let rest = rest.trim_start();
    let (options, rest) = match rest.strip_prefix('[') {
        Some(bracketed) => bracketed.split_once(']')?,
        None => ("", rest),
    };
    let keys = options.split_whitespace().find_map(|option| option.strip_prefix("signed-by="));
    let mut words = rest.split_whitespace().map(str::to_owned);
    Some(Entry {
        kinds: vec![kind.to_owned()],
        uris: vec![words.next()?],
        suites: vec![words.next()?],
        components: words.collect(),
        keys: keys.map(str::to_owned),
        disabled: false,
    })
}

/// Reads stanzas of `Field: values`, with an empty line between two.
fn stanzas(text: &str) -> Vec<Entry> {
    let mut entries = vec![Entry::default()];
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if line.trim().is_empty() {
            entries.push(Entry::default());
        } else if let (Some((field, value)), Some(entry)) = (line.split_once(':'), entries.last_mut()) {
            entry.set(field, value.trim());
        }
    }
    entries
}

impl Entry {
    fn set(&mut self, field: &str, value: &str) {
        let words = || value.split_whitespace().map(str::to_owned).collect();
        match field.to_ascii_lowercase().as_str() {
            "types" => self.kinds = words(),
            "uris" => self.uris = words(),
            "suites" => self.suites = words(),
            "components" => self.components = words(),
            // The keys may also stand there themselves; then apt's usual ones have to do.
            "signed-by" => self.keys = Some(value.to_owned()).filter(|keys| keys.starts_with('/')),
            "enabled" => self.disabled = value.eq_ignore_ascii_case("no"),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn system(files: &[(&str, &str)]) -> Option<Source> {
        let etc = tempfile::tempdir().unwrap();
        fs::create_dir_all(etc.path().join("apt/sources.list.d")).unwrap();
        fs::write(etc.path().join("os-release"), "ID=debian\nVERSION_CODENAME=bookworm\n").unwrap();
        for (name, text) in files {
            fs::write(etc.path().join("apt").join(name), text).unwrap();
        }
        system_archive(etc.path())
    }

    #[test]
    fn reads_lines() {
        let text = "# comment\ndeb-src http://a/debian bookworm main\n\
                    deb [arch=amd64 signed-by=/k.gpg] http://mirror/debian/ bookworm main contrib # here\n";
        let source = system(&[("sources.list", text)]).unwrap();
        assert_eq!(source, Source { uri: "http://mirror/debian".into(), keys: Some("/k.gpg".into()) });
    }

    #[test]
    fn reads_stanzas_past_other_peoples() {
        let others = "deb https://vendor/linux/debian bookworm stable\ndeb https://cloud/apt sdk-bookworm main\n";
        let own = "Types: deb\nURIs: http://off/debian\nSuites: bookworm\nComponents: main\nEnabled: no\n\n\
                   Types: deb\n# snapshot\nURIs: http://mirror/debian\nSuites: bookworm bookworm-updates\n\
                   Components: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n\n\
                   Types: deb\nURIs: http://mirror/debian-security\nSuites: bookworm-security\nComponents: main\n";
        let files = [("sources.list.d/a.list", others), ("sources.list.d/debian.sources", own)];
        let source = system(&files).unwrap();
        assert_eq!(source.uri, "http://mirror/debian");
        assert_eq!(source.keys.as_deref(), Some("/usr/share/keyrings/debian-archive-keyring.gpg"));
    }

    #[test]
    fn ignores_other_files_and_nothing() {
        let entry = "deb http://mirror/debian bookworm main\n";
        assert_eq!(system(&[("sources.list.d/old.list.disabled", entry)]), None);
        assert_eq!(system(&[]), None);
    }
}
