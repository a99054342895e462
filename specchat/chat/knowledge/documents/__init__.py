"""Documents of a company read into passages: Markdown, HTML, plain text, CSV and PDF."""

from specchat.chat.knowledge.documents.blocks import DocumentError
from specchat.chat.knowledge.documents.reading import SUFFIXES, document_files, read_document

__all__ = ["SUFFIXES", "DocumentError", "document_files", "read_document"]
