//! Schemas, as Python makes and reads them.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyFloat, PyInt, PyTuple};
use tensor_core::Error;
use tensor_core::schema::{DType, Dim, Extent, Field, InvalidSchema, MAX_RANK, Pad, Presence, Shape};

use crate::errors::raise;

/// What a record is: its name, its fields with dtype and shape, its symbolic dimensions.
#[pyclass(frozen, module = "tensorbridge._core")]
pub(crate) struct Schema {
    pub(crate) inner: Arc<tensor_core::schema::Schema>,
}

/// One field of a schema.
#[pyclass(frozen, get_all, module = "tensorbridge._core")]
pub(crate) struct FieldInfo {
    /// Its name.
    name: String,
    /// The name of its dtype: `f32`.
    dtype: &'static str,
    /// Its shape in one record; a symbolic dimension is its name.
    shape: Py<PyTuple>,
    /// Whether a record may be sent without it.
    optional: bool,
    /// 0 when every record has to have it, 1 when none has to, 1 + n when it has to be there with any other field of its
    /// optional nested record, which the first n parts of its name are.
    presence: u8,
    /// The distance in bytes that records' values are a multiple of; 0 when not stated.
    align: u32,
    /// What fills the rows of a batch beyond a record's own length; None when not stated.
    pad: Option<Py<PyAny>>,
    /// Its unit, or nothing.
    unit: String,
    /// Its documentation, or nothing.
    doc: String,
}

#[pymethods]
impl FieldInfo {
    fn __repr__(&self, py: Python<'_>) -> String {
        format!("<FieldInfo {}: {}{}>", self.name, self.dtype, self.shape.bind(py))
    }
}

/// One extent as Python states it: a number, or the name of a symbolic dimension.
#[derive(FromPyObject)]
enum ExtentSpec {
    Fixed(u64),
    Named(String),
}

/// A field as Python states it.
#[derive(FromPyObject)]
struct FieldSpec<'py>(String, String, Vec<ExtentSpec>, u8, u32, Option<Bound<'py, PyAny>>, String, String);

impl FieldSpec<'_> {
    fn build(self, dims: &[Dim]) -> PyResult<Field> {
        let FieldSpec(name, dtype, shape, presence, align, pad, unit, doc) = self;
        let dtype =
            DType::from_name(&dtype).ok_or_else(|| PyTypeError::new_err(format!("no dtype {dtype:?}")))?;
        if shape.len() > MAX_RANK {
            return Err(raise(Error::WrongShape {
                field: name,
                expected: format!("at most {MAX_RANK} dimensions"),
                found: format!("{}", shape.len()),
            }));
        }
        let mut extents = Vec::with_capacity(shape.len());
        for (axis, extent) in shape.into_iter().enumerate() {
            extents.push(match extent {
                ExtentSpec::Fixed(size) => Extent::Fixed(size),
                ExtentSpec::Named(dim) => match dims.iter().position(|known| known.name() == dim) {
                    Some(index) => Extent::Dim(index as u8),
                    None => {
                        return Err(PyTypeError::new_err(format!(
                            "dimension {axis} of `{name}` is `{dim}`, which is not declared"
                        )));
                    }
                },
            });
        }
        let field = Field::new(name, dtype, Shape::new(&extents)).with_align(align).described(unit, doc);
        let field = field.with_presence(Presence::from_code(presence));
        match pad {
            Some(pad) => Ok(field.clone().with_pad(pad_of(&pad, &field)?)),
            None => Ok(field),
        }
    }
}

fn pad_of(pad: &Bound<'_, PyAny>, field: &Field) -> PyResult<Pad> {
    let wrong = || {
        let found = format!("a pad of {}", pad.repr().map_or("?".to_owned(), |text| text.to_string()));
        let expected = field.dtype().name().to_owned();
        raise(Error::WrongDType { field: field.name().to_owned(), expected, found })
    };
    match field.dtype().integer_range() {
        Some((least, most)) => {
            let value: i128 = pad.extract().map_err(|_| wrong())?;
            (least..=most).contains(&value).then_some(Pad::Int(value)).ok_or_else(wrong)
        }
        None => pad.extract().map(Pad::Float).map_err(|_| wrong()),
    }
}

#[pymethods]
impl Schema {
    /// A schema from its parts: fields are `(name, dtype, shape, presence, align, pad, unit, doc)`, dimensions
    /// `(name, min, max)`.
    #[new]
    #[pyo3(signature = (name, fields, dims = Vec::new(), version = 0, doc = ""))]
    fn new(
        name: String,
        fields: Vec<FieldSpec<'_>>,
        dims: Vec<(String, u64, u64)>,
        version: u32,
        doc: &str,
    ) -> PyResult<Schema> {
        let dims: Vec<Dim> = dims.into_iter().map(|(name, min, max)| Dim::new(name, min, max)).collect();
        let fields = fields.into_iter().map(|field| field.build(&dims)).collect::<PyResult<Vec<Field>>>()?;
        let schema = tensor_core::schema::Schema::new(name, version, doc.to_owned(), dims, fields)
            .map_err(|invalid: InvalidSchema| raise(invalid.into()))?;
        Ok(Schema { inner: Arc::new(schema) })
    }

    /// The schema that `encode` wrote.
    #[staticmethod]
    fn decode(bytes: &[u8]) -> PyResult<Schema> {
        let schema = tensor_core::schema::Schema::decode(bytes).map_err(|error| raise(error.into()))?;
        Ok(Schema { inner: Arc::new(schema) })
    }

    /// The stable bytes that travel in an arena.
    fn encode<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.inner.encode())
    }

    /// 32 hexadecimal digits that stand for everything two processes must agree on.
    #[getter]
    fn fingerprint(&self) -> String {
        self.inner.fingerprint().to_string()
    }

    /// The first difference to another schema in anything two processes must agree on, or None.
    fn difference(&self, other: &Schema) -> Option<String> {
        self.inner.difference(&other.inner).map(|difference| difference.to_string())
    }

    #[getter]
    fn name(&self) -> &str {
        self.inner.name()
    }

    /// What its class is called where nobody has named it: `vision.image_pair` is `ImagePair`.
    #[getter]
    fn class_name(&self) -> String {
        self.inner.class_name()
    }

    #[getter]
    fn version(&self) -> u32 {
        self.inner.version()
    }

    #[getter]
    fn doc(&self) -> &str {
        self.inner.doc()
    }

    /// `(name, min, max)` of each symbolic dimension.
    #[getter]
    fn dims(&self) -> Vec<(&str, u64, u64)> {
        self.inner.dims().iter().map(|dim| (dim.name(), dim.min(), dim.max())).collect()
    }

    /// The fields, in the order of their declaration.
    #[getter]
    fn fields(&self, py: Python<'_>) -> PyResult<Vec<FieldInfo>> {
        self.inner.fields().iter().map(|field| self.describe(py, field)).collect()
    }

    fn __str__(&self) -> String {
        self.inner.to_string()
    }

    fn __repr__(&self) -> String {
        format!("<Schema {} {}>", self.inner.name(), self.inner.fingerprint())
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Schema>().is_ok_and(|other| self.inner.difference(&other.get().inner).is_none())
    }

    fn __hash__(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.inner.fingerprint().hash(&mut hasher);
        hasher.finish()
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, (Bound<'py, PyBytes>,))> {
        Ok((slf.get_type().getattr("decode")?, (slf.get().encode(slf.py()),)))
    }
}

impl Schema {
    /// The exception for a name that it has no field of.
    pub(crate) fn unknown_field(&self, field: String) -> PyErr {
        let names: Vec<&str> = self.inner.fields().iter().map(|field| field.name()).collect();
        let (schema, known) = (self.inner.name().to_owned(), names.join(", "));
        raise(Error::UnknownField { schema, field, known })
    }

    fn describe(&self, py: Python<'_>, field: &Field) -> PyResult<FieldInfo> {
        let extent = |extent: &Extent| match *extent {
            Extent::Fixed(size) => PyInt::new(py, size).into_any(),
            Extent::Dim(dim) => {
                pyo3::types::PyString::new(py, self.inner.dims()[usize::from(dim)].name()).into_any()
            }
        };
        let shape = PyTuple::new(py, field.shape().extents().iter().map(extent))?.unbind();
        let pad = match field.pad() {
            Some(Pad::Int(value)) => Some(value.into_pyobject(py)?.into_any().unbind()),
            Some(Pad::Float(value)) => Some(PyFloat::new(py, value).into_any().unbind()),
            None => None,
        };
        Ok(FieldInfo {
            name: field.name().to_owned(),
            dtype: field.dtype().name(),
            shape,
            optional: field.may_be_absent(),
            presence: field.presence().code(),
            align: field.align(),
            pad,
            unit: field.unit().to_owned(),
            doc: field.doc().to_owned(),
        })
    }
}
