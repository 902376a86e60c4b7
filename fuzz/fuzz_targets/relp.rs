//! Any bytes on a RELP connection: the same frames however they arrive, within the limits. The
//! first byte says into how many pieces the stream is cut.
#![no_main]

use deedtrail_feeds::limits::MESSAGE_BYTES_MAX;
use deedtrail_feeds::relp::{Broken, Frame, Framer};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [cut, stream @ ..] = data else {
        return;
    };
    let whole = frames(stream, stream.len().max(1));
    assert_eq!(whole, frames(stream, usize::from(*cut) + 1));
    let mut total = 0;
    for frame in whole.0 {
        assert!((1..=32).contains(&frame.command.len()));
        match frame.data {
            Ok(data) => total += data.len(),
            Err(bytes) => assert!(bytes > MESSAGE_BYTES_MAX),
        }
    }
    assert!(total <= stream.len());
});

fn frames(stream: &[u8], cut: usize) -> (Vec<Frame>, Option<Broken>) {
    let (mut framer, mut frames) = (Framer::default(), Vec::new());
    for part in stream.chunks(cut) {
        if let Err(broken) = framer.push(part, &mut frames) {
            return (frames, Some(broken));
        }
        assert!(framer.held_bytes() <= MESSAGE_BYTES_MAX);
    }
    (frames, None)
}
