"""Receives a run of up to 8 records, opens a field of it, says how many there are, and keeps them."""

import sys
import threading

import tensorbridge as tb

receiver = tb.Receiver(sys.argv[1])
batch = receiver.receive_many(8)
alias = batch["pixels"].numpy()
print(batch.records, flush=True)
threading.Event().wait()
