//! The Flatcar variant of Butane as a pure library: YAML in, Ignition JSON and a report out.
//!
//! It accepts and refuses what Butane v0.29.0 does and points at the same places. The way of a config:
//!
//! 1. [`header`]: variant and version choose the [`Spec`];
//! 2. [`decode`]: YAML to a tree after the tables in [`schema`], unknown keys warned of in [`unused`];
//! 3. [`source`]: what Butane itself demands of its sugar;
//! 4. [`desugar`]: local files, trees, mount units and the like become plain Ignition, and [`origin`] remembers where
//!    each piece came from;
//! 5. [`ignition`]: Ignition's own rules on the result, told in places of the source;
//! 6. [`boot`]: what the reference takes and a host does not, in a report of its own.
//!
//! One tree of values ([`value`]) serves both languages, because Ignition's configs and Butane's differ in the names
//! of keys and in the sugar only; the tables name both.

mod boot;
mod command;
mod decode;
mod desugar;
mod embedded;
mod filesource;
mod filter;
mod go_url;
mod header;
mod ignition;
mod include;
mod json;
mod merge;
mod origin;
mod path;
mod place;
mod places;
mod report;
mod schema;
mod source;
mod spec;
mod transpile;
mod unused;
mod value;

pub use command::{Request, Response, run_butane};
pub use filesource::{DirectorySource, FileError, FileSource, TreeEntry, TreeNode};
pub use include::{IncludeError, Reason as IncludeReason, Source, with_included};
pub use json::to_canonical_json;
pub use merge::{Conflict, Merged, Part, Spot, merge};
pub use report::{Diagnostic, Entry, Report, Severity, Stage};
pub use spec::Spec;
pub use transpile::{Options, Outcome, transpile};
