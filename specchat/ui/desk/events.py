"""What happens at the support desk: who waits, what was said, what a colleague answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape

from specchat.chat.company.profile import Company
from specchat.chat.handoff import Handoffs
from specchat.ui.desk import labels as text
from specchat.ui.desk.door import WRONG
from specchat.ui.desk.sessions import DeskSessions
from specchat.ui.shared import alerts as say
from specchat.ui.shared.token_highlights import one_line
from storage import Desk, TurnRow


@dataclass(frozen=True)
class DeskViewState:
    """What changes at the desk. None leaves a part as it is."""

    opened: bool | None = None  # False: the door is shown, and nothing of the room is left
    customers: list[tuple[str, str]] | None = None  # (line, hand-off id)
    chosen: str = ""
    case: str | None = None  # HTML: conversation of the chosen one
    known: str | None = None  # HTML: what is known of that customer
    reply: str | None = None
    alert: str | None = None  # HTML


class DeskEvents:
    """The events of the desk, free of components. Every one of them asks for a session."""

    def __init__(self, handoffs: Handoffs, sessions: DeskSessions, company: Company) -> None:
        self._handoffs = handoffs
        self._sessions = sessions
        self._replies = _texts(company, company)
        self._german = _texts(company, company.german or company)

    def arrive(self, session: str | None) -> DeskViewState:
        """The page was loaded: open it where the desk is open already."""
        return self._list("", opened=True) if self._sessions.holds(session) else DeskViewState()

    def enter(self, session: str | None, answered: str | None) -> DeskViewState:
        """The key was `answered` by the door; open the desk."""
        if self._sessions.holds(session):
            return self._list("", opened=True)
        said = text.WRONG_KEY if answered == str(WRONG) else text.NOT_KEPT
        return DeskViewState(opened=False, alert=say.alert(said))

    def lock(self, session: str | None) -> DeskViewState:
        """Close the desk, in every tab of this browser."""
        self._sessions.end(session)
        return _locked()

    def look(self, session: str | None, chosen: str | None) -> DeskViewState:
        """The list and the chosen case as they are now."""
        return self._list(chosen or "") if self._sessions.holds(session) else _locked()

    def canned(self, name: str | None, language: str | None) -> DeskViewState:
        """A canned reply into the box, in the language of the colleague's page ("en", "de")."""
        replies = self._german if language == "de" else self._replies
        return DeskViewState(reply=replies.get(name or "", ""))

    def reply(self, session: str | None, chosen: str | None, written: str | None) -> DeskViewState:
        """Write to the customer. With an empty box nothing happens, as when the button is pressed
        twice."""
        if not self._sessions.holds(session):
            return _locked()
        if not chosen:
            return DeskViewState(alert=say.alert(text.CHOOSE))
        if not written:
            return DeskViewState()
        try:
            self._handoffs.reply(chosen, written)
        except say.EXPECTED as error:
            return DeskViewState(alert=_problem(error))
        return self._list(chosen, reply="", alert="")

    def close(self, session: str | None, chosen: str | None) -> DeskViewState:
        """The matter is settled."""
        if not self._sessions.holds(session):
            return _locked()
        if not chosen:
            return DeskViewState(alert=say.alert(text.CHOOSE))
        try:
            self._handoffs.close(chosen)
        except say.EXPECTED as error:
            return DeskViewState(alert=_problem(error))
        return self._list("", reply="", alert="")

    def _list(
        self,
        chosen: str,
        *,
        opened: bool | None = None,
        reply: str | None = None,
        alert: str | None = None,
    ) -> DeskViewState:
        try:
            cases = [self._handoffs.read(row.handoff_id) for row in self._handoffs.queue()]
            customers = [(_line(case), case.handoff.handoff_id) for case in cases]
            ids = {case.handoff.handoff_id: case for case in cases}
            case = ids.get(chosen)
        except say.EXPECTED as error:
            return DeskViewState(opened=opened, alert=_problem(error))
        return DeskViewState(
            opened=opened,
            customers=customers,
            chosen=chosen if chosen in ids else "",
            case=case_html(case) if case else say.hint(text.CHOOSE if customers else text.NOBODY),
            known=known_html(case) if case else "",
            reply=reply,
            alert=alert,
        )


def _locked() -> DeskViewState:
    return DeskViewState(opened=False, alert=say.notes([text.LOCKED]))


def _texts(company: Company, edition: Company) -> dict[str, str]:
    """Canned replies as an edition writes them, by the names that the company gives them."""
    pairs = zip(company.replies, edition.replies, strict=True)
    return {ours.name: written.text for ours, written in pairs}


def case_html(desk: Desk) -> str:
    """What was said, the newest at the end. Escaped."""
    said = "".join(_turn(turn) for turn in desk.turns) or say.hint(text.NOTHING_SAID)
    return f'<div class="sc-case" role="log">{said}</div>'


def known_html(desk: Desk) -> str:
    """What is known of a customer: ticket and summary. Escaped."""
    return (
        f'<div class="sc-case"><h3>{text.KNOWN}</h3><p>{escape(desk.handoff.ticket)}</p>'
        f"<b>{text.SUMMARY}</b><p>{_summary(desk.handoff.summary)}</p></div>"
    )


def _line(desk: Desk) -> str:
    row = desk.handoff
    asked = next((turn.question for turn in reversed(desk.turns) if turn.question), "")
    since = row.taken_at if row.status == "active" and row.taken_at else row.created_at
    waited_s = (datetime.now(UTC) - since).total_seconds()
    return text.line(row.ticket, row.status, row.reason, waited_s, asked)


def _summary(summary: str) -> str:
    """Lines of the summary; the customer's own words are told apart, they are not translated."""
    return "<br>".join(
        f'<span class="sc-quoted">{escape(line)}</span>' if line.startswith("- ") else escape(line)
        for line in summary.splitlines()
    )


def _turn(turn: TurnRow) -> str:
    by_person = turn.kind == "person"
    answered_by = text.COLLEAGUE if by_person else text.ASSISTANT
    lines = (
        ("customer", text.CUSTOMER, turn.question),
        ("person" if by_person else "assistant", answered_by, turn.answer),
    )
    return "".join(
        f'<p class="sc-said sc-said-{key}"><small><span>{who}</span> · '
        f"{at_clock(turn.created_at)}</small>{one_line(words)}</p>"
        for key, who, words in lines
        if words
    )


def at_clock(moment: datetime) -> str:
    """HTML of a time of day: in UTC, which the page's script makes the reader's."""
    return f'<time class="sc-clock" datetime="{moment.isoformat()}">{moment:%H:%M} UTC</time>'


def _problem(error: BaseException) -> str:
    return say.alert(text.GONE) if isinstance(error, LookupError) else say.problem(error)
