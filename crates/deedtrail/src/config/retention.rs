//! `[retention]`: how long events stay in the archive.

use std::collections::BTreeMap;

use anyhow::Context as _;
use deedtrail_app::retention::Retention;
use deedtrail_core::id::SourceName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[retention]`.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(inline)]
pub(crate) struct RetentionConfig {
    /// Days after which events leave; without it they stay.
    #[schemars(range(min = 1, max = 36_500), example = &400)]
    pub(crate) days: Option<u32>,
    /// Days of some sources, such as `"aws.cloudtrail" = 400`; they win over `days`. From 1 to 36500,
    /// or 0: they stay.
    pub(crate) sources: BTreeMap<String, Days>,
}

/// So many days.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub(crate) struct Days(#[schemars(range(min = 0, max = 36_500))] pub(crate) u32);

impl RetentionConfig {
    /// The same with names of sources.
    pub(crate) fn read(&self) -> anyhow::Result<Retention> {
        let named = self.sources.iter().map(|(name, days)| {
            let source = SourceName::new(name);
            let source = source.with_context(|| format!("`retention.sources.\"{name}\"`"))?;
            Ok((source, days.0))
        });
        Ok(Retention {
            days: self.days,
            sources: named.collect::<anyhow::Result<_>>()?,
        })
    }
}
