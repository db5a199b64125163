//! The local provider against a real Docker engine. It fails, rather than skip, where none answers.

mod balancing;
mod fixture;
mod hosts;
