//! What somebody at the terminal finds beside the usual: `ps` and `top` that show which task is of what kind, its slot, its isolation and its
//! messages, by `/proc/lilliput`.

use anyhow::Result;

use super::job::ENVIRONMENT;
use super::tree::{Node, Tree};

/// Where they are, before all other programs of these names.
const FOLDER: &str = "usr/lilliput/bin";
const PS: &str = "#!/bin/sh\nexec cat /proc/lilliput\n";
/// Those that used the most time come first. With options it is the usual one.
const TOP: &str = r#"#!/bin/sh
[ $# = 0 ] || exec /bin/top "$@"
while :; do
    clear
    uptime
    free | sed 1,2!d
    sed 1q /proc/lilliput
    sed 1d /proc/lilliput | sort -rnk 13 | head -n 15
    sleep 2
done
"#;

/// What an interactive busybox runs at first: it would take programs of its own before any that it had to look for.
const PROFILE: &str = "alias ps=/usr/lilliput/bin/ps top=/usr/lilliput/bin/top\n";
const PROFILE_PLACE: &str = "usr/lilliput/profile";

/// Adds them, and lets them be found.
pub fn add(tree: &mut Tree, environment: &mut Vec<(String, String)>) -> Result<()> {
    for (name, text) in [("ps", PS), ("top", TOP)] {
        tree.put(&format!("{FOLDER}/{name}"), Node::program(text))?;
    }
    tree.put(PROFILE_PLACE, Node::file(PROFILE))?;
    if !environment.iter().any(|(name, _)| name == "ENV") {
        environment.insert(0, ("ENV".to_owned(), format!("/{PROFILE_PLACE}")));
    }
    if !environment.iter().any(|(name, _)| name == "PATH") {
        let usual = ENVIRONMENT.iter().find(|(name, _)| *name == "PATH").map_or("", |(_, path)| path);
        environment.insert(0, ("PATH".to_owned(), format!("/{FOLDER}:{usual}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_found_first_unless_somebody_says_where_to_look() {
        let (mut tree, mut environment) = (Tree::default(), Vec::new());
        add(&mut tree, &mut environment).unwrap();
        let path = "/usr/lilliput/bin:/bin:/sbin:/usr/bin:/usr/sbin";
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(environment, [pair("PATH", path), pair("ENV", "/usr/lilliput/profile")]);
        assert!(tree.get("usr/lilliput/bin/ps").is_some() && tree.get("usr/lilliput/profile").is_some());
        let said = [pair("PATH", "/x"), pair("ENV", "/y")];
        let mut own = said.to_vec();
        add(&mut tree, &mut own).unwrap();
        assert_eq!(own, said);
    }
}
