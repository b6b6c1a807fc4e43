//! What the attributes and the types of one struct say: the language between parsing and printing.

use proc_macro2::{Group, Ident, Literal, TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::{Attribute, LitStr, Type, Visibility};

/// The most dimensions of a field, as in the runtime.
pub(crate) const MAX_RANK: usize = 8;
/// The most symbolic dimensions of a schema, as in the runtime.
pub(crate) const MAX_DIMS: usize = 8;
/// The most fields of a schema, as in the runtime.
pub(crate) const MAX_FIELDS: usize = 64;
/// The longest name in bytes, as in the runtime.
pub(crate) const MAX_NAME: usize = 63;
/// The largest `align`, as in the runtime.
pub(crate) const MAX_ALIGN: u32 = 4096;

/// A struct with `#[derive(Tensor)]`.
pub(crate) struct Spec {
    pub(crate) ident: Ident,
    pub(crate) vis: Visibility,
    /// The name of the schema.
    pub(crate) name: Text,
    pub(crate) version: u32,
    pub(crate) docs: Vec<Attribute>,
    pub(crate) dims: Vec<DimDecl>,
    pub(crate) export: Option<LitStr>,
    /// The path of the runtime's `__private`.
    pub(crate) private: TokenStream,
    pub(crate) fields: Vec<Field>,
    /// Whether the struct has a size: without one it cannot be a record.
    pub(crate) is_sized: bool,
    /// The fields that are not part of the record.
    pub(crate) skipped: Vec<Ident>,
}

/// A text and the tokens that stand for it, where an error about it points.
#[derive(Clone)]
pub(crate) struct Text {
    pub(crate) value: String,
    pub(crate) tokens: TokenTree,
}

/// `seq = 1..=512`.
pub(crate) struct DimDecl {
    pub(crate) ident: Ident,
    pub(crate) min: u64,
    pub(crate) max: u64,
    pub(crate) bounds: TokenStream,
    pub(crate) health: Health,
}

/// A field of the record.
pub(crate) struct Field {
    pub(crate) ident: Ident,
    pub(crate) ty: Type,
    pub(crate) docs: Vec<Attribute>,
    /// The name in the schema.
    pub(crate) name: Text,
    pub(crate) dtype: Option<Ident>,
    pub(crate) shape: Option<Shape>,
    pub(crate) required: Option<Ident>,
    pub(crate) optional: Option<Ident>,
    pub(crate) align: Option<(u32, Literal)>,
    pub(crate) pad: Option<Pad>,
    pub(crate) unit: String,
    /// Set where the field is another record.
    pub(crate) nested: Option<Ident>,
    pub(crate) store: Store,
    pub(crate) health: Health,
}

/// What the errors so far leave of a field or a dimension.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Health {
    Sound,
    /// Something about it was reported: nothing more is checked.
    Broken,
    /// It cannot be printed with the others.
    Dropped,
}

impl Field {
    pub(crate) fn is_optional(&self) -> bool {
        self.optional.is_some()
    }

    /// How it is stored, a stated shape taken into account.
    pub(crate) fn kind(&self) -> Store {
        if self.nested.is_some() {
            return Store::Record;
        }
        let Some(shape) = &self.shape else { return self.store.clone() };
        let element = match &self.store {
            Store::Scalar(element) => Some(element.clone()),
            Store::Array { element, .. } => element.clone(),
            Store::Opaque | Store::Record => None,
        };
        Store::Array { element, rank: Some(shape.extents.len()) }
    }

    /// The names of the methods that it gets.
    pub(crate) fn methods(&self) -> Vec<String> {
        let name = self.ident.unraw();
        let mut methods = vec![name.to_string()];
        let kind = self.kind();
        if matches!(kind, Store::Scalar(_) | Store::Opaque) {
            methods.push(format!("set_{name}"));
        }
        if !matches!(kind, Store::Scalar(_)) {
            methods.push(format!("{name}_mut"));
        }
        if matches!(kind, Store::Array { .. } | Store::Opaque) || self.align.is_some() {
            methods.extend([format!("{name}_array"), format!("{name}_array_mut")]);
        }
        if self.is_optional() {
            methods.push(format!("fill_{name}"));
        }
        methods
    }

    /// The symbolic dimensions that its shape names.
    pub(crate) fn dims(&self) -> impl Iterator<Item = &Ident> {
        self.shape.iter().flat_map(|shape| &shape.extents).filter_map(|extent| match extent {
            Extent::Dim(dim) => Some(dim),
            Extent::Fixed(..) => None,
        })
    }
}

impl Spec {
    /// Whether any field is another record.
    pub(crate) fn has_nested(&self) -> bool {
        self.fields.iter().any(|field| field.nested.is_some())
    }

    /// The place of a symbolic dimension in the schema.
    pub(crate) fn dim_index(&self, name: &Ident) -> Option<usize> {
        self.dims.iter().position(|dim| dim.ident == *name)
    }
}

impl DimDecl {
    /// The names of the methods that it gets.
    pub(crate) fn methods(&self) -> [String; 3] {
        let name = self.ident.unraw();
        [name.to_string(), format!("set_{name}"), format!("set_{name}_each")]
    }
}

/// `[3, 224, seq]`.
pub(crate) struct Shape {
    pub(crate) list: Group,
    pub(crate) extents: Vec<Extent>,
}

/// One dimension of a shape: a number and how it was written, or a name.
pub(crate) enum Extent {
    Fixed(u64, TokenStream),
    Dim(Ident),
}

/// A pad value and where it was written.
pub(crate) struct Pad {
    pub(crate) value: PadValue,
    pub(crate) tokens: TokenStream,
}

/// A number as it was written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum PadValue {
    Int(i128),
    Float(f64),
}

/// What the tokens of a type tell about how a field is stored.
#[derive(Clone, Debug)]
pub(crate) enum Store {
    /// A single element of this type.
    Scalar(TokenStream),
    /// An array; its element type and its rank, where they can be seen.
    Array { element: Option<TokenStream>, rank: Option<usize> },
    /// An alias: only the compiler knows.
    Opaque,
    /// The fields of another record.
    Record,
}
