//! Which source a subject stands for.

use deedtrail_core::id::SourceName;

/// Sources by patterns of subjects: the first that fits.
#[derive(Clone, Debug, Default)]
pub struct Subjects(pub Vec<(String, SourceName)>);

impl Subjects {
    pub(super) fn source(&self, subject: &str) -> Option<&SourceName> {
        let fitting = self.0.iter().find(|(pattern, _)| fits(pattern, subject));
        fitting.map(|(_, source)| source)
    }
}

/// NATS's patterns: `*` stands for one token, `>` for one or more at the end.
fn fits(pattern: &str, subject: &str) -> bool {
    let mut tokens = subject.split('.');
    for part in pattern.split('.') {
        match (part, tokens.next()) {
            (">", Some(_)) => return true,
            ("*", Some(_)) => {}
            (part, Some(token)) if part == token => {}
            _ => return false,
        }
    }
    tokens.next().is_none()
}

/// What makes a pattern none: an empty token, a wildcard within one, `>` before the end.
pub fn mistake(pattern: &str) -> Option<String> {
    let tokens: Vec<&str> = pattern.split('.').collect();
    let is_wrong = |(place, token): (usize, &&str)| {
        let is_wild = *token == "*" || (*token == ">" && place + 1 == tokens.len());
        token.is_empty() || (!is_wild && token.contains([' ', '*', '>', '\t']))
    };
    let is_wrong = tokens.iter().enumerate().any(is_wrong);
    is_wrong.then(|| format!("`{pattern}` is no subject: tokens with dots between them, `*` for one, `>` for the rest"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_stand_for_tokens() {
        for (pattern, subject, expected) in [
            ("audit.vault", "audit.vault", true),
            ("audit.vault", "audit", false),
            ("audit.vault", "audit.vault.eu", false),
            ("audit.*", "audit.vault", true),
            ("audit.*", "audit.vault.eu", false),
            ("*.vault", "audit.vault", true),
            ("audit.>", "audit.vault.eu", true),
            ("audit.>", "audit", false),
            (">", "audit", true),
        ] {
            assert_eq!(fits(pattern, subject), expected, "{pattern} {subject}");
            assert_eq!(mistake(pattern), None);
        }
        for wrong in ["", "a..b", "a.", ">.a", "a*", "a b"] {
            assert!(mistake(wrong).is_some(), "{wrong}");
        }
    }
}
