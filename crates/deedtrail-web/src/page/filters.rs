//! Filters of templates.
#![expect(
    unreachable_pub,
    clippy::inline_always,
    clippy::unused_self,
    reason = "so writes the macro of filters"
)]

use std::fmt::{Display, Write as _};

use askama::filters::{Html, Safe, escape};

/// A sentence as people read it: what stands between two backticks is code. Everything is escaped.
#[askama::filter_fn]
pub(super) fn prose(
    sentence: impl Display,
    _: &dyn askama::Values,
) -> askama::Result<Safe<String>> {
    marked_up(&sentence.to_string()).map(Safe)
}

fn marked_up(sentence: &str) -> askama::Result<String> {
    let parts: Vec<&str> = sentence.split('`').collect();
    let paired = parts.len() - (1 - parts.len() % 2);
    let mut html = String::with_capacity(sentence.len() + 16);
    for (place, part) in parts.iter().enumerate() {
        let text = escape(part, Html)?;
        if place >= paired {
            write!(html, "`{text}")?;
        } else if place % 2 == 1 {
            write!(html, "<code>{text}</code>")?;
        } else {
            write!(html, "{text}")?;
        }
    }
    Ok(html)
}

#[cfg(test)]
mod tests {
    use super::marked_up;

    #[test]
    fn what_stands_between_backticks_is_code_and_nothing_else_is_markup() {
        let cases = [
            ("plain", "plain"),
            ("`list pods` once", "<code>list pods</code> once"),
            ("a `b` c `d`", "a <code>b</code> c <code>d</code>"),
            ("one ` alone", "one ` alone"),
            ("`a` and one ` alone", "<code>a</code> and one ` alone"),
            ("", ""),
            ("`<b>`&", "<code>&#60;b&#62;</code>&#38;"),
            ("<code>", "&#60;code&#62;"),
        ];
        for (sentence, html) in cases {
            assert_eq!(marked_up(sentence).unwrap(), html, "{sentence}");
        }
    }
}
