//! What a query's filters ask of the index.

use datafusion::logical_expr::{BinaryExpr, Operator};
use datafusion::prelude::Expr;
use datafusion::scalar::ScalarValue;

use super::filter::{Filter, Unusable, column_of, hash_of};
use crate::column::NEEDLE_COLUMNS;

/// Most values that a query looks up in an index; of more, the files are opened.
pub(super) const VALUES_MAX: usize = 256;

/// A condition that a row has to fulfil, as far as the index can tell.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Value {
        column: u64,
        hash: u64,
    },
    /// All of them hold.
    All(Vec<Wanted>),
    /// One of them holds; of none, no row does.
    Any(Vec<Wanted>),
}

impl Wanted {
    /// What `filters`, which all hold, ask; `None` when the index knows nothing of it.
    pub(super) fn of(filters: &[Expr]) -> Option<Self> {
        let known: Vec<Self> = filters.iter().filter_map(condition).collect();
        (!known.is_empty()).then_some(Self::All(known))
    }

    /// Whether a data file may have a row that fulfils it.
    pub(super) fn may_be_in(&self, filter: &Filter) -> Result<bool, Unusable> {
        match self {
            Self::Value { column, hash } => filter.may_hold(*column, *hash),
            Self::All(all) => {
                for one in all {
                    if !one.may_be_in(filter)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Self::Any(any) => {
                for one in any {
                    if one.may_be_in(filter)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
        }
    }

    fn values(&self) -> usize {
        match self {
            Self::Value { .. } => 1,
            Self::All(some) | Self::Any(some) => some.iter().map(Self::values).sum(),
        }
    }
}

/// What one condition asks. `None` allows every row.
fn condition(expression: &Expr) -> Option<Wanted> {
    match expression {
        Expr::Alias(alias) => condition(&alias.expr),
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => match op {
            Operator::And => match (condition(left), condition(right)) {
                (Some(left), Some(right)) => Some(Wanted::All(vec![left, right])),
                (left, right) => left.or(right),
            },
            Operator::Or => few(vec![condition(left)?, condition(right)?]),
            Operator::Eq => value(left, right).or_else(|| value(right, left)),
            _ => None,
        },
        Expr::InList(list) if !list.negated && list.list.len() <= VALUES_MAX => {
            let values = list.list.iter().map(|one| value(&list.expr, one));
            few(values.collect::<Option<_>>()?)
        }
        _ => None,
    }
}

/// One of these, unless they are too many to look up.
fn few(any: Vec<Wanted>) -> Option<Wanted> {
    let any = Wanted::Any(any);
    (any.values() <= VALUES_MAX).then_some(any)
}

/// The value that a needle column has to have.
fn value(column: &Expr, value: &Expr) -> Option<Wanted> {
    let (Expr::Column(column), Expr::Literal(value, _)) = (column, value) else {
        return None;
    };
    let (ScalarValue::Utf8(Some(text))
    | ScalarValue::LargeUtf8(Some(text))
    | ScalarValue::Utf8View(Some(text))) = value
    else {
        return None;
    };
    NEEDLE_COLUMNS.contains(&column.name.as_str()).then(|| {
        let column = column_of(&column.name);
        let hash = hash_of(column, text);
        Wanted::Value { column, hash }
    })
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::{col, lit};

    use super::*;

    fn one(name: &str, text: &str) -> Wanted {
        let column = column_of(name);
        Wanted::Value {
            column,
            hash: hash_of(column, text),
        }
    }

    #[test]
    fn what_is_certain_is_asked_and_nothing_else() {
        let ip = || col("src_ip").eq(lit("192.0.2.1"));
        let other = || col("operation").eq(lit("GetObject"));
        let asked = |expression: Expr| condition(&expression);
        assert_eq!(asked(ip()), Some(one("src_ip", "192.0.2.1")));
        assert_eq!(asked(lit("192.0.2.1").eq(col("src_ip"))), asked(ip()));
        assert_eq!(asked(ip().and(other())), asked(ip()));
        assert_eq!(asked(other().and(ip())), asked(ip()));
        for everything in [
            other(),
            ip().or(other()),
            Expr::Not(Box::new(ip())),
            col("src_ip").not_eq(lit("192.0.2.1")),
            col("src_ip").in_list(vec![lit("192.0.2.1")], true),
            col("src_ip").in_list(vec![col("target_ref")], false),
            col("src_ip").is_null(),
            ip().is_not_true(),
            col("src_ip").eq(lit(ScalarValue::Utf8(None))),
        ] {
            assert_eq!(asked(everything.clone()), None, "{everything}");
        }
        let listed = col("event_uid").in_list(vec![lit("a"), lit("b")], false);
        let either = vec![one("event_uid", "a"), one("event_uid", "b")];
        assert_eq!(asked(listed), Some(Wanted::Any(either)));
    }

    #[test]
    fn too_many_values_are_not_looked_up() {
        let list = |count: usize| {
            let values = (0..count).map(|n| lit(n.to_string())).collect();
            col("event_uid").in_list(values, false)
        };
        assert!(condition(&list(VALUES_MAX)).is_some());
        assert!(condition(&list(VALUES_MAX + 1)).is_none());
        assert!(condition(&list(VALUES_MAX).or(list(1))).is_none());
        assert!(Wanted::of(&[list(VALUES_MAX + 1), list(1)]).is_some());
        assert!(Wanted::of(&[list(VALUES_MAX + 1)]).is_none());
    }
}
