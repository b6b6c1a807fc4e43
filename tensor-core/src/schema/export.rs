//! A schema as a Python class: source text that gives the same fingerprint.

use super::{DType, Extent, Field, MAX_NAME, Pad, Presence, Schema};

/// The longest line that common formatters leave as it is.
const WIDTH: usize = 88;

/// How every generated module begins.
pub(super) const HEADER: &str = r#""""Records that tensorbridge generated from Rust: do not edit.

`TENSORBRIDGE_EXPORT=write cargo test` writes them again after a change in Rust.
"""

import tensorbridge as tb
"#;

impl Schema {
    /// A Python module that declares this schema as the class `class`.
    ///
    /// ```
    /// use tensor_core::schema::{DType, Field, Schema, Shape};
    ///
    /// let id = Field::new("id", DType::U64, Shape::SCALAR);
    /// let schema = Schema::new("vision.image", 0, "A photo.", vec![], vec![id])?;
    /// assert!(schema.python_module("Image").ends_with(
    ///     "class Image(tb.Record, name=\"vision.image\"):\n    \"\"\"A photo.\"\"\"\n\n    id = tb.u64()\n"
    /// ));
    /// # Ok::<(), tensor_core::schema::InvalidSchema>(())
    /// ```
    #[must_use]
    pub fn python_module(&self, class: &str) -> String {
        format!("{HEADER}\n\n{}", self.python_class(class))
    }

    /// What its class is called where nobody has named it: `vision.image_pair` is `ImagePair`.
    #[must_use]
    pub fn class_name(&self) -> String {
        class_name(self.name())
    }

    /// The class alone; it expects that `tensorbridge` was imported as `tb`.
    #[must_use]
    pub fn python_class(&self, class: &str) -> String {
        let mut bases = vec!["tb.Record".to_owned(), format!("name={}", text(self.name()))];
        if self.version() != 0 {
            bases.push(format!("version={}", self.version()));
        }
        let mut out = call("", &format!("class {class}"), &bases, ":");
        if !self.doc().is_empty() {
            out.push_str(&docstring(self.doc()));
            out.push('\n');
        }
        out.push_str(&body(self, "", "    "));
        out
    }
}

/// A Python module that declares the schemas of the arena `arena`: of its records, or of requests and replies.
pub(crate) fn module_of_arena(arena: &str, request: &Schema, reply: Option<&Schema>) -> String {
    let reply = reply.filter(|reply| reply.difference(request).is_some());
    let first = class_name(request.name());
    let mut out = format!(
        "\"\"\"Records of the arena `{arena}`: do not edit.\n\n\
         `python -m tensorbridge stubs {arena} --out FILE` writes them again, with `--check` it compares.\n\
         \"\"\"\n\nimport tensorbridge as tb\n\n\n{}",
        request.python_class(&first)
    );
    if let Some(reply) = reply {
        let name = class_name(reply.name());
        let name = if name == first { format!("{name}Reply") } else { name };
        out.push_str(&format!("\n\n{}", reply.python_class(&name)));
    }
    out
}

/// What a class is called when only its schema's name is known: `vision.image_pair` is `ImagePair`.
pub(super) fn class_name(schema: &str) -> String {
    let last = schema.rsplit('.').next().unwrap_or_default();
    let capitalised = |word: &str| word[..1].to_ascii_uppercase() + &word[1..];
    let words = last.split('_').filter(|word| !word.is_empty());
    let name: String = words.map(capitalised).collect();
    match name.as_str() {
        // Not identifiers, and the only keywords that begin with a capital.
        "None" | "True" | "False" => name + "Record",
        _ if !name.starts_with(|c: char| c.is_ascii_alphabetic()) => format!("Record{name}"),
        _ => name,
    }
}

/// What the class of the record whose names begin with `prefix` declares: classes of nested records, then dimensions, then
/// fields.
fn body(schema: &Schema, prefix: &str, indent: &str) -> String {
    let (mut classes, mut lines) = (String::new(), String::new());
    for dim in schema.dims() {
        if let Some(name) = dim.name().strip_prefix(prefix).filter(|name| !name.contains('.')) {
            lines.push_str(&format!("{indent}{name} = tb.Dim({}, {})\n", dim.min(), dim.max()));
        }
    }
    let mut last = "";
    for field in schema.fields() {
        let Some(name) = field.name().strip_prefix(prefix) else { continue };
        let Some((record, _)) = name.split_once('.') else {
            let head = format!("{name} = tb.{}", maker(field.dtype()));
            lines.push_str(&call(indent, &head, &arguments(schema, field), ""));
            continue;
        };
        if record == last {
            continue;
        }
        last = record;
        let path = format!("{prefix}{record}");
        let class = nested_class_name(record, schema, prefix);
        let name = format!("{}.{path}", schema.name()).to_lowercase();
        let bases = ["tb.Record".to_owned(), format!("name={}", text(&name[..name.len().min(MAX_NAME)]))];
        classes.push_str(&call(indent, &format!("class {class}"), &bases, ":"));
        classes.push_str(&body(schema, &format!("{path}."), &format!("{indent}    ")));
        classes.push('\n');
        let mut arguments = vec![class];
        if schema.fields().iter().any(|field| field.optional_record() == Some(&path)) {
            arguments.push("optional=True".to_owned());
        }
        lines.push_str(&call(indent, &format!("{record} = tb.nested"), &arguments, ""));
    }
    classes + &lines
}

/// What the class of a nested record is called: nothing beside it has the name.
fn nested_class_name(record: &str, schema: &Schema, prefix: &str) -> String {
    let mut class = class_name(record);
    let names = || schema.fields().iter().map(Field::name).chain(schema.dims().iter().map(|dim| dim.name()));
    let is_taken = |class: &str| {
        names().filter_map(|name| name.strip_prefix(prefix)).any(|name| name.split('.').next() == Some(class))
    };
    while is_taken(&class) {
        class.push_str("Record");
    }
    class
}

fn arguments(schema: &Schema, field: &Field) -> Vec<String> {
    let extent = |extent: &Extent| match *extent {
        Extent::Fixed(size) => size.to_string(),
        Extent::Dim(dim) => {
            let name = schema.dims()[usize::from(dim)].name();
            name.rsplit('.').next().unwrap_or(name).to_owned()
        }
    };
    let mut arguments: Vec<String> = field.shape().extents().iter().map(extent).collect();
    if field.presence() == Presence::Optional {
        arguments.push("optional=True".to_owned());
    }
    if field.align() != 0 {
        arguments.push(format!("align={}", field.align()));
    }
    if let Some(pad) = field.pad() {
        arguments.push(format!("pad={}", number(pad, field.dtype())));
    }
    if !field.unit().is_empty() {
        arguments.push(format!("unit={}", text(field.unit())));
    }
    if !field.doc().is_empty() {
        arguments.push(format!("doc={}", text(field.doc())));
    }
    arguments
}

/// `head(arguments)tail`, broken into lines as formatters do.
fn call(indent: &str, head: &str, arguments: &[String], tail: &str) -> String {
    let joined = arguments.join(", ");
    let line = format!("{indent}{head}({joined}){tail}");
    if line.chars().count() <= WIDTH {
        return line + "\n";
    }
    let inner = format!("{indent}    {joined}");
    let lines = if inner.chars().count() <= WIDTH {
        inner
    } else {
        arguments.iter().map(|argument| format!("{indent}    {argument},")).collect::<Vec<_>>().join("\n")
    };
    format!("{indent}{head}(\n{lines}\n{indent}){tail}\n")
}

fn docstring(doc: &str) -> String {
    let mut doc = doc.replace('\\', r"\\").replace("\"\"\"", "\\\"\\\"\\\"");
    if doc.ends_with('"') {
        doc.insert(doc.len() - 1, '\\');
    }
    let lines: Vec<String> = doc
        .lines()
        .enumerate()
        .map(|(at, line)| match (at, line) {
            (0, line) => line.to_owned(),
            (_, "") => String::new(),
            (_, line) => format!("    {line}"),
        })
        .collect();
    let end = if lines.len() > 1 { "\n    " } else { "" };
    format!("    \"\"\"{}{end}\"\"\"\n", lines.join("\n"))
}

/// The function of the Python package that declares a field of this dtype: `bool` is a builtin there.
fn maker(dtype: DType) -> &'static str {
    if dtype == DType::Bool { "bool_" } else { dtype.name() }
}

/// A string literal, in the quotes that need the fewest escapes.
fn text(text: &str) -> String {
    let count = |quote: char| text.chars().filter(|c| *c == quote).count();
    let quote = if count('"') > count('\'') { '\'' } else { '"' };
    let mut literal = String::from(quote);
    for c in text.chars() {
        match c {
            '\\' => literal.push_str(r"\\"),
            '\n' => literal.push_str(r"\n"),
            '\r' => literal.push_str(r"\r"),
            '\t' => literal.push_str(r"\t"),
            c if c == quote => literal.extend(['\\', quote]),
            c if c.is_ascii_control() => literal.push_str(&format!("\\x{:02x}", c as u32)),
            c => literal.push(c),
        }
    }
    literal.push(quote);
    literal
}

fn number(pad: Pad, dtype: DType) -> String {
    match (pad, dtype) {
        (Pad::Int(value), DType::Bool) => if value == 0 { "False" } else { "True" }.to_owned(),
        (Pad::Int(value), _) => value.to_string(),
        (Pad::Float(value), _) if value.is_finite() => format!("{value:?}"),
        (Pad::Float(value), _) => format!("float(\"{value}\")").to_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Dim, Shape};
    use super::*;

    #[test]
    fn golden_module() {
        let doc = "Tokens of a text.\n\nFrom a \"tokenizer\", \\ included.";
        let schema = Schema::new(
            "nlp.tokens",
            3,
            doc,
            vec![Dim::new("seq", 1, 512)],
            vec![
                Field::new("ids", DType::I64, Shape::new(&[Extent::Dim(0)])).with_pad(Pad::Int(-100)),
                Field::new("mask", DType::Bool, Shape::new(&[Extent::Dim(0), Extent::Fixed(2)]))
                    .optional()
                    .with_align(64)
                    .with_pad(Pad::Int(1))
                    .described("", "1 where there is a token, and 0 in the padding of a batch."),
                Field::new("weight", DType::F32, Shape::SCALAR)
                    .with_pad(Pad::Float(f64::NEG_INFINITY))
                    .described("1/s", "It's \"how\"\noften."),
                Field::new("long", DType::F8E4M3FN, Shape::new(&[Extent::Fixed(1); 8]))
                    .described("", "so long ".repeat(12).trim_end().to_owned()),
            ],
        )
        .unwrap();
        let expected = r#""""Records that tensorbridge generated from Rust: do not edit.

`TENSORBRIDGE_EXPORT=write cargo test` writes them again after a change in Rust.
"""

import tensorbridge as tb


class Tokens(tb.Record, name="nlp.tokens", version=3):
    """Tokens of a text.

    From a "tokenizer", \\ included.
    """

    seq = tb.Dim(1, 512)
    ids = tb.i64(seq, pad=-100)
    mask = tb.bool_(
        seq,
        2,
        optional=True,
        align=64,
        pad=True,
        doc="1 where there is a token, and 0 in the padding of a batch.",
    )
    weight = tb.f32(pad=float("-inf"), unit="1/s", doc='It\'s "how"\noften.')
    long = tb.f8_e4m3fn(
        1,
        1,
        1,
        1,
        1,
        1,
        1,
        1,
        doc="so long so long so long so long so long so long so long so long so long so long so long so long",
    )
"#;
        assert_eq!(schema.python_module("Tokens"), expected);
    }

    #[test]
    fn classes_are_called_after_their_schemas() {
        for (schema, class) in [
            ("vision.image_pair", "ImagePair"),
            ("scores", "Scores"),
            ("a.none", "NoneRecord"),
            ("a.2d", "Record2d"),
            ("a.", "Record"),
            ("a._b", "B"),
        ] {
            assert_eq!(class_name(schema), class, "{schema}");
        }
    }

    #[test]
    fn an_arena_whose_records_share_a_name_gets_two_classes() {
        let schema = |name: &'static str, dtype| {
            Schema::new(name, 0, "", vec![], vec![Field::new("x", dtype, Shape::SCALAR)]).unwrap()
        };
        let (request, reply) = (schema("a.number", DType::U8), schema("b.number", DType::I64));
        let module = module_of_arena("add", &request, Some(&reply));
        assert!(module.starts_with("\"\"\"Records of the arena `add`"), "{module}");
        assert!(module.ends_with(concat!(
            "import tensorbridge as tb\n\n\n",
            "class Number(tb.Record, name=\"a.number\"):\n    x = tb.u8()\n\n\n",
            "class NumberReply(tb.Record, name=\"b.number\"):\n    x = tb.i64()\n",
        )));
        assert_eq!(module_of_arena("add", &request, Some(&request)), module_of_arena("add", &request, None));
    }

    #[test]
    fn a_call_that_fits_on_its_own_line_stays_together() {
        let head = format!("x{}", "y".repeat(60));
        let arguments = ["optional=True".to_owned(), "doc=\"It fits.\"".to_owned()];
        let expected = format!("    {head}(\n        optional=True, doc=\"It fits.\"\n    )\n");
        assert_eq!(call("    ", &head, &arguments, ""), expected);
    }

    #[test]
    fn a_docstring_cannot_end_itself() {
        assert_eq!(docstring("a \"\"\" b\""), "    \"\"\"a \\\"\\\"\\\" b\\\"\"\"\"\n");
        assert_eq!(docstring("\\"), "    \"\"\"\\\\\"\"\"\n");
    }
}
