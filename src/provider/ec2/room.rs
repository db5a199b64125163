//! Where there may still be room for hosts: which instance type in which subnets. Pure.

use std::collections::BTreeSet;

/// What AWS has no more of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Full {
    /// Instances of this type in the zone of this subnet.
    Capacity {
        /// The instance type.
        instance_type: String,
        /// The subnet.
        subnet: String,
    },
    /// Addresses of this subnet, whatever the instance type.
    Addresses {
        /// The subnet.
        subnet: String,
    },
}

/// The instance types and subnets of a fleet, without those that turned out to be full.
#[derive(Debug, Clone)]
pub(super) struct Room {
    types: Vec<String>,
    subnets: Vec<String>,
    full: BTreeSet<(String, String)>,
}

impl Room {
    /// All of these types in all of these subnets, best first.
    pub(super) fn new(types: Vec<String>, subnets: Vec<String>) -> Self {
        Self { types, subnets, full: BTreeSet::new() }
    }

    /// Remembers that there is no room.
    pub(super) fn fill(&mut self, full: &Full) {
        match full {
            Full::Capacity { instance_type, subnet } => {
                self.full.insert((instance_type.clone(), subnet.clone()));
            }
            Full::Addresses { subnet } => {
                self.full.extend(self.types.iter().map(|kind| (kind.clone(), subnet.clone())));
            }
        }
    }

    /// The best type that may be had anywhere, and the subnets for it. Every subnet is tried before the next type.
    pub(super) fn anywhere(&self) -> Option<(&str, Vec<&str>)> {
        self.types.iter().find_map(|kind| {
            let free = self.subnets.iter().filter(|subnet| self.is_free(kind, subnet));
            let free: Vec<&str> = free.map(String::as_str).collect();
            (!free.is_empty()).then_some((kind.as_str(), free))
        })
    }

    /// The best type that may be had in one subnet.
    pub(super) fn within(&self, subnet: &str) -> Option<&str> {
        self.types.iter().map(String::as_str).find(|kind| self.is_free(kind, subnet))
    }

    fn is_free(&self, kind: &str, subnet: &str) -> bool {
        !self.full.iter().any(|(full, place)| full == kind && place == subnet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room() -> Room {
        let words = |words: [&str; 2]| words.map(str::to_owned).to_vec();
        Room::new(words(["t3", "t3a"]), words(["a", "b"]))
    }

    fn no_capacity(kind: &str, subnet: &str) -> Full {
        Full::Capacity { instance_type: kind.to_owned(), subnet: subnet.to_owned() }
    }

    #[test]
    fn every_subnet_is_tried_before_the_next_type() {
        let mut room = room();
        let mut order = Vec::new();
        while let Some((kind, subnets)) = room.anywhere() {
            order.push(format!("{kind} in {}", subnets.join(" ")));
            let full = no_capacity(kind, subnets[0]);
            room.fill(&full);
        }
        assert_eq!(order, ["t3 in a b", "t3 in b", "t3a in a b", "t3a in b"]);
    }

    #[test]
    fn a_subnet_without_addresses_is_none_for_any_type() {
        let mut room = room();
        room.fill(&Full::Addresses { subnet: "a".to_owned() });
        assert_eq!(room.anywhere(), Some(("t3", vec!["b"])));
        assert_eq!((room.within("a"), room.within("b")), (None, Some("t3")));
        room.fill(&no_capacity("t3", "b"));
        assert_eq!((room.anywhere(), room.within("b")), (Some(("t3a", vec!["b"])), Some("t3a")));
    }
}
