//! Fields by name: as addresses, and as plain values that other processes open.

#[path = "support/players.rs"]
#[allow(dead_code, reason = "these tests kill nobody")]
mod players;
mod support;

use std::io::{IoSlice, IoSliceMut, Read, Write};
use std::mem::{MaybeUninit, offset_of};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use half::bf16;
use num_complex::Complex;
use players::{part, play};
use rustix::fs::{SealFlags, fcntl_add_seals};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags,
};
use support::unique;
use tensorbridge::schema::DType;
use tensorbridge::{
    Channel, Client, Descriptor, Error, FieldRef, Owned, Received, Receiver, Sender, Server, Service, Tensor,
};

const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Tensor)]
#[tensor(name = "descriptor.pose")]
struct Pose {
    position: [f64; 3],
}

#[derive(Tensor)]
#[tensor(name = "descriptor.image", dims(n = 1..=4))]
struct Image {
    #[tensor(shape = [3, n, 5])]
    pixels: [f32; 60],
    #[tensor(dtype = bool)]
    flags: [u8; 3],
    #[tensor(dtype = bf16, optional)]
    weights: [u16; 4],
    phases: [Complex<f64>; 2],
    id: u64,
    #[tensor(nested, optional)]
    pose: Pose,
}

fn fill(image: &mut ImageMut) {
    image.set_n(2).unwrap();
    for (value, number) in image.pixels_array_mut().iter_mut().zip(0u8..) {
        *value = f32::from(number);
    }
    image.flags_mut().copy_from_slice(&[0, 1, 1]);
    image.weights_mut().fill(bf16::ONE.to_bits());
    image.phases_mut().copy_from_slice(&[Complex::new(1.0, 2.0), Complex::new(3.0, 4.0)]);
    image.set_id(7);
    image.pose_mut().position_mut().copy_from_slice(&[0.5, 1.5, 2.5]);
}

/// A record that was sent and received, and the endpoints it came through.
fn received(name: &str) -> (Channel<Image>, Sender<Image>, Receiver<Image>, Received<Image>) {
    let channel = Channel::<Image>::builder(name).slots(2).create().unwrap();
    let sender = Sender::<Image>::builder(name).connect().unwrap();
    let receiver = Receiver::<Image>::builder(name).timeout(PATIENCE).connect().unwrap();
    let mut image = sender.loan().unwrap();
    fill(&mut image);
    image.send().unwrap();
    let image = receiver.receive().unwrap();
    (channel, sender, receiver, image)
}

#[test]
fn a_field_is_an_address_a_dtype_a_shape_and_strides() {
    let mut image = Owned::<Image>::zeroed();
    fill(&mut image);
    let pixels = FieldRef::of(&image, "pixels").unwrap();
    assert_eq!(
        (pixels.dtype(), pixels.shape(), pixels.strides()),
        (DType::F32, &[3, 2, 5][..], &[20, 5, 1][..])
    );
    assert_eq!(pixels.as_ptr().cast(), image.pixels().as_ptr());
    let position = FieldRef::of(&image, "pose.position").unwrap();
    assert_eq!((position.dtype(), position.shape()), (DType::F64, &[3][..]));
    assert_eq!(position.as_ptr().cast(), image.pose().unwrap().position().as_ptr());
    let id = FieldRef::of(&image, "id").unwrap();
    assert_eq!((id.shape().len(), id.strides().len()), (0, 0));
    assert_eq!(format!("{id:?}"), "FieldRef { dtype: U64, shape: [], strides: [] }");
}

#[test]
fn a_field_that_is_not_there_is_an_error() {
    let name = unique("descriptor.absent");
    let _channel = Channel::<Image>::builder(&name).slots(2).create().unwrap();
    let sender = Sender::<Image>::builder(&name).connect().unwrap();
    let receiver = Receiver::<Image>::builder(&name).timeout(PATIENCE).connect().unwrap();
    let mut loan = sender.loan().unwrap();
    assert!(matches!(FieldRef::of(&loan, "pixels"), Err(Error::DimUnset { dim, .. }) if dim == "n"));
    assert!(FieldRef::of(&loan, "weights").is_ok());
    loan.set_n(1).unwrap();
    loan.pixels_mut().fill(0.0);
    loan.flags_mut().fill(0);
    loan.phases_mut().fill(Complex::ZERO);
    loan.set_id(1);
    loan.send().unwrap();
    let image = receiver.receive().unwrap();
    let missing = FieldRef::of(&image, "weights").unwrap_err();
    assert!(matches!(&missing, Error::MissingField { field, .. } if field == "weights"), "{missing}");
    let unknown = Descriptor::of(&image, "pose").unwrap_err();
    assert!(
        matches!(&unknown, Error::UnknownField { known, .. } if known.contains("pose.position")),
        "{unknown}"
    );
}

/// It is what other languages will read: sizes and offsets must never change within form 1.
#[test]
fn golden_layout() {
    let offsets = [
        offset_of!(Descriptor, arena),
        offset_of!(Descriptor, inode),
        offset_of!(Descriptor, memory_size),
        offset_of!(Descriptor, offset),
        offset_of!(Descriptor, nbytes),
        offset_of!(Descriptor, generation),
        offset_of!(Descriptor, slot),
        offset_of!(Descriptor, fd),
        offset_of!(Descriptor, pid),
        offset_of!(Descriptor, form),
        offset_of!(Descriptor, dtype),
        offset_of!(Descriptor, rank),
        offset_of!(Descriptor, reserved),
        offset_of!(Descriptor, shape),
        offset_of!(Descriptor, strides),
    ];
    assert_eq!(offsets, [0, 16, 24, 32, 40, 48, 56, 60, 64, 68, 69, 70, 71, 72, 136]);
    assert_eq!((Descriptor::SIZE, align_of::<Descriptor>()), (200, 8));
}

#[test]
fn a_descriptor_says_where_a_field_is() {
    let name = unique("descriptor.says");
    let (_channel, _sender, receiver, image) = received(&name);
    let pixels = Descriptor::of(&image, "pixels").unwrap();
    assert_eq!(
        (pixels.form, pixels.dtype, pixels.rank, pixels.pid),
        (1, DType::F32 as u8, 3, std::process::id())
    );
    assert_eq!((&pixels.shape[..4], &pixels.strides[..4]), (&[3, 2, 5, 0][..], &[20, 5, 1, 0][..]));
    assert_eq!(pixels.nbytes, 4 * (2 * 20 + 5 + 5));
    assert_eq!(Descriptor::from_bytes(&pixels.to_bytes()).unwrap(), pixels);
    let opened = receiver.open(&pixels).unwrap();
    assert_eq!(opened.as_ptr().cast(), image.pixels().as_ptr());
    assert_eq!(
        (opened.shape(), opened.strides(), opened.is_current()),
        (&[3, 2, 5][..], &[20, 5, 1][..], Some(true))
    );
}

#[test]
fn every_field_can_be_read_through_its_descriptor() {
    let name = unique("descriptor.read");
    let (_channel, sender, _receiver, image) = received(&name);
    let open = |field| sender.open(&Descriptor::of(&image, field).unwrap()).unwrap();
    let pixels: Vec<f32> = open("pixels").read().unwrap();
    assert_eq!(pixels, (0..30u8).map(f32::from).collect::<Vec<_>>());
    assert_eq!(open("flags").read::<u8>().unwrap(), [0, 1, 1]);
    assert_eq!(open("weights").read::<bf16>().unwrap(), [bf16::ONE; 4]);
    assert_eq!(open("phases").read::<Complex<f64>>().unwrap(), image.phases());
    assert_eq!(open("id").read::<u64>().unwrap(), [7]);
    assert_eq!(open("pose.position").read::<f64>().unwrap(), [0.5, 1.5, 2.5]);
    let wrong = open("id").read::<f32>().unwrap_err();
    assert!(
        matches!(&wrong, Error::WrongDType { expected, found, .. } if expected == "u64" && found == "f32"),
        "{wrong}"
    );
}

#[test]
fn a_descriptor_whose_record_is_gone_is_stale() {
    let name = unique("descriptor.stale");
    let (_channel, sender, receiver, image) = received(&name);
    let descriptor = Descriptor::of(&image, "id").unwrap();
    let opened = receiver.open(&descriptor).unwrap();
    drop(image);
    assert_eq!(opened.is_current(), Some(false));
    let stale = |error: Error| {
        assert_eq!(error.code(), "TB411", "{error}");
        assert!(
            matches!(error, Error::StaleDescriptor { generation, .. } if generation == descriptor.generation)
        );
    };
    stale(opened.read::<u64>().unwrap_err());
    stale(receiver.open(&descriptor).unwrap_err());
    // The slot in use again is another record.
    let loans = [sender.loan().unwrap(), sender.loan().unwrap()];
    stale(receiver.open(&descriptor).unwrap_err());
    drop(loans);
}

#[test]
fn requests_and_replies_can_be_described() {
    let name = unique("descriptor.call");
    let _service = Service::<Image, Pose>::builder(&name).slots(2).create().unwrap();
    let client = Client::<Image, Pose>::builder(&name).timeout(PATIENCE).connect().unwrap();
    let server = Server::<Image, Pose>::builder(&name).timeout(PATIENCE).connect().unwrap();
    let mut loan = client.loan().unwrap();
    fill(&mut loan);
    let request = Descriptor::of(&loan, "id").unwrap();
    assert_eq!(server.open(&request).unwrap().read::<u64>().unwrap(), [7]);
    let reply = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut request = server.receive().unwrap();
            request.reply_mut().position_mut().copy_from_slice(&[7.0, 8.0, 9.0]);
            request.reply().unwrap();
        });
        loan.call().unwrap()
    });
    let position = Descriptor::of(&reply, "position").unwrap();
    assert_eq!(server.open(&position).unwrap().read::<f64>().unwrap(), [7.0, 8.0, 9.0]);
}

#[test]
fn altered_descriptors_are_refused() {
    let name = unique("descriptor.altered");
    let (channel, _sender, receiver, image) = received(&name);
    let good = Descriptor::of(&image, "pixels").unwrap();
    let refused = |change: &dyn Fn(&mut Descriptor)| {
        let mut changed = good;
        change(&mut changed);
        let error = receiver.open(&changed).unwrap_err();
        assert!(matches!(error, Error::BadDescriptor { .. }), "{error}");
        assert_eq!(error.code(), "TB412");
    };
    refused(&|d| d.form = 2);
    refused(&|d| d.dtype = 200);
    refused(&|d| d.dtype = DType::I32 as u8);
    refused(&|d| d.rank = 9);
    refused(&|d| d.slot = 2);
    refused(&|d| d.slot ^= 1);
    refused(&|d| d.offset += 4);
    refused(&|d| d.offset = u64::MAX);
    refused(&|d| d.nbytes += 4);
    refused(&|d| d.shape[0] = 4);
    refused(&|d| d.shape[1] = i64::MAX);
    refused(&|d| d.shape[2] = -1);
    refused(&|d| d.strides[0] = -20);
    refused(&|d| d.strides[2] = 2);
    refused(&|d| d.arena[0] ^= 1);
    // Larger than the field, and consistent.
    refused(&|d| {
        d.shape[0] = 5;
        d.nbytes += 2 * 20 * 4;
    });
    assert!(matches!(Descriptor::from_bytes(&good.to_bytes()[1..]), Err(Error::BadDescriptor { .. })));
    // Another arena of the same name.
    drop((image, channel));
    let (_channel, _sender, next, _image) = received(&name);
    assert!(matches!(next.open(&good), Err(Error::BadDescriptor { .. })));
}

#[test]
fn another_process_that_is_attached_opens_it() {
    const TEST: &str = "another_process_that_is_attached_opens_it";
    if let Some((_, argument)) = part() {
        let (name, pipe) = argument.split_once('@').unwrap();
        let mut bytes = Vec::new();
        std::fs::File::open(pipe).unwrap().read_to_end(&mut bytes).unwrap();
        let receiver = Receiver::<Image>::builder(name).timeout(PATIENCE).connect().unwrap();
        let pixels = receiver.open(&Descriptor::from_bytes(&bytes).unwrap()).unwrap();
        assert_eq!(pixels.read::<f32>().unwrap(), (0..30u8).map(f32::from).collect::<Vec<_>>());
        assert_eq!(pixels.is_current(), Some(true));
        return;
    }
    let name = unique("descriptor.attached");
    let (_channel, _sender, _receiver, image) = received(&name);
    let directory = std::env::temp_dir().join(&name);
    std::fs::create_dir(&directory).unwrap();
    let pipe = directory.join("pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    let other = play(TEST, "reader", &format!("{name}@{}", pipe.display()));
    let bytes = Descriptor::of(&image, "pixels").unwrap().to_bytes();
    std::fs::File::options().write(true).open(&pipe).unwrap().write_all(&bytes).unwrap();
    other.succeed();
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn another_process_that_has_only_the_memory_maps_it() {
    const TEST: &str = "another_process_that_has_only_the_memory_maps_it";
    if let Some((_, path)) = part() {
        let (descriptor, memory) = receive_memory(&UnixStream::connect(path).unwrap());
        let again = memory.try_clone().unwrap();
        let pixels = descriptor.map(memory).unwrap();
        assert_eq!(pixels.read::<f32>().unwrap(), (0..30u8).map(f32::from).collect::<Vec<_>>());
        assert_eq!(pixels.is_current(), None);
        let other = Descriptor { inode: descriptor.inode + 1, ..descriptor };
        assert!(matches!(other.map(again), Err(Error::BadSegment { .. })));
        return;
    }
    let name = unique("descriptor.mapped");
    let (_channel, _sender, _receiver, image) = received(&name);
    let descriptor = Descriptor::of(&image, "pixels").unwrap();
    let path = std::env::temp_dir().join(&name);
    let listener = UnixListener::bind(&path).unwrap();
    let other = play(TEST, "reader", path.to_str().unwrap());
    let (stream, _) = listener.accept().unwrap();
    std::fs::remove_file(&path).unwrap();
    // As a program would that has the number alone: the descriptor's process is this one.
    let memory = std::fs::File::open(format!("/proc/{}/fd/{}", descriptor.pid, descriptor.fd)).unwrap();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let fds = [memory.as_fd()];
    assert!(ancillary.push(SendAncillaryMessage::ScmRights(&fds)));
    let bytes = descriptor.to_bytes();
    rustix::net::sendmsg(&stream, &[IoSlice::new(&bytes)], &mut ancillary, SendFlags::empty()).unwrap();
    other.succeed();
}

fn receive_memory(stream: &UnixStream) -> (Descriptor, OwnedFd) {
    let mut bytes = [0; Descriptor::SIZE];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let got = rustix::net::recvmsg(
        stream,
        &mut [IoSliceMut::new(&mut bytes)],
        &mut ancillary,
        RecvFlags::CMSG_CLOEXEC,
    );
    assert_eq!(got.unwrap().bytes, Descriptor::SIZE);
    let memory = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
        _ => None,
    });
    (Descriptor::from_bytes(&bytes).unwrap(), memory.unwrap())
}

#[test]
fn memory_that_is_not_the_arenas_is_not_mapped() {
    let name = unique("descriptor.foreign");
    let (_channel, _sender, _receiver, image) = received(&name);
    let descriptor = Descriptor::of(&image, "pixels").unwrap();
    let map = |fd: OwnedFd| descriptor.map(fd).unwrap_err();
    let file = std::fs::File::open(std::env::current_exe().unwrap()).unwrap();
    assert!(matches!(map(file.into()), Error::BadSegment { .. }));
    let memory = || {
        let fd = rustix::fs::memfd_create("foreign", rustix::fs::MemfdFlags::ALLOW_SEALING).unwrap();
        rustix::fs::ftruncate(&fd, descriptor.memory_size).unwrap();
        fd
    };
    let error = map(memory());
    assert!(matches!(&error, Error::BadSegment { reason } if reason.contains("not sealed")), "{error}");
    let sealed = memory();
    fcntl_add_seals(&sealed, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL).unwrap();
    let error = map(sealed);
    assert!(matches!(&error, Error::BadSegment { reason } if reason.contains("inode")), "{error}");
}
