"""Workers that answer, and some that die of it."""

import os
import random
import signal
import sys
import time

import tensorbridge as tb
from model import answer_to
from records import Answer, Question

# The host says what the service is called.
NAME = os.environ.get("TENSORBRIDGE_SERVICE", "chaos")


def linger() -> None:
    """Now and then takes long enough to be killed in the middle."""
    if random.random() < 0.1:
        time.sleep(0.02)


@tb.service(NAME, Question, Answer)
class Repeatable:
    """Answers."""

    def __call__(self, question: Question, answer: Answer) -> None:
        linger()
        answer.id[:] = question.id.numpy()
        answer.numbers[0], answer.sum[:] = answer_to(question.numbers.numpy()[0])


@tb.service(NAME, Question, Answer, mutates_request=True)
class Mutating:
    """Scribbles on the question first, and now and then dies before the answer."""

    def __call__(self, question: Question, answer: Answer) -> None:
        asked, identity = question.numbers.numpy()[0].copy(), int(question.id)
        question.numbers[:] = random.getrandbits(63)
        question.id[:] = random.getrandbits(63)
        linger()
        if random.random() < 0.001:
            os.kill(os.getpid(), signal.SIGKILL)
        answer.id[:] = identity
        answer.numbers[0], answer.sum[:] = answer_to(asked)


@tb.service(NAME, Question, Answer, max_batch=4, max_wait=0.002)
class Batching:
    """Answers runs; `src/worker.rs` does the same in Rust."""

    def __call__(self, questions: Question, answers: Answer) -> None:
        linger()
        answers.id[:] = questions.id.numpy()
        for row, asked in enumerate(questions.numbers.numpy()):
            answers.numbers[row], answers.sum[row] = answer_to(asked)


if __name__ == "__main__":
    tb.serve({"repeatable": Repeatable, "mutating": Mutating, "batching": Batching}[sys.argv[1]])
