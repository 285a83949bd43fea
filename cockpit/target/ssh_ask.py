"""What a login asks the responder: only while somebody waits for the link, kept in memory alone.

A question is put when the link is new and after ctrl+r. A link that is mended by itself answers
from memory what was answered before (passphrases, passwords), and for a code that is good once it
stops and says so: nobody is interrupted by a prompt every few seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Final

from cockpit import text
from cockpit.target.target import Asker, LinkDown, Question

TRIES: Final = 3
AGAIN: Final = "then press ctrl+r"
_PUSH_S: Final = 120.0
"""How long a server may take over an answer: it may wait for a tap on a telephone."""


class AnswerNeeded(LinkDown):
    """The login asks for what only the responder has, and it was not the moment to ask."""


class Questions:
    """The questions of one link, and the answers that are good again.

    expected: somebody waits for the link. say: told what to do meanwhile, as to touch a key.
    """

    def __init__(
        self, name: str, ask: Asker | None, say: Callable[[str], None] = lambda _: None
    ) -> None:
        self.name = name
        self.expected = True
        self.say = say
        self._ask = ask
        self._kept: dict[str, str] = {}
        self._once: set[str] = set()
        self._exams: set[Exam] = set()
        self._turn = asyncio.Lock()

    @property
    def can_ask(self) -> bool:
        """Whether there is anybody to ask, now or after ctrl+r."""
        return self._ask is not None

    @property
    def busy(self) -> bool:
        """Whether a login has asked and is not over: another would ask the same again."""
        return any(exam.asked for exam in self._exams)

    @contextlib.contextmanager
    def exam(self) -> Iterator[Exam]:
        """For one attempt to log in. Once it has asked, the next one may not by itself."""
        made = Exam(self)
        self._exams.add(made)
        try:
            yield made
        finally:
            self._exams.discard(made)
            if made.asked:
                self.expected = False
                for other in self._exams:
                    other.late = True
            if made.has_turn:
                self._turn.release()

    @property
    def was_asked(self) -> bool:
        """Whether a login of this link ever asked something."""
        return bool(self._kept or self._once)

    def replays(self) -> bool:
        """Whether all that was ever asked can be answered again from memory."""
        return bool(self._kept) and not self._once

    def may(self, place: str, key: str) -> bool:
        """Whether a login that may ask anything is to be begun: it may ring a telephone."""
        if self._ask is None:
            return False
        return self.expected or (key in self._kept and place not in self._once)

    async def put(
        self, exam: Exam, prompt: str, *, key: str, what: str, secret: bool, wrong: int
    ) -> str:
        """As Exam.answer."""
        if wrong:
            self._kept.pop(key, None)
        elif key in self._kept:
            return self._kept[key]
        if self._ask is None:
            raise LinkDown(f"{self.name}: {what} is asked for, and there is nobody to ask here")
        # Until it is over: attempts that were begun before it asked would ask the same again.
        if not exam.has_turn:
            await self._turn.acquire()
            exam.has_turn = True
            if key in self._kept and not wrong:
                return self._kept[key]
            if exam.late and not self.expected:
                # Where the one that asked was let in, or gave up, this one is cancelled.
                exam.has_turn = False
                self._turn.release()
                await asyncio.get_running_loop().create_future()
        if not self.expected:
            raise self.needed(what)
        exam.asked = True
        again = f"Wrong, try {wrong + 1} of {TRIES}. " if wrong else ""
        question = Question(self.name, text.clean_line(again + prompt, max_chars=400), secret)
        answer = await self._ask(question)
        if answer is None:
            self.expected = False
            raise AnswerNeeded(
                f"{self.name}: {what} was asked for and not given. Press ctrl+r to be asked again"
            )
        return answer

    def needed(self, what: str) -> AnswerNeeded:
        return AnswerNeeded(f"{self.name} asks for {what}. Press ctrl+r to be asked for it")

    def keep(self, key: str, answer: str) -> None:
        """Remember an answer that was right, until the target is closed."""
        if key:
            self._kept[key] = answer

    def forget(self, key: str) -> None:
        self._kept.pop(key, None)

    def remember_once(self, place: str) -> None:
        """A code that is good once was asked for there."""
        self._once.add(place)


class Exam:
    """The questions of one attempt to log in, and its clock, which stands still while one waits."""

    def __init__(self, questions: Questions) -> None:
        self.questions = questions
        self.asked = False
        self.has_turn = False
        self.late = False  # begun before one that has asked was over
        self.waiting = False
        self._timer: asyncio.Timeout | None = None
        self._seconds = 0.0

    @contextlib.asynccontextmanager
    async def clock(self, seconds: float) -> AsyncIterator[None]:
        """Raises TimeoutError after so many seconds in which no question waits."""
        async with asyncio.timeout(seconds) as self._timer:
            self._seconds = seconds
            yield
        self._timer = None

    async def answer(
        self, prompt: str, *, key: str = "", what: str, secret: bool = True, wrong: int = 0
    ) -> str:
        """An answer, from memory or from the responder.

        key: what the answer is good for again, "" for once. what: the thing that is asked for, in
        a sentence. wrong: how many answers were. Raises AnswerNeeded, LinkDown when there is none.
        """
        self._set_clock(None)
        self.waiting = True
        # Not in a `finally`: cancelled while it waits, the server has hung up on the question.
        try:
            answer = await self.questions.put(
                self, prompt, key=key, what=what, secret=secret, wrong=wrong
            )
        except LinkDown:
            self.waiting = False
            self._set_clock(self._seconds)
            raise
        self.waiting = False
        self._set_clock(max(self._seconds, _PUSH_S) if self.asked else self._seconds)
        return answer

    def _set_clock(self, seconds: float | None) -> None:
        if self._timer is not None and not self._timer.expired():
            now = asyncio.get_running_loop().time()
            self._timer.reschedule(None if seconds is None else now + seconds)
