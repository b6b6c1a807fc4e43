//! Whatever stands around a struct, the generated code means what it means: this file has no prelude, takes the names
//! that generated code might use, and turns every warning into an error.
#![no_implicit_prelude]
#![deny(warnings, missing_docs, unused_qualifications, non_ascii_idents, unreachable_pub)]
#![deny(missing_debug_implementations, single_use_lifetimes, unused_lifetimes, rust_2018_idioms)]
#![forbid(unsafe_code)]

extern crate std;
/// The package under another name.
extern crate tensorbridge as bridge;

use ::tensorbridge::view::Owned;

/// Names of the prelude and of the standard library, with other meanings.
mod hostile {
    #![allow(dead_code, non_camel_case_types)]

    pub(crate) type Result = ();
    pub(crate) struct Some;
    pub(crate) struct None;
    pub(crate) struct Sized;
    pub(crate) struct u8;
    pub(crate) struct usize;
    pub(crate) struct bool;
    pub(crate) trait Deref {}
    pub(crate) trait Record {}
    pub(crate) mod core {}
    pub(crate) mod half {}

    /// A method that every type gets here.
    pub(crate) trait Everything {
        fn inner(&self) {}
        fn slice(&self) {}
        fn expect(&self) {}
    }
    impl<T: ?::std::marker::Sized> Everything for T {}
}

mod names {
    #[allow(unused_imports)]
    use super::hostile::*;

    #[derive(::tensorbridge::Tensor)]
    #[tensor(dims(n = 1..=4))]
    #[allow(non_snake_case)]
    pub(crate) struct Option {
        pub(crate) r#type: u64,
        pub(crate) Type: f32,
        pub(crate) T: [f32; 2],
        #[tensor(optional)]
        pub(crate) self_: i8,
        #[tensor(shape = [n], optional)]
        pub(crate) value: [f64; 4],
        #[tensor(optional)]
        pub(crate) length: Alias,
        pub(crate) inner: i16,
        pub(crate) raw: i16,
        pub(crate) _record: i16,
    }

    type Alias = [i16; 2];

    #[derive(::tensorbridge::Tensor)]
    #[tensor(dims(m = 1..=2))]
    #[allow(non_snake_case)]
    pub(crate) struct Nested {
        #[tensor(nested)]
        pub(crate) Here: Option,
        #[tensor(nested, optional)]
        pub(crate) r#type: Field,
        #[tensor(shape = [m])]
        pub(crate) inner: [f32; 2],
    }

    #[derive(::tensorbridge::Tensor)]
    #[tensor(export = "tests/export/hygiene.py")]
    /// A class of the module `hygiene.py`.
    pub(crate) struct Field {
        pub(crate) id: u64,
    }

    #[derive(::tensorbridge::Tensor)]
    #[allow(non_camel_case_types)]
    pub(crate) struct r#struct {
        pub(crate) id: u64,
    }
}

#[test]
fn hostile_names() {
    let mut record = Owned::<names::Option>::zeroed();
    record.set_type(1);
    record.set_Type(2.0);
    record.T_mut()[1] = 3.0;
    record.set_self_(4);
    record.set_n(2).unwrap();
    record.value_mut()[0] = 5.0;
    record.length_mut()[1] = 6;
    record.set_inner(7);
    let read = (record.r#type(), record.T()[1], record.self_(), record.inner());
    std::assert_eq!(read, (1, 3.0, std::option::Option::Some(4), 7));
    let mut field = Owned::<names::Field>::zeroed();
    field.set_id(8);
    std::assert_eq!(field.id(), 8);
    Owned::<names::r#struct>::zeroed().set_id(9);
}

#[test]
fn hostile_names_in_nested_records() {
    let mut record = Owned::<names::Nested>::zeroed();
    record.Here_mut().set_type(1);
    record.Here_mut().set_n(2).unwrap();
    record.type_mut().set_id(3);
    record.set_m(1).unwrap();
    record.inner_mut()[0] = 4.0;
    std::assert_eq!((record.Here().r#type(), record.inner()[0]), (1, 4.0));
    std::assert_eq!(record.r#type().map(|field| field.id()), std::option::Option::Some(3));
}

/// A package that hands `tensorbridge` on.
mod elsewhere {
    pub(crate) use ::bridge as tensors;
}

#[derive(::bridge::Tensor)]
#[tensor(crate = crate::elsewhere::tensors)]
struct Renamed {
    id: u64,
    #[tensor(optional)]
    points: [f32; 2],
}

#[test]
fn a_renamed_package() {
    let mut record = Owned::<Renamed>::zeroed();
    record.set_id(1);
    std::assert_eq!((record.id(), record.points()), (1, std::option::Option::None));
}

#[test]
fn inside_of_a_function() {
    type Local = u64;

    #[derive(::tensorbridge::Tensor)]
    #[tensor(dims(n = ..=3))]
    struct Inner {
        id: Local,
        #[tensor(shape = [n])]
        points: [f32; 3],
    }

    #[derive(::tensorbridge::Tensor)]
    struct Outer {
        #[tensor(nested)]
        inner: Inner,
    }

    let mut record = Owned::<Inner>::zeroed();
    record.set_id(1);
    record.set_n(0).unwrap();
    std::assert_eq!((record.id(), record.points_mut().len()), (1, 0));
    let mut outer = Owned::<Outer>::zeroed();
    outer.inner_mut().set_id(2);
    std::assert_eq!(outer.inner().id(), 2);
}

macro_rules! record {
    ($name:ident, $text:literal, $($field:ident: $ty:ty = [$($extent:tt),*] $max:literal),*) => {
        #[derive(::tensorbridge::Tensor)]
        #[tensor(name = $text, dims(n = 1..=4))]
        struct $name {
            stamp: u64,
            $(#[tensor(shape = [$($extent),*, $max])] $field: $ty,)*
        }
    };
}

record!(Made, "made.by_macro", points: [f32; 8] = [n] 2, grid: [[i64; 3]; 2] = [2] 3);

#[test]
fn inside_of_macro_rules() {
    let mut record = Owned::<Made>::zeroed();
    record.set_stamp(1);
    record.set_n(2).unwrap();
    std::assert_eq!((record.points_mut().len(), record.grid_array().shape()), (4, &[2, 3][..]));
    std::assert_eq!(<Made as ::tensorbridge::view::Record>::SCHEMA.name(), "made.by_macro");
}

/// A field type that is wrapped in the invisible parentheses of a macro fragment.
macro_rules! wrapped {
    ($ty:ty) => {
        #[derive(::tensorbridge::Tensor)]
        struct Wrapped {
            value: $ty,
            points: [$ty; 2],
        }
    };
    (nested $ty:ty) => {
        #[derive(::tensorbridge::Tensor)]
        struct Around {
            #[tensor(nested)]
            wrapped: $ty,
        }
    };
}

wrapped!(f32);
wrapped!(nested Wrapped);

#[test]
fn types_out_of_macro_rules() {
    let mut record = Owned::<Wrapped>::zeroed();
    record.set_value(1.0);
    record.points_mut()[0] = 2.0;
    std::assert_eq!((record.value(), record.points()[0]), (1.0, 2.0));
    let mut around = Owned::<Around>::zeroed();
    around.wrapped_mut().set_value(3.0);
    std::assert_eq!(around.wrapped().value(), 3.0);
}
