//! `source_map source map NAME -`: maps standard input to NDJSON rows, as the command line does.

use std::io::Read as _;

use deedtrail_core::id::SourceName;
use deedtrail_sources::Registry;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, noun, verb, name, _] = arguments.as_slice() else {
        return Err("usage: source_map source (map|coverage) NAME -".into());
    };
    let registry = Registry::built_in().map_err(|error| error.to_string())?;
    let source = SourceName::new(name)?;
    let mut body = Vec::new();
    std::io::stdin().read_to_end(&mut body)?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    match (noun.as_str(), verb.as_str()) {
        ("source", "map") => registry.write_rows(&source, &body, &mut out)?,
        ("source", "coverage") => {
            serde_json::to_writer_pretty(&mut out, &registry.coverage(&source, &body)?)?;
        }
        _ => return Err("usage: source_map source (map|coverage) NAME -".into()),
    }
    Ok(())
}
