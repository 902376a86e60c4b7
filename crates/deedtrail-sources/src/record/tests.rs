//! The scanner reads what a general parser reads, and refuses what it refuses.

use proptest::prelude::*;
use serde_json::Value;

use super::shape::{ShapeId, Shapes};
use super::tree::{Node, Tree, View};
use super::{Asker, Memo, parse};

/// A value with its scalars as text, as a tree keeps them.
fn expected(value: Value) -> Value {
    match value {
        Value::Array(list) => list.into_iter().map(expected).collect(),
        Value::Object(map) => {
            let members = map.into_iter().map(|(key, value)| (key, expected(value)));
            Value::Object(members.collect())
        }
        Value::Number(number) => {
            let whole = number.as_i64().map(|number| number.to_string());
            let large = || number.as_u64().map(|number| number.to_string());
            let float = || number.as_f64().map(|number| number.to_string());
            Value::String(whole.or_else(large).or_else(float).unwrap())
        }
        other => other,
    }
}

fn kept(view: View<'_>, node: Node) -> Value {
    match node {
        Node::Null => Value::Null,
        Node::True => true.into(),
        Node::False => false.into(),
        Node::Text(_) => view.raw_text(node).unwrap().into(),
        Node::List { .. } => view.elements(node).map(|one| kept(view, one)).collect(),
        Node::Members { .. } => {
            let members = view.members(node);
            let members = members.map(|(key, one)| (key.to_owned(), kept(view, one)));
            Value::Object(members.collect())
        }
        Node::Absent | Node::Object { .. } => panic!("not in a record that is kept whole"),
    }
}

/// Reads `text` whole and compares; says whether it was read.
fn check(text: &str) -> bool {
    let mut shapes = Shapes::default();
    shapes.keep_whole(ShapeId::ROOT);
    let mut tree = Tree::default();
    let general = sonic_rs::from_str::<Value>(text);
    match (parse(text.as_bytes(), &shapes, &mut tree), general) {
        (Ok(view), Ok(value)) => {
            // Text that holds JSON is read through at the top.
            if !value.is_string() {
                assert_eq!(kept(view, view.root()), expected(value), "{text}");
            }
            true
        }
        (Err(error), general) => {
            let own = matches!(error.code(), "duplicate_key" | "too_deep");
            assert!(own || general.is_err(), "{text}: {error}");
            false
        }
        (Ok(_), Err(error)) => panic!("{text} is read, but {error}"),
    }
}

#[test]
fn reads_what_a_general_parser_reads() {
    for text in [
        r#"{"a":1,"b":[true,false,null,"x"],"c":{"d":{}},"e":[]}"#,
        " { \"a\" :\t[ 1 , 2 ]\r\n} ",
        r#"["\"\\\/\b\f\n\r\t","\u0041\u00e9\u20AC\ud83d\ude00","é€😀","long text without any escape in it"]"#,
        "[0,-0,-1,10,1.5,-2.5e3,1E-2,123456789012345678,9223372036854775807,18446744073709551615,18446744073709551616]",
        "7",
    ] {
        assert!(check(text), "{text}");
    }
    for text in [
        "",
        " ",
        "{",
        "[",
        "\"",
        "\"a",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "[1,]",
        "[,1]",
        "{,}",
        "[1 2]",
        "{\"a\":1 \"b\":2}",
        "{1:2}",
        "tru",
        "nulll",
        "truefalse",
        "[01]",
        "[1.]",
        "[.5]",
        "[+1]",
        "[1e]",
        "[--1]",
        "[-]",
        "[1e999]",
        "\"\\q\"",
        "\"\\u12\"",
        "\"\\ud800\"",
        "\"\\ud800\\u0041\"",
        "\"\\udc00\"",
        "\"\n\"",
        "\"\u{1}\"",
        "1 2",
        "{} x",
        "\u{a0}1",
        "{\"a\":1,\"a\":1}",
        "{\"a\":1,\"\\u0061\":1}",
    ] {
        assert!(!check(text), "{text}");
    }
}

#[test]
fn what_is_remembered_is_kept_apart_by_asker_and_text() {
    let mut memo = Memo::default();
    let (one, other) = (Asker::default(), Asker::default());
    for _ in 0..2 {
        assert_eq!(memo.answer(one, "a", || 1), 1);
        assert_eq!(memo.answer(other, "a", || 2), 2);
        assert_eq!(memo.answer(one, "b", || 3), 3);
        let long = "x".repeat(1_000);
        assert_eq!(memo.answer(one, &long, || 4), 4);
    }
    assert_eq!(memo.answer(one, "a", || 9), 1, "remembered");
    for number in 0..5_000 {
        let text = format!("text {number}");
        assert_eq!(memo.answer(one, &text, || number), number);
    }
}

/// Names a mapping may ask for, of which some are not written in a record as they are.
const NAMES: [&str; 7] = [
    "a",
    "b",
    "seventeen letters",
    "exactly 14 let",
    "a\\b",
    "q\"q",
    "new\nline",
];

fn of_names() -> Shapes {
    let mut shapes = Shapes::default();
    for name in NAMES {
        shapes.add_child(ShapeId::ROOT, name).unwrap();
    }
    shapes
}

/// What is read where the names lead, and what is not used; or what is wrong.
fn by_name(record: &str, shapes: &Shapes, tree: &mut Tree) -> Result<String, String> {
    let view = parse(record.as_bytes(), shapes, tree).map_err(|error| error.to_string())?;
    let texts = NAMES.map(|name| {
        let (slot, _) = shapes.get(ShapeId::ROOT).child(name.as_bytes()).unwrap();
        view.text(view.child(view.root(), slot))
    });
    let unmapped = view.unmapped(shapes, 100);
    Ok(format!("{texts:?} {unmapped:?}"))
}

#[test]
fn a_guessed_key_is_the_key_that_stands_there() {
    let (shapes, mut tree) = (of_names(), Tree::default());
    for (record, expected) in [
        (r#"{"a":"1","b":"2","c":"3"}"#, "1 2"),
        (r#"{"a":"1","b":"2","c":"3"}"#, "1 2"),
        (r#"{"b":"4","a":"3"}"#, "3 4"),
        ("{ \"b\" : \"4\" , \"a\" :\n\"3\" }", "3 4"),
        (r#"{"\u0062":"4","\u0061":"3"}"#, "3 4"),
        (r#"{"b":"4","ab":"5","a":"3"}"#, "3 4"),
    ] {
        let text = by_name(record, &shapes, &mut tree).unwrap();
        let (a, b) = expected.split_once(' ').unwrap();
        let given = format!("[Some(\"{a}\"), Some(\"{b}\"), None");
        assert!(text.starts_with(&given), "{record}: {text}");
    }
    for record in [
        r#"{"a":"1","a":"2"}"#,
        r#"{"a":"1","b":"2","a":"2"}"#,
        r#"{"a:1}"#,
        r#"{"a"1}"#,
        r#"{"a":"1","b":}"#,
        r#"{"a":"1","b""#,
        r#"{"a":"1""b":"2"}"#,
    ] {
        for _ in 0..2 {
            assert!(by_name(record, &shapes, &mut tree).is_err(), "{record}");
        }
    }
}

#[test]
fn keys_beyond_those_remembered_are_checked_all_the_same() {
    let (shapes, mut tree) = (of_names(), Tree::default());
    let long = "l".repeat(100);
    let keys = (0..50).map(|key| format!("k{key}")).chain([long.clone()]);
    let members: Vec<String> = keys.map(|key| format!("\"{key}\":1")).collect();
    let record = format!("{{{}}}", members.join(","));
    for _ in 0..2 {
        let read = by_name(&record, &shapes, &mut tree).unwrap();
        assert!(members.iter().all(|member| {
            let (key, _) = member.split_once(':').unwrap();
            read.matches(key).count() == 1
        }));
        for key in ["k0", "k31", "k32", "k49", &long] {
            let doubled = record.replace('}', &format!(",\"{key}\":2}}"));
            let error = by_name(&doubled, &shapes, &mut tree).unwrap_err();
            assert!(error.contains(key), "{key}: {error}");
        }
    }
}

#[test]
fn habits_of_more_mappings_than_are_remembered_change_no_answer() {
    let mut tree = Tree::default();
    let mappings: Vec<Shapes> = (0..70).map(|_| of_names()).collect();
    // One was begun and not given back, as after a panic.
    tree.habits.take(mappings[0].asker, mappings[0].count());
    for _ in 0..2 {
        for shapes in &mappings {
            let read = by_name(r#"{"x":0,"b":"2","a":"1","y":3}"#, shapes, &mut tree).unwrap();
            assert!(
                read.starts_with("[Some(\"1\"), Some(\"2\"), None"),
                "{read}"
            );
            assert!(read.ends_with(r#"["x", "y"]"#), "{read}");
        }
    }
}

proptest! {
    #[test]
    fn guessed_keys_change_no_answer(
        records in prop::collection::vec(prop::collection::vec(prop::sample::select(vec![
            "{", "}", ",", ", ", ":", "\"a\":1", "\"b\": \"2\"", "\"c\":3", "\"\\u0061\":4",
            "\"seventeen letters\":5", "\"seventeen lettuce\":6", "\"exactly 14 let\" : 7",
            "\"a\\b\":8", "\"a\\\\b\":9", "\"q\"q\":10", "\"q\\\"q\":11", "\"new\nline\":12",
            "\"new\\nline\":13", "\"c\":{\"a\":14}", "\"a",
        ]), 0..6), 1..6),
    ) {
        let (shapes, mut used) = (of_names(), Tree::default());
        for members in &records {
            for record in [members.concat(), format!("{{{}}}", members.join(","))] {
                let fresh = by_name(&record, &shapes, &mut Tree::default());
                prop_assert_eq!(by_name(&record, &shapes, &mut used), fresh, "{}", record);
            }
        }
    }

    #[test]
    fn agrees_on_any_text(text in r#"[ {}\[\],:"\\ua1e.0n\-tru\n]{0,24}"#) {
        check(&text);
    }

    #[test]
    fn agrees_on_damaged_json(
        words in prop::collection::vec(prop::sample::select(vec![
            "{", "}", "[", "]", ",", ":", "\"a\"", "\"b\"", "\"\\u0061\"", "\"x\\\\y\"", "1", "-0",
            "0.5", "1e3", "true", "null", " ", "\"{\\\"a\\\":1}\"", "\"some longer text, plain\"",
        ]), 0..16),
    ) {
        check(&words.concat());
    }
}
