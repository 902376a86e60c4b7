//! All sources: those of this build, and the operator's folders.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use deedtrail_core::id::SourceName;
use deedtrail_core::mapping::{FieldPaths, MapError, MappedRecord};
use deedtrail_core::port::log::PartClass;
use deedtrail_core::port::mapper::{
    Encoding, FrameError, Framed, Mapper, Sorted, SourceAccount, SourceFacts,
};

use crate::framing::{self, Envelope, Framing};
use crate::map;
use crate::mapping::plan::Plan;
use crate::mapping::spec::Unlabelled;
use crate::mapping::{MappingError, SharedTables, compile};
use crate::recognize::{self, Recognizer};
use crate::record::Buffers;
use crate::record::line::Csv;
use crate::sensitive;

/// Name, mapping text and README of every source of this build, and the shared tables.
mod built_in {
    include!(concat!(env!("OUT_DIR"), "/sources.rs"));
}

/// Why the operator's sources cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error(transparent)]
    Mapping(#[from] MappingError),
    #[error("cannot read {path}: {source}")]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{path}: {source}; name the folder `<vendor>.<log>`")]
    Name {
        path: PathBuf,
        source: deedtrail_core::id::BadName,
    },
    #[error("{found}: the folder has no mapping.toml; is this meant to be it?")]
    Misnamed { found: PathBuf },
}

/// Every source by name.
#[derive(Debug)]
pub struct Registry {
    sources: BTreeMap<SourceName, Source>,
    /// What shippers call the sources.
    labels: BTreeMap<String, SourceName>,
    recognizer: Recognizer,
    /// Ways to records and the sources that know them, by the key with which they begin.
    envelopes: BTreeMap<String, Vec<(Envelope, Vec<SourceName>)>>,
}

#[derive(Debug)]
struct Source {
    plan: Plan,
    readme: String,
}

thread_local! {
    /// Buffers reused from record to record.
    static BUFFERS: RefCell<Buffers> = RefCell::default();
}

/// From this record size on, buffers are given back afterwards.
const LARGE_RECORD_BYTES: usize = 1 << 20;

impl Registry {
    /// The sources of this build.
    pub fn built_in() -> Result<Self, LoadError> {
        let shared = shared_tables()?;
        let mut sources = BTreeMap::new();
        for (name, mapping, readme) in built_in::SOURCES {
            let file = format!("sources/{name}/mapping.toml");
            let plan = compile(&file, mapping, &shared)?;
            let name = name_of(Path::new(&file), name)?;
            sources.insert(
                name,
                Source {
                    plan,
                    readme: (*readme).to_owned(),
                },
            );
        }
        Ok(Self::of(sources))
    }

    fn of(sources: BTreeMap<SourceName, Source>) -> Self {
        let shipped = sources.iter().flat_map(|(name, source)| {
            let labels = source.plan.shipped_as.iter().cloned();
            labels.map(move |label| (label, name.clone()))
        });
        // A source's own name is never another's label.
        let named = sources.keys().map(|name| (name.to_string(), name.clone()));
        let labels = shipped.chain(named).collect();
        let plans = sources.iter().map(|(name, source)| (name, &source.plan));
        let recognizer = Recognizer::new(plans);
        let envelopes = envelopes(&sources);
        Self {
            sources,
            labels,
            recognizer,
            envelopes,
        }
    }

    /// The sources of this build and those in the folders below `extra`, which win by name.
    pub fn load(extra: &Path) -> Result<Self, LoadError> {
        let (registry, problems) = Self::load_sound(extra)?;
        problems.into_iter().next().map_or(Ok(registry), Err)
    }

    /// Like [`Self::load`], without the sources that are wrong; also says what is wrong with each.
    pub fn load_sound(extra: &Path) -> Result<(Self, Vec<LoadError>), LoadError> {
        let mut sources = Self::built_in()?.sources;
        let shared = shared_tables()?;
        let entries = std::fs::read_dir(extra).map_err(failed(extra))?;
        let folders = entries.map(|entry| entry.map(|entry| entry.path()));
        let mut folders: Vec<PathBuf> = folders.collect::<Result<_, _>>().map_err(failed(extra))?;
        folders.sort();
        let mut problems = Vec::new();
        for folder in folders {
            match read_source(&folder, &shared) {
                Ok(Some((name, source))) => {
                    sources.insert(name, source);
                }
                Ok(None) => {}
                Err(problem) => problems.push(problem),
            }
        }
        Ok((Self::of(sources), problems))
    }

    /// What a source's README says.
    pub fn readme(&self, source: &SourceName) -> Option<&str> {
        self.sources
            .get(source)
            .map(|source| source.readme.as_str())
    }

    /// The source an unlabelled record is of: of those whose conditions hold, the one that asks
    /// for most; none if two ask for as much.
    pub fn identify(&self, record: &[u8]) -> Option<&SourceName> {
        match self.candidates(record).as_slice() {
            [one] => Some(one),
            _ => None,
        }
    }

    /// The sources an unlabelled record may be of: more than one where nothing in it tells them
    /// apart.
    pub fn candidates(&self, record: &[u8]) -> Vec<&SourceName> {
        let plan_of = |name: &SourceName| self.sources.get(name).map(|source| &source.plan);
        with_buffers(record, |buffers| {
            self.recognizer.candidates(plan_of, record, buffers)
        })
    }

    /// Ways to records that begin with `key`, and the sources that know them.
    pub(crate) fn envelopes(&self, key: &str) -> &[(Envelope, Vec<SourceName>)] {
        self.envelopes.get(key).map_or(&[], Vec::as_slice)
    }

    /// Sources whose records are rows of a table.
    pub(crate) fn tables(&self) -> impl Iterator<Item = (&SourceName, &Csv)> {
        let all = self.sources.iter();
        all.filter_map(|(name, source)| Some((name, source.plan.framing().csv?)))
    }

    pub(crate) fn plan(&self, source: &SourceName) -> Result<&Plan, MapError> {
        let found = self.sources.get(source).map(|source| &source.plan);
        found.ok_or_else(|| MapError::UnknownSource {
            source_name: source.to_string(),
        })
    }
}

impl Mapper for Registry {
    fn sources(&self) -> Vec<SourceFacts> {
        let facts = self.sources.iter().map(|(name, source)| SourceFacts {
            name: name.clone(),
            title: source.plan.title.clone(),
            sigma: source.plan.sigma.clone(),
            mapping_version: source.plan.version.to_string(),
            planes: source.plan.planes.clone(),
            system: source.plan.system.clone(),
            field_aliases: source.plan.field_aliases.clone(),
        });
        facts.collect()
    }

    fn account_of(&self, source: &SourceName) -> Option<SourceAccount> {
        let readme = self.readme(source)?;
        let lacks = section(readme, "What it lacks");
        let plan = section(readme, "Switch it on").find(|part| part.starts_with("**Plan.**"));
        Some(SourceAccount {
            fields: self.told_fields(source).unwrap_or_default(),
            needs: plan.map(plain).unwrap_or_default(),
            lacks: lacks.take(1).map(plain).collect(),
        })
    }

    fn frame<'a>(
        &self,
        source: &SourceName,
        encoding: Encoding,
        body: &'a [u8],
    ) -> Result<Vec<Framed<'a>>, FrameError> {
        let plan = self
            .plan(source)
            .map_err(|_| FrameError::UnknownSource(source.to_string()))?;
        framing::frame(plan.framing(), encoding, body)
    }

    fn header<'a>(&self, source: Option<&SourceName>, beginning: &'a [u8]) -> Option<&'a [u8]> {
        let csv = match source {
            Some(source) => self.plan(source).ok()?.framing().csv?,
            None => recognize::table(self, beginning)?.1,
        };
        framing::header(csv, beginning)
    }

    fn unpack<'a>(&self, encoding: Encoding, body: &'a [u8]) -> Result<Cow<'a, [u8]>, FrameError> {
        framing::unpack(encoding, body)
    }

    fn pieces<'a>(&self, body: &'a [u8]) -> Result<Vec<Framed<'a>>, FrameError> {
        framing::pieces_of(Framing::default(), body)
    }

    fn recognize(&self, labels: &[&str], record: &[u8]) -> Option<SourceName> {
        let labelled = labels.iter().find_map(|label| self.labels.get(*label));
        labelled.or_else(|| self.identify(record)).cloned()
    }

    fn comes_last(&self, source: &SourceName) -> bool {
        let plan = self.plan(source);
        plan.is_ok_and(|plan| plan.unlabelled == Unlabelled::Last)
    }

    fn frame_unlabelled<'a>(&self, body: &'a [u8]) -> Result<Vec<Sorted<'a>>, FrameError> {
        recognize::sorted(self, body)
    }

    fn map(&self, source: &SourceName, record: &[u8]) -> Result<MappedRecord, MapError> {
        let plan = self.plan(source)?;
        with_buffers(record, |buffers| {
            map::map(plan, source.as_str(), record, buffers, None)
        })
    }

    fn provenance(&self, source: &SourceName, record: &[u8]) -> Result<Vec<FieldPaths>, MapError> {
        let plan = self.plan(source)?;
        let mut trace = Vec::new();
        with_buffers(record, |buffers| {
            map::map(plan, source.as_str(), record, buffers, Some(&mut trace))
        })?;
        Ok(trace)
    }

    fn sensitive(&self, record: &[u8]) -> Vec<(Range<usize>, PartClass)> {
        sensitive(record)
    }
}

fn envelopes(
    sources: &BTreeMap<SourceName, Source>,
) -> BTreeMap<String, Vec<(Envelope, Vec<SourceName>)>> {
    let mut all: BTreeMap<String, Vec<(Envelope, Vec<SourceName>)>> = BTreeMap::new();
    for (name, source) in sources {
        for envelope in &source.plan.envelopes {
            let of_key = all.entry(envelope.first().to_owned()).or_default();
            match of_key.iter_mut().find(|(known, _)| known == envelope) {
                Some((_, names)) => names.push(name.clone()),
                None => of_key.push((envelope.clone(), vec![name.clone()])),
            }
        }
    }
    all
}

/// The source in a folder; `None` when it has no mapping.
fn read_source(
    folder: &Path,
    shared: &SharedTables,
) -> Result<Option<(SourceName, Source)>, LoadError> {
    let file = folder.join("mapping.toml");
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return match misnamed(folder) {
                Some(found) => Err(LoadError::Misnamed { found }),
                None => Ok(None),
            };
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => return Ok(None),
        Err(error) => return Err(failed(&file)(error)),
    };
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let name = name_of(folder, &name)?;
    let plan = compile(&file.display().to_string(), &text, shared)?;
    let readme = std::fs::read_to_string(folder.join("README.md")).unwrap_or_default();
    Ok(Some((name, Source { plan, readme })))
}

/// The paragraphs of a README below a heading.
fn section<'a>(readme: &'a str, heading: &str) -> impl Iterator<Item = &'a str> {
    let below = readme
        .split("\n## ")
        .find_map(|part| part.strip_prefix(heading));
    let paragraphs = below.unwrap_or_default().split("\n\n").map(str::trim);
    paragraphs.filter(|paragraph| !paragraph.is_empty())
}

/// A paragraph as one line, without its label.
fn plain(paragraph: &str) -> String {
    let text = paragraph.strip_prefix("**Plan.**").unwrap_or(paragraph);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What may be meant to be the mapping of a folder without one.
fn misnamed(folder: &Path) -> Option<PathBuf> {
    let files = std::fs::read_dir(folder).ok()?.filter_map(Result::ok);
    let paths = files.map(|file| file.path());
    let mut tables = paths.filter(|path| path.extension().is_some_and(|end| end == "toml"));
    tables.next()
}

fn failed(path: &Path) -> impl Fn(std::io::Error) -> LoadError {
    let path = path.to_owned();
    move |source| LoadError::Read {
        path: path.clone(),
        source,
    }
}

/// Runs `work` with this thread's buffers.
fn with_buffers<T>(record: &[u8], work: impl FnOnce(&mut Buffers) -> T) -> T {
    BUFFERS.with(|buffers| match buffers.try_borrow_mut() {
        Ok(mut buffers) => {
            let done = work(&mut buffers);
            if record.len() >= LARGE_RECORD_BYTES {
                buffers.tree.shrink();
            }
            done
        }
        Err(_) => work(&mut Buffers::default()),
    })
}

fn name_of(path: &Path, name: &str) -> Result<SourceName, LoadError> {
    SourceName::new(name).map_err(|source| LoadError::Name {
        path: path.to_owned(),
        source,
    })
}

fn shared_tables() -> Result<SharedTables, MappingError> {
    SharedTables::parse("sources/tables.toml", built_in::TABLES)
}
