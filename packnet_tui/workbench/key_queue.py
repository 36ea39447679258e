"""Keys in turn: each is dealt with in full before the next one, however fast they come.

Textual gives a key to the widget that has the focus when it arrives, and looks up what it is bound to when it has
bubbled up, at the widget that has the focus by then. Where a slow connection brings many keys in one packet, a
backspace before a tab would take a character from the next field, and what is typed for a form would do something to
the screen below it.
"""

import asyncio
from contextlib import suppress

from textual import events
from textual.app import App

PATIENCE = 0.5  # seconds for a widget to deal with a key; it may be gone


class KeyQueue(App[None]):
    """An app that takes one key, or one paste, after the other."""

    def __init__(self) -> None:
        super().__init__()
        self._turns: asyncio.Queue[events.Key | events.Paste] = asyncio.Queue()
        self._may_go_on = asyncio.Event()
        self._may_go_on.set()

    def on_mount(self) -> None:
        self.run_worker(self._take_turns(), group="keys")

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.Key | events.Paste) and not event.is_forwarded:
            self._turns.put_nowait(event)
        else:
            await super().on_event(event)

    def hold_keys(self) -> None:
        """Let keys wait for a screen that is being opened."""
        self._may_go_on.clear()

    def release_keys(self) -> None:
        self._may_go_on.set()

    async def keys_done(self) -> None:
        """Wait until every key that came was dealt with."""
        await self._turns.join()

    async def _take_turns(self) -> None:
        while True:
            event = await self._turns.get()
            await self._may_go_on.wait()
            await super().on_event(event)
            for _ in range(2):  # what it was bound to may have sent a message in its turn: Enter in a field does
                await self._settle()
            self._turns.task_done()

    async def _settle(self) -> None:
        """Wait until all that keys pass through, from the focus up, have dealt with what they were sent."""
        for node in (self.focused or self.screen).ancestors_with_self:
            done = asyncio.Event()
            if node.call_later(done.set):
                with suppress(TimeoutError):
                    await asyncio.wait_for(done.wait(), PATIENCE)
