//! The whole `fleet.yaml`: how it may be written ([`RawFleet`]) and what it means (the model).

mod allow;
mod aws;
mod build;
mod capacity;
mod compose;
mod groups;
mod haproxy;
mod health;
mod hooks;
mod raw;
mod role;
mod secrets;
mod services;
mod settings;
mod state;
mod window;

pub(crate) use build::build;
pub(crate) use raw::RawFleet;
