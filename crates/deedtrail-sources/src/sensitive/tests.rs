//! Fixtures of our own: what is marked stands between `⟪⟫` (secret) or `⟨⟩` (tool arguments).

use deedtrail_core::limits::SENSITIVE_RANGES_MAX;
use deedtrail_core::port::log::PartClass;
use proptest::prelude::*;

use super::name::{Meaning, meaning};
use super::sensitive;

/// The record with what was found put between brackets.
fn marked(record: &str) -> String {
    let mut out = String::new();
    let mut from = 0;
    for (range, class) in sensitive(record.as_bytes()) {
        let (open, close) = match class {
            PartClass::Secret => ('⟪', '⟫'),
            _ => ('⟨', '⟩'),
        };
        out += record.get(from..range.start).unwrap();
        out.push(open);
        out += record.get(range.clone()).unwrap();
        out.push(close);
        from = range.end;
    }
    out + record.get(from..).unwrap()
}

/// Checks a record written with its brackets.
fn check(expected: &str) {
    let record = expected.replace(['⟪', '⟫', '⟨', '⟩'], "");
    assert_eq!(marked(&record), expected);
}

#[test]
fn values_of_secret_names_are_secrets() {
    for name in [
        "password",
        "Password",
        "PASSWORD",
        "passwd",
        "client_secret",
        "clientSecret",
        "client-secret",
        "secret",
        "secretString",
        "SecretAccessKey",
        "sessionToken",
        "access_token",
        "refresh_token",
        "id_token",
        "Authorization",
        "api_key",
        "X-Api-Key",
        "private_key",
        "cookie",
        "Set-Cookie",
        "masterUserPassword",
        "DB_PASSWORD",
        "http.request.header.authorization",
        "token",
        "X-Vault-Token",
        "connectionString",
    ] {
        check(&format!(r#"{{"a":1,"{name}":"⟪hunter2⟫","b":"c"}}"#));
        check(&format!(r#"{{"{name}" : "⟪hunter2⟫" , "b":"c"}}"#));
        check(&format!(
            "{{\n  \"{name}\":\n  [ \"⟪a⟫\", \"⟪b⟫\" ],\n \"b\": \"c\"}}"
        ));
    }
}

#[test]
fn ids_masks_and_other_types_are_not_secrets() {
    for name in [
        "accessKeyId",
        "token_id",
        "hashed_token",
        "tokenType",
        "secretId",
        "nextToken",
        "uniqueTokenIdentifier",
        "client_token_accessor",
        "UserKey",
        "keyId",
        "passwordPolicy",
    ] {
        check(&format!(r#"{{"{name}":"hunter2"}}"#));
    }
    for value in [
        r#""HIDDEN_DUE_TO_SECURITY_REASONS""#,
        r#""***""#,
        r#""****abcd""#,
        r#""••••""#,
        r#""hmac-sha256:00ff""#,
        r#""""#,
        r#""[REDACTED]""#,
        r#""<sensitiveDataRemoved>""#,
        r#""***REDACTED***""#,
        "null",
        "true",
        "12",
        r#""false""#,
        r#"{"name":"x"}"#,
        "[]",
    ] {
        check(&format!(r#"{{"password":{value},"b":"c"}}"#));
    }
    check(r#"{"password":"⟪hmac-sha256:not a digest⟫"}"#);
}

#[test]
fn names_and_values_side_by_side() {
    check(r#"{"env":[{"name":"DB_PASSWORD","value":"⟪x1⟫"},{"name":"HOST","value":"x2"}]}"#);
    check(r#"{"Name":"Password","NewValue":"⟪new⟫","OldValue":"⟪old⟫","Other":"z"}"#);
    check(r#"{"Name":"Password","OldValue":"***","NewValue":"⟪new⟫"}"#);
    check(r#"{"value":"⟪first⟫","name":"password"}"#);
    check(r#"{"value":"other"},{"name":"password"}"#);
    check(r#"{"key":"api_key","kind":"x","n":-1.5,"value":{"stringValue":"⟪v⟫"}}"#);
    check(r#"{"parameterKey":"AdminPassword","parameterValue":"⟪v⟫"}"#);
    check(r#"{"name":"password"},{"value":"x"}"#);
    check(r#"{"name":"password","x":{},"value":"x"}"#);
}

#[test]
fn json_within_json_is_read_too() {
    check(r#"{"body":"{\"user\":\"a\",\"password\":\"⟪hun\\\"ter2⟫\",\"b\":\"c\"}","c":"d"}"#);
    check(r#"{"body":"{\"b\":\"{\\\"secret\\\":\\\"⟪s⟫\\\",\\\"o\\\":\\\"p\\\"}\"}"}"#);
    check(r#"{"body":"{\"password\":\"⟪open ⟫","c":"d"}"#);
    check(r#"{"password":"⟪a\\\"b⟫","b":"c"}"#);
    check(r#"{"password":"⟪never closed⟫"#);
}

#[test]
fn a_kubernetes_secret_is_hidden_whole() {
    check(r#"{"kind":"Secret","data":{⟪"user":"YQ==","k":{"x":"}"}⟫},"type":"Opaque"}"#);
    check(r#"{"kind":"ConfigMap","data":{"user":"a"}}"#);
    check(r#"{"stringData":{⟪"user":"a"⟫},"b":"c"}"#);
    check(r#"{"a":"{\"data\":{⟪\"u\":\"YQ==\"⟫},\"kind\":\"Secret\"}"}"#);
}

#[test]
fn arguments_of_tools_are_marked_and_secrets_in_them_too() {
    check(
        r#"{"key":"gen_ai.tool.call.arguments","value":{"stringValue":"⟨{\"a\":1}⟩"}},{"key":"gen_ai.tool.name","value":{"stringValue":"t"}}"#,
    );
    check(
        r#"{"key":"gen_ai.input.messages","value":{⟨"arrayValue":{"values":[{"stringValue":"x"}]}⟩}}"#,
    );
    check(r#"{"gen_ai.output.messages":[⟨{"role":"assistant"}⟩],"b":"c"}"#);
    check(
        r#"{"gen_ai.prompt.0.content":"⟨hello⟩","gen_ai.prompt.0.role":"user","gen_ai.prompt.name":"p"}"#,
    );
    check(
        r#"{"key":"tool.parameters","value":{"stringValue":"⟨{\"to\":\"a\",\"password\":\"⟩⟪x⟫⟨\"}⟩"}}"#,
    );
    check(r#"{"input.value":"⟨see https://u:⟩⟪p⟫⟨@h⟩"}"#);
}

#[test]
fn known_formats_are_secrets_anywhere() {
    let x = |count: usize| "x".repeat(count);
    for token in [
        format!("ghp_{}", x(36)),
        format!("gho_{}", x(36)),
        format!("ghs_{}", x(36)),
        format!("github_pat_{}", x(82)),
        format!("xoxb-{}", "1".repeat(24)),
        format!("sk_live_{}", x(24)),
        format!("glpat-{}", x(20)),
        format!("npm_{}", x(36)),
        format!("hvs.{}", x(24)),
        format!("eyJ{0}.eyJ{0}.{0}", x(20)),
    ] {
        check(&format!(r#"{{"note":"see ⟪{token}⟫ now"}}"#));
        check(&format!("plain text \\n⟪{token}⟫"));
        check(&format!("⟪{token}⟫"));
        assert_eq!(
            sensitive(format!("graph{token}").as_bytes()).len(),
            0,
            "{token}"
        );
    }
    for no in [
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_short",
        "npm_config_registry",
        "eyJabc.d",
        "eyJxxxxxxxxxxxx.",
        "xoxb-1",
    ] {
        check(&format!(r#"{{"note":"{no}"}}"#));
    }
    // {"typ":"secevent+jwt","alg":"ES256"} and {"typ":"jwt","x":"secevent+jwt"}.
    let event = "eyJ0eXAiOiJzZWNldmVudCtqd3QiLCJhbGciOiJFUzI1NiJ9";
    let other = "eyJ0eXAiOiJqd3QiLCJ4Ijoic2VjZXZlbnQrand0In0";
    let rest = format!("eyJ{0}.{0}", x(20));
    check(&format!(
        r#"{{"set":"{event}.{rest}","x":"⟪{other}.{rest}⟫","token":"⟪{event}.{rest}⟫"}}"#
    ));
    let kind = "PRIVATE KEY";
    check(&format!(
        r#"{{"a":"x ⟪-----BEGIN RSA {kind}-----\nQUJD\n-----END RSA {kind}-----⟫\n","b":"c"}}"#
    ));
    check(&format!(
        r#"{{"a":"⟪-----BEGIN {kind}-----\nQUJD⟫","b":"c"}}"#
    ));
    check(r#"{"a":"-----BEGIN CERTIFICATE-----\nQUJD"}"#);
    check(&format!("Authorization: Bearer ⟪{}1⟫ x", x(20)));
    check("a bearer of bad news, basic authentication");
}

#[test]
fn urls_and_parameters() {
    check(r#"{"u":"https://user:⟪pass⟫@host/p?a=b"}"#);
    check(r#"{"u":"https:\/\/user:⟪pass⟫@host\/p"}"#);
    check(r#"{"u":"https://user:***@host/p"}"#);
    check(r#"{"u":"https://host:80/a@b"}"#);
    check(r#"{"u":"https://h/?token=⟪abc⟫&b=c&access_token=⟪d.e⟫&sig=⟪f%2B⟫"}"#);
    check(r#"{"u":"https://h/?X-Amz-Signature=⟪abc⟫\u0026b=c\u0026sig=⟪def⟫"}"#);
    check("https://safe/?url=https%3A%2F%2Fh%2F%3Faccess_token%3D⟪abc⟫%26b%3Dc");
    check(r#"{"u":"https://h/?sig\u003d⟪abc⟫\u0026b"}"#);
    check("run --password=⟪hunter2⟫ --user=x --client-secret='⟪a b⟫' PGPASSWORD=⟪y⟫");
    check("Server=h;Password=⟪x⟫;User=u;AccountKey=⟪QUJD==⟫;");
    check("token= &token=***&tokens=a&next_token=b&code=c");
}

#[test]
fn every_name_of_the_lists_passes_the_quick_look() {
    for name in super::name::SECRET
        .iter()
        .chain(&super::name::SECRET_ENDINGS)
    {
        assert_eq!(meaning(name.as_bytes()), Some(Meaning::Secret), "{name}");
    }
    for name in super::name::ARGUMENTS {
        assert_eq!(meaning(name.as_bytes()), Some(Meaning::Arguments), "{name}");
    }
    for name in ["key", "Name", "displayName", "parameterKey", "propertyName"] {
        assert_eq!(meaning(name.as_bytes()), Some(Meaning::Name), "{name}");
    }
}

#[test]
fn many_ranges_are_joined_where_they_are_closest() {
    let near = r#"{"password":"a"},"#.repeat(500);
    let far = format!("{near}{}{{\"password\":\"b\"}}", " ".repeat(1000));
    let ranges = sensitive(far.as_bytes());
    assert_eq!(ranges.len(), SENSITIVE_RANGES_MAX);
    let (last, _) = ranges.last().unwrap();
    assert_eq!(
        far.get(last.clone()),
        Some("b"),
        "the widest gap stays open"
    );
    for (at, _) in far.match_indices(":\"a\"") {
        assert!(ranges.iter().any(|(range, _)| range.contains(&(at + 2))));
    }
}

#[test]
fn beyond_what_is_held_the_rest_is_one_secret() {
    let record = r#"{"password":"a"},"#.repeat(70_000);
    let ranges = sensitive(record.as_bytes());
    assert_eq!(ranges.last().unwrap().0.end, record.len());
    assert!(ranges.len() <= SENSITIVE_RANGES_MAX);
}

#[test]
fn secrets_in_lines_of_text_are_found() {
    check(
        "<13>x CEF:0|a|b|1|2|n|3|suser=ana password=⟪my secret pass⟫ src=192.0.2.1 msg=the token",
    );
    check("CEF:0|a|b|1|2|n|3|cs1Label=Api Key cs1=⟪k-1 and more⟫ cs2Label=Rule cs2=allow");
    check("CEF:0|a|b|1|2|n|3|cs1Label=Password cs1=****** x=1");
    check("user,password,ip\nana,⟪hunter2⟫,192.0.2.1");
    check("user;\"client_secret\";ip\nana;\"⟪a;\"\"b⟫\";192.0.2.1");
    check("2026-11-18 10:00:00 type=\"LOGIN\", password=\"⟪a, b⟫\", user=ana");
    check("type=LOGIN, secret=⟪a b⟫, user=ana");
    check("user=ana token=⟪abc==⟫ x=1");
    check("user=ana token=⟪a b c⟫ next_one=1");
    check("[2026-11-18 10:00:00] INFO password: ⟪hunter2⟫, user: ana");
    check("[2026-11-18 10:00:00] INFO api_key = '⟪h u⟫' user = ana");
    check("user=ana password= other=1");
    check("said: nothing; time=10:00:00");
}

#[test]
fn arguments_of_agents_messages_are_marked() {
    check(
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","arguments":{⟨"to":"bo@example.com","password":"⟩⟪p w⟫⟨"⟩}}}"#,
    );
    check(r#"{"jsonrpc":"2.0","id":1,"result":{"content":[⟨{"type":"text","text":"hi"}⟩]}}"#);
    check(r#"{"id":"o","parentObservationId":null,"input":{⟨"a":1⟩},"output":"⟨b⟩"}"#);
    check(r#"{"id":"o","input":{"a":1},"arguments":["x"],"content":"y"}"#);
}

/// Ranges hold what the port promises.
fn is_sound(record: &[u8]) {
    let ranges = sensitive(record);
    assert!(ranges.len() <= SENSITIVE_RANGES_MAX);
    let mut end = 0;
    for (range, class) in &ranges {
        assert!(range.start >= end && range.start < range.end, "{ranges:?}");
        assert!(matches!(
            class,
            PartClass::Secret | PartClass::ToolArguments
        ));
        end = range.end;
    }
    assert!(end <= record.len());
    if let Ok(text) = std::str::from_utf8(record) {
        let cuts = ranges
            .iter()
            .flat_map(|(range, _)| [range.start, range.end]);
        assert!(
            cuts.into_iter().all(|at| text.is_char_boundary(at)),
            "{ranges:?}"
        );
    }
}

#[test]
fn what_never_closes_is_not_read_again_and_again() {
    // Quadratic reading would take minutes here.
    for piece in [
        r#""value":["name":"gen_ai.prompt","#,
        r#""value":{"name":"password","#,
        r#"{"name":"password","x":"#,
        r#""gen_ai.prompt":{"a":["#,
        r#""password":["#,
        r#""kind":"Secret","data":{"#,
        "eyJ-",
        "-----BEGIN PRIVATE KEY-----",
        "password=hmac-sha256:",
        "://a:",
        "password= ",
        "password='",
        "a:b=",
        "token=a b",
        "CEF:0|a|b|c|d|e|f|password=x ",
        "token,a\n",
    ] {
        is_sound(piece.repeat((2 << 20) / piece.len()).as_bytes());
    }
}

/// Pieces that the scanner reacts to.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "\"",
        "\\",
        "\\\"",
        "\\\\\\\"",
        ":",
        "{",
        "}",
        "[",
        "]",
        ",",
        " ",
        "=",
        "&",
        "'",
        "é",
        "•",
        "\"password\":",
        "\"name\":\"secret\",",
        "\"value\":",
        "\"key\":",
        "data",
        "\"kind\":\"Secret\"",
        "\"gen_ai.prompt\":",
        "\"stringValue\":",
        "\\\"token\\\":",
        "stringData",
        "ghp_",
        "eyJ",
        ".",
        "xxxxxxxxxxxxxxxxxxxxxxxx",
        "-----BEGIN PRIVATE KEY-----",
        "-----END ",
        "://",
        "@",
        "token",
        "%3D",
        "%26",
        "\\u003d",
        "\\u0026",
        "Bearer ",
        "***",
        "hmac-sha256:",
        "0",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_bytes_give_sound_ranges(record in prop::collection::vec(any::<u8>(), 0..300)) {
        is_sound(&record);
    }

    #[test]
    fn any_pieces_give_sound_ranges(record in pieces()) {
        is_sound(record.as_bytes());
        is_sound(record.repeat(40).as_bytes());
    }

    #[test]
    fn a_password_in_any_json_is_found(
        before in "[ -~\\n\"\\\\é]{0,12}",
        secret in "[!-~ \"\\\\é]{1,20}",
        levels in 0_usize..4,
    ) {
        let mut secret_text = serde_json::to_string(&format!("s3cret{secret}s3cret")).unwrap();
        let mut record = serde_json::json!({ before: 1, "password": format!("s3cret{secret}s3cret") }).to_string();
        for _ in 0..levels {
            record = serde_json::json!({ "body": record, "after": "x" }).to_string();
            secret_text = serde_json::to_string(&secret_text).unwrap();
            secret_text.pop();
            secret_text.remove(0);
        }
        let ranges = sensitive(record.as_bytes());
        let text = secret_text.trim_matches(['"', '\\']);
        let at = record.find(text).unwrap();
        let covered = ranges.iter().any(|(range, _)| range.start <= at && at + text.len() <= range.end);
        prop_assert!(covered, "{record} {ranges:?} {text}");
    }
}
