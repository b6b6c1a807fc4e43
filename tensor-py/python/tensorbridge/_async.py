"""Awaiting loans, calls and records in an event loop."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Callable
from weakref import ReferenceType, WeakKeyDictionary, ref

from . import _core


class _Mail:
    """Wakes the tasks of one event loop. One thread for each process, which runs no Python, watches for all of them."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.box = _core.Mailbox()
        self.tokens = itertools.count()
        self._woken: dict[int, asyncio.Future[None]] = {}
        loop.add_reader(self.box.fileno(), self._deliver)

    def _deliver(self) -> None:
        for token in self.box.collect():
            woken = self._woken.pop(token, None)
            if woken is not None and not woken.done():
                woken.set_result(None)

    async def letter(self, token: int) -> None:
        """Until the operation called `token` is worth a look."""
        woken = self._woken[token] = asyncio.get_running_loop().create_future()
        try:
            await woken
        finally:
            self._woken.pop(token, None)


# A loop itself keeps its mail, as its reader, until it is closed: from then on neither that nor what waited is kept by this.
_mails: WeakKeyDictionary[asyncio.AbstractEventLoop, ReferenceType[_Mail]] = WeakKeyDictionary()
_lock = threading.Lock()


def _mail() -> _Mail:
    loop = asyncio.get_running_loop()
    with _lock:
        known = _mails.get(loop)
        mail = None if known is None else known()
        if mail is None:
            mail = _Mail(loop)
            _mails[loop] = ref(mail)
        return mail


async def settled(begin: Callable[[_core.Mailbox, int], _core.Pending]) -> _core.Handle:
    """The record that an operation ends with. A task that is cancelled gives the operation up."""
    mail = _mail()
    token = next(mail.tokens)
    pending = begin(mail.box, token)
    try:
        # Looked at here and not where the loop is woken: a task that is cancelled in between takes no record with it.
        while (handle := pending.poll()) is None:
            await mail.letter(token)
        return handle
    finally:
        pending.cancel()
