//! The whole `fleet.yaml`: how it may be written ([`RawFleet`]) and what it means (the model).

mod aws;
mod build;
mod compose;
mod groups;
mod health;
mod raw;
mod services;
mod settings;

pub(crate) use build::build;
pub(crate) use raw::RawFleet;
