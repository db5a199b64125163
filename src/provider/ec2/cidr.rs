//! Which subnet a fixed private address belongs to. Pure.

use std::net::{IpAddr, Ipv4Addr};

/// A range of IPv4 addresses, such as `10.0.0.0/20`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cidr {
    first: u32,
    last: u32,
}

impl Cidr {
    /// Reads the usual notation.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, length) = text.split_once('/')?;
        let length: u32 = length.parse().ok().filter(|length| *length <= 32)?;
        let hosts = u32::MAX.checked_shr(length).unwrap_or(0);
        let first = u32::from(address.parse::<Ipv4Addr>().ok()?) & !hosts;
        Some(Self { first, last: first | hosts })
    }

    /// Whether the address is in the range.
    pub(super) fn holds(self, address: IpAddr) -> bool {
        matches!(address, IpAddr::V4(address) if (self.first..=self.last).contains(&u32::from(address)))
    }

    /// Whether AWS keeps the address for itself: the first four of a subnet and the last (VPC User Guide, "Subnet
    /// CIDR blocks").
    pub(super) fn reserves(self, address: IpAddr) -> bool {
        let IpAddr::V4(address) = address else { return false };
        let address = u32::from(address);
        (self.first..=self.last).contains(&address) && (address - self.first < 4 || address == self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_holds_what_is_in_it() {
        let cidr = Cidr::parse("10.0.16.0/20").unwrap();
        let at = |text: &str| text.parse::<IpAddr>().unwrap();
        for (address, holds, reserves) in [
            ("10.0.15.255", false, false),
            ("10.0.16.0", true, true),
            ("10.0.16.3", true, true),
            ("10.0.16.4", true, false),
            ("10.0.31.254", true, false),
            ("10.0.31.255", true, true),
            ("10.0.32.0", false, false),
            ("::1", false, false),
        ] {
            assert_eq!((cidr.holds(at(address)), cidr.reserves(at(address))), (holds, reserves), "{address}");
        }
        assert!(Cidr::parse("0.0.0.0/0").unwrap().holds(at("255.255.255.255")));
        assert!(Cidr::parse("10.0.0.1/32").unwrap().holds(at("10.0.0.1")));
    }

    #[test]
    fn what_is_no_range_is_none() {
        for text in ["", "10.0.0.0", "10.0.0.0/33", "10.0.0/8", "::/0", "10.0.0.0/-1"] {
            assert_eq!(Cidr::parse(text), None, "{text}");
        }
    }
}
