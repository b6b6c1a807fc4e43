//! What happens when the system has too little to give: typed errors, each in a process of its own.

#![cfg(not(tensorbridge_unsupported))]

use std::process::Command;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tensor_core::dynamic::{DynHost, DynSender, EndpointOptions, HostSettings};
use tensor_core::schema::{DType, Extent, Field, Schema, Shape};
use tensor_core::{Error, WaitStrategy};

/// Runs `body` in a process of its own: limits are the process's.
fn in_a_process_of_its_own(test: &str, body: impl FnOnce()) {
    const MARK: &str = "TENSORBRIDGE_TEST_PART";
    if std::env::var(MARK).is_ok_and(|part| part == test) {
        return body();
    }
    let program = std::env::current_exe().unwrap();
    let output =
        Command::new(program).args(["--exact", test, "--nocapture"]).env(MARK, test).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn schema(bytes: u64) -> Schema {
    let field = Field::new("x", DType::U8, Shape::new(&[Extent::Fixed(bytes)]));
    Schema::new("limits", 0, "", vec![], vec![field]).unwrap()
}

fn settings(name: &str) -> HostSettings {
    let name = format!("{name}.p{}", std::process::id());
    HostSettings { slots: 2, ..HostSettings::new(&name) }
}

fn connect(name: &str) -> Result<DynSender, Error> {
    let options = EndpointOptions {
        name: name.to_owned(),
        timeout: Some(Duration::from_secs(10)),
        strategy: WaitStrategy::default(),
        request: None,
        reply: None,
    };
    DynSender::connect(options, &mut || Ok(()))
}

/// Leaves `more` numbers free for new descriptors, whichever ones this process was started with.
fn allow_files(more: usize) {
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
    let mut free = (0..).filter(|fd| !std::fs::exists(format!("/proc/self/fd/{fd}")).unwrap());
    setrlimit(Resource::Nofile, Rlimit { current: free.nth(more), maximum }).unwrap();
}

#[test]
fn no_file_descriptors_for_a_host() {
    in_a_process_of_its_own("no_file_descriptors_for_a_host", || {
        for more in 0..6 {
            allow_files(more);
            let error = DynHost::create(&settings("files"), schema(8), None).map(drop).unwrap_err();
            assert!(matches!(error, Error::TooManyFiles { .. }), "with {more} descriptors: {error}");
        }
        allow_files(64);
        DynHost::create(&settings("files"), schema(8), None).map(drop).unwrap();
    });
}

#[test]
fn no_file_descriptors_for_an_endpoint() {
    in_a_process_of_its_own("no_file_descriptors_for_an_endpoint", || {
        let settings = settings("endpoint");
        let _host = DynHost::create(&settings, schema(8), None).unwrap();
        allow_files(2);
        let error = connect(&settings.name).map(drop).unwrap_err();
        assert!(matches!(error, Error::TooManyFiles { .. }), "{error}");
        allow_files(64);
        connect(&settings.name).map(drop).unwrap();
    });
}

#[test]
fn no_address_space_for_an_arena() {
    in_a_process_of_its_own("no_address_space_for_an_arena", || {
        let maximum = getrlimit(Resource::As).maximum;
        setrlimit(Resource::As, Rlimit { current: Some(1 << 30), maximum }).unwrap();
        let error = DynHost::create(&settings("space"), schema(1 << 30), None).map(drop).unwrap_err();
        assert!(matches!(error, Error::OutOfMemory { .. }), "{error}");
    });
}

#[test]
fn another_users_directory_is_refused() {
    in_a_process_of_its_own("another_users_directory_is_refused", || {
        let directory = tempfile::tempdir().unwrap();
        let foreign = if rustix::process::getuid().is_root() {
            let path = directory.path().join("foreign");
            std::fs::create_dir(&path).unwrap();
            std::os::unix::fs::chown(&path, Some(12345), None).unwrap();
            path
        } else {
            "/".into()
        };
        // SAFETY: this process has no other thread that reads the environment.
        unsafe { std::env::set_var("TENSORBRIDGE_DIR", &foreign) };
        let error = DynHost::create(&settings("foreign"), schema(8), None).map(drop).unwrap_err();
        assert!(matches!(error, Error::WrongUser { .. }), "{error}");
        let error = connect("foreign").map(drop).unwrap_err();
        assert!(matches!(error, Error::WrongUser { .. }), "{error}");
    });
}

#[test]
fn a_directory_with_a_long_path_holds_meeting_points() {
    in_a_process_of_its_own("a_directory_with_a_long_path_holds_meeting_points", || {
        let outer = tempfile::tempdir().unwrap();
        let long = outer.path().join("d".repeat(200));
        // SAFETY: this process has no other thread that reads the environment.
        unsafe { std::env::set_var("TENSORBRIDGE_DIR", &long) };
        let settings = settings("long");
        let host = DynHost::create(&settings, schema(8), None).unwrap();
        connect(&settings.name).map(drop).unwrap();
        drop(host);
        assert_eq!(std::fs::read_dir(&long).unwrap().count(), 0, "files left behind");
    });
}
