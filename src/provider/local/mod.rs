//! Hosts as containers on this machine.
