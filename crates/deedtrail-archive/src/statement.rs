//! The text of a query: one SELECT of bounded size. Planning recurses and takes more than linear
//! time, so what is too large is refused before it starts.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use datafusion::common::{Column, SchemaError};
use datafusion::error::DataFusionError;
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::{
    Expr, Query, Select, Statement as SqlStatement, TableFactor, Visit as _, Visitor,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::ParserError;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};
use deedtrail_core::port::archive::ArchiveError;

/// Longest query text, bytes.
const SQL_BYTES_MAX: usize = 64 << 10;
/// Most words, values and signs of a query; comments do not count.
const TOKENS_MAX: usize = 4_000;
/// How deep expressions and queries may lie in each other; in `a + b + c` it is two.
const DEPTH_MAX: usize = 200;
/// Most SELECTs of a query, also of those in its subqueries.
const SELECTS_MAX: usize = 32;
/// Most tables a query names; a table that is named again counts again, because it is read again.
const TABLES_MAX: usize = 16;

/// The one SELECT that `sql` is. What lies beyond `recursion_max` calls of the parser is refused.
pub(crate) fn parse(sql: &str, recursion_max: usize) -> Result<Statement, ArchiveError> {
    if sql.len() > SQL_BYTES_MAX {
        return refused(format!("it is longer than {SQL_BYTES_MAX} bytes"));
    }
    let tokens = Tokenizer::new(&GenericDialect {}, sql)
        .tokenize_with_location()
        .map_err(|error| bad(&ParserError::from(error).into()))?;
    let is_space = |token: &Token| matches!(token, Token::Whitespace(_));
    if tokens.iter().filter(|t| !is_space(&t.token)).count() > TOKENS_MAX {
        return refused(format!("it has more than {TOKENS_MAX} words and signs"));
    }
    let mut statements = DFParserBuilder::new(tokens)
        .with_recursion_limit(recursion_max)
        .build()
        .and_then(|mut parser| parser.parse_statements())
        .map_err(|error| bad(&error))?;
    let (Some(statement), None) = (statements.pop_front(), statements.pop_front()) else {
        return refused("it is not exactly one statement".to_owned());
    };
    check(&statement)?;
    Ok(statement)
}

/// Only a query may pass; EXPLAIN too is refused, since plans name files.
fn check(statement: &Statement) -> Result<(), ArchiveError> {
    match statement {
        Statement::Statement(sql) if matches!(sql.as_ref(), SqlStatement::Query(_)) => {
            match sql.visit(&mut Size::default()) {
                ControlFlow::Continue(()) => Ok(()),
                ControlFlow::Break(limit) => refused(format!("it has more than {limit}")),
            }
        }
        other => {
            let text = other.to_string();
            let verb = text.split_whitespace().next().unwrap_or("the statement");
            let hint = match verb {
                "DESCRIBE" | "DESC" | "SHOW" => {
                    " (`SELECT * FROM events LIMIT 1` shows the columns)"
                }
                _ => "",
            };
            refused(format!("{verb} is not a SELECT{hint}"))
        }
    }
}

fn refused<T>(why: String) -> Result<T, ArchiveError> {
    Err(ArchiveError::NotAllowed(why))
}

/// Counts what a query is made of, up to the first limit it breaks.
#[derive(Debug, Default)]
struct Size {
    depth: usize,
    selects: usize,
    tables: usize,
}

impl Size {
    fn deeper(&mut self) -> ControlFlow<String> {
        self.depth += 1;
        within(self.depth, DEPTH_MAX, "levels of expressions in each other")
    }

    fn back(&mut self) -> ControlFlow<String> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }
}

fn within(count: usize, limit: usize, of: &str) -> ControlFlow<String> {
    if count > limit {
        ControlFlow::Break(format!("{limit} {of}"))
    } else {
        ControlFlow::Continue(())
    }
}

impl Visitor for Size {
    type Break = String;

    fn pre_visit_expr(&mut self, _: &Expr) -> ControlFlow<String> {
        self.deeper()
    }

    fn post_visit_expr(&mut self, _: &Expr) -> ControlFlow<String> {
        self.back()
    }

    fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<String> {
        self.deeper()
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<String> {
        self.back()
    }

    fn pre_visit_select(&mut self, _: &Select) -> ControlFlow<String> {
        self.selects += 1;
        within(self.selects, SELECTS_MAX, "SELECTs")
    }

    fn pre_visit_table_factor(&mut self, _: &TableFactor) -> ControlFlow<String> {
        self.tables += 1;
        within(self.tables, TABLES_MAX, "tables")
    }
}

/// A name that is no column, and the columns there are.
fn unknown_column(error: &DataFusionError) -> Option<String> {
    let DataFusionError::SchemaError(error, _) = error.find_root() else {
        return None;
    };
    let SchemaError::FieldNotFound {
        field,
        valid_fields,
    } = error.as_ref()
    else {
        return None;
    };
    let columns: BTreeSet<&str> = valid_fields.iter().map(Column::name).collect();
    let columns: Vec<&str> = columns.into_iter().collect();
    let there_are = match columns.as_slice() {
        [] => "no table is named, as in `FROM events`".to_owned(),
        columns => format!("there are {}", columns.join(", ")),
    };
    Some(format!(
        "there is no column `{}`; {there_are}",
        field.flat_name()
    ))
}

/// An error of the text, as the port tells it.
pub(crate) fn bad(error: &DataFusionError) -> ArchiveError {
    ArchiveError::BadQuery(reason(error))
}

/// The root cause in one line, without the engine's wrapping.
pub(crate) fn reason(error: &DataFusionError) -> String {
    if let Some(says) = unknown_column(error) {
        return says;
    }
    let text = error.find_root().strip_backtrace();
    let line = text.lines().next().unwrap_or_default();
    let plain = [
        "Error during planning: ",
        "SQL error: ",
        "This feature is not implemented: ",
    ];
    let line = plain.iter().fold(line, |line, prefix| {
        line.strip_prefix(prefix).unwrap_or(line)
    });
    // Variants of the parser's error, printed as they are written in code.
    let mut variants = ["ParserError(\"", "TokenizerError(\""].iter();
    let inner = variants.find_map(|variant| line.strip_prefix(variant)?.strip_suffix("\")"));
    let line = inner.unwrap_or(line);
    let table = line.strip_prefix("table 'datafusion.public.");
    match table.and_then(|rest| rest.strip_suffix("' not found")) {
        Some(name) => format!("there is no table `{name}`; there is `events`"),
        None => line.to_owned(),
    }
}
