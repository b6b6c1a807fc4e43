//! Platforms on which schemas and the derive work and connecting is a typed error.
//!
//! A segment or a process cannot exist there, so whatever would need one cannot be reached, and the compiler knows.

use std::io::Write;
use std::process::{Command, ExitStatus};
use std::ptr::NonNull;
use std::time::Duration;

use super::SegmentOptions;
use crate::error::Error;

/// The error of everything that would connect.
pub(crate) fn unsupported(what: &str) -> Error {
    Error::Unsupported { what: what.to_owned(), needs: "5.14 or newer" }
}

#[derive(Debug)]
pub(crate) enum Segment {}

impl Segment {
    pub(crate) fn create(
        _: &str,
        _: usize,
        _: SegmentOptions,
        _: &mut dyn FnMut() -> Result<(), Error>,
    ) -> Result<Segment, Error> {
        Err(unsupported("shared memory"))
    }

    pub(crate) fn base(&self) -> NonNull<u8> {
        match *self {}
    }

    pub(crate) fn len(&self) -> usize {
        match *self {}
    }

    pub(crate) fn inode(&self) -> Result<u64, Error> {
        match *self {}
    }
}

#[derive(Debug)]
pub(crate) enum ForkFlag {}

impl ForkFlag {
    pub(crate) fn new() -> Result<ForkFlag, Error> {
        Err(unsupported("telling a forked child from its parent"))
    }

    pub(crate) fn in_child(&self) -> bool {
        match *self {}
    }
}

#[derive(Debug)]
pub(crate) enum Process {}

impl Process {
    pub(crate) fn has_ended(&self) -> bool {
        match *self {}
    }
}

#[derive(Debug)]
pub(crate) enum Alarm {}

impl Alarm {
    pub(crate) fn new() -> std::io::Result<Alarm> {
        Err(std::io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn raise(&self) {
        match *self {}
    }

    pub(crate) fn wait(&self, _: Duration) {
        match *self {}
    }
}

#[derive(Debug)]
pub(crate) enum Attended {}

/// Writes a line to this process's standard error.
pub(crate) fn say_line(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

impl Attended {
    pub(crate) fn spawn(_: &mut Command) -> std::io::Result<Attended> {
        Err(std::io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn id(&self) -> u32 {
        match *self {}
    }

    pub(crate) fn wait(&mut self, _: Option<&Alarm>, _: Duration) -> std::io::Result<Option<ExitStatus>> {
        match *self {}
    }

    pub(crate) fn ask_to_stop(&self) {
        match *self {}
    }

    pub(crate) fn kill(&mut self) -> std::io::Result<ExitStatus> {
        match *self {}
    }

    pub(crate) fn tail(&self) -> String {
        match *self {}
    }
}

pub(crate) fn identity() -> String {
    String::new()
}

pub(crate) fn monotonic_ns() -> u64 {
    0
}

pub(crate) fn precise_monotonic_ns() -> u64 {
    0
}

pub(crate) fn random_bytes() -> Result<[u8; 16], Error> {
    Err(unsupported("hosting an arena"))
}

pub(crate) fn user_id() -> u32 {
    0
}

pub(crate) fn command_of(_: u32) -> String {
    String::new()
}
