"""What was true when it was written is not sent for true later, unless somebody says so."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from cockpit.clock import Moment
from cockpit.incident import events as e
from cockpit.incident.incident import Incident, fold
from cockpit.incident.outgoing import Way, asking, late_to_send, opened, stale
from cockpit.text import Safe
from screens.status import unsent

AT = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)


def at(minutes: float) -> Moment:
    return Moment(AT + timedelta(minutes=minutes), 60 * minutes, "b")


def told(*happened: tuple[float, e.Event]) -> Incident:
    return fold(
        e.Record(
            seq=number,
            id=str(number),
            ts=at(minutes).ts,
            mono=at(minutes).mono,
            boot="b",
            writer="w",
            who="sam",
            event=event,
        )
        for number, (minutes, event) in enumerate(happened, 1)
    )


def queued(id: str, about: str = "update", to: str = "x") -> e.MessageQueued:
    return e.MessageQueued(message=id, to=to, about=about, text="t")


RESOLVED = e.IncidentResolved(cause="c", fix="f")
REOPENED = e.IncidentReopened(reason="r")


def why(incident: Incident, id: str, minutes: float) -> str:
    return stale(incident.outbox[id], incident, at(minutes))


@pytest.mark.parametrize("about", ["acknowledged", "update", "escalation"])
def test_once_the_incident_is_resolved(about: str) -> None:
    incident = told((0, queued("a", about)), (5, RESOLVED), (6, queued("b", about)))
    assert why(incident, "a", 7).startswith("the incident was resolved at 03:05 UTC")
    assert not why(incident, "b", 7), "it was written after that"


def test_a_resolution_stays_true_unless_the_incident_is_opened_again() -> None:
    before = told((0, RESOLVED), (1, queued("a", "resolved")))
    assert not why(before, "a", 500)
    again = told((0, RESOLVED), (1, queued("a", "resolved")), (2, queued("u")), (3, REOPENED))
    assert "opened again" in why(again, "a", 3)
    assert not why(again, "u", 3)


def test_an_update_that_a_newer_one_overtook() -> None:
    incident = told((0, queued("a")), (2, queued("b")), (2, queued("c", to="y")))
    assert why(incident, "a", 3) == "there is a newer update"
    assert not why(incident, "b", 3) and not why(incident, "c", 3)
    close = told((0, queued("a")), (0.2, queued("b")))
    assert not why(close, "a", 0.5), "one right after the other are both news"
    gone = told((0, queued("a")), (2, queued("b")), (2, e.MessageSent(message="b")))
    assert why(gone, "a", 3), "the newer one is there already"
    dropped = told((0, queued("a")), (2, queued("b")), (2, e.MessageCancelled(message="b")))
    assert not why(dropped, "a", 3)


def test_what_is_older_than_an_hour_by_any_clock() -> None:
    incident = told((0, queued("a", "escalation")))
    assert not why(incident, "a", 60)
    assert "more than an hour" in why(incident, "a", 61)
    back = replace(at(61), ts=at(-60).ts)
    assert stale(incident.outbox["a"], incident, back), "the wall clock was set back"


def test_a_word_lets_it_go() -> None:
    incident = told((0, queued("a")), (5, RESOLVED), (6, e.MessageReleased(message="a")))
    assert not why(incident, "a", 90)


def test_what_is_said_of_it() -> None:
    incident = told((0, queued("a")), (1, queued("r", "resolved")), (5, RESOLVED))
    assert [one.id for one, _ in asking(incident, at(6))] == ["a"]
    assert unsent(incident, at(6), Safe("O")) == "1 to send, 1 waits for you: O"
    gone = told((0, queued("a")), (1, e.MessageFailed(message="a", why="gone", final=True)))
    assert unsent(gone, at(6), Safe("O")) == "1 NOT SENT: O"
    assert unsent(told(), at(6), Safe("O")) == ""


def test_one_that_failed_is_out_of_date_once_resolved_or_a_newer_one_was_sent() -> None:
    def late(*then: e.Event) -> str:
        gone = e.MessageFailed(message="a", why="gone", final=True)
        incident = told((0, queued("a")), (1, gone), *((2, event) for event in then))
        return late_to_send(incident.outbox["a"], incident, at(3))

    assert not late()
    assert late(queued("b")) == "there is a newer update"
    assert "a newer message of this kind (update) was sent" in late(
        queued("b"), e.MessageSent(message="b")
    )
    assert not late(queued("b", to="y"), e.MessageSent(message="b"))
    assert not late(queued("b", "escalation"), e.MessageSent(message="b"))
    assert late(RESOLVED).startswith("the incident was resolved at 03:02 UTC")
    assert not late(e.MessageReleased(message="a")), "it waits again"


def test_an_alert_is_there_once_a_message_may_have_opened_it_until_it_is_resolved() -> None:
    def there(*happened: e.Event) -> bool:
        return opened(told(*((n, event) for n, event in enumerate(happened))).outbox, "x")

    ack = msgspec.structs.replace(queued("k", "acknowledged"), signal=True)
    done = msgspec.structs.replace(queued("r", "resolved"), signal=True)
    sent = [e.MessageSent(message=id) for id in ("a", "k", "r")]
    refused = e.MessageFailed(message="a", why="gone", final=True)
    assert not there()
    assert not there(ack, sent[1]), "an acknowledgement opens nothing"
    assert not there(queued("a", to="y"), sent[0])
    assert there(queued("a"), sent[0], ack)
    assert there(queued("a")), "it goes before what is written now"
    assert not there(queued("a"), refused)
    assert there(queued("a"), msgspec.structs.replace(refused, ambiguous=True))
    assert not there(queued("a"), sent[0], done, sent[2])


# The fold


def failed(**more: object) -> e.MessageFailed:
    return e.MessageFailed(message="a", why="w", **more)  # type: ignore[arg-type]


def test_an_attempt_without_an_end_may_have_arrived() -> None:
    began = (1, e.MessageAttempted(message="a", attempt=1))
    assert told((0, queued("a")), began).outbox["a"].way is Way.SENDING
    assert not told((0, queued("a")), began).outbox["a"].ambiguous
    again = (2, e.MessageAttempted(message="a", attempt=2))
    assert told((0, queued("a")), began, again).outbox["a"].ambiguous
    word = (2, e.MessageReleased(message="a"))
    assert told((0, queued("a")), began, word).outbox["a"].ambiguous
    refused = told((0, queued("a")), began, (2, failed()), again)
    assert not refused.outbox["a"].ambiguous
    lost = told((0, queued("a")), began, (2, failed(ambiguous=True)), again)
    assert lost.outbox["a"].ambiguous


def test_what_was_cancelled_while_it_was_sent_stays_so_unless_it_arrived() -> None:
    began = (1, e.MessageAttempted(message="a", attempt=1))
    cancelled = (2, e.MessageCancelled(message="a"))
    assert told((0, queued("a")), began, cancelled, (3, failed())).outbox["a"].way is Way.CANCELLED
    arrived = told((0, queued("a")), began, cancelled, (3, e.MessageSent(message="a")))
    assert arrived.outbox["a"].way is Way.SENT


def test_the_same_failure_again_has_no_line_of_its_own() -> None:
    incident = told((0, queued("a")), (1, failed()), (2, failed()), (3, failed(final=True)))
    lines = [one for one in incident.entries if isinstance(one.record.event, e.MessageFailed)]
    assert [one.record.seq for one in lines] == [2, 4]
