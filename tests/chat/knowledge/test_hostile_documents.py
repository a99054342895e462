"""Files made to do harm are read as text or refused with a sentence, soon and in little memory."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest

from specchat.chat.knowledge.documents import SUFFIXES, DocumentError, read_document

SAYS = b"BT /F 12 Tf (Refunds take 5 days.) Tj ET"
SCRIPT = b"<</S/JavaScript/JS(app.alert\\(1\\))>>"
TWICE_PACKED = b"/Filter[/FlateDecode/FlateDecode]"


def pdf(stream: bytes = SAYS, *, filters: bytes = b"", more: bytes = b"") -> bytes:
    """A PDF of one page; `more` goes into its catalogue."""
    objects = (
        b"<</Type/Catalog/Pages 2 0 R" + more + b">>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R"
        b"/Resources<</Font<</F 5 0 R>>>>>>",
        b"<</Length %d%s>>stream\n%s\nendstream" % (len(stream), filters, stream),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    )
    out, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj%sendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"trailer<</Root 1 0 R/Size 6>>\nstartxref\n%d\n%%%%EOF" % len(out)
    return out + b"xref\n0 6\n0000000000 65535 f \n" + table + end


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.html", 30_000 * b"<div>" + b"x", "elements inside each other, more than 300"),
        ("a.html", 30_000 * b"<b>" + b"x" + 30_000 * b"</b>", "elements inside each other"),
        ("a.html", 5_000 * b"<table><tr><td>x", "elements inside each other"),
        ("a.md", 50_000 * b"[a](<b", "a paragraph of 300,000 characters, more than 20,000"),
        ("a.md", 20_000 * b"> " + b"x", "holds no text"),
        ("a.csv", b"question,answer\nq," + 200_000 * b"x", "field larger than field limit"),
        ("a.txt", b"PK\x03\x04\x14\x00\x06\x00" + 100 * b"\x00", "zero bytes"),
        ("a.html", b"\x1f\x8b\x08\x00" + bytes(range(256)), "is not UTF-8"),
        (
            "a.pdf",
            pdf(zlib.compress(zlib.compress(bytes(2 * 10**8))), filters=TWICE_PACKED),
            "is no readable PDF: Limit reached while decompressing",
        ),
        ("a.pdf", pdf().replace(b"/Kids[3 0 R]", b"/Kids[2 0 R]"), "[Cc]yclic"),
    ],
    ids=["deep", "inline", "table", "paragraph", "quotes", "cell", "zip", "gzip", "bomb", "loop"],
)  # fmt: skip
def test_it_is_refused(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(DocumentError, match=message):
        read_document(file)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_of_100_mb_is_refused_unread(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"a{suffix}"
    with file.open("wb") as made:
        made.truncate(100 * 2**20)
    with pytest.raises(DocumentError, match="has 104,857,600 bytes; at most 20,971,520"):
        read_document(file)


@pytest.mark.parametrize(
    "opened", ["<!-- ", "<a ", '<a b="', "</a ", "<![CDATA[", "<? "], ids=lambda text: text.strip()
)
def test_what_is_opened_again_and_again_is_read_once(tmp_path: Path, opened: str) -> None:
    file = tmp_path / "a.html"
    file.write_text("<p>Refunds take 5 days.</p>" + 200_000 * opened)
    assert read_document(file)[0].text.startswith("Refunds take 5 days.")


@pytest.mark.parametrize(
    "content", [1_000 * "<p>Take 5 days.", "<ul>" + 1_000 * "<li>Take 5 days."], ids=["p", "li"]
)
def test_ends_that_html_leaves_out_are_no_levels(tmp_path: Path, content: str) -> None:
    file = tmp_path / "a.html"
    file.write_text(content)
    assert sum(page.text.count("Take 5 days.") for page in read_document(file)) > 0


def test_of_a_pdf_with_scripts_only_the_text_is_read(tmp_path: Path) -> None:
    more = b"/OpenAction" + SCRIPT + b"/Names<</JavaScript<</Names[(a)" + SCRIPT + b"]>>>>"
    file = tmp_path / "a.pdf"
    file.write_bytes(pdf(more=more))
    (page,) = read_document(file)
    assert page.text == "Refunds take 5 days."


def test_entities_are_not_unfolded_and_elements_left_open_are_read(tmp_path: Path) -> None:
    file = tmp_path / "a.html"
    bomb = "<!DOCTYPE x [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;&a;&a;'>]>"
    lists = 40 * ("<ul>" + 20 * "<li>Take 5 days" + "</ul><br><img src=x>")
    file.write_text(f"{bomb}<p>&b;</p>{lists}")
    said = " ".join(page.text for page in read_document(file))
    assert "aaaa" not in said.replace("'aaaa'", "")
    assert said.count("Take 5 days") >= 20
