//! SQL: what passes, what is refused, what a budget does, what comes out.

use std::time::Duration;

use deedtrail_archive::DeltaArchive;
use deedtrail_core::event::Event;
use deedtrail_core::id::TenantId;
use deedtrail_core::port::archive::{Archive as _, ArchiveError, OutputFormat, QueryBudget};

use crate::fixture::{archive, csv, event, event_by, events, full_event, other_tenant};

fn filled() -> (tempfile::TempDir, DeltaArchive) {
    let (folder, archive) = archive();
    archive.add(events(0..20), 20).unwrap();
    archive.commit().unwrap();
    archive
        .add(vec![full_event(), event_by(43, "=cmd|' /C calc'!A0")], 44)
        .unwrap();
    (folder, archive)
}

fn text(archive: &DeltaArchive, sql: &str, format: OutputFormat) -> String {
    let mut out = Vec::new();
    archive
        .query(
            &TenantId::default(),
            sql,
            format,
            QueryBudget::default(),
            &mut out,
        )
        .unwrap();
    String::from_utf8(out).unwrap()
}

fn refused(archive: &DeltaArchive, sql: &str, budget: QueryBudget) -> ArchiveError {
    let mut out = Vec::new();
    archive
        .query(
            &TenantId::default(),
            sql,
            OutputFormat::Csv,
            budget,
            &mut out,
        )
        .expect_err(sql)
}

#[test]
fn anything_but_one_select_is_refused() {
    let (folder, archive) = filled();
    let path = folder.path().display();
    let before = archive.figures();
    for sql in [
        "DROP TABLE events",
        "CREATE TABLE t AS SELECT * FROM events",
        "CREATE VIEW v AS SELECT 1",
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
        "INSERT INTO events SELECT * FROM events",
        "UPDATE events SET tenant = 'x'",
        "DELETE FROM events",
        "TRUNCATE TABLE events",
        "COPY events TO 'out.csv'",
        "COPY (SELECT 1) TO '/tmp/out.parquet' STORED AS PARQUET",
        "SET datafusion.execution.batch_size = 1",
        "RESET datafusion.execution.batch_size",
        "SHOW TABLES",
        "SHOW ALL",
        "DESCRIBE events",
        "EXPLAIN SELECT * FROM events",
        "EXPLAIN ANALYZE SELECT * FROM events",
        "PREPARE p AS SELECT 1",
        "EXECUTE p",
        "SELECT 1; SELECT 2",
        "SELECT 1; DROP TABLE events",
        "BEGIN",
        "CREATE FUNCTION f() RETURNS INT RETURN 1",
        "",
        "  -- nothing",
    ] {
        let error = refused(&archive, sql, QueryBudget::default());
        let told = matches!(
            error,
            ArchiveError::NotAllowed(_) | ArchiveError::BadQuery(_)
        );
        assert!(told, "{sql}: {error}");
    }
    let long = format!("SELECT '{}'", "x".repeat(70_000));
    assert!(matches!(
        refused(&archive, &long, QueryBudget::default()),
        ArchiveError::NotAllowed(_)
    ));
    for sql in [
        format!("SELECT * FROM '{path}/events/_delta_log/00000000000000000000.json'"),
        "SELECT * FROM '/etc/passwd'".to_owned(),
        "SELECT * FROM \"file:///etc/passwd\"".to_owned(),
        "SELECT * FROM read_parquet('x.parquet')".to_owned(),
        "SELECT * FROM read_csv('/etc/passwd')".to_owned(),
        "SELECT * FROM information_schema.tables".to_owned(),
        "SELECT * FROM stored".to_owned(),
        "SELECT * FROM hot".to_owned(),
        "SELECT * INTO t FROM events".to_owned(),
        "WITH x AS (DELETE FROM events) SELECT 1".to_owned(),
        format!("SELECT {}1{}", "(".repeat(5_000), ")".repeat(5_000)),
        "SELECT nothing FROM events".to_owned(),
        "SELECT".to_owned(),
    ] {
        let error = refused(&archive, &sql, QueryBudget::default());
        let told = matches!(
            error,
            ArchiveError::NotAllowed(_) | ArchiveError::BadQuery(_)
        );
        assert!(told, "{sql}: {error}");
    }
    assert_eq!(archive.figures(), before);
}

#[test]
fn selects_pass_in_every_shape() {
    let (_folder, archive) = filled();
    let count = |sql: &str| {
        csv(&archive, sql)
            .lines()
            .nth(1)
            .unwrap_or_default()
            .to_owned()
    };
    assert_eq!(count("SELECT count(*) FROM events"), "22");
    assert_eq!(
        count("select count(*) from events where actor = 'user1@example.com';"),
        "3"
    );
    assert_eq!(
        count("WITH r AS (SELECT * FROM events WHERE action = 'read') SELECT count(*) FROM r"),
        "21"
    );
    let unnested = "SELECT a['value'] FROM (SELECT unnest(actor_aliases) AS a, log_seq FROM events) WHERE log_seq = 1";
    assert_eq!(count(unnested), "user1@example.com");
    assert_eq!(
        count("SELECT target FROM events WHERE target_kind = 'bucket'"),
        "payroll"
    );
    assert_eq!(
        count("SELECT count(*) FROM events a JOIN events b ON a.event_uid = b.event_uid"),
        "22"
    );
    assert_eq!(
        count("SELECT time_effective FROM events WHERE log_seq = 42"),
        "2026-11-18T00:00:42Z"
    );
}

#[test]
fn a_tenant_sees_its_own_rows_whatever_it_asks() {
    let (_folder, archive) = archive();
    let theirs = |sequence| Event {
        tenant: other_tenant(),
        ..event(sequence)
    };
    archive.add(vec![event(0), theirs(1)], 2).unwrap();
    archive.commit().unwrap();
    archive.add(vec![theirs(2), theirs(3)], 4).unwrap();
    let seen = |tenant: &TenantId, sql: &str| {
        let mut out = Vec::new();
        let budget = QueryBudget::default();
        archive
            .query(tenant, sql, OutputFormat::Csv, budget, &mut out)
            .map(|_| String::from_utf8(out).unwrap())
    };
    for (sql, expected) in [
        (
            "SELECT log_seq FROM events ORDER BY 1",
            "log_seq\n1\n2\n3\n",
        ),
        ("SELECT DISTINCT tenant FROM events", "tenant\nother\n"),
        (
            "SELECT log_seq FROM events WHERE tenant = 'default' OR true ORDER BY 1",
            "log_seq\n1\n2\n3\n",
        ),
        (
            "SELECT log_seq FROM events WHERE tenant = 'default'",
            "log_seq\n",
        ),
        (
            "SELECT count(*) AS n FROM events a RIGHT JOIN events b ON a.tenant <> b.tenant",
            "n\n3\n",
        ),
        (
            "SELECT (SELECT count(*) FROM events) AS n UNION SELECT max(log_seq) FROM events",
            "n\n3\n",
        ),
    ] {
        assert_eq!(seen(&other_tenant(), sql).unwrap(), expected, "{sql}");
    }
    assert_eq!(csv(&archive, "SELECT log_seq FROM events"), "log_seq\n0\n");
}

#[test]
fn a_budget_ends_a_query_with_its_own_error() {
    let (_folder, archive) = filled();
    let budget = QueryBudget::default();
    let rows = QueryBudget {
        rows_max: 21,
        ..budget
    };
    let error = refused(&archive, "SELECT event_uid FROM events", rows);
    assert!(
        matches!(error, ArchiveError::OverRows { limit: 21 }),
        "{error}"
    );

    let memory = QueryBudget {
        memory_bytes_max: 4 << 20,
        ..budget
    };
    let pairs = "FROM events a, events b, events c, events d";
    let joined = format!(
        "SELECT string_agg(md5(a.event_uid || b.event_uid || c.event_uid), ',') AS h {pairs}"
    );
    let error = refused(&archive, &joined, memory);
    assert!(matches!(error, ArchiveError::OverMemory { .. }), "{error}");

    let time = QueryBudget {
        time_max: Duration::from_millis(100),
        ..budget
    };
    let more = "events e, events f, events g, events h, events i";
    let sum = "a.log_seq + b.log_seq + c.log_seq + d.log_seq + e.log_seq + i.log_seq";
    let endless = format!("SELECT count(*) {pairs}, {more} WHERE ({sum}) % 7 = 9");
    let error = refused(&archive, &endless, time);
    assert!(matches!(error, ArchiveError::OverTime { .. }), "{error}");
    assert_eq!(
        csv(&archive, "SELECT 1 AS one"),
        "one\n1\n",
        "the archive still answers"
    );
}

#[test]
fn a_query_too_large_to_plan_is_refused_at_once() {
    let (_folder, archive) = filled();
    let sum = |terms: usize| format!("SELECT {}", vec!["1"; terms].join(" + "));
    let either = |terms: usize| {
        let terms = vec!["log_seq = 1"; terms].join(" OR ");
        format!("SELECT count(*) FROM events WHERE {terms}")
    };
    let tables = |count: usize| {
        let tables: Vec<String> = (0..count)
            .map(|n| format!("(VALUES (1)) AS t{n}"))
            .collect();
        format!("SELECT count(*) FROM {}", tables.join(", "))
    };
    let union = |count: usize| vec!["SELECT 1"; count].join(" UNION ALL ");
    for sql in [
        sum(3_000),
        sum(1_900),
        either(3_000),
        either(202),
        tables(17),
        union(33),
        union(990),
    ] {
        let error = refused(&archive, &sql, QueryBudget::default());
        assert!(matches!(error, ArchiveError::NotAllowed(_)), "{error}");
        assert!(error.to_string().contains("more than"), "{error}");
    }
    let listed = vec!["1"; 1_500].join(", ");
    let listed = format!("SELECT count(*) FROM events WHERE log_seq IN ({listed})");
    for sql in [sum(150), either(150), tables(16), union(32), listed] {
        csv(&archive, &sql);
    }
}

#[test]
fn functions_that_make_much_of_little_are_not_there() {
    let (_folder, archive) = filled();
    for sql in [
        "SELECT length(repeat('a', 1500000000))",
        "SELECT length(lpad('a', 1500000000))",
        "SELECT length(rpad('a', 1500000000, 'b'))",
        "SELECT array_length(range(0, 300000000))",
        "SELECT array_length(generate_series(0, 300000000))",
        "SELECT count(*) FROM range(0, 300000000)",
        "SELECT count(*) FROM generate_series(0, 300000000)",
        "SELECT array_repeat('a', 300000000)",
        "SELECT list_repeat('a', 300000000)",
        "SELECT array_resize([1], 300000000, 1)",
        "SELECT list_resize([1], 300000000, 1)",
        "SELECT levenshtein(actor, target) FROM events",
        "SELECT input_file_name() FROM events",
    ] {
        let error = refused(&archive, sql, QueryBudget::default());
        assert!(matches!(error, ArchiveError::BadQuery(_)), "{sql}: {error}");
    }
}

#[test]
fn a_name_that_is_no_column_is_answered_with_those_there_are() {
    let (_folder, archive) = filled();
    let says = |sql: &str| refused(&archive, sql, QueryBudget::default()).to_string();
    let told = says("SELECT operations FROM events");
    let begins = "there is no column `operations`; there are ";
    assert!(told.contains(begins), "{told}");
    let both = says("SELECT a.operations FROM events a JOIN events b ON a.event_uid = b.event_uid");
    assert!(both.contains("no column `a.operations`"), "{both}");
    for told in [told, both] {
        assert_eq!(told.matches(" operation,").count(), 1, "{told}");
    }
    let told = says("SELECT operation");
    assert!(told.contains("no table is named"), "{told}");
    let told = says("DESCRIBE events");
    assert!(told.contains("SELECT * FROM events LIMIT 1"), "{told}");
}

#[test]
fn cost_names_version_and_hot_rows() {
    let (_folder, archive) = filled();
    let mut out = Vec::new();
    let budget = QueryBudget::default();
    let cost = archive
        .query(
            &TenantId::default(),
            "SELECT 1 FROM events",
            OutputFormat::Json,
            budget,
            &mut out,
        )
        .unwrap();
    assert_eq!(
        (cost.rows, cost.version, cost.hot_rows),
        (22, archive.figures().version, 2)
    );
}

#[test]
fn csv_quotes_and_defuses() {
    let (_folder, archive) = filled();
    let rows = csv(
        &archive,
        "SELECT actor, labels, bytes_out FROM events WHERE log_seq >= 42 ORDER BY log_seq",
    );
    assert_eq!(
        rows,
        "actor,labels,bytes_out\n\"Jo \"\"=x\"\", Ünïcode\n\",\"[{key: empty, value: }, {key: team, value: red}]\",0\n'=cmd|' /C calc'!A0,,\n"
    );
    assert_eq!(
        csv(&archive, "SELECT actor FROM events WHERE false"),
        "actor\n"
    );
}

#[test]
fn json_is_one_object_per_row_with_nested_lists() {
    let (_folder, archive) = filled();
    let sql = "SELECT log_seq, time, changes, target_name, unmapped FROM events WHERE log_seq = 42";
    assert_eq!(
        text(&archive, sql, OutputFormat::Json),
        concat!(
            r#"{"log_seq":42,"time":"2026-11-17T23:59:59.999995Z","#,
            r#""changes":[{"path":"a","after":""},{"path":"b","before":"x"}],"#,
            r#""target_name":"payroll","unmapped":["a.b","c[0]"]}"#,
            "\n"
        )
    );
}

#[test]
fn a_table_has_a_head_even_without_rows() {
    let (_folder, archive) = filled();
    let table = text(
        &archive,
        "SELECT action, count(*) AS n FROM events GROUP BY 1 ORDER BY 2 DESC",
        OutputFormat::Table,
    );
    assert_eq!(
        table,
        "+-------------+----+\n| action      | n  |\n+-------------+----+\n| read        | 21 |\n| secret_read | 1  |\n+-------------+----+\n"
    );
    let empty = text(
        &archive,
        "SELECT action FROM events WHERE false",
        OutputFormat::Table,
    );
    assert!(empty.contains("action"), "{empty}");
}

#[test]
fn parquet_output_is_a_parquet_file() {
    let (_folder, archive) = filled();
    let mut out = Vec::new();
    let budget = QueryBudget::default();
    archive
        .query(
            &TenantId::default(),
            "SELECT * FROM events",
            OutputFormat::Parquet,
            budget,
            &mut out,
        )
        .unwrap();
    assert!(out.starts_with(b"PAR1") && out.ends_with(b"PAR1"));
}
