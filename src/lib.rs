//! fleet takes a container image or a Compose file to a fleet of immutable Flatcar hosts and rolls updates
//! through it one host at a time.

pub mod config;
pub mod yaml;
