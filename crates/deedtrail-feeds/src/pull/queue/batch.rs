//! Messages that are taken in together.

use std::borrow::Cow;

use deedtrail_app::intake::{IngestError, Shipped};
use deedtrail_core::id::SourceName;
use deedtrail_core::port::mapper::Encoding;

use crate::pull::way::{Refused, Untaken, Way, is_passing};

/// One message.
pub(super) struct Item {
    /// The same whenever it is delivered.
    pub(super) id: String,
    pub(super) labels: Vec<String>,
    pub(super) message: async_nats::Message,
}

pub(super) struct Batch {
    pub(super) items: Vec<Item>,
    pub(super) way: Way,
    pub(super) protocol: SourceName,
}

impl Batch {
    /// Blocks until everything is durable. What can never be taken is told, and passed over.
    pub(super) fn take(&self) -> Result<(), Untaken> {
        match self.take_some(&self.items) {
            Ok(()) => return Ok(()),
            Err(error) if is_passing(&error) => return Err(error.into()),
            Err(error) => {
                tracing::debug!(%error, "a batch is taken in one by one");
            }
        }
        for item in &self.items {
            match self.take_some(std::slice::from_ref(item)) {
                Err(error) if is_passing(&error) => return Err(error.into()),
                Err(error) => self.refuse(item, &error),
                Ok(()) => {}
            }
        }
        Ok(())
    }

    fn take_some(&self, items: &[Item]) -> Result<(), IngestError> {
        let bodies: Vec<Cow<'_, [u8]>> = items.iter().map(|item| self.body(item)).collect();
        let mut records = Vec::with_capacity(items.len());
        for (item, body) in items.iter().zip(&bodies) {
            self.records(item, body, &mut records)?;
        }
        let count = records.len() as u64;
        let bytes = bodies.iter().map(|body| body.len() as u64).sum();
        let (app, principal) = (&self.way.app, &self.way.principal);
        app.ingest_shipped(principal, &self.protocol, records)?;
        self.way.count(count, bytes);
        Ok(())
    }

    /// Unpacked; what does not unpack is a record as it is, and waits in quarantine.
    fn body<'a>(&self, item: &'a Item) -> Cow<'a, [u8]> {
        let mapper = &self.way.app.ports.mapper;
        let unpacked = mapper.unpack(Encoding::Identity, &item.message.payload);
        unpacked.unwrap_or(Cow::Borrowed(&item.message.payload))
    }

    /// A message holds one record, or several lines of them.
    fn records<'a>(
        &self,
        item: &Item,
        body: &'a [u8],
        records: &mut Vec<Shipped<'a>>,
    ) -> Result<(), IngestError> {
        let pieces = self.way.app.ports.mapper.pieces(body)?;
        let is_one = pieces.len() == 1;
        for (piece, number) in pieces.into_iter().zip(1..) {
            let id = if is_one {
                item.id.clone()
            } else {
                format!("{}:{number}", item.id)
            };
            let mut shipped = Shipped::labelled(piece, item.labels.clone());
            shipped.id = Some(id.into());
            records.push(shipped);
        }
        Ok(())
    }

    fn refuse(&self, item: &Item, error: &IngestError) {
        let place = format!("{} of subject {}", item.id, item.message.subject);
        let refused = Refused {
            bytes: item.message.payload.len() as u64,
            hash: blake3::hash(&item.message.payload),
            reason: error,
        };
        self.way.refuse(&place, &refused);
    }
}
