//! On a platform that cannot connect, schemas work and connecting is a typed error.
//!
//! `RUSTFLAGS="--cfg tensorbridge_unsupported" cargo test -p tensor-core` builds for such a platform.

#![cfg(tensorbridge_unsupported)]

use std::time::Duration;

use tensor_core::dynamic::{DynHost, DynSender, EndpointOptions, HostSettings};
use tensor_core::schema::{DType, Field, Schema, Shape};
use tensor_core::{Error, WaitStrategy};

#[test]
fn connecting_and_hosting_say_what_they_need() {
    let schema = Schema::new("a", 0, "", vec![], vec![Field::new("x", DType::F32, Shape::SCALAR)]).unwrap();
    assert_eq!(Schema::decode(&schema.encode()).as_ref(), Ok(&schema));

    let settings = HostSettings { slots: 2, ..HostSettings::new("unsupported") };
    let hosting = DynHost::create(&settings, schema, None, &mut || Ok(())).map(drop).unwrap_err();
    assert!(matches!(hosting, Error::Unsupported { .. }), "{hosting}");

    let options =
        EndpointOptions { timeout: Some(Duration::from_millis(1)), ..EndpointOptions::new("unsupported") };
    let connecting = DynSender::connect(options, &mut || Ok(())).map(drop).unwrap_err();
    assert!(matches!(connecting, Error::Unsupported { .. }), "{connecting}");
    assert!(connecting.to_string().contains("Linux"), "{connecting}");
}
