//! Other companies than the story's: the same work, under names and ids of their own.

use regex::bytes::{Captures, Regex};

use crate::Done;

/// What says whose a record is: the company's name, its account, ids of people, keys and roles, and
/// ids that directories hand out.
const OWN: &str = concat!(
    r"(?P<name>larkfield)",
    r"|(?P<account>111122223333)",
    r"|\b(?P<key>(?:AROA|AIDA|AKIA|ASIA|00u)[A-Za-z0-9]{6,})",
    r"|\b(?P<uuid>[0-9a-f]{8})-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b",
    r"|\b(?P<login>(?:svc|ci|agent)-[a-z]+)",
);

/// Gives records to one company or another.
pub struct Companies {
    own: Regex,
}

impl Companies {
    pub fn new() -> Done<Self> {
        Ok(Self {
            own: Regex::new(OWN)?,
        })
    }

    /// The record as it would be of company `number`; 0 is the story's own.
    pub fn of(&self, record: &[u8], number: u64) -> Vec<u8> {
        if number == 0 {
            return record.to_vec();
        }
        let other = |found: &Captures<'_>| -> Vec<u8> {
            let text = String::from_utf8_lossy(&found[0]).into_owned();
            if found.name("account").is_some() {
                return format!("{:012}", 111_122_223_333 + number).into_bytes();
            }
            if let Some(first) = found.name("uuid") {
                let first = std::str::from_utf8(first.as_bytes()).unwrap_or_default();
                let first = u32::from_str_radix(first, 16).unwrap_or_default();
                // A different one for each company: ids of the story differ in more than this.
                let mixed = first ^ (number as u32).wrapping_mul(0x9e37_79b1);
                return format!("{mixed:08x}{}", &text[8..]).into_bytes();
            }
            if found.name("key").is_some() {
                return format!("{text}{number:04}").into_bytes();
            }
            format!("{text}{number}").into_bytes()
        };
        self.own.replace_all(record, other).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_company_has_its_own_names() {
        let companies = Companies::new().unwrap();
        let record = br#"{"a":"arn:aws:iam::111122223333:user/x","k":"AKIA1234567890ABCDEF","m":"jo@larkfield.example","id":"08abb390-e271-4193-aa18-8aea0a3e679c","n":"svc-rotator"}"#;
        assert_eq!(companies.of(record, 0), record);
        let of = |number| String::from_utf8(companies.of(record, number)).unwrap();
        let (one, two) = (of(1), of(2));
        for own in ["111122223333", "ABCDEF\"", "larkfield.", "08abb390", "rotator\""] {
            assert!(!one.contains(own) && !two.contains(own), "{own}");
        }
        assert_ne!(one, two);
        assert!(two.contains("jo@larkfield2.example"), "{two}");
    }
}
