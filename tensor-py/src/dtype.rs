//! What a dtype is called elsewhere: in DLPack, in the buffer protocol, in NumPy's extensions.

use std::ffi::CStr;

use tensor_core::schema::DType;

use crate::dlpack::abi::DLDataType;

/// The dtype as DLPack writes it.
pub(crate) fn to_dlpack(dtype: DType) -> DLDataType {
    let code = match dtype {
        DType::I8 | DType::I16 | DType::I32 | DType::I64 => 0,
        DType::U8 | DType::U16 | DType::U32 | DType::U64 => 1,
        DType::F16 | DType::F32 | DType::F64 => 2,
        DType::BF16 => 4,
        DType::C64 | DType::C128 => 5,
        DType::Bool => 6,
        DType::F8E4M3FN => 10,
        DType::F8E5M2 => 12,
        other => unreachable!("the table lacks {other}"),
    };
    DLDataType { code, bits: 8 * dtype.size() as u8, lanes: 1 }
}

/// The dtype that DLPack writes so, or the name to show for it.
pub(crate) fn from_dlpack(found: DLDataType) -> Result<DType, String> {
    DType::ALL.into_iter().find(|dtype| to_dlpack(*dtype) == found).ok_or_else(|| {
        let DLDataType { code, bits, lanes } = found;
        format!("DLPack type code {code} of {bits} bits, {lanes} lanes")
    })
}

/// The format of the `struct` module, in this machine's sizes; `None` for a dtype that Python does not know.
pub(crate) fn to_format(dtype: DType) -> Option<&'static CStr> {
    Some(match dtype {
        DType::Bool => c"?",
        DType::U8 => c"B",
        DType::U16 => c"H",
        DType::U32 => c"I",
        // `l` and not `q`: NumPy's 64-bit integer is C's long.
        DType::U64 => c"L",
        DType::I8 => c"b",
        DType::I16 => c"h",
        DType::I32 => c"i",
        DType::I64 => c"l",
        DType::F16 => c"e",
        DType::F32 => c"f",
        DType::F64 => c"d",
        DType::C64 => c"Zf",
        DType::C128 => c"Zd",
        _ => return None,
    })
}

/// The dtype with this format and element size, or the name to show for it.
pub(crate) fn from_format(format: &str, size: usize) -> Result<DType, String> {
    let unknown = || format!("buffer format `{format}` of {size} bytes");
    let kind = format.trim_start_matches(['@', '=', '<']);
    let dtype = match (kind, size) {
        ("?", 1) => DType::Bool,
        ("B" | "c", 1) => DType::U8,
        ("b", 1) => DType::I8,
        ("H", 2) => DType::U16,
        ("h", 2) => DType::I16,
        ("I" | "L" | "Q" | "N", 4) => DType::U32,
        ("i" | "l" | "q" | "n", 4) => DType::I32,
        ("I" | "L" | "Q" | "N", 8) => DType::U64,
        ("i" | "l" | "q" | "n", 8) => DType::I64,
        ("e", 2) => DType::F16,
        ("f", 4) => DType::F32,
        ("d", 8) => DType::F64,
        ("Zf", 8) => DType::C64,
        ("Zd", 16) => DType::C128,
        _ => return Err(unknown()),
    };
    Ok(dtype)
}

/// The type that package `ml_dtypes` has for a dtype NumPy lacks.
pub(crate) fn ml_dtypes_name(dtype: DType) -> Option<&'static str> {
    match dtype {
        DType::BF16 => Some("bfloat16"),
        DType::F8E4M3FN => Some("float8_e4m3fn"),
        DType::F8E5M2 => Some("float8_e5m2"),
        _ => None,
    }
}
