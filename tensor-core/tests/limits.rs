//! What happens when the system has too little to give: typed errors, each in a process of its own.

#![cfg(not(tensorbridge_unsupported))]

use std::process::Command;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tensor_core::Error;
use tensor_core::dynamic::{DynHost, DynReceiver, DynSender, EndpointOptions, HostSettings};
use tensor_core::schema::{DType, Extent, Field, Schema, Shape};

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
    let options = EndpointOptions { timeout: Some(Duration::from_secs(10)), ..EndpointOptions::new(name) };
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
            let error =
                DynHost::create(&settings("files"), schema(8), None, &mut || Ok(())).map(drop).unwrap_err();
            assert!(matches!(error, Error::TooManyFiles { .. }), "with {more} descriptors: {error}");
        }
        allow_files(64);
        DynHost::create(&settings("files"), schema(8), None, &mut || Ok(())).map(drop).unwrap();
    });
}

#[test]
fn no_file_descriptors_for_an_endpoint() {
    in_a_process_of_its_own("no_file_descriptors_for_an_endpoint", || {
        let settings = settings("endpoint");
        let _host = DynHost::create(&settings, schema(8), None, &mut || Ok(())).unwrap();
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
        let error =
            DynHost::create(&settings("space"), schema(1 << 30), None, &mut || Ok(())).map(drop).unwrap_err();
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
        let error =
            DynHost::create(&settings("foreign"), schema(8), None, &mut || Ok(())).map(drop).unwrap_err();
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
        let host = DynHost::create(&settings, schema(8), None, &mut || Ok(())).unwrap();
        connect(&settings.name).map(drop).unwrap();
        drop(host);
        assert_eq!(std::fs::read_dir(&long).unwrap().count(), 0, "files left behind");
    });
}

#[test]
fn nothing_is_locked_into_memory() {
    in_a_process_of_its_own("nothing_is_locked_into_memory", || {
        setrlimit(Resource::Memlock, Rlimit { current: Some(0), maximum: Some(0) }).unwrap();
        let settings = settings("memlock");
        let _host = DynHost::create(&settings, schema(1 << 20), None, &mut || Ok(())).unwrap();
        let sender = connect(&settings.name).unwrap();
        let mut record = sender.loan(None, &mut || Ok(())).unwrap();
        record.mark_present(0);
        sender.send(record, true).map_err(|failed| failed.0).unwrap();
    });
}

#[test]
fn files_may_not_be_as_large_as_an_arena() {
    in_a_process_of_its_own("files_may_not_be_as_large_as_an_arena", || {
        let maximum = getrlimit(Resource::Fsize).maximum;
        setrlimit(Resource::Fsize, Rlimit { current: Some(1 << 20), maximum }).unwrap();
        let error =
            DynHost::create(&settings("fsize"), schema(1 << 20), None, &mut || Ok(())).map(drop).unwrap_err();
        assert!(
            matches!(&error, Error::OutOfMemory { reason, .. } if reason.contains("RLIMIT_FSIZE")),
            "{error}"
        );
        DynHost::create(&settings("fsize"), schema(8), None, &mut || Ok(())).map(drop).unwrap();
    });
}

#[test]
fn what_is_in_the_way_in_the_directory_is_said() {
    in_a_process_of_its_own("what_is_in_the_way_in_the_directory_is_said", || {
        let outer = tempfile::tempdir().unwrap();
        let directory = outer.path().join("private");
        rustix::fs::mkdir(&directory, rustix::fs::Mode::RWXU).unwrap();
        // SAFETY: this process has no other thread that reads the environment.
        unsafe { std::env::set_var("TENSORBRIDGE_DIR", &directory) };
        let settings = settings("blocked");
        std::fs::create_dir(directory.join(format!(".{}.sock", settings.name))).unwrap();
        let error = DynHost::create(&settings, schema(8), None, &mut || Ok(())).map(drop).unwrap_err();
        assert!(matches!(&error, Error::Io { what: "binding a socket", .. }), "{error}");
    });
}

/// Process numbers mean something else there; pidfds mean the same.
#[test]
fn a_process_in_a_pid_namespace_of_its_own_takes_part() {
    const TEST: &str = "a_process_in_a_pid_namespace_of_its_own_takes_part";
    const MARK: &str = "TENSORBRIDGE_TEST_NAMESPACE";
    let send = |name: &str| {
        let sender = connect(name).unwrap();
        let mut record = sender.loan(None, &mut || Ok(())).unwrap();
        record.mark_present(0);
        sender.send(record, true).map_err(|failed| failed.0).unwrap();
        sender
    };
    if let Ok(part) = std::env::var(MARK) {
        let (role, name) = part.split_once(' ').unwrap();
        match role {
            "guest" => {
                let sender = send(name);
                let _held = sender.loan(None, &mut || Ok(())).unwrap();
                std::thread::sleep(Duration::from_secs(600));
            }
            _ => {
                let settings = HostSettings { slots: 4, ..HostSettings::new(name) };
                let _host = DynHost::create(&settings, schema(8), None, &mut || Ok(())).unwrap();
                std::thread::sleep(Duration::from_secs(600));
            }
        }
        return;
    }
    let apart = |part: String| {
        let mut command = Command::new("unshare");
        command.args(["--pid", "--fork", "--kill-child"]).arg(std::env::current_exe().unwrap());
        command.args(["--exact", TEST, "--nocapture"]).env(MARK, part);
        command.stdout(std::process::Stdio::null());
        command.spawn().unwrap()
    };
    let permitted = Command::new("unshare").args(["--pid", "--fork", "true"]).output();
    if !permitted.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: this machine permits no PID namespace");
        return;
    }
    let end = |mut process: std::process::Child| {
        process.kill().unwrap();
        process.wait().unwrap();
    };
    let name = format!("apart.p{}", std::process::id());
    let receive = || {
        let options =
            EndpointOptions { timeout: Some(Duration::from_secs(20)), ..EndpointOptions::new(&name) };
        let receiver = DynReceiver::connect(options, &mut || Ok(())).unwrap();
        drop(receiver.receive(Some(Duration::from_secs(20)), &mut || Ok(())).unwrap());
        receiver
    };
    // A participant in a namespace of its own.
    let host =
        DynHost::create(&HostSettings { slots: 4, ..HostSettings::new(&name) }, schema(8), None, &mut || {
            Ok(())
        })
        .unwrap();
    let guest = apart(format!("guest {name}"));
    drop(receive());
    let until = |free: usize| {
        let start = std::time::Instant::now();
        while host.free_slots() != free {
            assert!(start.elapsed() < Duration::from_secs(20), "{} slots are free", host.free_slots());
            std::thread::sleep(Duration::from_millis(1));
        }
    };
    until(3);
    end(guest);
    until(4);
    drop(host);
    // A host in a namespace of its own.
    let host = apart(format!("host {name}"));
    let sender = send(&name);
    let receiver = receive();
    end(host);
    let error = receiver.receive(Some(Duration::from_secs(20)), &mut || Ok(())).map(drop).unwrap_err();
    assert!(matches!(error, Error::HostDied { .. }), "{error}");
    drop(sender);
}
