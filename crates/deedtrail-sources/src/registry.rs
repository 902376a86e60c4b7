//! All sources: those of this build, and the operator's folders.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use deedtrail_core::id::SourceName;
use deedtrail_core::mapping::{FieldPaths, MapError, MappedRecord};
use deedtrail_core::port::log::PartClass;
use deedtrail_core::port::mapper::{
    Encoding, FrameError, Framed, Mapper, Sorted, SourceAccount, SourceFacts,
};

use crate::framing::{self, Envelope, Framing};
use crate::map;
use crate::mapping::plan::{Outline, Plan};
use crate::mapping::spec::Unlabelled;
use crate::mapping::{MappingError, SharedTables, compile, outline};
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
    shared: SharedTables,
    /// What shippers call the sources.
    labels: BTreeMap<String, SourceName>,
    recognizer: Recognizer,
    /// Ways to records and the sources that know them, by the key with which they begin.
    envelopes: BTreeMap<String, Vec<(Envelope, Vec<SourceName>)>>,
}

#[derive(Debug)]
struct Source {
    outline: Outline,
    /// The text of a mapping of this build: it is compiled when the first record comes, as an
    /// installation sees few of all sources.
    mapping: &'static str,
    plan: OnceLock<Result<Plan, MappingError>>,
    readme: Cow<'static, str>,
}

impl Source {
    /// The plan, compiled now if it is not yet.
    fn plan(&self, name: &SourceName, shared: &SharedTables) -> Result<&Plan, MapError> {
        let compile = || compile(&file_of(name.as_str()), self.mapping, shared);
        let plan = self.plan.get_or_init(compile).as_ref();
        // A test compiles all mappings of the build.
        plan.map_err(|error| MapError::WrongSource {
            source_name: name.to_string(),
            detail: error.to_string(),
        })
    }
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
            let file = file_of(name);
            let source = Source {
                outline: outline(&file, mapping, &shared)?,
                mapping,
                plan: OnceLock::new(),
                readme: Cow::Borrowed(readme),
            };
            sources.insert(name_of(Path::new(&file), name)?, source);
        }
        Ok(Self::of(sources, shared))
    }

    fn of(sources: BTreeMap<SourceName, Source>, shared: SharedTables) -> Self {
        let shipped = sources.iter().flat_map(|(name, source)| {
            let labels = source.outline.shipped_as.iter().cloned();
            labels.map(move |label| (label, name.clone()))
        });
        // A source's own name is never another's label.
        let named = sources.keys().map(|name| (name.to_string(), name.clone()));
        let labels = shipped.chain(named).collect();
        let outlines = sources.iter().map(|(name, source)| (name, &source.outline));
        let recognizer = Recognizer::new(outlines);
        let envelopes = envelopes(&sources);
        Self {
            sources,
            shared,
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
        let Self {
            mut sources,
            shared,
            ..
        } = Self::built_in()?;
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
        Ok((Self::of(sources, shared), problems))
    }

    /// What a source's README says.
    pub fn readme(&self, source: &SourceName) -> Option<&str> {
        self.sources
            .get(source)
            .map(|source| source.readme.as_ref())
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
        let plan_of = |name: &SourceName| self.plan(name).ok();
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
        all.filter_map(|(name, source)| Some((name, source.outline.framing().csv?)))
    }

    pub(crate) fn plan(&self, source: &SourceName) -> Result<&Plan, MapError> {
        self.source(source)?.plan(source, &self.shared)
    }

    pub(crate) fn outline(&self, source: &SourceName) -> Result<&Outline, MapError> {
        self.source(source).map(|source| &source.outline)
    }

    fn source(&self, source: &SourceName) -> Result<&Source, MapError> {
        let found = self.sources.get(source);
        found.ok_or_else(|| MapError::UnknownSource {
            source_name: source.to_string(),
        })
    }
}

impl Mapper for Registry {
    fn sources(&self) -> Vec<SourceFacts> {
        let facts = self.sources.iter().map(|(name, source)| SourceFacts {
            name: name.clone(),
            title: source.outline.title.clone(),
            sigma: source.outline.sigma.clone(),
            mapping_version: source.outline.version.to_string(),
            planes: source.outline.planes.clone(),
            system: source.outline.system.clone(),
            field_aliases: source.outline.field_aliases.clone(),
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
        let outline = self
            .outline(source)
            .map_err(|_| FrameError::UnknownSource(source.to_string()))?;
        framing::frame(outline.framing(), encoding, body)
    }

    fn header<'a>(&self, source: Option<&SourceName>, beginning: &'a [u8]) -> Option<&'a [u8]> {
        let csv = match source {
            Some(source) => self.outline(source).ok()?.framing().csv?,
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
        let outline = self.outline(source);
        outline.is_ok_and(|outline| outline.unlabelled == Unlabelled::Last)
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
        for envelope in &source.outline.envelopes {
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
    let file = file.display().to_string();
    let plan = compile(&file, &text, shared)?;
    let source = Source {
        outline: outline(&file, &text, shared)?,
        mapping: "",
        plan: OnceLock::from(Ok(plan)),
        readme: Cow::Owned(std::fs::read_to_string(folder.join("README.md")).unwrap_or_default()),
    };
    Ok(Some((name, source)))
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

/// The mapping file of a source of this build, for messages.
fn file_of(name: &str) -> String {
    format!("sources/{name}/mapping.toml")
}

fn shared_tables() -> Result<SharedTables, MappingError> {
    SharedTables::parse("sources/tables.toml", built_in::TABLES)
}
