//! Bringing a fleet to a release: pure decisions (`plan`, `phase`, `health`, `change`) and the effects that follow.

pub mod account;
pub mod assemble;
pub mod bundle;
pub mod change;
pub mod converge;
pub mod engine;
pub mod error;
pub mod forecast;
pub mod health;
mod no_wait;
pub mod os;
pub mod phase;
pub mod plan;
pub mod preview;
pub mod replace;
pub mod rows;
pub mod scale;
pub mod simulate;
pub mod strategy;

pub use error::RollError;
