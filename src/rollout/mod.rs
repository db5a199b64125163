//! Bringing a fleet to a release: pure decisions (`plan`, `phase`, `health`, `change`) and the effects that follow.

pub mod assemble;
pub mod bundle;
pub mod change;
pub mod converge;
pub mod engine;
pub mod error;
pub mod health;
pub mod phase;
pub mod plan;
pub mod rows;
pub mod scale;

pub use error::RollError;
