//! Any bytes on a syslog connection: the same messages however they arrive, within the limits; and
//! any message's header. The first byte says into how many pieces the stream is cut.
#![no_main]

use deedtrail_app::intake::SyslogMessage;
use deedtrail_feeds::limits::MESSAGE_BYTES_MAX;
use deedtrail_feeds::syslog::{Framer, Piece};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [cut, stream @ ..] = data else {
        return;
    };
    let whole = pieces(stream, stream.len().max(1));
    assert_eq!(whole, pieces(stream, usize::from(*cut) + 1));
    let messages = whole.iter().filter_map(|piece| match piece {
        Piece::Message(message) => Some(message),
        Piece::TooLong(_) | Piece::Incomplete(_) => None,
    });
    let mut total = 0;
    for message in messages {
        total += message.len();
        assert!(message.len() <= MESSAGE_BYTES_MAX);
        let Some(read) = SyslogMessage::read(message) else {
            continue;
        };
        assert!(message.ends_with(read.payload) && read.payload.len() < message.len());
        assert!(read.label.is_none_or(|label| (1..=48).contains(&label.len())));
    }
    assert!(total <= stream.len());
});

fn pieces(stream: &[u8], cut: usize) -> Vec<Piece> {
    let (mut framer, mut pieces) = (Framer::default(), Vec::new());
    for part in stream.chunks(cut) {
        framer.push(part, &mut pieces);
        assert!(framer.held_bytes() <= MESSAGE_BYTES_MAX);
    }
    pieces.extend(framer.end());
    pieces
}
