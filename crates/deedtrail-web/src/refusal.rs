//! Why a delivery is refused, as the documents of several endpoints say it: status and when.

pub(crate) const UNREADABLE: (u16, &str) = (
    400,
    "The body does not decompress, or is a damaged table; nothing was stored.",
);
pub(crate) const SLOW: (u16, &str) = (
    408,
    "The body stopped arriving, or the answer took too long; send again.",
);
pub(crate) const OVER_LIMIT: (u16, &str) = (
    413,
    "The body or a record is over its limit; nothing was stored.",
);
pub(crate) const ENCODING: (u16, &str) = (415, "`Content-Encoding` is neither gzip nor zstd.");
pub(crate) const BUSY: (u16, &str) = (
    429,
    "Too many deliveries at once; send again after `Retry-After`.",
);
pub(crate) const LOG_CLOSED: (u16, &str) = (
    503,
    "The log takes nothing at the moment; send again after `Retry-After`.",
);
pub(crate) const DISK_FULL: (u16, &str) =
    (507, "The disk is full; send again after `Retry-After`.");
