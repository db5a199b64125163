//! fleet

pub mod yaml;
