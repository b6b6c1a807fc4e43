//! Calls that a Rust server answers together: one array a field on both sides, and each caller's own reply.

#[path = "support/players.rs"]
mod players;
mod support;

use std::time::Duration;

use players::{part, play};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use support::unique;
use tensorbridge::{
    Batching, Client, CopyReason, Error, Gather, Received, RemoteError, Sender, Server, Service, Tensor,
};

const PATIENCE: Duration = Duration::from_secs(60);

/// A text of any length up to 8, and what is known about it.
#[derive(Tensor)]
#[tensor(name = "batches.text", dims(seq = 1..=8))]
struct Text {
    #[tensor(shape = [seq], pad = -1)]
    ids: [i64; 8],
    number: u32,
    #[tensor(optional)]
    weight: f32,
}

/// Where a text belongs.
#[derive(Tensor)]
#[tensor(name = "batches.place")]
struct Place {
    position: [f32; 16],
    #[tensor(align = 64)]
    shelf: u8,
}

/// The answer to a text.
#[derive(Tensor)]
#[tensor(name = "batches.tags", dims(seq = 1..=8))]
struct Tags {
    #[tensor(shape = [2, seq], pad = 9)]
    tags: [i32; 16],
    scores: [[f32; 4]; 4],
    number: u32,
    #[tensor(nested)]
    place: Place,
    #[tensor(optional)]
    note: [u8; 4],
}

type Answer = Result<Received<Tags>, Error>;

/// A service of which a server answers `lengths.len()` calls in one run; call `i` has a text of length `lengths[i]`.
fn answered(
    test: &str,
    lengths: &[usize],
    answer: impl FnOnce(&Server<Text, Tags>) + Send,
    mut check: impl FnMut(usize, Answer),
) {
    let name = unique(test);
    let service =
        Service::<Text, Tags>::builder(&name).slots(lengths.len().max(2)).ring_order(true).create().unwrap();
    let server = Server::<Text, Tags>::builder(&name).timeout(PATIENCE).connect().unwrap();
    let client = Client::<Text, Tags>::builder(&name).timeout(PATIENCE).connect().unwrap();
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        // Loaned in order, so that call `i` is row `i`.
        let calls: Vec<_> = lengths
            .iter()
            .enumerate()
            .map(|(number, length)| {
                let mut text = client.loan().unwrap();
                text.set_seq(*length).unwrap();
                text.ids_mut().fill(number as i64);
                text.set_number(number as u32);
                if number == 1 {
                    text.set_weight(2.5);
                }
                scope.spawn(move || text.call().map_err(Error::from))
            })
            .collect();
        answer(&server);
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    for (number, answer) in answers.into_iter().enumerate() {
        check(number, answer);
    }
    assert_eq!(service.free_slots(), lengths.len().max(2));
}

fn together(records: usize) -> Batching {
    Batching::up_to(records).max_wait(PATIENCE)
}

fn remote(answer: Answer) -> RemoteError {
    match answer.map(drop) {
        Err(Error::Remote(remote)) => *remote,
        other => panic!("expected a failure of the server's, found {other:?}"),
    }
}

#[test]
fn each_field_of_a_run_is_one_array_on_both_sides_and_each_caller_has_its_reply() {
    let answer = |server: &Server<Text, Tags>| {
        let mut run = server.receive_many(together(4)).unwrap();
        assert_eq!(run.len(), 4);
        assert!(run.time_left().unwrap() <= PATIENCE + Duration::from_millis(10));
        let (texts, replies) = run.split();
        assert_eq!((texts.len(), replies.len()), (4, 4));
        assert_eq!(texts.number(), [0, 1, 2, 3]);
        assert!(matches!(texts.weight(), Err(Error::PartlyPresent { absent: 3, .. })));
        texts.fill_weight(1.0);
        assert_eq!(texts.weight().unwrap().unwrap(), [1.0, 2.5, 1.0, 1.0]);
        assert_eq!((texts[1].weight(), texts[2].weight()), (Some(2.5), None));
        let numbers = replies.number_mut();
        assert_eq!(numbers.len(), 4);
        numbers.copy_from_slice(&[10, 11, 12, 13]);
        // One compact array a field, in the memory that the callers read.
        let first = replies.scores_mut().as_ptr();
        assert_eq!(replies.scores().len(), 4 * 16);
        let mut scores = replies.scores_array_mut();
        assert_eq!((scores.shape(), scores.strides()), (&[4, 4, 4][..], &[16, 4, 1][..]));
        assert_eq!(scores.as_ptr(), first);
        scores.indexed_iter_mut().for_each(|((row, _, _), score)| *score = row as f32);
        replies.set_seq(2).unwrap();
        replies.tags_array_mut().fill(7);
        let place = replies.place_mut();
        place.position_mut().chunks_mut(16).zip(0..).for_each(|(row, at)| row.fill(at as f32));
        let mut shelves = place.shelf_array_mut();
        assert_eq!(shelves.strides(), [64]);
        shelves.iter_mut().zip(5..).for_each(|(shelf, number)| *shelf = number);
        replies.row_mut(2).note_mut().fill(b'!');
        assert!(replies.note().is_err());
        run.reply().unwrap();
    };
    answered("batches_fields", &[3, 3, 3, 3], answer, |number, answer| {
        let tags = answer.unwrap();
        assert_eq!((tags.number(), tags.seq()), (10 + number as u32, 2));
        assert_eq!(tags.tags_array().shape(), [2, 2]);
        assert!(tags.tags_array().iter().all(|tag| *tag == 7));
        assert!(tags.scores().iter().all(|score| *score == number as f32));
        assert_eq!((tags.place().position()[15], tags.place().shelf()), (number as f32, 5 + number as u8));
        assert_eq!(tags.note(), (number == 2).then_some(&b"!!!!"[..]));
    });
}

fn fill(replies: &mut tensorbridge::Replies<Tags>) {
    replies.number_mut().fill(1);
    replies.scores_mut().fill(0.0);
    replies.place_mut().position_mut().fill(0.0);
    replies.place_mut().shelf_array_mut().fill(0);
}

#[test]
fn each_reply_of_a_run_has_lengths_of_its_own_and_is_padded_to_the_longest() {
    let answer = |server: &Server<Text, Tags>| {
        let mut run = server.receive_many(together(3)).unwrap();
        let (texts, replies) = run.split();
        assert_eq!(
            texts.ids_array(),
            ndarray::arr2(&[[0, 0, 0, -1, -1], [1, 1, 1, 1, 1], [2, -1, -1, -1, -1]])
        );
        assert_eq!(texts.filled_bytes(), (2 + 4) * 8);
        fill(replies);
        let error = replies.set_seq_each(&[1, 9, 1]).unwrap_err();
        assert!(matches!(error, Error::DimOutOfRange { found: 9, .. }), "{error}");
        let lengths: Vec<usize> = texts.iter().map(|text| text.seq()).collect();
        replies.set_seq_each(&lengths).unwrap();
        assert_eq!(replies.tags_array_mut().shape(), [3, 2, 5]);
        replies.tags_array_mut().fill(4);
        // One of them changes its mind.
        let mut last = replies.row_mut(2);
        last.set_seq(2).unwrap();
        last.tags_array_mut().fill(6);
        drop(last);
        assert_eq!(replies.tags_array_mut().shape(), [3, 2, 5]);
        run.reply().unwrap();
    };
    answered("batches_lengths", &[3, 5, 1], answer, |number, answer| {
        let (length, tag) = [(3, 4), (5, 4), (2, 6)][number];
        let tags = answer.unwrap();
        assert_eq!(tags.tags_array(), ndarray::Array2::from_elem((2, length), tag));
        // As far as the longest reply goes.
        assert!(tags.tags()[..5].iter().eq([tag; 5].iter().take(length).chain([9; 5].iter().skip(length))));
    });
}

#[test]
fn one_request_of_a_run_can_fail_while_the_others_are_answered() {
    let answer = |server: &Server<Text, Tags>| {
        let mut run = server.receive_many(together(4)).unwrap();
        let replies = run.replies_mut();
        fill(replies);
        replies.set_seq(1).unwrap();
        replies.tags_array_mut().fill(0);
        replies.fail(1, "first thought");
        replies.fail(1, std::fmt::Error);
        // Changing its length leaves a reply without the field that names it.
        replies.row_mut(3).set_seq(2).unwrap();
        run.reply().unwrap();
    };
    answered("batches_failure", &[1; 4], answer, |number, answer| match number {
        1 => {
            let failure = remote(answer);
            assert_eq!(
                (failure.type_name.as_str(), failure.message),
                ("core::fmt::Error", std::fmt::Error.to_string())
            );
        }
        3 => {
            let failure = remote(answer);
            assert_eq!(failure.type_name, "MissingField");
            assert!(failure.message.contains("tags"), "{}", failure.message);
        }
        _ => assert_eq!(answer.unwrap().number(), 1),
    });
}

/// The numbers of the requests, and how many bytes were copied for them, of one run, which is answered.
fn answer_numbers(server: &Server<Text, Tags>, batching: Batching) -> (Vec<u32>, usize) {
    let mut run = server.receive_many(batching).unwrap();
    let (texts, replies) = run.split();
    fill(replies);
    let numbers = texts.number().to_vec();
    for (row, text) in texts.iter().enumerate() {
        assert!(text.ids().iter().all(|id| *id == i64::from(text.number())));
        let mut reply = replies.row_mut(row);
        reply.set_seq(text.seq()).unwrap();
        reply.tags_array_mut().fill(text.number() as i32);
    }
    replies.number_mut().copy_from_slice(&numbers);
    let gathered = run.gathered_bytes();
    run.reply().unwrap();
    (numbers, gathered)
}

#[test]
fn requests_between_which_others_are_still_being_filled_are_gathered_and_answered() {
    let name = unique("batches_gather");
    let service = Service::<Text, Tags>::builder(&name).slots(12).ring_order(true).create().unwrap();
    let server = Server::<Text, Tags>::builder(&name).timeout(PATIENCE).connect().unwrap();
    let client = Client::<Text, Tags>::builder(&name).timeout(PATIENCE).connect().unwrap();
    let together = |max, gather| Batching::up_to(max).max_wait(PATIENCE).gather(gather);
    // Twice, so that the memory of the first time is used again.
    for _ in 0..2 {
        std::thread::scope(|scope| {
            let call = |number: u32| {
                let mut text = client.loan().unwrap();
                text.set_seq(1 + number as usize % 8).unwrap();
                text.ids_mut().fill(i64::from(number));
                text.set_number(number);
                scope.spawn(move || {
                    let tags = text.call().unwrap();
                    let length = 1 + number as usize % 8;
                    assert_eq!((tags.number(), tags.seq()), (number, length));
                    assert_eq!(tags.tags_array(), ndarray::Array2::from_elem((2, length), number as i32));
                })
            };
            // Every other slot is still being filled.
            let held: Vec<_> = (0..5).map(|number| (call(number), client.loan().unwrap())).collect();
            let (mut numbers, gathered) = answer_numbers(&server, together(5, Gather::Auto));
            numbers.sort_unstable();
            assert_eq!(numbers, [0, 1, 2, 3, 4]);
            assert_eq!(gathered, (1 + 2 + 3 + 4 + 5) * 8 + 5 * 4);
            let (calls, holes): (Vec<_>, Vec<_>) = held.into_iter().unzip();
            calls.into_iter().for_each(|call| call.join().unwrap());
            drop(holes);
            let pair = [call(10), client.loan().map(|_| call(11)).unwrap()];
            for _ in 0..2 {
                let (numbers, gathered) =
                    answer_numbers(&server, together(2, Gather::Never).max_wait(Duration::ZERO));
                assert_eq!((numbers.len(), gathered), (1, 0));
            }
            pair.into_iter().for_each(|call| call.join().unwrap());
            let pair = [call(12), call(13)];
            let (numbers, gathered) = answer_numbers(&server, together(2, Gather::Always));
            assert_eq!((numbers.len(), gathered > 0), (2, true));
            pair.into_iter().for_each(|call| call.join().unwrap());
            // Whatever is allowed, a run is no longer than the arena, nor is the memory for it.
            let alone = call(14);
            let (numbers, gathered) =
                answer_numbers(&server, together(usize::MAX, Gather::Always).max_wait(Duration::ZERO));
            assert_eq!((numbers.len(), gathered > 0), (1, true));
            alone.join().unwrap();
        });
    }
    assert_eq!(service.free_slots(), 12);
    assert!(service.metrics().copied(CopyReason::Hole) > 0);
}

#[test]
fn a_handler_that_fails_tells_every_caller_of_its_run_and_goes_on() {
    let answer = |server: &Server<Text, Tags>| {
        let mut runs = 0;
        let served = server.serve_many(together(2), |texts, replies| {
            runs += 1;
            assert_eq!((runs, texts.len(), replies.len()), (1, 2, 2));
            Err("not today")
        });
        assert!(served.is_ok());
    };
    // The service ends when its calls have: then the server does.
    let name = unique("batches_handler");
    let service = Service::<Text, Tags>::builder(&name).slots(2).ring_order(true).create().unwrap();
    let server = Server::<Text, Tags>::builder(&name).connect().unwrap();
    let client = Client::<Text, Tags>::builder(&name).timeout(PATIENCE).connect().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| answer(&server));
        let calls = [1, 2].map(|number| {
            let mut text = client.loan().unwrap();
            text.set_seq(1).unwrap();
            text.ids_mut().fill(0);
            text.set_number(number);
            scope.spawn(move || text.call().map_err(Error::from))
        });
        for call in calls {
            assert_eq!(remote(call.join().unwrap()).message, "not today");
        }
        drop(service);
    });
}

#[test]
fn a_run_that_is_dropped_tells_its_callers() {
    let answer = |server: &Server<Text, Tags>| drop(server.receive_many(together(2)).unwrap());
    answered("batches_dropped", &[1, 1], answer, |_, answer| {
        assert!(matches!(answer.map(drop), Err(Error::WorkerDied { .. })));
    });
}

#[test]
fn the_requests_of_a_killed_server_are_answered_one_by_one() {
    const TEST: &str = "the_requests_of_a_killed_server_are_answered_one_by_one";
    if let Some((_, name)) = part() {
        let server = Server::<Text, Tags>::builder(&name).timeout(PATIENCE).connect().unwrap();
        let run = server.receive_many(together(3)).unwrap();
        let note = Sender::<Place>::builder(&format!("{name}.note")).timeout(PATIENCE).connect().unwrap();
        let mut place = note.loan().unwrap();
        place.position_mut().fill(run.len() as f32);
        place.set_shelf(0);
        place.send().unwrap();
        std::thread::sleep(PATIENCE);
        drop(run);
        return;
    }
    let notes = format!("{}.note", unique("batches_killed"));
    let _notes = tensorbridge::Channel::<Place>::builder(&notes).slots(2).create().unwrap();
    let note = tensorbridge::Receiver::<Place>::builder(&notes).timeout(PATIENCE).connect().unwrap();
    let answer = |server: &Server<Text, Tags>| {
        let victim = play(TEST, "victim", &unique("batches_killed"));
        assert_eq!(note.receive().unwrap().position()[0], 3.0);
        victim.kill();
        for _ in 0..3 {
            let mut run = server.receive_many(together(3)).unwrap();
            assert_eq!(run.len(), 1);
            let (texts, replies) = run.split();
            let number = texts.number()[0];
            fill(replies);
            replies.set_seq(1).unwrap();
            replies.tags_array_mut().fill(0);
            replies.number_mut()[0] = number;
            run.reply().unwrap();
        }
    };
    answered("batches_killed", &[1; 3], answer, |number, answer| {
        assert_eq!(answer.unwrap().number(), number as u32);
    });
}

/// A picture of which two are more than what the allocator has set aside for a thread, whatever the limit on memory.
#[derive(Tensor)]
#[tensor(name = "batches.picture")]
struct Picture {
    pixels: [u8; 1 << 25],
}

/// The answer to a picture.
#[derive(Tensor)]
#[tensor(name = "batches.brightness")]
struct Brightness {
    first: u8,
}

#[test]
fn requests_that_there_is_no_memory_to_gather_are_there_for_the_next_look() {
    const TEST: &str = "requests_that_there_is_no_memory_to_gather_are_there_for_the_next_look";
    if part().is_none() {
        // The limit is the process's.
        return play(TEST, "serves", "").succeed();
    }
    let name = unique("batches_no_memory");
    let service = Service::<Picture, Brightness>::builder(&name)
        .slots(4)
        .sparse(true)
        .ring_order(true)
        .create()
        .unwrap();
    let server = Server::<Picture, Brightness>::builder(&name).timeout(PATIENCE).connect().unwrap();
    let client = Client::<Picture, Brightness>::builder(&name).timeout(PATIENCE).connect().unwrap();
    std::thread::scope(|scope| {
        let call = |value: u8| {
            let mut picture = client.loan().unwrap();
            picture.pixels_mut().fill(value);
            scope.spawn(move || assert_eq!(picture.call().unwrap().first(), value))
        };
        let first = call(1);
        let hole = client.loan().unwrap();
        let calls = [first, call(2)];
        while service.metrics().phases.ready < 2 {
            std::thread::yield_now();
        }
        let batching = Batching::up_to(2).gather(Gather::Always);
        let used = std::fs::read_to_string("/proc/self/statm").unwrap();
        let pages: u64 = used.split(' ').next().unwrap().parse().unwrap();
        let before = getrlimit(Resource::As);
        let limit = pages * rustix::param::page_size() as u64 + (8 << 20);
        setrlimit(Resource::As, Rlimit { current: Some(limit), ..before }).unwrap();
        let error = server.receive_many(batching).map(drop).unwrap_err();
        setrlimit(Resource::As, before).unwrap();
        assert!(matches!(error, Error::OutOfMemory { .. }), "{error}");
        let mut run = server.receive_many(batching).unwrap();
        assert_eq!(run.len(), 2);
        let (pictures, replies) = run.split();
        for (row, picture) in pictures.iter().enumerate() {
            replies.row_mut(row).set_first(picture.pixels()[0]);
        }
        run.reply().unwrap();
        drop(hole);
        calls.into_iter().for_each(|call| call.join().unwrap());
    });
    assert_eq!(service.free_slots(), 4);
}

#[test]
fn what_leads_to_an_arena_says_what_it_is_and_shows_no_data() {
    #[derive(Debug)]
    #[expect(dead_code, reason = "it is shown")]
    struct Caller(Client<Text, Tags>);

    let name = unique("batches_shown");
    let service = Service::<Text, Tags>::builder(&name).slots(2).create().unwrap();
    let client = Client::<Text, Tags>::builder(&name).connect().unwrap();
    let mut text = client.loan().unwrap();
    text.set_number(7);
    let shown = format!("{text:?}");
    assert!(shown.starts_with("CallLoan { slot: ") && shown.contains("number: present"), "{shown}");
    let arena = format!("{{ name: {name:?}, slots: 2, .. }}");
    assert_eq!(format!("{service:?}"), format!("Service {arena}"));
    assert_eq!(format!("{:?}", Caller(client)), format!("Caller(Client {arena})"));
}
