//! Characters that a form writes in another way.

/// How special characters of a text are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Escapes {
    #[default]
    None,
    /// A backslash before `|`, `=` or a backslash; `\n` and `\r` (CEF 0 and 1).
    Cef,
    /// A backslash before a quote or a backslash.
    Backslash,
    /// A quote twice (RFC 4180).
    Doubled,
}

impl Escapes {
    /// Whether a text holds any, so that it has to be decoded.
    pub(crate) fn are_in(self, text: &str) -> bool {
        match self {
            Self::None => false,
            Self::Cef | Self::Backslash => text.contains('\\'),
            Self::Doubled => text.contains("\"\""),
        }
    }

    /// Appends what a text says.
    pub(crate) fn decode(self, text: &str, into: &mut String) {
        match self {
            Self::None => into.push_str(text),
            Self::Cef => unescaped(text, into, |after| match after {
                '|' | '=' | '\\' => Some(after),
                'n' => Some('\n'),
                'r' => Some('\r'),
                _ => None,
            }),
            Self::Backslash => unescaped(text, into, |after| {
                matches!(after, '"' | '\'' | '\\').then_some(after)
            }),
            Self::Doubled => {
                for (index, part) in text.split("\"\"").enumerate() {
                    if index > 0 {
                        into.push('"');
                    }
                    into.push_str(part);
                }
            }
        }
    }
}

/// A backslash that means nothing stays: paths of Windows are often written as they are.
fn unescaped(text: &str, into: &mut String, meaning: impl Fn(char) -> Option<char>) {
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let mut rest = characters.clone();
        let meant = (character == '\\')
            .then(|| rest.next().and_then(&meaning))
            .flatten();
        match meant {
            Some(meant) => {
                into.push(meant);
                characters = rest;
            }
            None => into.push(character),
        }
    }
}
