//! One service in Compose's words: how it may be written ([`RawService`]) and what it means (the model).
//!
//! The forms are those of the Compose specification, section "Services top-level elements".

mod build;
mod deploy;
mod env;
mod env_file;
mod env_grammar;
mod healthcheck;
mod hosts;
mod kernel;
mod mount;
mod pairs;
mod port;
mod raw;
mod refused;
mod restart;
mod secret;

pub(crate) use build::build;
pub(crate) use env_file::value as env_file_value;
pub(crate) use port::overlap;
pub(crate) use raw::{RawService, Services};
pub(crate) use refused::refused_at_top;
