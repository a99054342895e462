"""Errors of the engine. Each message names the value and says what would be right."""


class EngineError(Exception):
    """Base of everything the engine raises on purpose."""


class RequestError(EngineError):
    """The request itself is wrong: too long, invalid parameters. Retrying will not help."""


class RefusedRequestError(RequestError):
    """The same prompt has ended two steps with an error before. Another one will do."""


class QueueFullError(EngineError):
    """Too many requests wait already. Retrying later may help."""


class EngineClosedError(EngineError):
    """The engine was closed or its step loop failed; the cause is chained."""


class ServerError(EngineClosedError):
    """The server that gives the tokens cannot be reached, or ended an answer early."""


class ModelLoadError(EngineError):
    """A model, tokenizer or speculator could not be loaded or does not fit the target."""
