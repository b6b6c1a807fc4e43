//! Platforms on which processes cannot meet.

use std::sync::Arc;
use std::time::Duration;

use super::Role;
use crate::arena::{Arena, Expected};
use crate::error::Error;
use crate::memory::unsupported;

pub(crate) fn attach(
    _: &str,
    _: Role,
    _: &Expected,
    _: Option<Duration>,
    _: &mut dyn FnMut() -> Result<(), Error>,
) -> Result<Arena, Error> {
    Err(unsupported("connecting"))
}

pub(crate) enum Host {}

impl Host {
    pub(crate) fn start(
        _: Arena,
        _: Option<Duration>,
        _: &mut dyn FnMut() -> Result<(), Error>,
    ) -> Result<Host, Error> {
        Err(unsupported("hosting an arena"))
    }

    pub(crate) fn leave(&mut self) {
        match *self {}
    }

    pub(crate) fn arena(&self) -> &Arc<Arena> {
        match *self {}
    }
}
