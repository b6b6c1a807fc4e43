//! Names that are taken: by Python, by the records of the runtime, by Rust's prelude.

/// Words that cannot be an attribute in Python source.
const PYTHON_KEYWORDS: [&str; 35] = [
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def",
    "del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is",
    "lambda", "nonlocal", "not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
];

/// Methods of every record in Python.
const PYTHON_METHODS: [&str; 22] = [
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
    "schema",
    "send",
    "set",
    "strict",
    "tf",
    "torch",
    "values",
];

/// Methods of whatever dereferences to a view, and methods that the prelude gives to every type: a field's method of
/// the same name would be out of reach behind them.
const RUST_METHODS: [&str; 12] = [
    "as_bytes",
    "call",
    "call_async",
    "call_timeout",
    "check_complete",
    "deref",
    "deref_mut",
    "drop",
    "into",
    "send",
    "send_async",
    "try_into",
];

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
    use super::*;

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
