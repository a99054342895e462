"""What a page will need of Gradio's own files, so that it can say so at its beginning.

A browser learns of them in four rounds otherwise: the page names one script, which names some,
which name some. The lists are read from the scripts themselves, as Vite has written them; where a
version of Gradio writes them otherwise nothing is said, and the page loads as before.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

FRONTEND = Path(gr.__file__).parent / "templates" / "frontend"
_MAIN = re.compile(r'<script type="module" crossorigin src="\./assets/([\w.-]+\.js)"')
_LISTED = re.compile(r"m\.f\|\|\(m\.f=(\[[^\]]*\])\)")
_IMPORT = re.compile(r"import\(`\./([\w.-]+)`\).{0,40}?__vite__mapDeps\(\[([\d,]*)\]\)")
_COMPONENT = r"[,{{]{kind}:\{{[^{{}}]*component:([^{{}}]*)\}}"


def preloads(page: gr.Blocks) -> dict[str, str]:
    """Links to the files of each view, by its path without slashes; "" for the first."""
    config = page.get_config_file()
    types = {each["id"]: each for each in config["components"]}
    return {
        path: "".join(map(_link, view_files(_shown(view["layout"], types))))
        for path, view in config["page"].items()
    }


def view_files(types: list[str]) -> list[str]:
    """The files of a view with components of these types, in the order of need."""
    try:
        main = _MAIN.search((FRONTEND / "index.html").read_text(encoding="utf-8"))
        if main is None:
            return []
        return list(dict.fromkeys(_files(main[1], types)))
    except (OSError, ValueError, IndexError):
        return []


def _files(main: str, types: list[str]) -> Iterator[str]:
    core = ""
    for frame, needed in _imports(_text(main)):
        yield from needed
        core = next((each for each in needed if each.startswith("core-")), core)
        for name, more in _imports(_text(frame)):
            if name.startswith("Blocks-"):
                yield from more
    components = _text(core)
    for kind in types:
        found = re.search(_COMPONENT.format(kind=kind), components)
        if found is not None:
            for _, needed in _imports(components, *found.span(1)):
                yield from needed


def _imports(text: str, *part: int) -> Iterator[tuple[str, list[str]]]:
    """Each file that a part of a script imports later, with all that it needs besides what the
    page names itself."""
    listed = _LISTED.search(text)
    known = [each.removeprefix("./") for each in json.loads(listed[1])] if listed else []
    for found in _IMPORT.finditer(text, *part):
        needed = [known[int(i)] for i in found[2].split(",") if i]
        yield found[1], [each for each in needed if not each.startswith("index-")]


def _text(name: str) -> str:
    return (FRONTEND / "assets" / name).read_text(encoding="utf-8")


def _link(name: str) -> str:
    address = f"./assets/{name}"
    if name.endswith(".css"):
        return f'<link rel="preload" as="style" crossorigin href="{address}">'
    return f'<link rel="modulepreload" crossorigin href="{address}">'


def _shown(layout: dict[str, Any], known: dict[int, dict[str, Any]]) -> list[str]:
    """Types of the components that are drawn at first."""
    found: dict[str, None] = {}

    def walk(node: dict[str, Any]) -> None:
        component = known.get(node["id"])
        if component is not None:
            if component["props"].get("visible") is False:
                return
            found[component["type"]] = None
        for child in node.get("children") or ():
            walk(child)

    walk(layout)
    return list(found)
