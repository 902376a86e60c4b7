//! Deliveries of every usual form, and of none.

use super::*;

fn check(envelopes: &[&str], body: &str, records: &[(u64, &str)]) {
    let envelopes = envelopes.iter().map(|way| Envelope::parse(way).unwrap());
    let envelopes: Vec<Envelope> = envelopes.collect();
    let framing = Framing {
        envelopes: &envelopes,
        csv: None,
    };
    let framed = frame(framing, Encoding::Identity, body.as_bytes()).unwrap();
    let found: Vec<(u64, String)> = framed
        .into_iter()
        .map(|one| (one.line, String::from_utf8_lossy(&one.bytes).into_owned()))
        .collect();
    let wanted: Vec<(u64, String)> = records
        .iter()
        .map(|(line, text)| (*line, (*text).to_owned()))
        .collect();
    assert_eq!(found, wanted, "{body}");
}

#[test]
fn cuts_every_usual_form() {
    check(&[], "", &[]);
    check(
        &[],
        "{\"a\":1}\n\n{\"b\":2}\r\n",
        &[(1, "{\"a\":1}"), (3, "{\"b\":2}")],
    );
    check(
        &[],
        "{\n \"a\": {}\n}\n{\"b\":2}",
        &[(1, "{\n \"a\": {}\n}"), (4, "{\"b\":2}")],
    );
    check(&[], "{ \"a\": {}\n}\n", &[(1, "{ \"a\": {}\n}")]);
    check(
        &[],
        "{\"a\":1}{\"b\":\"}{\"} {\"c\":3}",
        &[(1, "{\"a\":1}"), (1, "{\"b\":\"}{\"}"), (1, "{\"c\":3}")],
    );
    check(
        &[],
        "[{\"a\":1}, 2 ,\"x]\"]",
        &[(1, "{\"a\":1}"), (2, "2"), (3, "\"x]\"")],
    );
    check(&[], "[]", &[]);
    check(
        &["Records"],
        "{\"Records\":[{\"a\":1},{\"b\":2}]}",
        &[(1, "{\"a\":1}"), (2, "{\"b\":2}")],
    );
    check(&["Records"], "{\"x\":\"Records\",\"Records\": []}", &[]);
    check(
        &["Records"],
        "{\"a\":{\"Records\":[1]}}",
        &[(1, "{\"a\":{\"Records\":[1]}}")],
    );
    check(
        &["value"],
        "{\"value\":\"text\"}",
        &[(1, "{\"value\":\"text\"}")],
    );
    check(
        &["value"],
        "{\"value\":[{}]}\n{\"value\":[{},{}]}",
        &[(1, "{}"), (2, "{}"), (2, "{}")],
    );
}

#[test]
fn malformed_pieces_come_out() {
    check(
        &[],
        "{\"a\":\nnot json\n{\"b\":2}",
        &[(1, "{\"a\":"), (2, "not json"), (3, "{\"b\":2}")],
    );
    check(&[], "[{\"a\":1},", &[(1, "[{\"a\":1},")]);
    check(&[], "[1\"]\"", &[(1, "[1\"]\"")]);
    check(
        &["Records"],
        "{\"Records\":[{\"a\":1}",
        &[(1, "{\"Records\":[{\"a\":1}")],
    );
    check(&[], "}{", &[(1, "}{")]);
}

#[test]
fn sizes_are_limited() {
    let long = format!("{{}}\n\"{}\"", "x".repeat(RECORD_BYTES_MAX));
    let refused = frame(Framing::default(), Encoding::Identity, long.as_bytes());
    assert!(matches!(
        refused,
        Err(FrameError::RecordTooLarge { line: 2, .. })
    ));
    let huge = "x".repeat(REQUEST_BYTES_MAX + 1);
    let refused = frame(Framing::default(), Encoding::Identity, huge.as_bytes());
    assert!(matches!(
        refused,
        Err(FrameError::RecordTooLarge { line: 1, .. })
    ));
    let many = "{}\n".repeat(REQUEST_BYTES_MAX / 3 + 1);
    let refused = frame(Framing::default(), Encoding::Identity, many.as_bytes());
    assert!(matches!(refused, Err(FrameError::TooLarge { .. })));
}

#[test]
fn records_may_lie_deeper() {
    let (one, two) = (r#"{"a":1}"#, r#"{"b":[2]}"#);
    let check_two = |way: &str, body: String| check(&[way], &body, &[(1, one), (2, two)]);
    check_two(
        "r.items",
        format!(r#"{{"x":1,"r":{{"n":0,"items":[{one}, {two}]}}}}"#),
    );
    check_two(
        "data[].logs",
        format!(r#"{{"data":[{{"logs":[{one}]}},{{"logs":[]}},{{"logs":[{two}]}}]}}"#),
    );
    check_two(
        "data.*",
        format!(r#"{{"data":{{"Event1":{one},"Event2":{two}}}}}"#),
    );
    check(
        &["detail{}"],
        &format!(r#"{{"id":"7","detail":{one}}}"#),
        &[(1, one)],
    );
    check(&["r.items"], r#"{"r":{"items":[]}}"#, &[]);
    for (way, body) in [
        ("r.items", r#"{"r":{"items":{}}}"#),
        ("r.items", r#"{"r":[{"items":[1]}]}"#),
        ("r[].items", r#"{"r":{"items":[1]}}"#),
        ("r{}", r#"{"r":[1]}"#),
        ("r.*", r#"{"r":{"a":1}}"#),
        ("r", r#"{"r":{"a":1}}"#),
    ] {
        check(&[way], body, &[(1, body)]);
    }
    let odd = r#"{"data":[{"logs":[{}]},{"other":1}]}"#;
    check(&["data[].logs"], odd, &[(1, "{}"), (2, r#"{"other":1}"#)]);
    for wrong in ["", "a[]", "a[0].b", "a[x=y].b", "{}", ".*"] {
        assert!(Envelope::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn lines_of_text_stay_whole() {
    let line = "[2026-11-18 14:02:11,123] INFO Principal = User:ana [x] is {Denied}";
    check(
        &[],
        &format!("{line}\n[INFO] [main] said \"x\"\n{{\"a\":1}}\n"),
        &[(1, line), (2, "[INFO] [main] said \"x\""), (3, "{\"a\":1}")],
    );
    check(&[], "[1, 2]\n[3]", &[(1, "1"), (1, "2"), (2, "3")]);
    check(&[], "[\n1,\n2]", &[(1, "1"), (2, "2")]);
}

#[test]
fn rows_carry_their_header() {
    let rows = |columns: &[&str], body: &str| -> Vec<(u64, String)> {
        let csv = Csv {
            separator: b',',
            columns: columns.iter().map(|name| (*name).to_owned()).collect(),
        };
        let framing = Framing {
            envelopes: &[],
            csv: Some(&csv),
        };
        let framed = frame(framing, Encoding::Identity, body.as_bytes()).unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        framed
            .iter()
            .map(|one| (one.line, text(&one.bytes)))
            .collect()
    };
    let row = |line: u64, text: &str| (line, text.to_owned());
    assert_eq!(
        rows(&[], "\u{feff}a,b\r\n1,\"2\n3\"\r\n\r\na,b\r\n4,5"),
        [row(2, "a,b\n1,\"2\n3\""), row(6, "a,b\n4,5")]
    );
    assert_eq!(
        rows(&["a", "b"], "1,2\n3,4\n"),
        [row(1, "1,2"), row(2, "3,4")]
    );
    assert_eq!(
        rows(&["a", "b"], "A,\"b\"\n3,4\n"),
        [row(2, "A,\"b\"\n3,4")]
    );
    assert_eq!(rows(&[], "{\"a\":1}\n{\"a\":2}").len(), 2);
    assert_eq!(rows(&[], "a,b"), [row(1, "a,b")]);
    assert_eq!(rows(&[], ""), []);
    assert_eq!(
        rows(&[], "a\n\"x\ny"),
        [row(2, "a\n\"x"), row(3, "a\ny")],
        "a quote that never closes is no quote"
    );
}

#[test]
fn a_line_that_was_cut_short_swallows_no_other() {
    let whole = r#"{"actor":"eve}","id":"x8"}"#;
    for cut in [
        r#"{"m":"cut"#,
        r#"{"m":"cut\"#,
        r#"{"m":1,"#,
        r#"{"m":{"#,
        r#"{"m":[{"a":1}"#,
        "{",
    ] {
        let body = format!("{cut}\n{whole}\n{{}}\n{{\"a\":2}}\n");
        let records = [(1, cut), (2, whole), (3, "{}"), (4, "{\"a\":2}")];
        check(&[], &body, &records);
    }
    // Hundreds of thousands of values that never end are lines, each looked at once.
    let body = "{\n".repeat(200_000);
    let framing = Framing {
        envelopes: &[],
        csv: None,
    };
    let framed = frame(framing, Encoding::Identity, body.as_bytes()).unwrap();
    assert_eq!(framed.len(), 200_000);
}

#[test]
fn headers_of_rows_are_copied_within_a_limit() {
    let header = "h,".repeat(1 << 20);
    let rows = "1\n".repeat(100);
    let body = format!("{header}\n{rows}");
    let csv = Csv {
        separator: b',',
        columns: Vec::new(),
    };
    let framing = Framing {
        envelopes: &[],
        csv: Some(&csv),
    };
    let framed = frame(framing, Encoding::Identity, body.as_bytes());
    assert!(matches!(framed, Err(FrameError::TooLarge { .. })));
}
