//! The rules that the tokens alone decide. What only the compiler knows is left to the checks in the generated code.

use std::collections::HashMap;

use proc_macro2::TokenTree;
use syn::ext::IdentExt;

use crate::diag::{Errors, did_you_mean};
use crate::dtype;
use crate::names::{
    is_field_name, is_python_method, is_run_method, is_rust_method, is_schema_name, python_objection,
};
use crate::spec::{Extent, Field, Health, MAX_ALIGN, MAX_DIMS, MAX_FIELDS, MAX_NAME, MAX_RANK, Spec, Text};

/// Reports every rule that `spec` breaks and marks the fields that are at fault.
pub(crate) fn check(spec: &mut Spec, errors: &mut Errors) {
    schema_name(spec, errors);
    class_name(spec, errors);
    field_count(spec, errors);
    dims(spec, errors);
    for at in 0..spec.fields.len() {
        let so_far = errors.count();
        let field = &spec.fields[at];
        field_dtype(field, errors);
        shape(field, spec, errors);
        presence(field, errors);
        align(field, errors);
        let what = if matches!(field.name.tokens, TokenTree::Ident(_)) { "field" } else { "name" };
        python_name(what, &field.name, errors);
        rust_name(field, errors);
        let of_broken_dim = |dim: &proc_macro2::Ident| {
            spec.dims.iter().any(|decl| decl.ident == *dim && decl.health != Health::Sound)
        };
        if errors.count() > so_far || field.dims().any(of_broken_dim) {
            spec.fields[at].health = Health::Broken;
        }
    }
    unused_dims(spec, errors);
    python_names_differ(spec, errors);
    methods_differ(spec, errors);
}

fn schema_name(spec: &Spec, errors: &mut Errors) {
    let Text { value, tokens } = &spec.name;
    if is_schema_name(value) {
        return;
    }
    let message =
        format_args!("schema name `{value}` must match `[a-z][a-z0-9_.]*` and be at most {MAX_NAME} bytes");
    match tokens {
        TokenTree::Ident(_) => errors.help(tokens, message, "add `#[tensor(name = \"...\")]`"),
        _ => errors.at(tokens, message),
    }
}

/// With `export` the struct's own name becomes a class.
fn class_name(spec: &Spec, errors: &mut Errors) {
    let name = spec.ident.unraw().to_string();
    if spec.export.is_none() {
        return;
    }
    if let Some(objection) = python_objection(&name) {
        errors.at(&spec.ident, format_args!("`{name}` cannot be exported: it {objection}"));
    } else if !is_field_name(&name) {
        let message = "cannot be exported: expected a name that matches `[A-Za-z_][A-Za-z0-9_]*`";
        errors.at(&spec.ident, format_args!("`{name}` {message}"));
    }
}

fn field_count(spec: &mut Spec, errors: &mut Errors) {
    let count = spec.fields.len();
    if count == 0 {
        errors.at(&spec.ident, "a tensor schema needs at least one field");
    }
    if let Some(extra) = spec.fields.get(MAX_FIELDS) {
        let message = format_args!("{count} fields; a schema holds at most {MAX_FIELDS}");
        errors.help(&extra.ident, message, "put fields of one type into one array field");
        spec.fields[MAX_FIELDS..].iter_mut().for_each(|field| field.health = Health::Dropped);
    }
}

fn dims(spec: &mut Spec, errors: &mut Errors) {
    if let Some(extra) = spec.dims.get(MAX_DIMS) {
        let count = spec.dims.len();
        let message = format_args!("{count} symbolic dimensions; a schema holds at most {MAX_DIMS}");
        errors.at(&extra.ident, message);
    }
    for dim in &mut spec.dims {
        let so_far = errors.count();
        let name = dim.ident.unraw().to_string();
        let bounds = format!("`{name} = {}..={}`", dim.min, dim.max);
        if dim.min > dim.max {
            let message = format_args!("{bounds}: the minimum is larger than the capacity");
            errors.help(&dim.bounds, message, format_args!("write `{name} = {}..={}`", dim.max, dim.min));
        } else if dim.max == 0 {
            errors.at(&dim.bounds, format_args!("{bounds}: the capacity must be at least 1"));
        }
        python_name("dimension", &Text { value: name.clone(), tokens: dim.ident.clone().into() }, errors);
        if is_rust_method(&name) {
            errors.at(&dim.ident, format_args!("`{name}` is a method of every loan: call it something else"));
        }
        if errors.count() > so_far {
            dim.health = Health::Broken;
        }
    }
}

/// Not reported when a shape could not be read: the dimension may be in it.
fn unused_dims(spec: &Spec, errors: &mut Errors) {
    if spec.fields.iter().any(|field| field.health != Health::Sound) {
        return;
    }
    for dim in spec.dims.iter().filter(|dim| dim.health == Health::Sound) {
        if !spec.fields.iter().any(|field| field.dims().any(|used| *used == dim.ident)) {
            let name = &dim.ident;
            errors.at(name, format_args!("dimension `{name}` is declared but no field uses it"));
        }
    }
}

fn field_dtype(field: &Field, errors: &mut Errors) {
    if let Some(name) = &field.dtype
        && dtype::variant(name).is_none()
    {
        dtype::unknown(name, errors);
    }
}

fn shape(field: &Field, spec: &Spec, errors: &mut Errors) {
    let Some(shape) = &field.shape else { return };
    let (name, rank) = (field.ident.unraw(), shape.extents.len());
    if rank > MAX_RANK {
        let message = format_args!("`{name}` has {rank} dimensions; at most {MAX_RANK} are supported");
        errors.at(&shape.list, message);
    }
    for extent in &shape.extents {
        let Extent::Dim(dim) = extent else { continue };
        if spec.dims.iter().all(|declared| declared.ident != *dim) {
            let declared: Vec<String> = spec.dims.iter().map(|dim| dim.ident.to_string()).collect();
            let close = did_you_mean(&dim.to_string(), declared.iter().map(String::as_str));
            let message = format_args!("unknown dimension `{dim}` in the shape of `{name}`{close}");
            let help = format_args!("add `{dim} = ..=MAX` to `#[tensor(dims(...))]` on the struct");
            errors.help(dim, message, help);
        }
    }
}

fn presence(field: &Field, errors: &mut Errors) {
    if let (Some(_), Some(optional)) = (&field.required, &field.optional) {
        errors.at(optional, "`required` and `optional` exclude each other");
    }
}

fn align(field: &Field, errors: &mut Errors) {
    if let Some((align, tokens)) = &field.align
        && (!align.is_power_of_two() || *align > MAX_ALIGN)
    {
        let what = if align.is_power_of_two() { "too large" } else { "not a power of two" };
        let help = format_args!("use 64; the largest allowed is {MAX_ALIGN}");
        errors.help(tokens, format_args!("`align = {align}` is {what}"), help);
    }
}

/// `what` is what bears the name: a field, a dimension, or a `rename`.
fn python_name(what: &str, name: &Text, errors: &mut Errors) {
    let Text { value, tokens } = name;
    let rename = |free: &str| match what {
        "field" => format!("add `rename = \"{free}\"`"),
        _ => format!("for example `{free}`"),
    };
    if let Some(objection) = python_objection(value) {
        let help = rename(&format!("{}_", value.trim_matches('_')));
        errors.help(tokens, format_args!("{what} `{value}` {objection}"), help);
    } else if !is_field_name(value) {
        let expected = format_args!("expected `[A-Za-z_][A-Za-z0-9_]*` of at most {MAX_NAME} bytes");
        let message = format_args!("{what} `{value}` cannot be an attribute in Python: {expected}");
        match what {
            "field" => errors.help(tokens, message, "add `rename = \"...\"`"),
            _ => errors.at(tokens, message),
        }
    } else if is_python_method(value) && !is_reported(what, value) {
        let message = format_args!("{what} `{value}` is a method of every record in Python");
        errors.help(tokens, message, rename(&format!("{value}_")));
    }
}

/// Whether a name has to be another in Rust too, which was said.
fn is_reported(what: &str, name: &str) -> bool {
    match what {
        "field" => is_rust_method(name) || is_run_method(name),
        "dimension" => is_rust_method(name),
        _ => false,
    }
}

fn rust_name(field: &Field, errors: &mut Errors) {
    let name = field.ident.unraw().to_string();
    let of = match () {
        () if is_rust_method(&name) => "loan",
        () if is_run_method(&name) => "run of records",
        () => return,
    };
    errors.help(
        &field.ident,
        format_args!("`{name}` is a method of every {of}"),
        "call the field something else",
    );
}

fn python_names_differ(spec: &mut Spec, errors: &mut Errors) {
    let mut owners: HashMap<String, String> = HashMap::new();
    for dim in &spec.dims {
        let name = dim.ident.unraw().to_string();
        let owner = format!("dimension `{name}`");
        if owners.insert(name.clone(), owner).is_some() {
            errors.at(&dim.ident, format_args!("dimension `{name}` is declared twice"));
        }
    }
    for field in &mut spec.fields {
        let Text { value, tokens } = &field.name;
        if let Some(owner) = owners.get(value) {
            errors.at(tokens, format_args!("`{value}` is already the Python name of {owner}"));
            field.health = Health::Broken;
        } else {
            owners.insert(value.clone(), format!("field `{}`", field.ident.unraw()));
        }
    }
}

/// A field called `x` gets `x_mut` and `set_x`; another field of such a name would get them a second time.
fn methods_differ(spec: &mut Spec, errors: &mut Errors) {
    let mut owners: HashMap<String, String> = HashMap::new();
    for dim in &spec.dims {
        let owner = format!("dimension `{}`", dim.ident.unraw());
        owners.extend(dim.methods().map(|method| (method, owner.clone())));
    }
    for field in &mut spec.fields {
        let methods = field.methods();
        if let Some((method, owner)) = methods.iter().find_map(|method| owners.get_key_value(method)) {
            if field.health == Health::Sound {
                errors.help(
                    &field.ident,
                    format_args!("`{method}()` is already a method of {owner}"),
                    "call the field something else, and keep the Python name with `rename`",
                );
            }
            field.health = Health::Dropped;
            continue;
        }
        let owner = format!("field `{}`", field.ident.unraw());
        owners.extend(methods.into_iter().map(|method| (method, owner.clone())));
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{spec, told};

    #[test]
    fn a_sound_struct_has_no_errors() {
        let fields = "#[tensor(shape = [n], required)] a: [f32; 4], #[tensor(align = 4096)] r#type: u64";
        assert_eq!(told("dims(n = 4..=4)", fields), [""; 0]);
    }

    #[test]
    fn limits_are_the_runtimes() {
        let many = |count: usize| (0..count).map(|at| format!("f{at}: u8,")).collect::<String>();
        assert_eq!(told("", &many(64)), [""; 0]);
        assert_eq!(told("", &many(66)), ["66 fields; a schema holds at most 64"]);
        let dims: Vec<String> = (0..9).map(|at| format!("n{at} = ..=1")).collect();
        let shape: Vec<String> = (0..8).map(|at| format!("n{at}")).collect();
        let fields = format!(
            "#[tensor(shape = [{}])] a: [f32; 1], #[tensor(shape = [n8])] b: [f32; 1]",
            shape.join(",")
        );
        let errors = told(&format!("dims({})", dims.join(",")), &fields);
        assert_eq!(errors, ["9 symbolic dimensions; a schema holds at most 8"]);
        assert_eq!(told("", "#[tensor(align = 0)] a: u8"), ["`align = 0` is not a power of two"]);
    }

    #[test]
    fn a_dimension_whose_declaration_is_wrong_is_reported_once() {
        let errors = told("dims(n = 8)", "#[tensor(shape = [n])] a: [f32; 8]");
        assert_eq!(errors, ["`n` needs bounds, found a single number"]);
        let errors = told("dims(n = ..=4, n = ..=5)", "#[tensor(shape = [n])] a: [f32; 4]");
        assert_eq!(errors, ["dimension `n` is declared twice"]);
    }

    #[test]
    fn names_that_are_taken_are_refused() {
        let first = |fields: &str| told("", fields).into_iter().next().unwrap_or_default();
        assert_eq!(first("into: u8"), "`into` is a method of every loan");
        assert_eq!(first("loan: u8"), "field `loan` is a method of every record in Python");
        assert_eq!(first("#[tensor(rename = \"loan_\")] loan: u8"), "");
        assert_eq!(first("r#yield: u8"), "field `yield` is a Python keyword");
        assert_eq!(first("x: [u8; 2], x_array: u8"), "`x_array()` is already a method of field `x`");
        assert_eq!(first("x: u8, x_array: u8"), "");
        assert_eq!(first("set_x: u8, x: Alias"), "`set_x()` is already a method of field `set_x`");
    }

    #[test]
    fn generic_structs_are_refused_and_still_read() {
        let (spec, errors) = spec("struct A<T, const N: usize> { x: [T; N], y: String }");
        assert!(spec.is_none());
        assert_eq!(errors.len(), 3);
    }
}
