//! fleet takes a container image or a Compose file to a fleet of immutable Flatcar hosts and rolls updates
//! through it one host at a time.

pub mod butane;
pub mod cli;
pub mod config;
pub mod credentials;
pub mod error;
pub mod event;
pub mod fit;
pub mod hooks;
pub mod iam;
pub mod inventory;
pub mod provider;
pub mod registry;
pub mod release;
pub mod render;
pub mod report;
mod resource;
pub mod rollout;
pub mod secrets;
pub mod ssh;
pub mod store;
pub mod yaml;
