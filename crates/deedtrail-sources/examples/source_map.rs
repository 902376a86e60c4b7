//! `source_map source map NAME -`: maps standard input to NDJSON rows, as the command line does; in
//! place of `-`, a folder with sources of one's own.
//! `source_map source detect - FOLDER`: says of which source each record is, with those of a folder.

use std::io::{Read as _, Write as _};
use std::path::Path;

use deedtrail_core::id::SourceName;
use deedtrail_sources::Registry;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let usage =
        "usage: source_map source (map|coverage) NAME - | source_map source detect - FOLDER";
    let [_, noun, verb, name, folder] = arguments.as_slice() else {
        return Err(usage.into());
    };
    if (noun.as_str(), verb.as_str()) == ("source", "detect") {
        return detect(Path::new(folder));
    }
    let registry = if folder == "-" {
        Registry::built_in()
    } else {
        Registry::load(Path::new(folder))
    };
    let registry = registry.map_err(|error| error.to_string())?;
    let source = SourceName::new(name)?;
    let mut body = Vec::new();
    std::io::stdin().read_to_end(&mut body)?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    match (noun.as_str(), verb.as_str()) {
        ("source", "map") => registry.write_rows(&source, &body, &mut out)?,
        ("source", "coverage") => {
            serde_json::to_writer_pretty(&mut out, &registry.coverage(&source, &body)?)?;
        }
        _ => return Err(usage.into()),
    }
    Ok(())
}

fn detect(folder: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let registry = Registry::load(folder).map_err(|error| error.to_string())?;
    let mut body = Vec::new();
    std::io::stdin().read_to_end(&mut body)?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for row in registry.detect(&body)? {
        serde_json::to_writer(&mut out, &row)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}
