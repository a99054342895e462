"""HTML, and Markdown by way of it: headings, paragraphs, lists and tables."""

from __future__ import annotations

import re

from bs4 import BeautifulSoup, Comment, Tag
from bs4.element import NavigableString, PageElement
from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore

from specchat.chat.knowledge.documents.blocks import Outline, Section
from specchat.chat.knowledge.documents.cleaning import cleaned, one_line

_NOT_CONTENT_TEXT = """
script style title nav aside form noscript template svg iframe object button select head footer
"""
_NOT_CONTENT = frozenset(_NOT_CONTENT_TEXT.split())
_BLOCKS_TEXT = """
address article aside blockquote body dd details div dl dt fieldset figcaption figure footer h1 h2
h3 h4 h5 h6 header hr html li main ol p pre section summary table ul
"""
_BLOCKS = frozenset(_BLOCKS_TEXT.split())
_HEADING = re.compile(r"h([1-6])")
_FRONT_MATTER = re.compile(r"\A---\n.*?\n(?:---|\.\.\.)\n", re.DOTALL)
_NOTHING = re.compile(r"0*\.?0+(?:[a-z%]+)?(?:\s*!important)?$|0?\.[01]\d*$|1px$")
_FAR_AWAY = re.compile(r"-\d{3,}")
_COLOURS = {"white": "#fff", "#ffffff": "#fff", "black": "#000", "#000000": "#000"}
MOST_LABEL_WORDS = 6
_SUMMARY_LEVEL = 7  # below every heading: a question that unfolds


MOST_LEVELS = 300
"""Of elements inside each other: each costs two calls, and a look at all that is inside."""

_TAG = re.compile(r"<(/?)([a-z][^\s/<>]*)[^<>]*?(/?)>", re.IGNORECASE)
_NOT_LEVELS_TEXT = """
area base br col embed hr img input link meta param source track wbr
p li dt dd option tr td th thead tbody tfoot colgroup
"""
_NOT_LEVELS = frozenset(_NOT_LEVELS_TEXT.split())
"""Elements that hold nothing, and those whose end may be left out: the next one ends them."""

MOST_PARAGRAPH = 20_000
"""Characters of one paragraph in Markdown, whose marks are looked for from every place anew."""


class TooMuchError(Exception):
    """It is written as no page for people is; says what there is too much of."""


def read_html(markup: str) -> list[Section]:
    """The sections of a page; menus, forms, scripts and what is hidden are left out.

    Raises:
        TooMuchError: more than `MOST_LEVELS` elements inside each other.
    """
    _require_shallow(markup)
    soup = BeautifulSoup(markup, "lxml")
    title = soup.title.get_text() if soup.title else ""
    for tag in soup.find_all(_left_out):
        tag.decompose()
    for tag in soup.find_all(["b", "strong"]):
        _as_label(tag)
    outline = Outline()
    body = soup.find("main") or soup.find("article") or soup.body or soup
    if title.strip() and not body.find("h1"):
        outline.heading(1, one_line(title))
    _walk(body, outline)
    return outline.sections


def read_markdown(text: str) -> list[Section]:
    """The sections of a Markdown text (CommonMark and tables).

    Raises:
        TooMuchError: as `read_html`, or a paragraph of more than `MOST_PARAGRAPH` characters.
    """
    markdown = MarkdownIt("commonmark").enable("table")
    markdown.core.ruler.after("block", "paragraphs", _require_short)
    return read_html(markdown.render(_FRONT_MATTER.sub("", cleaned(text))))


def _require_short(state: StateCore) -> None:
    for token in state.tokens:
        if token.type == "inline" and len(token.content) > MOST_PARAGRAPH:
            raise TooMuchError(
                f"a paragraph of {len(token.content):,} characters, more than {MOST_PARAGRAPH:,};"
                " part it by blank lines"
            )


def _require_shallow(markup: str) -> None:
    """Before it is parsed, for the parser follows every level. An end closes all that is open
    inside."""
    within: list[str] = []
    for end, name, empty in _TAG.findall(markup):
        name = name.lower()
        if end and name in within:
            while within.pop() != name:
                pass
        elif not (end or empty or name in _NOT_LEVELS):
            within.append(name)
            if len(within) > MOST_LEVELS:
                raise TooMuchError(
                    f"elements inside each other, more than {MOST_LEVELS}; save it simpler"
                )


def _as_label(tag: Tag) -> None:
    """ "**Minimum age.** You must be 21." is one sentence, with a label before it."""
    words = tag.get_text().split()
    opens = all(
        isinstance(each, NavigableString) and not each.strip() for each in tag.previous_siblings
    )
    goes_on = "".join(map(_text_of, tag.next_siblings)).strip()
    if opens and goes_on and len(words) <= MOST_LABEL_WORDS and words[-1:] and words[-1][-1] == ".":
        tag.string = " ".join(words)[:-1] + ":"


def _text_of(node: PageElement) -> str:
    return node.get_text() if isinstance(node, Tag) else str(node)


def _left_out(tag: Tag) -> bool:
    hidden = tag.has_attr("hidden") or tag.get("aria-hidden") == "true"
    return hidden or tag.name in _NOT_CONTENT or _is_unseen(str(tag.get("style", "")))


def _is_unseen(style: str) -> bool:
    """True for an inline style with which no reader sees the text: what is written for programs
    alone is nothing that a company says."""
    pairs = (each.partition(":") for each in style.lower().split(";"))
    said = {name.strip(): value.strip() for name, _, value in pairs}
    colour, behind = said.get("color", ""), said.get("background-color", said.get("background", ""))
    return (
        said.get("display") == "none"
        or said.get("visibility") in ("hidden", "collapse")
        or any(_NOTHING.match(said.get(name, "")) for name in ("opacity", "font-size", "height"))
        or any(_FAR_AWAY.match(said.get(name, "")) for name in ("left", "top", "text-indent"))
        or (colour != "" and _COLOURS.get(colour, colour) == _COLOURS.get(behind, behind))
    )


def _walk(parent: Tag, outline: Outline) -> None:
    """Everything in a container; text between its blocks is a paragraph."""
    loose: list[str] = []
    for child in parent.children:
        if isinstance(child, Comment):
            continue
        if isinstance(child, NavigableString):
            loose.append(str(child))
        elif isinstance(child, Tag) and _holds_blocks(child):
            _end_paragraph(loose, outline)
            _block(child, outline)
        elif isinstance(child, Tag):
            loose.append("\n" if child.name == "br" else child.get_text())
    _end_paragraph(loose, outline)


def _holds_blocks(tag: Tag) -> bool:
    return tag.name in _BLOCKS or tag.find(lambda inner: inner.name in _BLOCKS) is not None


def _end_paragraph(loose: list[str], outline: Outline) -> None:
    outline.add(one_line("".join(loose)))
    loose.clear()


def _block(tag: Tag, outline: Outline) -> None:
    heading = _HEADING.fullmatch(tag.name)
    if heading or tag.name == "summary":
        level = int(heading[1]) if heading else _SUMMARY_LEVEL
        text = one_line(tag.get_text(" "))
        if text:
            outline.heading(level, text)
    elif tag.name in ("ul", "ol"):
        _list(tag, outline, numbered=tag.name == "ol")
    elif tag.name == "dl":
        _definitions(tag, outline)
    elif tag.name == "table":
        _table(tag, outline)
    else:
        _walk(tag, outline)


def _list(tag: Tag, outline: Outline, *, numbered: bool) -> None:
    """Each item with what is nested in it, on one line."""
    for number, item in enumerate(tag.find_all("li", recursive=False), 1):
        mark = f"{number}." if numbered else "-"
        text = one_line(item.get_text(" "))
        if text:
            outline.add(f"{mark} {text}", whole=True)


def _definitions(tag: Tag, outline: Outline) -> None:
    term = ""
    for each in tag.find_all(["dt", "dd"]):
        text = one_line(each.get_text(" "))
        if each.name == "dt":
            term = text
        elif text:
            outline.add(f"{term}: {text}" if term else text, whole=True)


def _table(tag: Tag, outline: Outline) -> None:
    """A line for each row: "first cell: column: value; column: value"."""
    rows = [
        [one_line(cell.get_text(" ")) for cell in row.find_all(["th", "td"])]
        for row in tag.find_all("tr")
    ]
    rows = [row for row in rows if any(row)]
    first = tag.find("tr")
    named = first is not None and first.find("th") is not None and len(rows) > 1
    for row in rows[1:] if named else rows:
        outline.add(_row(rows[0], row) if named else "; ".join(filter(None, row)), whole=True)


def _row(names: list[str], cells: list[str]) -> str:
    pairs = [
        f"{names[place]}: {cell}" if place < len(names) and names[place] else cell
        for place, cell in enumerate(cells)
        if cell
    ]
    return "; ".join(pairs)
