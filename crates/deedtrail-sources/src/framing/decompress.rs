//! Bounded decompression.

use std::io::Read;

use deedtrail_core::limits::{DECOMPRESSION_RATIO_MAX, REQUEST_BYTES_MAX};
use deedtrail_core::port::mapper::{Encoding, FrameError};

/// Up to this size any ratio is fine: short repetitive logs compress better than the limit.
const RATIO_FREE_BYTES: usize = 1 << 20;

/// First bytes of what no log begins with: gzip (RFC 1952), Zstandard (RFC 8878), zip archives.
const GZIP: &[u8] = &[0x1f, 0x8b, 0x08];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
const ZIP: &[u8] = b"PK\x03\x04";

/// The decompressed body; `None` when it was not compressed. What nobody said is compressed is
/// known by its first bytes.
pub(super) fn decompress(encoding: Encoding, body: &[u8]) -> Result<Option<Vec<u8>>, FrameError> {
    let failed = |error: std::io::Error| FrameError::Compression(error.to_string());
    match encoding {
        Encoding::Identity if body.starts_with(GZIP) => decompress(Encoding::Gzip, body),
        Encoding::Identity if body.starts_with(ZSTD) => decompress(Encoding::Zstd, body),
        Encoding::Identity if body.starts_with(ZIP) => {
            let reason = "it is a zip archive, which is not taken; send the files in it";
            Err(FrameError::Compression(reason.to_owned()))
        }
        Encoding::Identity => Ok(None),
        Encoding::Gzip => bounded(flate2::read::MultiGzDecoder::new(body), body.len()).map(Some),
        Encoding::Zstd => {
            let mut reader = zstd::stream::read::Decoder::new(body).map_err(failed)?;
            // 8 MiB: the window RFC 8878 asks every decoder to support.
            reader.window_log_max(23).map_err(failed)?;
            bounded(reader, body.len()).map(Some)
        }
    }
}

fn bounded(reader: impl Read, compressed: usize) -> Result<Vec<u8>, FrameError> {
    let by_ratio = compressed.saturating_mul(DECOMPRESSION_RATIO_MAX);
    let limit = REQUEST_BYTES_MAX.min(by_ratio.max(RATIO_FREE_BYTES));
    let mut whole = Vec::new();
    reader
        .take(limit as u64 + 1)
        .read_to_end(&mut whole)
        .map_err(|error| FrameError::Compression(error.to_string()))?;
    if whole.len() > limit {
        return Err(FrameError::TooLarge { limit_bytes: limit });
    }
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn gzip(body: &[u8]) -> Vec<u8> {
        let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        writer.write_all(body).unwrap();
        writer.finish().unwrap()
    }

    #[test]
    fn gives_back_what_was_compressed() {
        let body = b"{\"a\":1}\n".repeat(3);
        let twice = [gzip(&body), gzip(&body)].concat();
        assert_eq!(
            decompress(Encoding::Gzip, &twice).unwrap(),
            Some(body.repeat(2))
        );
        let packed = zstd::encode_all(body.as_slice(), 3).unwrap();
        for encoding in [Encoding::Zstd, Encoding::Identity] {
            assert_eq!(decompress(encoding, &packed).unwrap().as_ref(), Some(&body));
        }
        assert_eq!(
            decompress(Encoding::Identity, &gzip(&body)).unwrap(),
            Some(body)
        );
    }

    #[test]
    fn bombs_and_garbage_are_refused() {
        let bomb = gzip(&vec![b' '; 20 << 20]);
        assert!(matches!(
            decompress(Encoding::Gzip, &bomb),
            Err(FrameError::TooLarge { .. })
        ));
        let packed = zstd::encode_all(vec![b' '; 20 << 20].as_slice(), 3).unwrap();
        assert!(matches!(
            decompress(Encoding::Zstd, &packed),
            Err(FrameError::TooLarge { .. })
        ));
        for encoding in [Encoding::Gzip, Encoding::Zstd] {
            let refused = decompress(encoding, b"not compressed");
            assert!(matches!(refused, Err(FrameError::Compression(_))));
        }
        let zip = decompress(Encoding::Identity, b"PK\x03\x04 and so on");
        assert!(matches!(zip, Err(FrameError::Compression(_))));
        let cut = &bomb[..bomb.len() / 2];
        assert!(decompress(Encoding::Gzip, cut).is_err());
    }
}
