"""The shop that the chat speaks for: profile, policies and FAQ, read from TOML and checked."""

from __future__ import annotations

import re
import tomllib
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from storage import OrderRow
from storage.care.records import OrderStatus

COMPANY_DIRECTORY = Path(__file__).resolve().parents[3] / "assets" / "company"
"""Where the bundled shop lies."""

GERMAN_FOLDER = "de"
"""Inside a company's folder: the same files in German."""

COMPANY_SLOTS = (
    "company_name",
    "support_phone",
    "support_hours",
    "support_email",
    "website_url",
    "portal",
    "login_url",
    "store_location",
)
"""The slots whose values are facts about the company."""

Line = Annotated[str, Field(min_length=1, max_length=300, pattern=r"^[^\n{}]+$")]
_PLACEHOLDER = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")


class CompanyError(Exception):
    """A company file is missing, unreadable or incomplete; the message names file and field."""


class _Checked(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class Delivery(_Checked):
    """Where the shop delivers to, and how long that takes."""

    countries: Annotated[tuple[Line, ...], Field(min_length=1)]
    standard_days: Annotated[str, Field(pattern=r"^\d{1,2}(-\d{1,2})?$")]  # business days
    express_days: Annotated[str, Field(pattern=r"^\d{1,2}(-\d{1,2})?$")]
    standard_fee: Line
    express_fee: Line
    free_from: Line  # order value from which standard delivery is free


class Policies(_Checked):
    """What the company promises about money; what is left out is not said."""

    return_days: Annotated[int, Field(ge=1, le=365)] | None = None
    refund_days: Annotated[str, Field(pattern=r"^\d{1,2}(-\d{1,2})?$")] | None = None  # business
    refund_method: Line | None = None
    cancellation: Line | None = None
    cancellation_fee: Line | None = None
    payment_methods: tuple[Line, ...] = ()


class FaqEntry(_Checked):
    """One question and its answer."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    question: Line
    answer: Annotated[str, Field(min_length=1, max_length=2000)]
    tags: tuple[Line, ...] = ()


class DemoOrder(_Checked):
    """An order of the demonstration; its days count from today, so that it never grows old."""

    number: Annotated[str, Field(pattern=r"^[A-Z0-9-]{3,20}$")]
    status: OrderStatus
    items: Annotated[tuple[Line, ...], Field(min_length=1)]
    total: Line
    ordered_days_ago: Annotated[int, Field(ge=0, le=3650)]
    due_in_days: Annotated[int, Field(ge=-3650, le=365)] | None = None
    carrier: Annotated[str, Field(max_length=60)] = ""
    tracking: Annotated[str, Field(max_length=60)] = ""

    def on(self, today: date) -> OrderRow:
        """The order as it stands `today`."""
        due = self.due_in_days
        return OrderRow(
            number=self.number,
            status=self.status,
            items=self.items,
            total=self.total,
            ordered_on=today - timedelta(days=self.ordered_days_ago),
            due_on=None if due is None else today + timedelta(days=due),
            carrier=self.carrier,
            tracking=self.tracking,
        )


class CannedReply(_Checked):
    """A text that a colleague at the support desk sends with one press."""

    name: Line
    text: Annotated[str, Field(min_length=1, max_length=2000)]


class Company(_Checked):
    """A shop, or whoever else has customers; what is left out is not said. Every text is ready to
    be shown: FAQ answers have their placeholders filled."""

    name: Line
    description: Line
    support_phone: Line | None = None
    support_hours: Line | None = None
    support_email: Annotated[str, Field(pattern=r"^[^@\s{}]+@[^@\s{}]+\.[^@\s{}]+$")] | None = None
    website_url: Line | None = None
    portal: Line | None = None
    login_url: Line | None = None
    store_location: Line | None = None
    currency: Annotated[str, Field(min_length=1, max_length=4)]
    phone_region: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]  # for numbers without +
    account_types: tuple[Line, ...] = ()
    delivery: Delivery | None = None  # None: a company that delivers nothing
    policies: Policies = Policies()
    faq: tuple[FaqEntry, ...] = ()
    pages: Path | None = None  # a folder of documents: Markdown, HTML, text, CSV, PDF
    language: Literal["en", "de"] = "en"  # of these texts, and what the model is asked in
    topics: tuple[Line, ...] = ()  # questions offered at the start
    orders: tuple[DemoOrder, ...] = ()  # none: orders are not looked up
    replies: tuple[CannedReply, ...] = ()
    german: Company | None = None  # an English shop's texts for the German page, in the same order

    @field_validator("faq")
    @classmethod
    def _ids_differ(cls, entries: tuple[FaqEntry, ...]) -> tuple[FaqEntry, ...]:
        seen: set[str] = set()
        for entry in entries:
            if entry.id in seen:
                raise ValueError(f"two FAQ entries have the id {entry.id!r}; ids must differ")
            seen.add(entry.id)
        return entries

    def slot_values(self) -> dict[str, str]:
        """The values of the company's slots (`COMPANY_SLOTS`), of those that it has."""
        values = {name: getattr(self, _FIELDS.get(name, name)) for name in COMPANY_SLOTS}
        return {name: value for name, value in values.items() if value is not None}

    @property
    def public_contacts(self) -> tuple[str, ...]:
        """Contacts of the shop itself, which are no personal data."""
        return tuple(filter(None, (self.support_phone, self.support_email)))


_FIELDS = {"company_name": "name"}


def load_company(path: str | Path | None = None) -> Company:
    """The company in `path`, a folder with `company.toml`, and `faq.toml` or a folder `pages` of
    help pages or both; the bundled one if None.

    `orders.toml` and `replies.toml` may be missing. `{{support_phone}}` and the other company
    slots may stand in FAQ answers and canned replies and are filled here. A folder `de` inside
    has the same files in German; the German page shows them, the model never sees them.

    Raises:
        CompanyError: a file is missing or not TOML, a field is missing, unknown or wrong, or the
            German does not fit.
    """
    folder = COMPANY_DIRECTORY if path is None else Path(path)
    if folder.is_file():
        folder = folder.parent
    company = _loaded(folder)
    if not (folder / GERMAN_FOLDER).is_dir():
        return company
    german = _loaded(folder / GERMAN_FOLDER)
    _check_fits(company, german, folder / GERMAN_FOLDER)
    return company.model_copy(update={"german": german})


def _check_fits(company: Company, german: Company, folder: Path) -> None:
    """Raise CompanyError unless every text of the company has its German."""
    if (company.language, german.language) != ("en", "de"):
        raise CompanyError(
            f'{folder}: language must be "de" and that of the company "en", got '
            f"{german.language!r} and {company.language!r}"
        )
    ours, theirs = _parts(company), _parts(german)
    for name, wanted in ours.items():
        if theirs[name] != wanted:
            raise CompanyError(f"{folder}: {name} must be {wanted}, got {theirs[name]}")


def _parts(company: Company) -> dict[str, object]:
    """What must be the same in every language."""
    return {
        "ids of the FAQ": [entry.id for entry in company.faq],
        "number of topics": len(company.topics),
        "number of replies": len(company.replies),
        "orders and their items": [(order.number, len(order.items)) for order in company.orders],
    }


def _loaded(folder: Path) -> Company:
    """The company of one folder, with its placeholders filled."""
    facts = _read(folder / "company.toml")
    pages = folder / "pages"
    read_faq = _read_if_there if pages.is_dir() else _read
    lists = {
        "faq": read_faq(folder / "faq.toml").get("entry", []),
        "pages": pages if pages.is_dir() else None,
        "orders": _read_if_there(folder / "orders.toml").get("order", []),
        "replies": _read_if_there(folder / "replies.toml").get("reply", []),
    }
    company = _validated({**facts, **lists}, folder)
    values = company.slot_values()
    entries = tuple(
        entry.model_copy(
            update={"answer": _filled(entry.answer, values, f"{folder}: FAQ entry {entry.id!r}")}
        )
        for entry in company.faq
    )
    replies = tuple(
        reply.model_copy(
            update={"text": _filled(reply.text, values, f"{folder}: reply {reply.name!r}")}
        )
        for reply in company.replies
    )
    return company.model_copy(update={"faq": entries, "replies": replies})


def _read_if_there(path: Path) -> dict[str, Any]:
    return _read(path) if path.exists() else {}


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CompanyError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CompanyError(f"{path}: is not valid TOML in UTF-8: {error}") from error


def _validated(data: dict[str, Any], folder: Path) -> Company:
    try:
        return Company.model_validate(data)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(step) for step in item['loc']) or 'file'}: {item['msg']}"
            for item in error.errors()[:5]
        )
        raise CompanyError(f"{folder}: {problems}") from error


def _filled(text: str, values: dict[str, str], where: str) -> str:
    def fill(match: re.Match[str]) -> str:
        name = match.group(1)
        if name in COMPANY_SLOTS and name not in values:
            raise CompanyError(f"{where} uses {{{{{name}}}}}, which company.toml does not say")
        if name not in values:
            raise CompanyError(
                f"{where} uses {{{{{name}}}}}; it may use: {', '.join(COMPANY_SLOTS)}"
            )
        ends_here = text.startswith(".", match.end())  # one full stop is enough behind "8 p.m."
        return values[name].removesuffix(".") if ends_here else values[name]

    return _PLACEHOLDER.sub(fill, text)
