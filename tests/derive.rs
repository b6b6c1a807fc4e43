//! What the derive makes of a struct, seen through an owned record.

use half::{bf16, f16};
use num_complex::Complex;
use tensorbridge::schema::{DType, Extent, Pad, Presence, RECORD_ALIGN, Shape};
use tensorbridge::view::{Owned, Record};
use tensorbridge::{Error, Tensor};

/// A photo ready for the classifier.
///
/// Planes, not pixels.
#[derive(Tensor)]
#[tensor(name = "vision.image", version = 2)]
struct Image {
    /// RGB planes, normalised.
    #[tensor(dtype = f32, shape = [3, 4, 5], required)]
    pixels: [f32; 3 * 4 * 5],
    /// The caller's number for this photo.
    id: u64,
    #[tensor(optional, unit = "m", align = 64, pad = -1, rename = "far")]
    distance: f32,
}

#[test]
fn the_schema_says_what_the_struct_says() {
    let schema = Image::SCHEMA;
    assert_eq!((schema.name(), schema.version()), ("vision.image", 2));
    assert_eq!(schema.doc(), "A photo ready for the classifier.\n\nPlanes, not pixels.");
    let [pixels, id, far] = schema.fields() else { panic!("three fields") };
    assert_eq!((pixels.name(), pixels.dtype()), ("pixels", DType::F32));
    assert_eq!(pixels.shape(), &Shape::new(&[3, 4, 5].map(Extent::Fixed)));
    assert_eq!((pixels.doc(), pixels.presence()), ("RGB planes, normalised.", Presence::Required));
    assert_eq!((id.dtype(), id.shape().rank()), (DType::U64, 0));
    assert_eq!((far.name(), far.presence(), far.align(), far.unit()), ("far", Presence::Optional, 64, "m"));
    assert_eq!(far.pad(), Some(Pad::Float(-1.0)));
}

#[test]
fn what_the_derive_makes_passes_the_rules_of_the_runtime() {
    for schema in [Image::SCHEMA, Tokens::SCHEMA, Everything::SCHEMA, Aliases::SCHEMA, Defaults::SCHEMA] {
        let (dims, fields) = (schema.dims().to_vec(), schema.fields().to_vec());
        let checked = tensorbridge::schema::Schema::new(
            schema.name().to_owned(),
            schema.version(),
            schema.doc().to_owned(),
            dims,
            fields,
        );
        assert_eq!(checked.as_ref(), Ok(schema));
    }
}

#[test]
fn fields_are_written_and_read() {
    let mut image = Owned::<Image>::zeroed();
    assert_eq!(image.distance(), None);
    image.pixels_mut()[7] = 1.5;
    image.set_id(7);
    image.set_distance(2.0);
    assert_eq!(image.pixels()[..9], [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.5, 0.0]);
    assert_eq!((image.pixels().len(), image.id(), image.distance()), (60, 7, Some(2.0)));
    assert!(image.check_complete().is_ok());
}

#[test]
fn a_function_can_take_a_view() {
    fn brightest(image: &ImageRef) -> f32 {
        image.pixels().iter().copied().fold(0.0, f32::max)
    }
    fn brighten(image: &mut ImageMut) {
        image.pixels_mut().iter_mut().for_each(|value| *value += 1.0);
    }
    let mut image = Owned::<Image>::zeroed();
    brighten(&mut image);
    assert_eq!(brightest(&image), 1.0);
}

#[test]
fn arrays_have_the_shape_of_the_schema() {
    let mut image = Owned::<Image>::zeroed();
    image.pixels_array_mut()[[1, 2, 3]] = 9.0;
    let pixels: ndarray::ArrayView3<'_, f32> = image.pixels_array();
    assert_eq!((pixels.shape(), pixels.strides()), (&[3, 4, 5][..], &[20, 5, 1][..]));
    assert_eq!(pixels.as_ptr(), image.pixels().as_ptr());
    assert_eq!(image.pixels()[20 + 10 + 3], 9.0);
}

#[test]
fn every_field_is_aligned_and_where_the_schema_says() {
    let mut image = Owned::<Image>::zeroed();
    image.set_id(0x0102_0304_0506_0708);
    let bytes = image.as_bytes();
    assert_eq!(bytes.as_ptr().addr() % RECORD_ALIGN, 0);
    assert_eq!(bytes.len(), Image::SCHEMA.record_offset(3).unwrap());
    let offset = Image::SCHEMA.record_offset(1).unwrap();
    assert_eq!((offset, &bytes[offset..offset + 8]), (256, &[8, 7, 6, 5, 4, 3, 2, 1][..]));
    assert_eq!(image.pixels().as_ptr().addr() % RECORD_ALIGN, 0);
}

#[test]
fn a_required_field_that_was_never_written_is_named() {
    let mut image = Owned::<Image>::zeroed();
    image.set_id(1);
    let error = image.check_complete().unwrap_err();
    assert_eq!(error.to_string(), "required field `pixels` of `vision.image` was never written");
}

#[test]
fn debug_shows_what_is_there_and_no_data() {
    let mut image = Owned::<Image>::zeroed();
    image.set_id(1);
    assert_eq!(format!("{image:?}"), "vision.image { pixels: absent, id: present, far: absent }");
}

#[derive(Tensor)]
#[tensor(name = "nlp.tokens", dims(seq = 1..=512, n = ..=4))]
struct Tokens {
    #[tensor(shape = [seq])]
    ids: [i64; 512],
    #[tensor(shape = [seq, 2], optional)]
    spans: [[u16; 2]; 512],
    #[tensor(shape = [3, n], optional)]
    scores: [f32; 12],
}

#[test]
fn a_leading_symbolic_dimension_shortens_the_slice() {
    let mut tokens = Owned::<Tokens>::zeroed();
    assert_eq!(tokens.seq(), None);
    tokens.set_seq(37).unwrap();
    assert_eq!((tokens.seq(), tokens.ids().len(), tokens.ids_mut().len()), (Some(37), 37, 37));
    assert_eq!(tokens.spans(), None);
    assert_eq!(tokens.spans_mut().len(), 74);
    tokens.spans_mut()[5] = 6;
    assert_eq!(tokens.spans_array().unwrap().row(2).to_vec(), [0, 6]);
    assert_eq!(tokens.spans_array().unwrap().shape(), [37, 2]);
}

#[test]
fn strides_follow_the_capacity_of_an_inner_dimension() {
    let mut tokens = Owned::<Tokens>::zeroed();
    tokens.set_n(2).unwrap();
    tokens.scores_array_mut().fill(1.0);
    let scores = tokens.scores_array().unwrap();
    assert_eq!((scores.shape(), scores.strides()), (&[3, 2][..], &[4, 1][..]));
    assert_eq!(tokens.scores().unwrap(), [1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0]);
}

#[test]
fn a_length_beyond_the_bounds_is_an_error_and_changes_nothing() {
    let mut tokens = Owned::<Tokens>::zeroed();
    tokens.set_seq(5).unwrap();
    let error = tokens.set_seq(513).unwrap_err();
    assert!(matches!(error, Error::DimOutOfRange { found: 513, min: 1, max: 512, .. }));
    assert_eq!(tokens.seq(), Some(5));
    assert!(tokens.set_n(0).is_ok());
}

#[test]
fn changing_a_length_clears_the_fields_that_name_it() {
    let mut tokens = Owned::<Tokens>::zeroed();
    assert!(matches!(tokens.check_complete(), Err(Error::DimUnset { dim, .. }) if dim == "seq"));
    tokens.set_seq(5).unwrap();
    tokens.ids_mut().fill(1);
    tokens.set_seq(5).unwrap();
    assert!(tokens.check_complete().is_ok());
    tokens.set_seq(6).unwrap();
    assert!(matches!(tokens.check_complete(), Err(Error::MissingField { field, .. }) if field == "ids"));
}

#[test]
#[should_panic(expected = "dimension `seq` is not set: call `set_seq` before touching `ids`")]
fn a_slice_without_its_length_is_a_panic_that_says_what_to_call() {
    let _ = Owned::<Tokens>::zeroed().ids_mut();
}

type Deep = [[[[[[[[i8; 1]; 2]; 1]; 2]; 1]; 2]; 1]; 2];

#[derive(Tensor)]
struct Everything {
    #[tensor(dtype = bool)]
    flag: u8,
    #[tensor(dtype = bool)]
    flags: [u8; 3],
    u8s: [u8; 2],
    u16s: [u16; 2],
    u32s: [u32; 2],
    u64s: [u64; 2],
    i8s: [i8; 2],
    i16s: [i16; 2],
    i32s: [i32; 2],
    i64s: [i64; 2],
    f16s: [f16; 2],
    bf16s: [bf16; 2],
    f32s: [f32; 2],
    f64s: [f64; 2],
    c64s: [Complex<f32>; 2],
    c128s: [Complex<f64>; 2],
    #[tensor(dtype = bf16)]
    raw: [[u16; 2]; 3],
    #[tensor(dtype = f16)]
    half: u16,
    #[tensor(dtype = f8_e4m3fn, shape = [2, 2])]
    f8s: [u8; 4],
    #[tensor(dtype = f8_e5m2)]
    f8: u8,
    deep: Deep,
    #[tensor(shape = [1, 2, 1, 2, 1, 2, 1])]
    wide: [i8; 8],
}

#[test]
fn every_dtype_is_inferred_or_stated() {
    let found: Vec<(&str, DType)> =
        Everything::SCHEMA.fields().iter().map(|field| (field.name(), field.dtype())).collect();
    let expected = [
        ("flag", DType::Bool),
        ("flags", DType::Bool),
        ("u8s", DType::U8),
        ("u16s", DType::U16),
        ("u32s", DType::U32),
        ("u64s", DType::U64),
        ("i8s", DType::I8),
        ("i16s", DType::I16),
        ("i32s", DType::I32),
        ("i64s", DType::I64),
        ("f16s", DType::F16),
        ("bf16s", DType::BF16),
        ("f32s", DType::F32),
        ("f64s", DType::F64),
        ("c64s", DType::C64),
        ("c128s", DType::C128),
        ("raw", DType::BF16),
        ("half", DType::F16),
        ("f8s", DType::F8E4M3FN),
        ("f8", DType::F8E5M2),
        ("deep", DType::I8),
        ("wide", DType::I8),
    ];
    assert_eq!(found, expected);
    for dtype in DType::ALL {
        assert!(expected.iter().any(|(_, covered)| *covered == dtype), "{dtype}");
    }
}

#[test]
fn elements_have_the_type_that_the_struct_says() {
    let mut all = Owned::<Everything>::zeroed();
    all.set_flag(1);
    all.bf16s_mut()[1] = bf16::from_f32(2.0);
    all.c128s_mut()[0] = Complex::new(1.0, -1.0);
    all.raw_array_mut()[[2, 1]] = bf16::ONE.to_bits();
    assert_eq!((all.flag(), all.bf16s()[1].to_f32(), all.c128s()[0].im), (1, 2.0, -1.0));
    assert_eq!(all.raw(), [0, 0, 0, 0, 0, 0x3f80]);
    assert_eq!(all.deep_array().shape(), [2, 1, 2, 1, 2, 1, 2, 1]);
    assert_eq!(all.wide_array().ndim(), 7);
    assert_eq!(all.f8s_array().shape(), [2, 2]);
}

#[test]
fn every_array_is_written_in_its_shape() {
    let mut all = Owned::<Everything>::zeroed();
    macro_rules! written {
        ($($field:ident, $array_mut:ident, $array:ident = $value:expr;)*) => {$(
            all.$array_mut().fill($value);
            assert!(all.$array().iter().all(|value| *value == $value), stringify!($field));
            assert!(all.$field().iter().all(|value| *value == $value), stringify!($field));
        )*};
    }
    written! {
        flags, flags_array_mut, flags_array = 1;
        u8s, u8s_array_mut, u8s_array = 2;
        u16s, u16s_array_mut, u16s_array = 3;
        u32s, u32s_array_mut, u32s_array = 4;
        u64s, u64s_array_mut, u64s_array = 5;
        i8s, i8s_array_mut, i8s_array = -2;
        i16s, i16s_array_mut, i16s_array = -3;
        i32s, i32s_array_mut, i32s_array = -4;
        i64s, i64s_array_mut, i64s_array = -5;
        f16s, f16s_array_mut, f16s_array = f16::from_f32(0.5);
        bf16s, bf16s_array_mut, bf16s_array = bf16::from_f32(0.25);
        f32s, f32s_array_mut, f32s_array = 0.5;
        f64s, f64s_array_mut, f64s_array = 0.25;
        c64s, c64s_array_mut, c64s_array = Complex::new(1.0, -1.0);
        c128s, c128s_array_mut, c128s_array = Complex::new(2.0, -2.0);
        raw, raw_array_mut, raw_array = bf16::ONE.to_bits();
        f8s, f8s_array_mut, f8s_array = 0x38;
        deep, deep_array_mut, deep_array = 7;
        wide, wide_array_mut, wide_array = 8;
    }
}

/// Named elsewhere.
type Stamp = u64;
type Row = [f32; 4];

#[derive(Tensor)]
struct Aliases {
    stamp: Stamp,
    #[tensor(optional)]
    line: Row,
    rows: [Row; 2],
    #[tensor(shape = [2, 4])]
    grid: [Row; 2],
    bits: <u8 as SameAs>::Itself,
}

trait SameAs {
    type Itself;
}

impl SameAs for u8 {
    type Itself = u8;
}

#[test]
fn aliases_are_what_they_stand_for() {
    let mut aliases = Owned::<Aliases>::zeroed();
    aliases.set_stamp(5);
    aliases.set_bits(3);
    assert_eq!((aliases.stamp(), aliases.bits(), aliases.line()), (5, 3, None));
    aliases.line_mut()[2] = 1.0;
    aliases.rows_array_mut()[[1, 3]] = 2.0;
    assert_eq!(aliases.line(), Some(&[0.0, 0.0, 1.0, 0.0][..]));
    let row: ndarray::ArrayView1<'_, f32> = aliases.line_array().unwrap();
    let rows: ndarray::ArrayView2<'_, f32> = aliases.rows_array();
    assert_eq!((row.len(), rows.shape(), aliases.rows()[7]), (4, &[2, 4][..], 2.0));
}

#[derive(Tensor)]
struct HTTPDefaults {
    x: [f32; Self::LENGTH],
    /// Not part of the record.
    #[tensor(skip)]
    _note: Option<String>,
}

impl HTTPDefaults {
    const LENGTH: usize = 3;
}

use HTTPDefaults as Defaults;

#[test]
fn the_name_defaults_to_the_structs_own() {
    assert_eq!(HTTPDefaults::SCHEMA.name(), "http_defaults");
    assert_eq!(HTTPDefaults::SCHEMA.fields().len(), 1);
    assert_eq!(Owned::<HTTPDefaults>::zeroed().x().len(), HTTPDefaults::LENGTH);
}
