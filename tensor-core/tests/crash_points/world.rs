//! Records of one number, and what everybody who plays a part needs.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

use tensor_core::dynamic::{
    Copied, DynClient, DynExchange, DynHost, DynPending, DynReceiver, DynRecord, DynSender, DynServer,
    EndpointOptions, HostSettings,
};
use tensor_core::schema::{DType, Field, Schema, Shape};
use tensor_core::{Error, WaitStrategy};

/// Longer than anything takes unless it hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A name that nothing else uses.
pub(crate) fn unique(name: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("{name}.p{}.n{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

fn schema(name: &'static str) -> Schema {
    Schema::new(name, 0, "", vec![], vec![Field::new("id", DType::U64, Shape::SCALAR)]).unwrap()
}

pub(crate) fn channel(name: &str, slots: usize) -> Result<DynHost, Error> {
    DynHost::create(&settings(name, slots, false), schema("crash.record"), None, &mut nothing)
}

pub(crate) fn service(name: &str, slots: usize, mutates_request: bool) -> Result<DynHost, Error> {
    service_of(settings(name, slots, mutates_request))
}

/// A service of which a request is given up with the first worker that had it alone.
pub(crate) fn strict_service(name: &str, slots: usize) -> Result<DynHost, Error> {
    service_of(HostSettings { max_attempts: 1, ..settings(name, slots, false) })
}

fn service_of(settings: HostSettings) -> Result<DynHost, Error> {
    DynHost::create(&settings, schema("crash.request"), Some(schema("crash.reply")), &mut nothing)
}

fn settings(name: &str, slots: usize, mutates_request: bool) -> HostSettings {
    HostSettings { slots, mutates_request, ring_order: true, ..HostSettings::new(name) }
}

pub(crate) fn options(name: &str) -> EndpointOptions {
    EndpointOptions { timeout: Some(PATIENCE), strategy: WaitStrategy::Block, ..EndpointOptions::new(name) }
}

pub(crate) fn nothing() -> Result<(), Error> {
    Ok(())
}

pub(crate) fn sender(name: &str) -> DynSender {
    DynSender::connect(options(name), &mut nothing).unwrap()
}

pub(crate) fn receiver(name: &str) -> DynReceiver {
    DynReceiver::connect(options(name), &mut nothing).unwrap()
}

pub(crate) fn client(name: &str) -> DynClient {
    DynClient::connect(options(name), &mut nothing).unwrap()
}

pub(crate) fn server(name: &str) -> DynServer {
    DynServer::connect(options(name), &mut nothing).unwrap()
}

/// Writes the record's number.
pub(crate) fn put(record: &mut DynRecord, id: u64) {
    let field = record.field(0).unwrap();
    // SAFETY: the field is one aligned u64 of a record that this thread alone fills.
    unsafe { field.ptr().cast::<u64>().write(id) };
    drop(field);
    record.mark_present(0);
}

/// The record's number.
pub(crate) fn get(record: &DynRecord) -> u64 {
    // SAFETY: the field is one aligned u64 of a record that nobody writes while it is held.
    unsafe { record.field(0).unwrap().ptr().cast::<u64>().read() }
}

/// What a worker answers to a request.
pub(crate) fn answer_to(id: u64) -> u64 {
    id.wrapping_mul(3) + 1
}

/// Calls with this number; the number answered.
pub(crate) fn call(client: &DynClient, id: u64) -> Result<u64, Error> {
    let mut record = client.loan(Some(PATIENCE), &mut nothing)?;
    put(&mut record, id);
    let call = client.call(record, false, Some(PATIENCE)).map_err(|failed| failed.0)?;
    let reply = client.answer(call, Some(PATIENCE), &mut nothing)?;
    Ok(get(&reply))
}

/// As [`call`], without a thread that waits.
pub(crate) fn call_async(client: &DynClient, id: u64) -> Result<u64, Error> {
    let mut record = await_it(client.loan_async(Some(PATIENCE)))?;
    put(&mut record, id);
    let call = client.call_async(record, false, Some(PATIENCE)).map_err(|failed| failed.0)?;
    Ok(get(&await_it(call)?))
}

/// Answers each request of a run.
pub(crate) fn fill(exchange: &mut DynExchange) {
    for row in 0..exchange.request.run().unwrap() {
        let id = get(&exchange.request.row(row).unwrap());
        let field = exchange.reply.field(0).unwrap();
        // SAFETY: the field is one aligned u64 for each row of a run whose replies this thread alone fills.
        unsafe { field.ptr().cast::<u64>().add(row).write(answer_to(id)) };
    }
    exchange.reply.mark_present(0);
}

/// Answers requests until `over` says so; the end of the host ends it too.
pub(crate) fn serve(server: &DynServer, over: impl Fn() -> bool) {
    while !over() {
        match server.receive(Some(Duration::from_millis(2)), &mut nothing) {
            Ok(mut exchange) => {
                let id = get(&exchange.request);
                put(&mut exchange.reply, answer_to(id));
                exchange.answer(&mut Copied::default()).unwrap();
            }
            // The caller of a garbled request has been told.
            Err(Error::Timeout { .. } | Error::Corrupt { .. }) => {}
            Err(Error::HostDied { .. }) => return,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Says of the request with this number that its field is absent, as a peer that means harm may. This process has attached to
/// one arena, of so many slots.
pub(crate) fn garble(id: u64, slots: usize) {
    let memory = File::options().read(true).write(true).open("/proc/self/mem").unwrap();
    let bytes = |at: Range<u64>| {
        let mut bytes = vec![0; (at.end - at.start) as usize];
        memory.read_exact_at(&mut bytes, at.start).unwrap();
        bytes
    };
    let (control, data) = (mapping("memfd:tensorbridge-control"), mapping("memfd:tensorbridge-data"));
    let ids = bytes(data.start..data.start + 8 * slots as u64);
    let slot = ids.chunks_exact(8).position(|word| word == id.to_ne_bytes()).unwrap();
    // The schema of the request follows the blocks of the slots, one pair of lines each.
    let schema = bytes(control.clone()).windows(13).position(|bytes| bytes == b"crash.request").unwrap();
    let presence = control.start + 128 * (schema / 128 - slots + slot) as u64 + 16;
    assert_eq!(
        bytes(presence..presence + 8),
        1_u64.to_ne_bytes(),
        "this is not where it says what is present"
    );
    memory.write_all_at(&[0; 8], presence).unwrap();
}

/// Where the mapping of this process is whose name contains `label`.
fn mapping(label: &str) -> Range<u64> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let line = maps.lines().find(|line| line.contains(label)).expect("the arena is mapped");
    let (start, end) = line.split_once(' ').unwrap().0.split_once('-').unwrap();
    let address = |text| u64::from_str_radix(text, 16).unwrap();
    address(start)..address(end)
}

/// Wakes a thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Polls once; what it gives, if that is there already.
pub(crate) fn poll_once(pending: &mut DynPending) -> Option<Result<DynRecord, Error>> {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    match pending.poll(&Context::from_waker(&waker)) {
        Poll::Ready(result) => Some(result),
        Poll::Pending => None,
    }
}

/// Awaits in this thread.
pub(crate) fn await_it(mut pending: DynPending) -> Result<DynRecord, Error> {
    poll_once(&mut pending).unwrap_or_else(|| await_wake(pending))
}

/// Awaits what was polled in vain, in this thread, which only a wake-up makes look again.
pub(crate) fn await_wake(mut pending: DynPending) -> Result<DynRecord, Error> {
    let start = Instant::now();
    loop {
        std::thread::park_timeout(PATIENCE.saturating_sub(start.elapsed()));
        if let Some(result) = poll_once(&mut pending) {
            return result;
        }
        assert!(start.elapsed() < PATIENCE, "nobody was woken");
    }
}

/// Looks again and again until it is so.
pub(crate) fn wait_until(what: &str, mut so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !so() {
        assert!(start.elapsed() < PATIENCE, "{what} has not come about");
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// Every slot can be loaned, each once.
pub(crate) fn loan_all(slots: usize, try_loan: impl Fn() -> Result<Option<DynRecord>, Error>) {
    let loans: Vec<DynRecord> = (0..slots).map(|_| try_loan().unwrap().expect("a slot is lost")).collect();
    assert!(try_loan().unwrap().is_none(), "a slot is owned twice");
    drop(loans);
}
