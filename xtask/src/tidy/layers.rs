//! A module of the runtime knows those above it in the list of ARCHITECTURE.md, and none below.

use super::code::only_code;
use super::{Offence, Tree};

const LIST: &str = "ARCHITECTURE.md";
const RUNTIME: &str = "tensor-core/src/";

pub(super) fn check(tree: &Tree) -> Vec<Offence> {
    let text = tree.texts().find(|(file, _)| file.path == LIST).map_or("", |(_, text)| text);
    let order = order(text);
    let place = |module: &str| order.iter().position(|listed| *listed == module);
    let mut offences = Vec::new();
    if order.is_empty() {
        offences.push(Offence::new(LIST, 0, "it does not list the modules of tensor-core"));
    }
    for (file, text) in tree.texts() {
        let Some(inside) = file.path.strip_prefix(RUNTIME) else { continue };
        let module = inside.split(['/', '.']).next().unwrap_or_default();
        let Some(own) = place(module) else { continue };
        for (index, line) in only_code(text).lines().enumerate() {
            for rest in line.split("crate::").skip(1) {
                let known = rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
                if place(known).is_some_and(|other| other > own) {
                    let text =
                        format!("`{module}` uses `{known}`, which is below it in {LIST}: move that up");
                    offences.push(Offence::new(&file.path, index + 1, text));
                }
            }
        }
    }
    offences
}

/// The names in the list under `tensor-core/`: indented lines that begin with a folder or a file.
fn order(text: &str) -> Vec<&str> {
    let lines = text.lines().skip_while(|line| !line.starts_with("tensor-core/")).skip(1);
    let listed = lines.take_while(|line| line.starts_with("  "));
    listed.filter_map(|line| line.split_whitespace().next()?.split(['/', '.']).next()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_that_uses_one_below_it_offends() {
        let list = "tensor-core/   the runtime\n  memory/   a\n  trace.rs  b\n  channel/  c\ntests/\n  view/";
        let tree = Tree::of(&[
            (LIST, list),
            (
                "tensor-core/src/memory/mod.rs",
                "use crate::error::Error;\n// crate::channel\nuse crate::channel::Sender;",
            ),
            (
                "tensor-core/src/channel/mod.rs",
                "use crate::{memory, trace};\nuse crate::trace::TraceContext;",
            ),
            ("tensor-core/src/trace.rs", "fn f() { crate::view::g() }"),
            ("tensor-core/src/fuzz.rs", "use crate::channel::Sender;"),
        ]);
        let offences = check(&tree);
        assert_eq!(offences.len(), 1);
        assert_eq!((offences[0].path.as_str(), offences[0].line), ("tensor-core/src/memory/mod.rs", 3));
    }
}
