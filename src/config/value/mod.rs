//! Single values and their notations, each in one file with its tests.

pub(crate) mod dollar;
pub(crate) mod duration;
pub(crate) mod image;
pub(crate) mod name;
pub(crate) mod number;
pub(crate) mod public_key;
pub(crate) mod share;
pub(crate) mod size;
pub(crate) mod words;

pub(crate) use duration::Span;
pub(crate) use image::Image;
pub(crate) use public_key::PublicKey;
pub(crate) use share::Hosts;
pub(crate) use size::Size;
pub(crate) use words::Words;
