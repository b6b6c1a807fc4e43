#[doc = "A record of `Text`, to read."]
#[allow(dead_code,)]
pub struct TextRef<__Tail:?tb::__private::core::marker::Sized = [()]> {
    inner: tb::__private::RawView<Text, __Tail>,
}
#[doc = "A record of `Text`, to write; it dereferences to [`TextRef`], to read."]
#[allow(dead_code,)]
pub struct TextMut<__Tail:?tb::__private::core::marker::Sized = [()]> {
    inner: TextRef<__Tail>,
}
#[doc = "A run of records of `Text`: for each field an array with one more dimension in front."]
#[allow(dead_code,)]
pub struct TextRun<__Tail:?tb::__private::core::marker::Sized = [()]> {
    inner: tb::__private::RawRun<Text, __Tail>,
}
#[doc = "A run of records of `Text`, to write; it dereferences to [`TextRun`], to read."]
#[allow(dead_code,)]
pub struct TextRunMut<__Tail:?tb::__private::core::marker::Sized = [()]> {
    inner: TextRun<__Tail>,
}
const _: () = {
    #[allow(dead_code,)]
    impl<__Tail:?tb::__private::core::marker::Sized> TextRef<__Tail> {
        #[doc = " Its tokens."]
        #[doc = ""]
        #[doc = "# Panics\nIf `seq` is not set."]
        #[must_use]
        #[track_caller]
        pub fn ids(&self) -> &[i64] {
            self.inner.slice::<i64, 0>()
        }
        #[doc = "`ids` as an array of its shape in this record."]
        #[doc = ""]
        #[doc = "# Panics\nIf `seq` is not set."]
        #[must_use]
        #[track_caller]
        pub fn ids_array(&self) -> tb::__private::ndarray::ArrayView<'_, i64, tb::__private::ndarray::Ix1> {
            self.inner.array::<i64, tb::__private::ndarray::Ix1, 0>()
        }
        #[doc = "The field `stamp`."]
        #[doc = ""]
        #[doc = "`None` when the record has none."]
        #[must_use]
        pub fn stamp(&self) -> tb::__private::core::option::Option<<Stamp as tb::__private::Storage>::Read<'_>> {
            if self.inner.is_present::<1>() {
                tb::__private::core::option::Option::Some(match self.inner.slice::<<Stamp as tb::__private::Storage>::Element, 1>() {
                    __elements => <Stamp as tb::__private::Storage>::read(&* __elements)
                })
            }
            else {
                tb::__private::core::option::Option::None
            }
        }
        #[doc = "`stamp` as an array of its shape in this record."]
        #[doc = ""]
        #[doc = "`None` when the record has none."]
        #[must_use]
        pub fn stamp_array(&self) -> tb::__private::core::option::Option<tb::__private::ndarray::ArrayView<'_, <Stamp as tb::__private::Storage>::Element, <Stamp as tb::__private::Storage>::Rank>> where Stamp: tb::__private::ArrayIn<__Tail> {
            if self.inner.is_present::<1>() {
                tb::__private::core::option::Option::Some(self.inner.array::<<Stamp as tb::__private::Storage>::Element, <Stamp as tb::__private::Storage>::Rank, 1>())
            }
            else {
                tb::__private::core::option::Option::None
            }
        }
        #[doc = "The length of dimension `seq` in this record."]
        #[must_use]
        #[track_caller]
        pub fn seq(&self) -> tb::__private::core::primitive::usize {
            self.inner.dim::<0>().expect("dimension `seq` is not set")
        }
    }
    #[allow(dead_code,)]
    impl<__Tail:?tb::__private::core::marker::Sized> TextMut<__Tail> {
        #[doc = " Its tokens."]
        #[doc = ""]
        #[doc = "To be written; marks it as present."]
        #[doc = ""]
        #[doc = "# Panics\nIf `seq` is not set."]
        #[track_caller]
        pub fn ids_mut(&mut self) -> &mut [i64] {
            self.inner.inner.slice_mut::<i64, 0>()
        }
        #[doc = "`ids` as an array of its shape in this record."]
        #[doc = ""]
        #[doc = "To be written; marks it as present."]
        #[doc = ""]
        #[doc = "# Panics\nIf `seq` is not set."]
        #[track_caller]
        pub fn ids_array_mut(&mut self) -> tb::__private::ndarray::ArrayViewMut<'_, i64, tb::__private::ndarray::Ix1> {
            self.inner.inner.array_mut::<i64, tb::__private::ndarray::Ix1, 0>()
        }
        #[doc = "The field `stamp`."]
        #[doc = ""]
        #[doc = "Writes it and marks it as present."]
        pub fn set_stamp(&mut self, value: Stamp) where Stamp: tb::__private::ScalarIn<__Tail> {
            self.inner.inner.set_value::<<Stamp as tb::__private::ScalarIn<__Tail>>::Element, 1>(<Stamp as tb::__private::ScalarIn<__Tail>>::element(value))
        }
        #[doc = "The field `stamp`."]
        #[doc = ""]
        #[doc = "To be written; marks it as present."]
        pub fn stamp_mut(&mut self) -> &mut [<Stamp as tb::__private::Storage>::Element] where Stamp: tb::__private::ArrayIn<__Tail> {
            self.inner.inner.slice_mut::<<Stamp as tb::__private::Storage>::Element, 1>()
        }
        #[doc = "`stamp` as an array of its shape in this record."]
        #[doc = ""]
        #[doc = "To be written; marks it as present."]
        pub fn stamp_array_mut(&mut self) -> tb::__private::ndarray::ArrayViewMut<'_, <Stamp as tb::__private::Storage>::Element, <Stamp as tb::__private::Storage>::Rank> where Stamp: tb::__private::ArrayIn<__Tail> {
            self.inner.inner.array_mut::<<Stamp as tb::__private::Storage>::Element, <Stamp as tb::__private::Storage>::Rank, 1>()
        }
        #[doc = "The length of dimension `seq` in this record; `None` before it is set."]
        #[must_use]
        pub fn seq(&self) -> tb::__private::core::option::Option<tb::__private::core::primitive::usize> {
            self.inner.inner.dim::<0>()
        }
        #[doc = "Sets the length of dimension `seq` in this record, 1 to 512."]
        #[doc = "Changing it makes the fields that name it absent again."]
        #[doc = ""]
        #[doc = "# Errors\n`DimOutOfRange`."]
        pub fn set_seq(&mut self, length: tb::__private::core::primitive::usize,) -> tb::__private::core::result::Result<(), tb::__private::Error> {
            self.inner.inner.set_dim::<0>(length)
        }
    }
    #[automatically_derived]
    impl<__Tail:?tb::__private::core::marker::Sized> tb::__private::core::ops::Deref for TextMut<__Tail> {
        type Target = TextRef<__Tail>;
        fn deref(&self) -> &TextRef<__Tail> {
            &self.inner
        }
    }
    #[automatically_derived]
    impl<__Tail:?tb::__private::core::marker::Sized> tb::__private::core::fmt::Debug for TextRef<__Tail> {
        fn fmt(&self, __f: &mut tb::__private::core::fmt::Formatter<'_>) -> tb::__private::core::fmt::Result {
            tb::__private::core::fmt::Debug::fmt(&self.inner, __f)
        }
    }
    #[automatically_derived]
    impl<__Tail:?tb::__private::core::marker::Sized> tb::__private::core::fmt::Debug for TextMut<__Tail> {
        fn fmt(&self, __f: &mut tb::__private::core::fmt::Formatter<'_>) -> tb::__private::core::fmt::Result {
            tb::__private::core::fmt::Debug::fmt(&self.inner, __f)
        }
    }
    #[allow(dead_code,)]
    #[allow(clippy::type_complexity)]
    impl<__Tail:?tb::__private::core::marker::Sized> TextRun<__Tail> {
        #[doc = "`ids` of all records as one array: the records in front, then the field's shape, symbolic dimensions at the longest."]
        #[must_use]
        pub fn ids_array(&self) -> tb::__private::ndarray::ArrayView<'_, i64, tb::__private::ndarray::Ix2> {
            self.inner.array::<i64, tb::__private::ndarray::Ix2, 0>()
        }
        #[doc = "The field `stamp`."]
        #[doc = ""]
        #[doc = "Of all records, one after the other."]
        #[must_use]
        pub fn stamp(&self) -> tb::__private::core::result::Result<tb::__private::core::option::Option<&[<Stamp as tb::__private::Storage>::Element]>, tb::__private::Error> {
            tb::__private::core::result::Result::Ok(if self.inner.is_present::<1>()?{
                tb::__private::core::option::Option::Some(self.inner.slice::<<Stamp as tb::__private::Storage>::Element, 1>())
            } else {
                tb::__private::core::option::Option::None
            })
        }
        #[doc = "`stamp` of all records as one array: the records in front, then the field's shape, symbolic dimensions at the longest."]
        #[must_use]
        pub fn stamp_array(&self) -> tb::__private::core::result::Result<tb::__private::core::option::Option<tb::__private::ndarray::ArrayView<'_, <Stamp as tb::__private::Storage>::Element, <<Stamp as tb::__private::Storage>::Rank as tb::__private::ndarray::Dimension>::Larger>>, tb::__private::Error> {
            tb::__private::core::result::Result::Ok(if self.inner.is_present::<1>()?{
                tb::__private::core::option::Option::Some(self.inner.array::<<Stamp as tb::__private::Storage>::Element, <<Stamp as tb::__private::Storage>::Rank as tb::__private::ndarray::Dimension>::Larger, 1>())
            } else {
                tb::__private::core::option::Option::None
            })
        }
        #[doc = "Writes `value` to every element of `stamp` of the records that lack it."]
        pub fn fill_stamp(&mut self, value: <Stamp as tb::__private::Storage>::Element) {
            self.inner.fill::<<Stamp as tb::__private::Storage>::Element, 1>(value)
        }
    }
    #[allow(dead_code,)]
    #[allow(clippy::type_complexity)]
    impl<__Tail:?tb::__private::core::marker::Sized> TextRunMut<__Tail> {
        #[doc = "`ids` of all records as one array, to be written: the records in front, then the field's shape, symbolic dimensions at the longest. Marks it as present in each."]
        #[doc = ""]
        #[doc = "# Panics\nIf no record has a length for `seq`."]
        #[track_caller]
        pub fn ids_array_mut(&mut self) -> tb::__private::ndarray::ArrayViewMut<'_, i64, tb::__private::ndarray::Ix2> {
            self.inner.inner.array_mut::<i64, tb::__private::ndarray::Ix2, 0>()
        }
        #[doc = "The field `stamp`."]
        #[doc = ""]
        #[doc = "Of all records, one after the other, to be written; marks it as present in each."]
        pub fn stamp_mut(&mut self) -> &mut [<Stamp as tb::__private::Storage>::Element] {
            self.inner.inner.slice_mut::<<Stamp as tb::__private::Storage>::Element, 1>()
        }
        #[doc = "`stamp` of all records as one array, to be written: the records in front, then the field's shape, symbolic dimensions at the longest. Marks it as present in each."]
        pub fn stamp_array_mut(&mut self) -> tb::__private::ndarray::ArrayViewMut<'_, <Stamp as tb::__private::Storage>::Element, <<Stamp as tb::__private::Storage>::Rank as tb::__private::ndarray::Dimension>::Larger> {
            self.inner.inner.array_mut::<<Stamp as tb::__private::Storage>::Element, <<Stamp as tb::__private::Storage>::Rank as tb::__private::ndarray::Dimension>::Larger, 1>()
        }
        #[doc = "Sets the length of dimension `seq` of every record, 1 to 512."]
        #[doc = "Where that changes it, the fields that name it are absent again."]
        #[doc = ""]
        #[doc = "# Errors\n`DimOutOfRange`."]
        pub fn set_seq(&mut self, length: tb::__private::core::primitive::usize) -> tb::__private::core::result::Result<(), tb::__private::Error> {
            self.inner.inner.set_dim::<0>(length)
        }
        #[doc = "Sets the length of dimension `seq` of each record to one of its own, 1 to 512."]
        #[doc = "Where that changes it, the fields that name it are absent again."]
        #[doc = ""]
        #[doc = "# Errors\n`DimOutOfRange`."]
        #[doc = ""]
        #[doc = "# Panics\nIf there is not one length for each record."]
        #[track_caller]
        pub fn set_seq_each(&mut self, lengths: &[tb::__private::core::primitive::usize]) -> tb::__private::core::result::Result<(), tb::__private::Error> {
            self.inner.inner.set_dims::<0>(lengths)
        }
    }
    #[automatically_derived]
    impl<__Tail:?tb::__private::core::marker::Sized> tb::__private::core::ops::Deref for TextRunMut<__Tail> {
        type Target = TextRun<__Tail>;
        fn deref(&self) -> &TextRun<__Tail> {
            &self.inner
        }
    }
    #[automatically_derived]
    impl<__Tail:?tb::__private::core::marker::Sized> tb::__private::core::fmt::Debug for TextRunMut<__Tail> {
        fn fmt(&self, __f: &mut tb::__private::core::fmt::Formatter<'_>) -> tb::__private::core::fmt::Result {
            tb::__private::core::fmt::Debug::fmt(&self.inner, __f)
        }
    }
    #[automatically_derived]
    impl<__Tail:?tb::__private::core::marker::Sized> tb::__private::core::fmt::Debug for TextRun<__Tail> {
        fn fmt(&self, __f: &mut tb::__private::core::fmt::Formatter<'_>) -> tb::__private::core::fmt::Result {
            tb::__private::core::fmt::Debug::fmt(&self.inner, __f)
        }
    }
    #[automatically_derived]
    impl tb::__private::Record for Text {
        const SCHEMA: &'static tb::__private::Schema = {
            const DIMS: &[tb::__private::Dim] = &[tb::__private::Dim::from_static("seq", 1, 512)];
            const FIELDS: &[tb::__private::Field] = &[tb::__private::Field::from_static("ids", <[i64; 512] as tb::__private::Storage>::FACTS.dtype, tb::__private::Shape::new(&[tb::__private::Extent::Dim(0)]), "", "Its tokens."), tb::__private::Field::from_static("stamp", <Stamp as tb::__private::Storage>::FACTS.dtype, <Stamp as tb::__private::Storage>::SHAPE, "", "").optional()];
            &tb::__private::Schema::from_static("nlp.text", 0, "A text.", DIMS, FIELDS)
        };
        type Ref = TextRef;
        type Mut = TextMut;
        type Nested = ();
        type RefStore = TextRef<[(); 0]>;
        type MutStore = TextMut<[(); 0]>;
        fn __ref_store(__raw: tb::__private::RawView<Self, [(); 0]>) -> Self::RefStore {
            TextRef {
                inner: __raw
            }
        }
        fn __mut_store(__raw: tb::__private::RawView<Self, [(); 0]>) -> Self::MutStore {
            TextMut {
                inner: TextRef {
                    inner: __raw
                }
            }
        }
        fn __as_ref(__store: &Self::RefStore) -> &Self::Ref {
            __store
        }
        fn __as_mut_ref(__store: &Self::MutStore) -> &Self::Mut {
            __store
        }
        fn __as_mut(__store: &mut Self::MutStore) -> &mut Self::Mut {
            __store
        }
        fn __raw_of_ref(__store: &Self::RefStore) -> &tb::__private::RawView<Self, [(); 0]> {
            &__store.inner
        }
        fn __raw(__store: &Self::MutStore) -> &tb::__private::RawView<Self, [(); 0]> {
            &__store.inner.inner
        }
        type Run = TextRun;
        type RunMut = TextRunMut;
        type RunStore = TextRun<[(); 0]>;
        type RunMutStore = TextRunMut<[(); 0]>;
        fn __run_store(__raw: tb::__private::RawRun<Self, [(); 0]>) -> Self::RunStore {
            TextRun {
                inner: __raw
            }
        }
        fn __run_mut_store(__raw: tb::__private::RawRun<Self, [(); 0]>) -> Self::RunMutStore {
            TextRunMut {
                inner: TextRun {
                    inner: __raw
                }
            }
        }
        fn __as_run(__store: &Self::RunStore) -> &Self::Run {
            __store
        }
        fn __as_run_mut(__store: &mut Self::RunStore) -> &mut Self::Run {
            __store
        }
        fn __raw_run(__store: &Self::RunStore) -> &tb::__private::RawRun<Self, [(); 0]> {
            &__store.inner
        }
        fn __raw_run_mut(__store: &mut Self::RunStore) -> &mut tb::__private::RawRun<Self, [(); 0]> {
            &mut __store.inner
        }
        fn __run_of(__store: &Self::RunMutStore) -> &Self::RunStore {
            &__store.inner
        }
        fn __run_of_mut(__store: &mut Self::RunMutStore) -> &mut Self::RunStore {
            &mut __store.inner
        }
        fn __as_run_to_fill(__store: &Self::RunMutStore) -> &Self::RunMut {
            __store
        }
        fn __as_run_to_fill_mut(__store: &mut Self::RunMutStore) -> &mut Self::RunMut {
            __store
        }
    }
    const __FITS: tb::__private::core::primitive::bool = <Text as tb::__private::Record>::SCHEMA.record_offset(2).is_some();
    type __TensorField0 = <tb::__private::Fits<__FITS> as tb::__private::LaidOut<[i64; 512]>>::Type;
    type __TensorField1 = <tb::__private::Fits<__FITS> as tb::__private::LaidOut<Stamp>>::Type;
    #[allow(dead_code)]
    #[repr(C, align(64))]
    struct __TensorLayout {
        __field0: __TensorField0, __padding0: [tb::__private::core::primitive::u8; tb::__private::padding(tb::__private::core::mem::size_of::<__TensorField0>())], __field1: __TensorField1, __padding1: [tb::__private::core::primitive::u8; tb::__private::padding(tb::__private::core::mem::size_of::<__TensorField1>())],
    }
    const _: () = tb::__private::check_layout(<Text as tb::__private::Record>::SCHEMA, tb::__private::core::mem::align_of::<__TensorLayout>(), tb::__private::core::mem::size_of::<__TensorLayout>(), &[(0, tb::__private::core::mem::size_of::<__TensorField0>(), tb::__private::core::mem::offset_of!(__TensorLayout, __field0),), (1, tb::__private::core::mem::size_of::<__TensorField1>(), tb::__private::core::mem::offset_of!(__TensorLayout, __field1),)],);
    const _: () = tb::__private::check_target(tb::__private::LITTLE_ENDIAN);
    const _: () = tb::__private::check_field(<Text as tb::__private::Record>::SCHEMA, 0, <[i64; 512] as tb::__private::Storage>::FACTS, __FITS);
    const _: () = tb::__private::check_shape("ids", "[i64; 512]", &tb::__private::Shape::new(&[tb::__private::Extent::Dim(0)]), <Text as tb::__private::Record>::SCHEMA.dims(), <[i64; 512] as tb::__private::Storage>::FACTS);
    const _: () = tb::__private::check_extent("ids", "[i64; 512]", &tb::__private::Shape::new(&[tb::__private::Extent::Dim(0)]), <Text as tb::__private::Record>::SCHEMA.dims(), <[i64; 512] as tb::__private::Storage>::FACTS, 0);
    const _: () = tb::__private::check_field(<Text as tb::__private::Record>::SCHEMA, 1, <Stamp as tb::__private::Storage>::FACTS, __FITS);
    const _: fn(&Text) = | __record | {
        let _ = &raw const __record.ids;
        let _ = &raw const __record.stamp;
    };
};
#[cfg(test)]
#[tb::__private::core::prelude::v1::test]
fn text_export_is_current() {
    tb::__private::check_export(<Text as tb::__private::Record>::SCHEMA, "Text", tb::__private::core::file!(), tb::__private::core::env!("CARGO_MANIFEST_DIR"), "nlp.py",);
}
