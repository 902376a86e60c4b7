//! What stands in lines of every form, and that no line is too much.

use proptest::prelude::*;

use super::*;

fn read(form: &Form, line: &str) -> Result<Vec<(String, String)>, Misfit> {
    let text = |range: Range<usize>, escapes: Escapes| {
        let mut said = String::new();
        escapes.decode(line.get(range).unwrap(), &mut said);
        said
    };
    let fields = form.fields(line)?.into_iter().map(|field| {
        let name = match field.name {
            Name::Here(range, escapes) => text(range, escapes),
            Name::Known(name) => name.to_owned(),
            Name::Header(name) => format!("cef.{name}"),
        };
        (name, text(field.value, field.escapes))
    });
    Ok(fields.collect())
}

fn check(form: &Form, line: &str, expected: &[(&str, &str)]) {
    let found = read(form, line).unwrap();
    let found: Vec<(&str, &str)> = found.iter().map(|(n, v)| (&**n, &**v)).collect();
    assert_eq!(found, expected, "{line}");
}

fn pairs(separator: &str) -> Form {
    Form::Pairs(Pairs {
        separator: separator.to_owned(),
        sign: "=".to_owned(),
    })
}

fn csv(columns: &[&str]) -> Form {
    Form::Csv(Csv {
        separator: b',',
        columns: columns.iter().map(|name| (*name).to_owned()).collect(),
    })
}

#[test]
fn cef_has_a_header_and_an_extension() {
    check(
        &Form::Cef,
        r"<134>Nov 18 14:02:11 gate CEF:0|Acme|Door \| Gate|1.0|100|opened \\ held|5|src=192.0.2.1 msg=it \= that\nand so on suser=ana@example.com request=https://x.example/?a=b&c=d cs1Label=Rule Name cs1=",
        &[
            ("syslog", "<134>Nov 18 14:02:11 gate"),
            ("cef.version", "0"),
            ("cef.deviceVendor", "Acme"),
            ("cef.deviceProduct", "Door | Gate"),
            ("cef.deviceVersion", "1.0"),
            ("cef.deviceEventClassId", "100"),
            ("cef.name", "opened \\ held"),
            ("cef.severity", "5"),
            ("src", "192.0.2.1"),
            ("msg", "it = that\nand so on"),
            ("suser", "ana@example.com"),
            ("request", "https://x.example/?a=b&c=d"),
            ("cs1Label", "Rule Name"),
            ("cs1", ""),
        ],
    );
    let bare = read(&Form::Cef, "CEF:1|a|b|c|d|e|High").unwrap();
    assert_eq!(bare.last().unwrap().1, "High");
    check(
        &Form::Cef,
        r"CEF:0|a|b|c|d|e|1| filePath=C:\Users\new x.txt  fname=é",
        &[
            ("cef.version", "0"),
            ("cef.deviceVendor", "a"),
            ("cef.deviceProduct", "b"),
            ("cef.deviceVersion", "c"),
            ("cef.deviceEventClassId", "d"),
            ("cef.name", "e"),
            ("cef.severity", "1"),
            ("filePath", "C:\\Users\new x.txt"),
            ("fname", "é"),
        ],
    );
    for other in [
        "",
        "CEF:",
        "CEF:0|a|b|c|d|e",
        "LEEF:1.0|a|b|c|d|",
        "CEF:x|a|b|c|d|e|1|",
    ] {
        assert!(
            matches!(read(&Form::Cef, other), Err(Misfit::Other(_))),
            "{other}"
        );
    }
}

#[test]
fn pairs_are_cut_where_the_next_begins() {
    check(
        &pairs(", "),
        r#"type=LOGIN, realmId=main, username=van Dam, Ana, error="a, b=c \"d\"", empty=, last=x,"#,
        &[
            ("type", "LOGIN"),
            ("realmId", "main"),
            ("username", "van Dam, Ana"),
            ("error", "a, b=c \"d\""),
            ("empty", ""),
            ("last", "x,"),
        ],
    );
    check(
        &pairs(" "),
        "<13>Nov 18 gate date=2026-11-18\ttime=14:02:11 msg=door was opened user='ana b' q='tis so x=1",
        &[
            ("date", "2026-11-18"),
            ("time", "14:02:11"),
            ("msg", "door was opened"),
            ("user", "ana b"),
            ("q", "'tis so"),
            ("x", "1"),
        ],
    );
    check(
        &pairs(";"),
        "user = ana ; action = open;where=\"hall",
        &[("user", "ana"), ("action", "open"), ("where", "\"hall")],
    );
    for other in ["", "no pairs here", "= =", "a b = c"] {
        assert!(
            matches!(read(&pairs(" "), other), Err(Misfit::Other(_))),
            "{other}"
        );
    }
}

#[test]
fn a_row_is_read_with_its_header() {
    check(
        &csv(&[]),
        "EVENT_TYPE,\"USER\"\"ID\", IP\n\"Login, \"\"API\"\"\",005,\"a\nb\"\n",
        &[
            ("EVENT_TYPE", "Login, \"API\""),
            ("USER\"ID", "005"),
            ("IP", "a\nb"),
        ],
    );
    check(&csv(&["a", "b", "c"]), "1,\"2\"", &[("a", "1"), ("b", "2")]);
    check(
        &csv(&["a", "b"]),
        "b,a\r\n1,2\r\n",
        &[("b", "1"), ("a", "2")],
    );
    check(
        &csv(&["a", "b"]),
        "\"1\"x,\"2",
        &[("a", "\"1\"x"), ("b", "\"2")],
    );
    for (columns, other) in [
        (&[][..], "a,b"),
        (&["a"], "1,2"),
        (&[], "a\n1\n2"),
        (&[], ""),
        (&["a"], " \n"),
    ] {
        assert!(
            matches!(read(&csv(columns), other), Err(Misfit::Other(_))),
            "{other}"
        );
    }
}

#[test]
fn the_first_pattern_that_fits_gives_the_names() {
    let patterns = [
        r"^\[(?<time>[^\]]+)\] (?<level>\w+) Principal = (?<principal>\S+)(?: from (?<host>\S+))?",
        r"^(?<time>\S+) (?<pairs>.*)$",
    ];
    let patterns = patterns.map(|text| Pattern::new(text).unwrap());
    let Form::Pairs(spaced) = pairs(" ") else {
        panic!("pairs are pairs");
    };
    let form = Form::Patterns(patterns.into(), Some(spaced));
    check(
        &form,
        "[2026-11-18 14:02:11,123] INFO Principal = User:ana is Denied",
        &[
            ("time", "2026-11-18 14:02:11,123"),
            ("level", "INFO"),
            ("principal", "User:ana"),
        ],
    );
    check(
        &form,
        "14:02 user=ana what=open",
        &[("time", "14:02"), ("user", "ana"), ("what", "open")],
    );
    assert!(read(&form, "alone").is_err());
    assert!(Pattern::new("(").is_err() && Pattern::new("(a)").is_err());
}

#[test]
fn long_lines_and_many_names_are_refused() {
    let long = format!("a={}", "x".repeat(LINE_BYTES_MAX));
    assert_eq!(
        read(&pairs(" "), &long),
        Err(Misfit::TooLarge("bytes", LINE_BYTES_MAX))
    );
    let many: Vec<String> = (0..=FIELDS_MAX).map(|n| format!("n{n}=1")).collect();
    assert_eq!(
        read(&pairs(" "), &many.join(" ")),
        Err(Misfit::TooLarge("names", FIELDS_MAX))
    );
}

#[test]
fn what_never_ends_is_not_read_again_and_again() {
    // Quadratic reading would take minutes here.
    for piece in [
        "a=\"", "a='x ", "a=", "= ", "\\|", "a=\\", "\"", "\"\"\"\n", ",\"", " a", "|",
    ] {
        let head = "CEF:0|a|b|c|d|e|f|";
        let line = format!(
            "{head}{}",
            piece.repeat((LINE_BYTES_MAX - head.len()) / piece.len())
        );
        for form in [Form::Cef, pairs(" "), pairs(", "), csv(&[]), csv(&["a"])] {
            let _any = form.fields(&line);
        }
    }
}

proptest! {
    #[test]
    fn fields_stand_in_the_line(
        words in prop::collection::vec(prop::sample::select(vec![
            "CEF:0|", "|", "\\", "=", " ", "a", "bé", "\"", "'", ",", "\n", "cs1Label", "\r\n",
        ]), 0..40),
    ) {
        let line = words.concat();
        for line in [line.clone(), format!("CEF:1|a|b|c|d|e|f|{line}")] {
            for form in [Form::Cef, pairs(" "), pairs(","), csv(&[]), csv(&["a", "b"])] {
                for field in form.fields(&line).unwrap_or_default() {
                    prop_assert!(line.get(field.value).is_some());
                    if let Name::Here(range, _) = field.name {
                        prop_assert!(line.get(range).is_some());
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_written_is_read(values in prop::collection::vec("[ -~é]{0,12}", 1..6)) {
        let values: Vec<&str> = values.iter().map(|value| value.trim()).collect();
        let escaped = |value: &str| value.replace('\\', r"\\").replace('=', r"\=");
        let names = (0..values.len()).map(|n| format!("n{n}"));
        let members: Vec<String> = names.zip(&values).map(|(n, v)| format!("{n}={}", escaped(v))).collect();
        let cef = format!("CEF:0|a|b|c|d|e|1|{}", members.join(" "));
        let found = read(&Form::Cef, &cef).unwrap();
        let found: Vec<&str> = found.iter().skip(7).map(|(_, value)| value.as_str()).collect();
        prop_assert_eq!(&found, &values);
        let quoted = |value: &&str| format!("\"{}\"", value.replace('"', "\"\""));
        let header: Vec<String> = (0..values.len()).map(|n| format!("n{n}")).collect();
        let row: Vec<String> = values.iter().map(quoted).collect();
        let found = read(&csv(&[]), &format!("{}\n{}", header.join(","), row.join(","))).unwrap();
        let found: Vec<&str> = found.iter().map(|(_, value)| value.as_str()).collect();
        prop_assert_eq!(&found, &values);
    }
}
