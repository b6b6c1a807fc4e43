//! Rust at one end, Python at the other: the same memory, every dtype, every role.
//!
//! They need an interpreter that can import `tensorbridge`; `cargo xtask test` names one in `TENSORBRIDGE_PYTHON`. Without
//! it they say that they were skipped.

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use half::{bf16, f16};
use num_complex::Complex;
use rustix::process::{Pid, Signal, kill_process};
use support::unique;
use tensorbridge::{
    Channel, Client, Error, PythonWorker, Receiver, Restarts, Sender, Server, Service, Tensor, WaitStrategy,
    WorkerState,
};

const PATIENCE: Duration = Duration::from_secs(60);

/// A field of every dtype.
#[derive(Tensor)]
#[tensor(name = "python.everything", export = "tests/python/everything.py")]
struct Everything {
    #[tensor(dtype = bool, rename = "bool_")]
    flags: [u8; 3],
    u8: [u8; 3],
    u16: [u16; 3],
    u32: [u32; 3],
    u64: [u64; 3],
    i8: [i8; 3],
    i16: [i16; 3],
    i32: [i32; 3],
    i64: [i64; 3],
    f16: [f16; 3],
    bf16: [bf16; 3],
    f32: [f32; 3],
    f64: [f64; 3],
    c64: [Complex<f32>; 3],
    c128: [Complex<f64>; 3],
    #[tensor(dtype = f8_e4m3fn)]
    f8_e4m3fn: [u8; 3],
    #[tensor(dtype = f8_e5m2)]
    f8_e5m2: [u8; 3],
}

/// A text of tokens.
#[derive(Tensor)]
#[tensor(name = "python.text", dims(seq = 1..=512), export = "tests/python/everything.py")]
struct Text {
    #[tensor(shape = [seq])]
    ids: [i64; 512],
}

/// What a worker saw of a text.
#[derive(Tensor)]
#[tensor(name = "python.seen", export = "tests/python/everything.py")]
struct Seen {
    inode: u64,
    offset: u64,
    length: u64,
    total: i64,
    #[tensor(dtype = bool)]
    numpy_is_torch: u8,
    /// Bytes that an export copied.
    copied: u64,
}

/// Four numbers.
#[derive(Tensor)]
#[tensor(name = "python.word", export = "tests/python/everything.py")]
struct Word {
    value: [f32; 4],
}

/// Where something is.
#[derive(Tensor)]
#[tensor(name = "python.pose", dims(points = 1..=4))]
struct Pose {
    position: [f32; 3],
    #[tensor(shape = [points, 2], optional)]
    outline: [[f32; 2]; 4],
}

/// Something, and where it is and was.
#[derive(Tensor)]
#[tensor(name = "python.scene", export = "tests/python/everything.py")]
struct Scene {
    id: u64,
    #[tensor(nested)]
    pose: Pose,
    #[tensor(nested, optional)]
    last: Pose,
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/echo.py")
}

/// The interpreter, or a note that the test was skipped.
fn python(test: &str) -> Option<PathBuf> {
    let python = std::env::var_os("TENSORBRIDGE_PYTHON").map(PathBuf::from);
    if python.is_none() {
        println!("skipped: {test} needs TENSORBRIDGE_PYTHON");
    }
    python
}

/// A Python program that plays a part of `echo.py` to its end.
fn run(python: &Path, arguments: &[&str]) -> std::thread::JoinHandle<()> {
    let mut command = Command::new(python);
    command.arg(script()).args(arguments);
    std::thread::spawn(move || {
        let status = command.status().unwrap();
        assert!(status.success(), "the Python program ended with {status}");
    })
}

#[test]
fn every_dtype_is_read_and_written_by_torch_or_numpy_in_place() {
    if python("every dtype").is_none() {
        return;
    }
    let name = unique("everything");
    let service = Service::<Everything, Everything>::builder(&name).slots(2).create().unwrap();
    let _worker = service.spawn(PythonWorker::new(script()).arg("echo")).unwrap();
    let client = Client::<Everything, Everything>::builder(&name).timeout(PATIENCE).connect().unwrap();
    let mut asked = client.loan().unwrap();
    asked.flags_mut().copy_from_slice(&[0, 1, 0]);
    asked.u8_mut().copy_from_slice(&[0, 1, 254]);
    asked.u16_mut().copy_from_slice(&[0, 1, u16::MAX - 1]);
    asked.u32_mut().copy_from_slice(&[0, 1, u32::MAX - 1]);
    asked.u64_mut().copy_from_slice(&[0, 1, u64::MAX - 1]);
    asked.i8_mut().copy_from_slice(&[-1, 0, 126]);
    asked.i16_mut().copy_from_slice(&[-1, 0, i16::MAX - 1]);
    asked.i32_mut().copy_from_slice(&[-1, 0, i32::MAX - 1]);
    asked.i64_mut().copy_from_slice(&[-1, 0, i64::MAX - 1]);
    asked.f16_mut().copy_from_slice(&[-1.0, 0.5, 2.0].map(f16::from_f32));
    asked.bf16_mut().copy_from_slice(&[-1.0, 0.5, 2.0].map(bf16::from_f32));
    asked.f32_mut().copy_from_slice(&[-1.0, 0.5, 2.0]);
    asked.f64_mut().copy_from_slice(&[-1.0, 0.5, 2.0]);
    asked.c64_mut().copy_from_slice(&[Complex::new(-1.0, 3.0); 3]);
    asked.c128_mut().copy_from_slice(&[Complex::new(-1.0, 3.0); 3]);
    asked.f8_e4m3fn_mut().copy_from_slice(&[0x38; 3]); // 1.0
    asked.f8_e5m2_mut().copy_from_slice(&[0x3C; 3]); // 1.0
    let answer = asked.call().unwrap();
    assert_eq!(answer.flags(), [1, 0, 1]);
    assert_eq!(answer.u8(), [1, 2, 255]);
    assert_eq!(answer.u16(), [1, 2, u16::MAX]);
    assert_eq!(answer.u32(), [1, 2, u32::MAX]);
    assert_eq!(answer.u64(), [1, 2, u64::MAX]);
    assert_eq!(answer.i8(), [0, 1, 127]);
    assert_eq!(answer.i16(), [0, 1, i16::MAX]);
    assert_eq!(answer.i32(), [0, 1, i32::MAX]);
    assert_eq!(answer.i64(), [0, 1, i64::MAX]);
    assert_eq!(answer.f16(), [0.0, 1.5, 3.0].map(f16::from_f32));
    assert_eq!(answer.bf16(), [0.0, 1.5, 3.0].map(bf16::from_f32));
    assert_eq!(answer.f32(), [0.0, 1.5, 3.0]);
    assert_eq!(answer.f64(), [0.0, 1.5, 3.0]);
    assert_eq!(answer.c64(), [Complex::new(0.0, 3.0); 3]);
    assert_eq!(answer.c128(), [Complex::new(0.0, 3.0); 3]);
    assert_eq!(answer.f8_e4m3fn(), [0x40; 3]); // 2.0
    assert_eq!(answer.f8_e5m2(), [0x40; 3]); // 2.0
}

/// Inode and offset of the memory that an address of this process is in.
fn place_of(address: usize) -> (u64, u64) {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    for line in maps.lines() {
        let mut words = line.split_whitespace();
        let (start, end) = words.next().unwrap().split_once('-').unwrap();
        let hex = |text: &str| usize::from_str_radix(text, 16).unwrap();
        if (hex(start)..hex(end)).contains(&address) {
            let offset = hex(words.nth(1).unwrap()) + address - hex(start);
            return (words.nth(1).unwrap().parse().unwrap(), offset as u64);
        }
    }
    panic!("no mapping holds {address:#x}");
}

#[test]
fn the_worker_sees_the_same_memory_and_its_exception_has_type_message_and_traceback() {
    if python("the same memory").is_none() {
        return;
    }
    let name = unique("look");
    let service = Service::<Text, Seen>::builder(&name).slots(4).create().unwrap();
    let worker = service.spawn(PythonWorker::new(script()).arg("look")).unwrap();
    let client = Client::<Text, Seen>::builder(&name).timeout(PATIENCE).connect().unwrap();
    let call = |length: usize, first: i64| {
        let mut text = client.loan().unwrap();
        text.set_seq(length).unwrap();
        text.ids_mut().fill(1);
        text.ids_mut()[0] = first;
        let place = place_of(text.ids().as_ptr().addr());
        (place, text.call().map_err(Error::from))
    };
    for length in [1, 37, 512] {
        let (place, seen) = call(length, 5);
        let seen = seen.unwrap();
        assert_eq!((seen.inode(), seen.offset()), place);
        assert_eq!(seen.inode(), service.data_inode().unwrap());
        assert_eq!((seen.length(), seen.total()), (length as u64, length as i64 + 4));
        assert_eq!((seen.numpy_is_torch(), seen.copied()), (1, 0));
    }
    let (_, failed) = call(3, -1);
    let Err(Error::Remote(remote)) = failed.map(drop) else { panic!("the handler raised") };
    assert_eq!(
        (remote.type_name.as_str(), remote.message.as_str()),
        ("ValueError", "minus one is not a token")
    );
    assert!(
        remote.traceback.contains("echo.py") && remote.traceback.contains("__call__"),
        "{}",
        remote.traceback
    );
    // The worker lives on, and its exception pins nothing.
    assert_eq!(call(3, 5).1.unwrap().total(), 7);
    assert_eq!(service.free_slots(), 4);
    assert_eq!(service.workers(), [worker.health()]);
    assert_eq!((worker.health().state, worker.health().restarts), (WorkerState::Ready, 0));
    assert!(worker.stop().unwrap().is_some_and(|status| status.success()));
    assert_eq!(service.workers(), []);
}

#[test]
fn records_go_through_a_python_receiver_and_sender() {
    let Some(python) = python("a relay") else { return };
    let (to, from) = (unique("to"), unique("from"));
    let _channels = [&to, &from].map(|name| Channel::<Word>::builder(name).slots(4).create().unwrap());
    let relay = run(&python, &["relay", &to, &from, "100"]);
    let sender = Sender::<Word>::builder(&to).timeout(PATIENCE).connect().unwrap();
    let receiver = Receiver::<Word>::builder(&from).timeout(PATIENCE).connect().unwrap();
    for number in 0..100u8 {
        let mut word = sender.loan().unwrap();
        word.value_mut().fill(f32::from(number));
        word.send().unwrap();
        assert_eq!(receiver.receive().unwrap().value(), [2.0 * f32::from(number); 4]);
    }
    relay.join().unwrap();
}

#[test]
fn nested_records_are_the_same_in_both_languages() {
    let Some(python) = python("nested records") else { return };
    let (to, from) = (unique("scene.to"), unique("scene.from"));
    let _channels = [&to, &from].map(|name| Channel::<Scene>::builder(name).slots(2).create().unwrap());
    let mirror = run(&python, &["mirror", &to, &from]);
    let sender = Sender::<Scene>::builder(&to).timeout(PATIENCE).connect().unwrap();
    let receiver = Receiver::<Scene>::builder(&from).timeout(PATIENCE).connect().unwrap();
    for with_last in [true, false] {
        let mut scene = sender.loan().unwrap();
        scene.set_id(7);
        scene.pose_mut().position_mut().copy_from_slice(&[1.0, 2.0, 3.0]);
        if with_last {
            scene.last_mut().position_mut().copy_from_slice(&[4.0, 5.0, 6.0]);
            scene.last_mut().set_points(2).unwrap();
            scene.last_mut().outline_mut().copy_from_slice(&[1.0, 2.0, 3.0, 4.0]);
        }
        scene.send().unwrap();
        // Python exchanges the two where there are two.
        let mirrored = receiver.receive().unwrap();
        assert_eq!(mirrored.id(), 8);
        if with_last {
            assert_eq!(mirrored.last().unwrap().position(), [1.0, 2.0, 3.0]);
            assert_eq!(mirrored.last().unwrap().outline(), None);
            let pose = mirrored.pose();
            assert_eq!((pose.position(), pose.points()), (&[4.0, 5.0, 6.0][..], Some(2)));
            assert_eq!(pose.outline(), Some(&[1.0, 2.0, 3.0, 4.0][..]));
        } else {
            assert_eq!(mirrored.pose().position(), [1.0, 2.0, 3.0]);
            assert!(mirrored.last().is_none());
        }
    }
    mirror.join().unwrap();
}

#[test]
fn a_python_client_is_answered_by_rust() {
    let Some(python) = python("a Python client") else { return };
    let name = unique("rust");
    let service = Service::<Word, Word>::builder(&name).slots(4).create().unwrap();
    let server = Server::<Word, Word>::builder(&name).wait(WaitStrategy::Block).connect().unwrap();
    let answering = std::thread::spawn(move || {
        server.serve(|asked, answer| {
            if asked.value()[0] < 0.0 {
                return Err("negative");
            }
            answer.value_mut().copy_from_slice(asked.value());
            answer.value_mut().iter_mut().for_each(|value| *value += 1.0);
            Ok(())
        })
    });
    run(&python, &["call", &name]).join().unwrap();
    assert_eq!(service.free_slots(), 4);
    drop(service);
    answering.join().unwrap().unwrap();
}

#[test]
fn a_killed_worker_is_started_again_although_the_thread_that_asked_for_it_is_gone() {
    if python("a killed worker").is_none() {
        return;
    }
    let name = unique("again");
    let service = Service::<Text, Seen>::builder(&name).slots(4).create().unwrap();
    let client = Client::<Text, Seen>::builder(&name).timeout(PATIENCE).connect().unwrap();
    let restarts = Restarts::always().delay(Duration::from_millis(10), Duration::from_millis(100));
    let spawn = || service.spawn(PythonWorker::new(script()).arg("look").restarts(restarts)).unwrap();
    let worker = std::thread::scope(|scope| scope.spawn(spawn).join().unwrap());
    let first = worker.id();
    for killed in 1..=2 {
        kill_process(Pid::from_raw(worker.id() as i32).unwrap(), Signal::KILL).unwrap();
        let mut text = client.loan().unwrap();
        text.set_seq(3).unwrap();
        text.ids_mut().fill(5);
        assert_eq!(text.call().unwrap().total(), 15);
        let health = worker.health();
        assert_eq!(health.restarts, killed, "{health:?}");
        assert!(health.last_end.unwrap().contains("signal: 9"));
    }
    assert!(worker.id() != first && worker.failure().is_none());
    drop(worker);
    assert_eq!(service.workers(), []);
}

#[test]
fn a_worker_that_cannot_start_says_so() {
    if python("a broken worker").is_none() {
        return;
    }
    let name = unique("broken");
    let service = Service::<Word, Word>::builder(&name).slots(2).create().unwrap();
    let error = service.spawn(PythonWorker::new(script()).arg("nonsense")).map(drop).unwrap_err();
    assert!(
        matches!(&error, Error::WorkerExited { reason, .. } if reason.contains("before it was ready")
            && reason.ends_with("unknown part ['nonsense']")),
        "{error}"
    );
    let error = service.spawn(PythonWorker::new("/no/such/script.py")).map(drop).unwrap_err();
    assert!(matches!(&error, Error::WorkerExited { reason, .. } if reason.contains("no file")), "{error}");
    let worker = PythonWorker::new(script()).python("/no/such/python");
    let error = service.spawn(worker).map(drop).unwrap_err();
    assert!(
        matches!(&error, Error::WorkerExited { reason, .. } if reason.contains("cannot be started")),
        "{error}"
    );
    // A worker with other records than the service's.
    let error = service.spawn(PythonWorker::new(script()).arg("look")).map(drop).unwrap_err();
    assert!(matches!(error, Error::WorkerExited { .. }), "{error}");
}

#[test]
fn the_exported_module_has_the_same_fingerprints() {
    let Some(python) = python("fingerprints") else { return };
    use tensorbridge::Record;
    let program = "import everything as e; print(e.Everything.schema.fingerprint, e.Text.schema.fingerprint)";
    let output = Command::new(python)
        .args(["-c", program])
        .env("PYTHONPATH", script().parent().unwrap())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8_lossy(&output.stdout);
    let expected = [Everything::SCHEMA, Text::SCHEMA].map(|schema| schema.fingerprint().to_string());
    assert_eq!(printed.split_whitespace().collect::<Vec<_>>(), expected);
}
