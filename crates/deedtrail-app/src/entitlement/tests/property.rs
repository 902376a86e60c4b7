//! What holds for any pattern, grant and deed.

use proptest::prelude::*;

use deedtrail_core::Text;
use deedtrail_core::action::Action;
use deedtrail_core::entitlement::Grant;

use crate::entitlement::matching::{Cover, Deed, cover, wildcard};

fn deed(operation: &str, target: Option<&str>) -> Deed {
    Deed {
        system: "aws".into(),
        operation: operation.into(),
        action: Action::Read,
        target: target.map(Text::new),
        ..Deed::default()
    }
}

fn grant(pattern: &str) -> Grant {
    Grant {
        system: "aws".into(),
        permissions: vec![pattern.into()],
        ..Grant::default()
    }
}

/// The plainest way to say what a pattern stands for.
fn plainly(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern, text) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => (0..=text.len()).any(|skip| plainly(rest, &text[skip..])),
        ([b'?', rest @ ..], [_, tail @ ..]) => plainly(rest, tail),
        ([first, rest @ ..], [byte, tail @ ..]) => first == byte && plainly(rest, tail),
        _ => false,
    }
}

proptest! {
    #[test]
    fn a_wildcard_matches_what_it_says(pattern in "[ab*?]{0,8}", text in "[ab]{0,10}") {
        prop_assert_eq!(wildcard(&pattern, &text), plainly(pattern.as_bytes(), text.as_bytes()));
    }

    #[test]
    fn a_star_for_any_part_still_matches(text in "[a-z:/*?]{0,30}", from in 0..30_usize, to in 0..30_usize) {
        prop_assert!(wildcard(&text, &text));
        let (from, to) = (from.min(to).min(text.len()), from.max(to).min(text.len()));
        let (start, end) = (text.get(..from).unwrap(), text.get(to..).unwrap());
        let pattern = format!("{start}*{end}");
        prop_assert!(wildcard(&pattern, &text));
    }

    #[test]
    fn everything_but_is_the_opposite(pattern in "iam:[A-Za-z]{1,6}[*]?", name in "[A-Za-z]{1,8}") {
        let deed = deed(&format!("iam:{name}"), None);
        let other = Grant { permissions_except: true, ..grant(&pattern) };
        let covers = cover(&grant(&pattern), "", &deed) == Cover::Yes;
        prop_assert_eq!(covers, cover(&other, "", &deed) == Cover::No);
    }

    #[test]
    fn letters_are_alike_in_permissions_and_not_in_targets(name in "[a-z]{3,8}") {
        let deed = deed(&format!("iam:{name}"), Some("arn:aws:iam::1:user/ana"));
        prop_assert_eq!(cover(&grant(&format!("IAM:{}", name.to_uppercase())), "", &deed), Cover::Yes);
        let scoped = Grant { scope: vec!["arn:aws:iam::1:user/ANA".into()], ..grant("iam:*") };
        prop_assert_eq!(cover(&scoped, "", &deed), Cover::No);
    }

    #[test]
    fn a_narrower_scope_covers_no_more(scope in "arn:aws:s3:::[ab/*]{0,6}", target in "arn:aws:s3:::[ab/]{1,6}") {
        let deed = deed("s3:GetObject", Some(&target));
        let scoped = Grant { scope: vec![scope.into()], ..grant("s3:*") };
        let wider = Grant { scope: [scoped.scope.clone(), vec!["arn:aws:s3:::*".into()]].concat(), ..grant("s3:*") };
        prop_assert_eq!(cover(&wider, "", &deed), Cover::Yes);
        prop_assert!(cover(&scoped, "", &deed) != Cover::Unclear);
    }

    #[test]
    fn matching_takes_any_text(pattern in any::<String>(), text in any::<String>(), system in "aws|kubernetes|github|entra|x") {
        let grant = Grant { system: system.clone().into(), scope: vec![pattern.clone().into()], ..grant(&pattern) };
        let deed = Deed { system: system.into(), permission: Some(text.clone().into()), ..deed(&text, Some(&text)) };
        std::hint::black_box(cover(&grant, &pattern, &deed));
    }
}

#[test]
fn a_pattern_of_many_stars_takes_no_time() {
    let pattern = "a*".repeat(2_000);
    let text = "a".repeat(4_000);
    assert!(wildcard(&pattern, &text));
    assert!(!wildcard(&format!("{pattern}b"), &text));
}
