//! A mapping file that cannot be used, with the place and a way out.

/// What is wrong with a mapping file, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {message}")]
pub struct MappingError {
    pub file: String,
    /// 1-based.
    pub line: usize,
    pub message: String,
}

impl MappingError {
    /// From serde's error: line from its span, and for an unknown key the nearest valid one.
    pub(super) fn from_toml(file: &str, text: &str, error: &toml::de::Error) -> Self {
        let at = error.span().map_or(0, |span| span.start);
        let mut message = error.message().trim().to_owned();
        let mut quoted = message.split('`').skip(1).step_by(2);
        if message.starts_with("unknown field")
            && let Some(unknown) = quoted.next()
            && let Some(near) = nearest(unknown, quoted)
        {
            message = format!("unknown key `{unknown}`; did you mean `{near}`?");
        }
        Self {
            file: file.to_owned(),
            line: line_at(text, at),
            message,
        }
    }

    /// A problem found after parsing, at the first line that says `needle`.
    pub(super) fn at_text(file: &str, text: &str, needle: &str, message: String) -> Self {
        let said = |wanted: &str| {
            let mut lines = text.lines();
            lines.position(|line| !line.trim_start().starts_with('#') && line.contains(wanted))
        };
        let line = said(&format!("\"{needle}\""))
            .or_else(|| said(needle))
            .map_or(1, |index| index + 1);
        Self {
            file: file.to_owned(),
            line,
            message,
        }
    }
}

fn line_at(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or_default();
    memchr::memchr_iter(b'\n', before).count() + 1
}

/// The name most like `word`, if any is near enough to be meant.
pub(super) fn nearest<'n>(word: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    names
        .map(|name| (strsim::damerau_levenshtein(word, name), name))
        .min()
        .filter(|(distance, name)| *distance <= 3.max(name.len() / 3))
        .map(|(_, name)| name)
}
