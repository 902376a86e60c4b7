//! Where the records of a delivery stand within an object that is none itself.

use crate::mapping::path::{Path, Step};

use super::scan::{Span, elements, member, members};

/// A way to records: `Records`, `response.items`, `data[].logs`, `detail{}`, `data.*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Envelope {
    /// Members and lists on the way; it begins with a member.
    steps: Vec<Step>,
    end: End,
}

/// What stands at the end of the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// A list of records.
    List,
    /// One record.
    Object,
    /// An object of which each member's value is a record.
    Values,
}

impl Envelope {
    /// Parses a way as a mapping writes it; the error says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let object = text.strip_suffix("{}").map(|path| (path, End::Object));
        let values = || text.strip_suffix(".*").map(|path| (path, End::Values));
        let (path, end) = object.or_else(values).unwrap_or((text, End::List));
        let Path { steps, .. } = Path::parse(path)?;
        let is_plain = |step: &Step| matches!(step, Step::Key(_) | Step::Each);
        if !steps.iter().all(is_plain) || !matches!(steps.last(), Some(Step::Key(_))) {
            return Err(format!(
                "`{text}` is no way to records; write `a`, `a.b`, `a[].b`, `a{{}}` or `a.*`"
            ));
        }
        Ok(Self { steps, end })
    }

    /// The key of the record at which the way begins.
    pub(crate) fn first(&self) -> &str {
        match self.steps.first() {
            Some(Step::Key(name)) => name,
            _ => "",
        }
    }

    /// The records in the object that `body` is; `None` if the way leads nowhere.
    pub(crate) fn open(&self, body: &[u8]) -> Option<Vec<Span>> {
        let mut records = Vec::new();
        self.follow(body, 0..body.len(), &self.steps, &mut records)?;
        Some(records)
    }

    fn follow(&self, body: &[u8], at: Span, steps: &[Step], into: &mut Vec<Span>) -> Option<()> {
        let text = body.get(at.clone())?;
        let placed = |inside: Span| at.start + inside.start..at.start + inside.end;
        match (steps.split_first(), self.end) {
            (Some((Step::Key(name), rest)), _) => {
                let inside = placed(member(text, name)?);
                self.follow(body, inside, rest, into)
            }
            // An element in which the way does not go on is a record itself.
            (Some((_, rest)), _) => {
                for element in elements(text)?.map(placed) {
                    if self.follow(body, element.clone(), rest, into).is_none() {
                        into.push(element);
                    }
                }
                Some(())
            }
            (None, End::List) => {
                into.extend(elements(text)?.map(placed));
                Some(())
            }
            (None, End::Object) => (text.first() == Some(&b'{')).then(|| into.push(at.clone())),
            (None, End::Values) => {
                let values: Vec<Span> = members(text).map(|(_, value)| placed(value)).collect();
                let is_object = |value: &Span| body.get(value.start) == Some(&b'{');
                let all = text.first() == Some(&b'{') && values.iter().all(is_object);
                all.then(|| into.extend(values))
            }
        }
    }
}
