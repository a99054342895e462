"""A GGUF file's weights in another number format, for peers that read GGUF only."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from specchat.engine.errors import ModelLoadError
from specchat.pretrained.cache import cache_folder, keep_newest, kept

_FOLDER = "peers"  # of the cache
_KEPT = 4
_WRITTEN_ANEW = ("GGUF.", "general.architecture", "general.file_type")


def in_format(file: Path, number_format: str) -> Path:
    """The file's weights as "Q8_0" or "BF16", made once in the user's cache; the file itself where
    its name says that it has them.

    Whatever the file packs is unpacked first: BF16 holds the numbers that a model directory made of
    this file has.

    Raises:
        ModelLoadError: the file cannot be read, or the cache not be written.
    """
    if number_format.lower() in file.stem.lower():
        return file
    about = file.stat()
    mark = f"{file.resolve()}\0{about.st_size}\0{about.st_mtime_ns}\0{number_format}"
    name = f"{number_format}-{hashlib.sha256(mark.encode()).hexdigest()[:12]}"

    def make(folder: Path) -> None:
        try:
            rewrite(file, folder / "model.gguf", number_format)
        except (ImportError, ValueError, KeyError, IndexError) as error:
            raise ModelLoadError(f"{file} cannot be written as {number_format}: {error}") from None

    found = kept(f"{_FOLDER}/{name}", make)
    keep_newest(cache_folder() / _FOLDER, _KEPT)
    return found / "model.gguf"


def rewrite(file: Path, out: Path, number_format: str) -> None:
    """Writes matrices in `number_format` and vectors in float32; everything else as it is."""
    import gguf
    from gguf.quants import dequantize, quantize

    reader = gguf.GGUFReader(file)
    matrices = gguf.GGMLQuantizationType[number_format]
    family: Any = reader.fields["general.architecture"].contents()
    writer = gguf.GGUFWriter(out, family)
    writer.add_file_type(gguf.LlamaFileType[f"MOSTLY_{number_format}"])
    for field in reader.fields.values():
        if not field.name.startswith(_WRITTEN_ANEW):
            kind = field.types[0]
            inner = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
            writer.add_key_value(field.name, field.contents(), kind, sub_type=inner)
    for tensor in reader.tensors:
        values = dequantize(tensor.data, tensor.tensor_type)
        if values.ndim < 2:
            writer.add_tensor(tensor.name, values)
        else:
            writer.add_tensor(tensor.name, quantize(values, matrices), raw_dtype=matrices)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
