//! fleet

pub mod butane;
pub mod yaml;
