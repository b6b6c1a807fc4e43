//! What is asked, and what the answer is. `model.py` says the same in Python.

use tensorbridge::Tensor;
use tensorbridge::view::Record;

/// How many numbers a question has.
const NUMBERS: usize = 256;

/// Numbers that follow from the id, so that whoever has the question can tell whether it is whole.
#[derive(Tensor)]
#[tensor(name = "chaos.question", export = "records.py")]
pub(crate) struct Question {
    id: u64,
    numbers: [u64; NUMBERS],
}

/// Numbers that follow from the question's.
#[derive(Tensor)]
#[tensor(name = "chaos.answer", export = "records.py")]
pub(crate) struct Answer {
    id: u64,
    /// Each number of the question, changed.
    numbers: [u64; NUMBERS],
    /// Of the question's numbers, each times its place.
    sum: u64,
}

/// Number `index` of the question `id`.
fn number(id: u64, index: u64) -> u64 {
    let mixed = (id ^ index.wrapping_mul(0x9E37_79B9_7F4A_7C15)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed ^ (mixed >> 29)
}

/// Writes the question `id`.
pub(crate) fn ask(question: &mut <Question as Record>::Mut, id: u64) {
    question.set_id(id);
    for (index, value) in (0..).zip(question.numbers_mut()) {
        *value = number(id, index);
    }
}

/// Writes the answer to a question.
pub(crate) fn answer(question: &<Question as Record>::Ref, answer: &mut <Answer as Record>::Mut) {
    answer.set_id(question.id());
    let mut sum = 0u64;
    for ((index, &asked), value) in (0..).zip(question.numbers()).zip(answer.numbers_mut()) {
        sum = sum.wrapping_add(asked.wrapping_mul(index + 1));
        *value = asked.wrapping_mul(31).wrapping_add(index);
    }
    answer.set_sum(sum);
}

/// What is wrong with an answer to the question `id`, if anything is.
pub(crate) fn mistake(answer: &<Answer as Record>::Ref, id: u64) -> Option<String> {
    let mut sum = 0u64;
    for (index, &found) in (0..).zip(answer.numbers()) {
        let asked = number(id, index);
        sum = sum.wrapping_add(asked.wrapping_mul(index + 1));
        let expected = asked.wrapping_mul(31).wrapping_add(index);
        if found != expected {
            return Some(format!("number {index} of the answer to {id} is {found}, not {expected}"));
        }
    }
    let found = (answer.id(), answer.sum());
    (found != (id, sum)).then(|| format!("the answer to {id} has id and sum {found:?}, not {:?}", (id, sum)))
}
