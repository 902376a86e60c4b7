//! A delivery that is a table.

use std::borrow::Cow;
use std::io::Read as _;

use deedtrail_core::limits::REQUEST_BYTES_MAX;
use deedtrail_core::port::mapper::FrameError;
use deedtrail_core::port::table::is_table;

use super::Delivery;
use crate::App;

impl App {
    /// The delivery's bytes, decompressed; those of a table as lines, no more than a body may have.
    pub(super) fn unpacked<'a>(
        &self,
        delivery: &Delivery<'a>,
    ) -> Result<Cow<'a, [u8]>, FrameError> {
        let body = self.ports.mapper.unpack(delivery.encoding, delivery.body)?;
        if !is_table(&body) {
            return Ok(body);
        }
        let unread = |error: &dyn std::error::Error| FrameError::Table(error.to_string());
        let lines = self.ports.tables.lines(body.into_owned());
        let lines = lines.map_err(|error| unread(&error))?;
        let limit_bytes = REQUEST_BYTES_MAX;
        let mut body = Vec::new();
        lines
            .take(limit_bytes as u64 + 1)
            .read_to_end(&mut body)
            .map_err(|error| unread(&error))?;
        if body.len() > limit_bytes {
            return Err(FrameError::TooLarge { limit_bytes });
        }
        Ok(Cow::Owned(body))
    }
}
