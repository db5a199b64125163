//! Words that no one else has.

use std::hash::{BuildHasher as _, RandomState};

/// 32 hexadecimal digits that nobody had before: the standard library seeds its hashers from the system's randomness.
pub fn nonce() -> String {
    let half = |salt: u8| RandomState::new().hash_one(salt);
    format!("{:016x}{:016x}", half(0), half(1))
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_two_are_alike() {
        assert_ne!(super::nonce(), super::nonce());
    }
}
