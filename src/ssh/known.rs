//! Lists of known hosts that several machines learn and forget from. Pure.

use std::collections::{BTreeMap, BTreeSet};

/// What comes out of two lists that began as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Merged {
    /// The list that both should have.
    pub(super) text: String,
    /// Hosts that both sides know anew and by different keys. The list has what the others know.
    pub(super) disputed: Vec<String>,
}

/// Brings together what this machine and the others changed since they last agreed on `base`. A host that one side
/// forgot and the other left alone is forgotten; one that both changed is what the others say it is.
pub(super) fn merge(base: &str, ours: &str, theirs: &str) -> Merged {
    let (base, ours, theirs) = (by_host(base), by_host(ours), by_host(theirs));
    let names: BTreeSet<&str> =
        [&base, &ours, &theirs].into_iter().flat_map(|list| list.keys().copied()).collect();
    let mut text = String::new();
    let mut disputed = Vec::new();
    for name in names {
        let (was, our, their) = (base.get(name), ours.get(name), theirs.get(name));
        let both_changed = our != was && their != was && our != their;
        if both_changed && our.is_some() && their.is_some() {
            disputed.push(name.to_owned());
        }
        let lines = match our != was {
            // Forgotten elsewhere and learnt here: it was made anew, and here is what it is now.
            true if their == was || their.is_none() => our,
            _ => their,
        };
        for line in lines.into_iter().flatten() {
            text.push_str(line);
            text.push('\n');
        }
    }
    Merged { text, disputed }
}

/// The lines about each host, each line once.
fn by_host(text: &str) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut hosts: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let name = line.split(' ').next().unwrap_or(line);
        hosts.entry(name).or_default().insert(line);
    }
    hosts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn merged(base: &str, ours: &str, theirs: &str) -> String {
        let merged = merge(base, ours, theirs);
        assert_eq!(merged.disputed, Vec::<String>::new());
        merged.text
    }

    #[test]
    fn what_either_side_learnt_or_forgot_holds() {
        let base = "a k1\nb k2\n";
        assert_eq!(merged(base, "a k1\nb k2\nc k3\n", "a k1\nb k2\nd k4\n"), "a k1\nb k2\nc k3\nd k4\n");
        assert_eq!(merged(base, "b k2\n", base), "b k2\n", "forgotten here");
        assert_eq!(merged(base, base, "a k1\n"), "a k1\n", "forgotten there");
        assert_eq!(merged(base, "a new\nb k2\n", base), "a new\nb k2\n", "made anew here");
        assert_eq!(merged(base, base, "a new\nb k2\n"), "a new\nb k2\n", "made anew there");
        assert_eq!(
            merged(base, "b k2\n", "a new\nb k2\n"),
            "a new\nb k2\n",
            "forgotten here, made anew there"
        );
        assert_eq!(merged("", "a k1\n", "a k1\n"), "a k1\n");
    }

    #[test]
    fn a_host_with_two_keys_is_disputed_and_stays_what_the_others_know() {
        let merged = merge("", "a ours\n", "a theirs\n");
        assert_eq!(merged, Merged { text: "a theirs\n".into(), disputed: vec!["a".into()] });
        let merged = merge("a old\n", "a ours\n", "a theirs\n");
        assert_eq!(merged, Merged { text: "a theirs\n".into(), disputed: vec!["a".into()] });
    }

    proptest! {
        #[test]
        fn no_host_ends_with_the_keys_of_both_sides(
            base in "([abc] [12]\n){0,4}", ours in "([abc] [12]\n){0,4}", theirs in "([abc] [12]\n){0,4}",
        ) {
            let merged = merge(&base, &ours, &theirs);
            let (our, their) = (by_host(&ours), by_host(&theirs));
            for (name, lines) in by_host(&merged.text) {
                prop_assert!(our.get(name) == Some(&lines) || their.get(name) == Some(&lines));
            }
            let again = merge(&merged.text, &merged.text, &merged.text);
            prop_assert_eq!(again.text, merged.text);
        }
    }
}
