//! `export = "file.py"`: a test in the user's crate that compares the file with the schema.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use crate::emit::unraw;
use crate::names::snake_case;
use crate::spec::Spec;

pub(crate) fn test(spec: &Spec) -> TokenStream {
    let Some(path) = &spec.export else { return TokenStream::new() };
    let (private, schema, class) = (&spec.private, spec.schema(), unraw(&spec.ident));
    // It has to stand beside the struct: a test inside of `const _` is out of the test runner's reach.
    let test = format_ident!("{}_export_is_current", snake_case(&class));
    quote! {
        #[cfg(test)]
        #[#private::core::prelude::v1::test]
        fn #test() {
            #private::check_export(
                #schema,
                #class,
                #private::core::file!(),
                #private::core::env!("CARGO_MANIFEST_DIR"),
                #path,
            );
        }
    }
}
