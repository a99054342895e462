"""Errors of the store. Messages never hold user text or passwords."""


class StoreError(Exception):
    """The database cannot be used as asked; the message says what would be right."""


class StoreBusyError(StoreError):
    """Another process holds the database; it can be tried again."""
