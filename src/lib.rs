//! fleet takes a container image or a Compose file to a fleet of immutable Flatcar hosts and rolls updates
//! through it one host at a time.

pub mod butane;
pub mod cli;
pub mod config;
pub mod error;
pub mod event;
pub mod inventory;
pub mod provider;
pub mod registry;
pub mod release;
pub mod render;
pub mod report;
pub mod rollout;
pub mod ssh;
pub mod store;
pub mod yaml;
