"""The Hugging Face Hub, as far as `huggingface_hub` asks it for a snapshot, on this machine."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from tests.api.conftest import serving

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Hub:
    """Serves folders under the names of repositories, and notes the files that were fetched."""

    folders: Mapping[str, Path]
    fetched: list[str] = field(default_factory=list)

    async def info(self, request: Request) -> Response:
        """What a repository is."""
        name = request.path_params["name"]
        if name not in self.folders:
            return JSONResponse({"error": "not found"}, 404, {"X-Error-Code": "RepoNotFound"})
        siblings = [{"rfilename": each} for each in self._files(name)]
        return JSONResponse({"id": name, "modelId": name, "sha": COMMIT, "siblings": siblings})

    async def tree(self, request: Request) -> Response:
        """Which files it has."""
        files = self._files(request.path_params["name"]).items()
        return JSONResponse(
            [
                {"type": "file", "path": each, "size": path.stat().st_size, "oid": _tag(each)[:40]}
                for each, path in files
            ]
        )

    async def file(self, request: Request) -> Response:
        """One file, or only what it is where that is asked."""
        name, inside = request.path_params["name"], request.path_params["file"]
        path = self.folders[name] / inside
        if not path.is_file():
            return Response(status_code=404, headers={"X-Error-Code": "EntryNotFound"})
        if request.method == "GET":
            self.fetched.append(f"{name}/{inside}")
        headers = {"ETag": f'"{_tag(inside)}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        return FileResponse(path, headers=headers)

    def _files(self, name: str) -> dict[str, Path]:
        folder = self.folders[name]
        return {str(each.relative_to(folder)): each for each in folder.rglob("*") if each.is_file()}

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Its URL, for `HF_ENDPOINT`."""
        routes = [
            Route("/api/models/{name:path}/revision/{revision}", self.info),
            Route("/api/models/{name:path}/tree/{revision}", self.tree),
            Route("/{name:path}/resolve/{revision}/{file:path}", self.file),
        ]
        with serving(Starlette(routes=routes)) as url:
            yield url


def _tag(file: str) -> str:
    """A version of a file; it never changes here."""
    return hashlib.sha256(file.encode()).hexdigest()
