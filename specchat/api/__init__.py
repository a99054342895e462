"""The HTTP API beside the page, in the shape of OpenAI's: the model itself, and the assistant."""

from specchat.api.app import Api, build_api

__all__ = ["Api", "build_api"]
