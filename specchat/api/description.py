"""The OpenAPI description: bodies are read by our own hands, so FastAPI is told of them here."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

_REFERENCE = "#/components/schemas/{model}"


def describe(app: FastAPI, bodies: dict[str, type[BaseModel]]) -> None:
    """Have the application describe itself with the `bodies` of its POST routes, by path."""

    def description() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(title=app.title, version=app.version, routes=app.routes)
            parts = made.setdefault("components", {})
            parts["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
            for path, shape in bodies.items():
                schema = shape.model_json_schema(ref_template=_REFERENCE)
                parts.setdefault("schemas", {}).update(schema.pop("$defs", {}))
                parts["schemas"][shape.__name__] = schema
                reference = {"$ref": _REFERENCE.format(model=shape.__name__)}
                made["paths"][path]["post"]["requestBody"] = {
                    "required": True,
                    "content": {"application/json": {"schema": reference}},
                }
            for path, methods in made["paths"].items():
                for operation in methods.values():
                    operation.get("responses", {}).pop("422", None)
                    if path.startswith("/v1/") or path == "/metrics":
                        operation["security"] = [{"key": []}]
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = description  # type: ignore[method-assign]
