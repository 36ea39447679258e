"""An app that handles each key completely before the next one, even if many keys arrive at once.

Textual gives a key to the widget that has the focus when the key arrives, but looks up its binding later, at the widget
that has the focus then. If a slow connection brings many keys in one packet, a backspace before a tab would delete a
character in the next field, and keys typed for a form would act on the screen below it.
"""

import asyncio
from contextlib import suppress

from textual import events
from textual.app import App

PATIENCE = 0.5  # seconds to wait for a widget to handle a key; it may be gone


class KeyQueue(App[None]):
    """Queues keys and pastes, and handles them one by one."""

    def __init__(self) -> None:
        super().__init__()
        self._turns: asyncio.Queue[events.Key | events.Paste] = asyncio.Queue()
        self._released = asyncio.Event()
        self._released.set()

    def on_mount(self) -> None:
        self.run_worker(self._take_turns(), group="keys")

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.Key | events.Paste) and not event.is_forwarded:
            self._turns.put_nowait(event)
        else:
            await super().on_event(event)

    def hold_keys(self) -> None:
        """Handle no more keys until `release_keys`, while a screen is being opened."""
        self._released.clear()

    def release_keys(self) -> None:
        self._released.set()

    async def keys_done(self) -> None:
        """Wait until all keys that have arrived are handled; for tests."""
        await self._turns.join()

    async def _take_turns(self) -> None:
        while True:
            event = await self._turns.get()
            await self._released.wait()
            await super().on_event(event)
            for _ in range(2):  # the handler may have posted a message itself, as Enter in a field does
                await self._settle()
            self._turns.task_done()

    async def _settle(self) -> None:
        """Wait until the focused widget and all its ancestors have handled the messages they were sent."""
        for node in (self.focused or self.screen).ancestors_with_self:
            done = asyncio.Event()
            if node.call_later(done.set):
                with suppress(TimeoutError):
                    await asyncio.wait_for(done.wait(), PATIENCE)
