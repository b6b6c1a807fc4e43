//! Names that are taken: by Python, by the records of the runtime, by Rust's prelude.

/// Words that cannot be an attribute in Python source.
const PYTHON_KEYWORDS: [&str; 35] = [
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def",
    "del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is",
    "lambda", "nonlocal", "not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
];

/// Methods of every record in Python.
const PYTHON_METHODS: [&str; 25] = [
    "call",
    "call_async",
    "dims",
    "empty",
    "fail",
    "get",
    "items",
    "jax",
    "keys",
    "loan",
    "numpy",
    "present",
    "receive",
    "records",
    "release",
    "row",
    "schema",
    "send",
    "set",
    "strict",
    "tf",
    "torch",
    "traceparent",
    "traceparents",
    "values",
];

/// Methods of whatever dereferences to the view of one record, and methods that the prelude gives to every type: a method that a
/// field of this name has would be out of reach behind them.
const RUST_METHODS: [&str; 14] = [
    "as_bytes",
    "call",
    "call_async",
    "call_async_timeout",
    "call_timeout",
    "check_complete",
    "deref",
    "deref_mut",
    "drop",
    "into",
    "send",
    "set_trace",
    "trace",
    "try_into",
];

/// The same of whatever dereferences to the view of a run of records, which has no methods for dimensions of these names.
const RUN_METHODS: [&str; 7] = ["fail", "filled_bytes", "iter", "len", "row", "row_mut", "traces"];

/// Why a name cannot be the name of a field in Python; `None` when it can.
pub(crate) fn python_objection(name: &str) -> Option<&'static str> {
    if PYTHON_KEYWORDS.contains(&name) {
        Some("is a Python keyword")
    } else if name.starts_with("__") {
        Some("begins with `__`, which Python keeps for itself")
    } else if name == "tb" {
        Some("is what generated Python calls the module `tensorbridge`")
    } else {
        None
    }
}

pub(crate) fn is_python_method(name: &str) -> bool {
    PYTHON_METHODS.contains(&name)
}

pub(crate) fn is_rust_method(name: &str) -> bool {
    RUST_METHODS.contains(&name)
}

pub(crate) fn is_run_method(name: &str) -> bool {
    RUN_METHODS.contains(&name)
}

/// Whether `name` can be the name of a field or a dimension in a schema.
pub(crate) fn is_field_name(name: &str) -> bool {
    let starts = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    starts
        && name.len() <= crate::spec::MAX_NAME
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Whether `name` can be the name of a schema.
pub(crate) fn is_schema_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '.';
    let starts = name.starts_with(|first: char| first.is_ascii_lowercase());
    starts && name.len() <= crate::spec::MAX_NAME && name.chars().all(allowed)
}

/// `HttpRequest` as `http_request`.
pub(crate) fn snake_case(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut snake = String::with_capacity(name.len() + 4);
    for (at, letter) in letters.iter().enumerate() {
        let begins_word = letter.is_uppercase()
            && at > 0
            && letters[at - 1] != '_'
            && (!letters[at - 1].is_uppercase()
                || letters.get(at + 1).is_some_and(|next| next.is_lowercase()));
        if begins_word {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// What the prelude gives to every type.
    const PRELUDE: [&str; 5] = ["deref", "deref_mut", "drop", "into", "try_into"];

    fn source(path: &str) -> String {
        let path = format!("{}/../{path}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Fields of these names have a method that is out of reach behind one that the type has itself.
    fn hidden_by(path: &str, types: &[&str]) -> BTreeSet<String> {
        let text = source(path);
        let mut methods = Vec::new();
        for body in text.split("\nimpl").skip(1).filter_map(|rest| rest.split("\n}").next()) {
            let header = body.lines().next().expect("a line");
            let is_of = |ty: &&str| header.contains(&format!("> {ty}<")) && !header.contains(" for ");
            if !types.iter().any(is_of) {
                continue;
            }
            methods.extend(body.contains("set_trace_method!").then(|| "set_trace".to_owned()));
            methods.extend(body.split("\n    pub fn ").skip(1).filter_map(|rest| {
                let (name, rest) = rest.split_once(['(', '<'])?;
                rest.split_once(')')?.0.contains("self").then(|| name.to_owned())
            }));
        }
        assert!(!methods.is_empty(), "{types:?} in {path}");
        let field = |method: &String| {
            let parts =
                [method.strip_suffix("_mut"), method.strip_prefix("set_"), method.strip_prefix("fill_")];
            parts.into_iter().flatten().map(str::to_owned).chain([method.clone()]).collect::<Vec<_>>()
        };
        methods.iter().flat_map(field).collect()
    }

    #[test]
    fn no_field_has_a_method_behind_one_of_what_leads_to_it() {
        let core = |path: &str, types: &[&str]| hidden_by(&format!("tensor-core/src/{path}"), types);
        let mut one = core("channel/loan.rs", &["Loan"]);
        one.extend(core("service/client.rs", &["CallLoan"]));
        one.extend(core("channel/receiver.rs", &["Received"]));
        one.extend(core("view/owned.rs", &["Owned"]));
        one.extend(PRELUDE.map(str::to_owned));
        assert_eq!(one, RUST_METHODS.map(str::to_owned).into());
        let mut run = core("channel/run.rs", &["Records", "ReceivedRun"]);
        run.extend(core("service/run.rs", &["Replies"]));
        assert_eq!(run, RUN_METHODS.map(str::to_owned).into());
    }

    #[test]
    fn no_field_is_behind_a_method_of_records_in_python() {
        let text = source("tensor-py/python/tensorbridge/_record.py");
        let class = text.split_once("\nclass Record(").expect("the class of records").1;
        let class = class.split("\ndef ").next().expect("its end");
        let defined = class.lines().map(str::trim_start).filter_map(|line| {
            line.strip_prefix("async ").unwrap_or(line).strip_prefix("def ")?.split('(').next()
        });
        let names: BTreeSet<&str> = defined.filter(|name| !name.starts_with('_')).collect();
        assert!(names.contains("call_async") && names.contains("traceparent"), "{names:?}");
        for name in names {
            assert!(is_python_method(name), "{name}");
        }
    }

    #[test]
    fn struct_names_become_schema_names() {
        assert_eq!(snake_case("Image"), "image");
        assert_eq!(snake_case("HTTPRequest"), "http_request");
        assert_eq!(snake_case("Rgb8Image"), "rgb8_image");
        assert_eq!(snake_case("already_snake"), "already_snake");
    }

    #[test]
    fn names_are_judged_as_the_runtime_does() {
        assert!(is_schema_name("vision.image_2") && !is_schema_name("My Image") && !is_schema_name("2d"));
        assert!(is_field_name("_x2") && !is_field_name("größe") && !is_field_name(""));
        assert_eq!(python_objection("class"), Some("is a Python keyword"));
        assert_eq!(python_objection("type"), None);
    }
}
