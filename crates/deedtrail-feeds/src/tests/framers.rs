//! However the bytes of a stream arrive, it is cut into the same messages.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::limits::MESSAGE_BYTES_MAX;
use crate::{relp, syslog};

/// Pieces of streams, sound and broken, that framers trip over if anywhere.
fn streams(parts: &'static [&'static [u8]]) -> impl Strategy<Value = Vec<u8>> {
    let known = proptest::sample::select(parts).prop_map(<[u8]>::to_vec);
    let message = vec(any::<u8>(), 0..40).prop_map(|bytes| {
        let count = format!("{} ", bytes.len()).into_bytes();
        [count, bytes].concat()
    });
    let parts = prop_oneof![4 => known, 2 => message, 1 => vec(any::<u8>(), 0..20)];
    vec(parts, 0..30).prop_map(|parts| parts.concat())
}

/// The stream in parts that end at these places.
fn cut<'a>(stream: &'a [u8], places: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = places
        .iter()
        .map(|place| place.index(stream.len() + 1))
        .collect();
    places.extend([0, stream.len()]);
    places.sort_unstable();
    places
        .windows(2)
        .map(|pair| &stream[pair[0]..pair[1]])
        .collect()
}

fn messages(parts: &[&[u8]]) -> Vec<syslog::Piece> {
    let (mut framer, mut pieces) = (syslog::Framer::default(), Vec::new());
    for part in parts {
        framer.push(part, &mut pieces);
        assert!(framer.held_bytes() <= MESSAGE_BYTES_MAX);
    }
    pieces.extend(framer.end());
    pieces
}

fn frames(parts: &[&[u8]]) -> (Vec<relp::Frame>, Option<relp::Broken>) {
    let (mut framer, mut frames) = (relp::Framer::default(), Vec::new());
    let pushed = parts
        .iter()
        .try_for_each(|part| framer.push(part, &mut frames));
    (frames, pushed.err())
}

const SYSLOG: &[&[u8]] = &[
    b"<13>line\n",
    b"<13>line\r\n",
    b"\n",
    b"9 <13>abcde",
    b"10 <1>\n<2>\n\n\n",
    b"0 x\n",
    b"12345678 ",
    b"123456789 x\n",
    b"2026-11-01 x\n",
    b"1048577 ",
    b"<1>\0\xff\n",
    b"7",
];

const RELP: &[&[u8]] = &[
    b"1 open 3 a=b\n",
    b"2 syslog 5 <1>\n\n\n",
    b"3 close 0\n",
    b"999999999 rsp 6 200 OK\n",
    b"4 syslog 1048577 ",
    b"5 syslog 0\n",
    b"6 syslog 2 x",
    b"7 ",
    b"\n",
];

/// Sound messages with the form in which each is sent.
fn sent() -> impl Strategy<Value = Vec<(bool, Vec<u8>)>> {
    let line = vec(
        any::<u8>().prop_filter("no line ends in a line", |byte| !b"\r\n".contains(byte)),
        1..60,
    );
    vec((any::<bool>(), line), 0..20)
}

proptest! {
    #[test]
    fn a_syslog_stream_is_cut_alike(
        stream in streams(SYSLOG),
        places in vec(any::<prop::sample::Index>(), 0..40),
    ) {
        prop_assert_eq!(messages(&cut(&stream, &places)), messages(&[&stream]));
    }

    #[test]
    fn a_relp_stream_is_cut_alike(
        stream in streams(RELP),
        places in vec(any::<prop::sample::Index>(), 0..40),
    ) {
        prop_assert_eq!(frames(&cut(&stream, &places)), frames(&[&stream]));
    }

    #[test]
    fn every_sound_message_comes_out_as_it_went_in(
        sent in sent(),
        places in vec(any::<prop::sample::Index>(), 0..40),
    ) {
        let stream = sent.iter().flat_map(|(is_counted, text)| {
            let message = [b"<13>", text.as_slice()].concat();
            if *is_counted {
                [message.len().to_string().as_bytes(), b" ", &message].concat()
            } else {
                [&message[..], b"\n"].concat()
            }
        });
        let stream: Vec<u8> = stream.collect();
        let expected = sent.iter().map(|(_, text)| [b"<13>", text.as_slice()].concat());
        let expected: Vec<_> = expected.map(syslog::Piece::Message).collect();
        prop_assert_eq!(messages(&cut(&stream, &places)), expected);
    }
}
