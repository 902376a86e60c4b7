//! Files ≤ 500 lines without their tests (files of tests ≤ 800), functions ≤ 70 lines.

use std::path::Path;

use syn::spanned::Spanned as _;
use syn::visit::Visit;

use super::files;

const FILE_LINES_MAX: usize = 500;
const TEST_FILE_LINES_MAX: usize = 800;
const FUNCTION_LINES_MAX: usize = 70;

pub(super) fn check(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut problems = Vec::new();
    for folder in ["crates", "xtask"] {
        for path in files(&root.join(folder), "rs")? {
            let text = std::fs::read_to_string(&path)?;
            let name = path
                .strip_prefix(root)
                .unwrap_or(&path)
                .display()
                .to_string();
            problems.extend(of_file(&name, &text)?);
        }
    }
    Ok(problems)
}

fn of_file(name: &str, text: &str) -> anyhow::Result<Vec<String>> {
    let mut problems = Vec::new();
    let code = text
        .split("#[cfg(test)]\nmod tests")
        .next()
        .unwrap_or_default()
        .lines()
        .count();
    let most = if name.contains("/tests/") {
        TEST_FILE_LINES_MAX
    } else {
        FILE_LINES_MAX
    };
    if code > most {
        problems.push(format!(
            "{name}: {code} lines of code, at most {most}: split it along a seam"
        ));
    }
    let mut functions = Functions { name, problems };
    functions.visit_file(&syn::parse_file(text)?);
    Ok(functions.problems)
}

struct Functions<'a> {
    name: &'a str,
    problems: Vec<String>,
}

impl Functions<'_> {
    fn measure(&mut self, function: &syn::Ident, block: &syn::Block) {
        let span = block.span();
        let lines = span.end().line.saturating_sub(span.start().line) + 1;
        if lines > FUNCTION_LINES_MAX {
            self.problems
                .push(format!("{}: fn {function} has {lines} lines", self.name));
        }
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.measure(&item.sig.ident, &item.block);
        syn::visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.measure(&item.sig.ident, &item.block);
        syn::visit::visit_impl_item_fn(self, item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_function_and_a_long_file_are_found() {
        let long = format!("fn f() {{\n{}}}\n", "let _x = 1;\n".repeat(70));
        assert_eq!(of_file("a.rs", &long).unwrap(), ["a.rs: fn f has 72 lines"]);
        let file = "// x\n".repeat(501);
        assert_eq!(of_file("b.rs", &file).unwrap().len(), 1);
        assert!(of_file("b.rs", &"// x\n".repeat(500)).unwrap().is_empty());
        assert!(of_file("crates/a/tests/it/b.rs", &file).unwrap().is_empty());
        assert!(of_file("c.rs", "fn f() {}\n").unwrap().is_empty());
    }
}
