//! Which host goes into which subnet. Pure.

use std::collections::BTreeMap;

/// A subnet for each of `count` hosts: the one that has the fewest of their kind, the first in the list among equals.
/// `taken` says how many there are already. Without subnets the answer is empty.
pub(super) fn spread<'s>(count: usize, subnets: &[&'s str], taken: &BTreeMap<String, usize>) -> Vec<&'s str> {
    let mut load: Vec<(usize, &str)> =
        subnets.iter().map(|subnet| (taken.get(*subnet).copied().unwrap_or(0), *subnet)).collect();
    let choose = |_| {
        let least = load.iter_mut().min_by_key(|(hosts, _)| *hosts)?;
        least.0 += 1;
        Some(least.1)
    };
    (0..count).filter_map(choose).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_go_in_turn_and_fill_what_is_emptier() {
        let two = ["a", "b"];
        assert_eq!(spread(5, &two, &BTreeMap::new()), ["a", "b", "a", "b", "a"]);
        let taken = BTreeMap::from([("a".to_owned(), 3), ("gone".to_owned(), 9)]);
        assert_eq!(spread(3, &two, &taken), ["b", "b", "b"]);
        assert!(spread(3, &[], &taken).is_empty());
    }
}
