//! Paths into a record: `userIdentity.arn`, `target[type=User].id`, `events[].name`, `ip[0]`,
//! `"key.with.dots".x`. `@` stands for the element of the list that `each` goes through.

/// One step of a path as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Key(String),
    /// `[]`: each element; the first that leads to a value answers.
    Each,
    /// `[2]`.
    Index(usize),
    /// `[type=User]`: elements whose value at a path matches a pattern.
    Where {
        key: Vec<String>,
        pattern: String,
    },
}

/// A parsed path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    /// Begins with `@`.
    pub(crate) from_element: bool,
    pub(crate) steps: Vec<Step>,
}

impl Path {
    /// Parses a path; the error says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut rest = text.trim();
        let from_element = rest.strip_prefix('@').is_some_and(|after| {
            let starts = after.is_empty() || after.starts_with(['.', '[']);
            if starts {
                rest = after;
            }
            starts
        });
        let mut steps = Vec::new();
        let mut first = !from_element;
        while !rest.is_empty() {
            let (step, after) = if let Some(inner) = rest.strip_prefix('[') {
                bracket(inner, text)?
            } else {
                let name = match rest.strip_prefix('.') {
                    Some(name) if !first => name,
                    None if first => rest,
                    _ => return Err(format!("`{text}`: write `.` between two keys")),
                };
                key(name, text)?
            };
            steps.push(step);
            rest = after;
            first = false;
        }
        if steps.is_empty() && !from_element {
            return Err("a path is empty".into());
        }
        Ok(Self {
            from_element,
            steps,
        })
    }
}

/// A key: up to the next `.` or `[`, or between double quotes.
fn key<'t>(rest: &'t str, whole: &str) -> Result<(Step, &'t str), String> {
    if let Some(quoted) = rest.strip_prefix('"') {
        let (name, after) = quoted
            .split_once('"')
            .ok_or_else(|| format!("`{whole}`: a quoted key does not end"))?;
        return Ok((Step::Key(name.into()), after));
    }
    let end = rest.find(['.', '[']).unwrap_or(rest.len());
    let (name, after) = rest.split_at(end);
    if name.is_empty() || name.contains([']', '{', '}', '\'']) {
        return Err(format!(
            "`{whole}` is not a path; constants stand in single quotes"
        ));
    }
    Ok((Step::Key(name.into()), after))
}

/// What stands between brackets.
fn bracket<'t>(rest: &'t str, whole: &str) -> Result<(Step, &'t str), String> {
    let (inside, after) = rest
        .split_once(']')
        .ok_or_else(|| format!("`{whole}`: `[` has no `]`"))?;
    let step = match (inside.trim(), inside.split_once('=')) {
        ("", _) => Step::Each,
        (_, Some((key, pattern))) => Step::Where {
            key: key.trim().split('.').map(str::to_owned).collect(),
            pattern: pattern.trim().to_owned(),
        },
        (number, None) => number.parse().map(Step::Index).map_err(|_| {
            format!("`{whole}`: `[{inside}]` is none of `[]`, `[3]`, `[key=value]`")
        })?,
    };
    Ok((step, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_every_kind_of_step() {
        let path = Path::parse(r#"a."b.c"[type=User|App].d[][2]"#).unwrap();
        assert_eq!(path.steps.len(), 6);
        assert_eq!(
            path.steps[2],
            Step::Where {
                key: vec!["type".into()],
                pattern: "User|App".into()
            }
        );
        assert!(Path::parse("@.name").unwrap().from_element);
        assert_eq!(
            Path::parse("@timestamp").unwrap().steps,
            [Step::Key("@timestamp".into())]
        );
    }

    #[test]
    fn says_what_is_wrong() {
        for bad in ["", "a..b", "a[", "a[x]", "'a'", ".a", "a.", "\"a"] {
            assert!(Path::parse(bad).is_err(), "{bad}");
        }
    }
}
