//! Text from outside, made safe to look at, on a terminal and on a page: what would steer the
//! terminal, reorder the line, hide or pile up becomes visible.

use unicode_width::UnicodeWidthChar as _;

/// Most combining marks in a row that are drawn; more would cover the lines around.
pub const MARKS_MAX: usize = 4;

/// What becomes of line breaks and tabs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breaks {
    /// They stay: the text is a record or a table.
    Kept,
    /// They become visible like other control characters: the text is part of a line.
    Shown,
}

/// The characters as they may be shown: `␛` for an escape, `⟨U+202E⟩` for a reordering or invisible
/// character, `⟨+296 marks⟩` for combining marks beyond [`MARKS_MAX`] in a row.
pub fn visible(characters: impl IntoIterator<Item = char>, breaks: Breaks) -> String {
    let mut shown = String::new();
    let mut marks = 0_usize;
    for character in characters {
        if is_mark(character) {
            marks += 1;
            if marks <= MARKS_MAX {
                shown.push(character);
            }
            continue;
        }
        push_count(&mut shown, marks);
        marks = 0;
        push(&mut shown, character, breaks);
    }
    push_count(&mut shown, marks);
    shown
}

/// Whether the character steers a terminal, reorders what follows, or cannot be seen.
pub fn is_deceptive(character: char) -> bool {
    character.is_control() || changes_direction(character) || is_invisible(character)
}

fn push(shown: &mut String, character: char, breaks: Breaks) {
    match character {
        '\n' | '\t' if breaks == Breaks::Kept => shown.push(character),
        '\u{0}'..='\u{1f}' => {
            let picture = char::from_u32(0x2400 + u32::from(character));
            shown.push(picture.unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        c if is_deceptive(c) => shown.extend(["⟨U+", &hex(c), "⟩"]),
        c => shown.push(c),
    }
}

/// The code point as it is usually written, e.g. `202E`.
fn hex(character: char) -> String {
    format!("{:04X}", u32::from(character))
}

fn push_count(shown: &mut String, marks: usize) {
    if marks > MARKS_MAX {
        shown.extend(["⟨+", &(marks - MARKS_MAX).to_string(), " marks⟩"]);
    }
}

/// Drawn onto the character before it, and not listed as invisible.
fn is_mark(character: char) -> bool {
    character.width() == Some(0) && !is_deceptive(character)
}

/// Characters that reorder what follows (Unicode TR9), the tools of a disguised name.
const fn changes_direction(character: char) -> bool {
    matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{206f}')
}

/// Characters without a shape that no name needs. Joiners (U+200C, U+200D) are not among them:
/// Persian and Indic names and emoji need them.
const fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}'
            | '\u{200b}' | '\u{2028}' | '\u{2029}' | '\u{2060}'..='\u{2065}' | '\u{3164}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(visible(text.chars(), Breaks::Shown), expected);
    }

    #[test]
    fn what_steers_a_terminal_is_seen_and_does_not() {
        check("\u{1b}]0;pwned\u{7}", "␛]0;pwned␇");
        check("a\u{9b}31mb\u{7f}", "a⟨U+009B⟩31mb⟨U+007F⟩");
        check("a\r\nb\tc", "a␍␊b␉c");
        assert_eq!(visible("a\r\nb\tc".chars(), Breaks::Kept), "a␍\nb\tc");
    }

    #[test]
    fn what_reorders_or_hides_is_seen() {
        check("fdp\u{202e}exe", "fdp⟨U+202E⟩exe");
        check("ad\u{200b}min\u{feff}", "ad⟨U+200B⟩min⟨U+FEFF⟩");
        check("a\u{e0041}", "a⟨U+E0041⟩");
    }

    #[test]
    fn names_of_people_stay_as_they_are() {
        for name in [
            "José",
            "Jose\u{301}",
            "Nguyễn Thị Hạnh",
            "می\u{200c}خواهم",
            "👩\u{200d}👩\u{200d}👧",
            "กี่",
        ] {
            check(name, name);
        }
    }

    #[test]
    fn marks_do_not_pile_up() {
        let pile = format!("a{}b", "\u{337}".repeat(300));
        let drawn = "\u{337}".repeat(MARKS_MAX);
        check(&pile, &format!("a{drawn}⟨+296 marks⟩b"));
    }
}
