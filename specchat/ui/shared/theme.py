"""The look: theme, palette, logo, and where the style sheet lies."""

from __future__ import annotations

from pathlib import Path

import gradio as gr
from gradio.themes.utils.colors import Color

STYLE_DIRECTORY = Path(__file__).resolve().parents[3] / "assets" / "style"

# Okabe and Ito 2008, "Color Universal Design": told apart with every kind of colour vision.
BLUE = "#0072B2"
SKY = "#56B4E9"
ORANGE = "#E69F00"
VERMILION = "#D55E00"
GREEN = "#009E73"
PURPLE = "#CC79A7"
GREY = "#8A929E"  # plain decoding, grids: readable on white and on black

SPECULATIVE = BLUE
PLAIN = ORANGE

_INK = Color(
    name="ink",
    c50="#f6f8fa", c100="#ebeff3", c200="#d9e0e7", c300="#bcc7d2", c400="#8d9bab",
    c500="#647386", c600="#4b596b", c700="#374352", c800="#212b38", c900="#141c27",
    c950="#0c121b",
)  # fmt: skip
_SEA = Color(
    name="sea",
    c50="#eef7fd", c100="#d6ecf9", c200="#add9f3", c300="#7fc3ea", c400="#56b4e9",
    c500="#1a8ac7", c600="#0072b2", c700="#005d91", c800="#054a72", c900="#0a3c5b",
    c950="#06263b",
)  # fmt: skip

_SANS = ["Inter", "Segoe UI", "Roboto", "Helvetica Neue", "Arial", "sans-serif"]
_MONO = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"]

LOGO = """<svg class="sc-logo" viewBox="0 0 48 48" role="img" aria-label="specchat">
<path d="M8 6h32a6 6 0 0 1 6 6v20a6 6 0 0 1-6 6H22l-10 8v-8H8a6 6 0 0 1-6-6V12a6 6 0 0 1 6-6z"
 fill="#0072B2"/>
<path d="M11 22h9m0 0 9-8m-9 8h9m0 0h8m-17 0 9 8" fill="none" stroke="#fff" stroke-width="2.4"
 stroke-linecap="round"/>
<circle cx="11" cy="22" r="3.4" fill="#fff"/><circle cx="20" cy="22" r="3.4" fill="#fff"/>
<circle cx="29" cy="22" r="3.4" fill="#fff"/><circle cx="37.5" cy="22" r="3.4" fill="#fff"/>
<circle cx="29.5" cy="13.5" r="2.8" fill="#0072B2" stroke="#fff" stroke-width="1.8"/>
<circle cx="29.5" cy="30.5" r="2.8" fill="#0072B2" stroke="#fff" stroke-width="1.8"/>
</svg>"""

_ICON = (
    LOGO.replace("\n", " ")
    .replace("#", "%23")
    .replace('"', "'")
    .replace("<svg ", "<svg xmlns='http://www.w3.org/2000/svg' ")
)
HEAD = f"""<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:image/svg+xml,{_ICON}">"""


def theme() -> gr.themes.Base:
    """The theme of every page; fonts are the system's own, so nothing is fetched."""
    base = gr.themes.Base(
        primary_hue=_SEA,
        secondary_hue=_SEA,
        neutral_hue=_INK,
        font=_SANS,
        font_mono=_MONO,
        radius_size=gr.themes.sizes.radius_lg,
        spacing_size=gr.themes.sizes.spacing_md,
    )
    return base.set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        background_fill_primary="white",
        background_fill_primary_dark="*neutral_900",
        background_fill_secondary="*neutral_50",
        background_fill_secondary_dark="*neutral_800",
        body_text_color="*neutral_900",
        body_text_color_dark="*neutral_100",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        border_color_primary="*neutral_200",
        border_color_primary_dark="*neutral_700",
        block_background_fill="white",
        block_background_fill_dark="*neutral_900",
        block_border_width="1px",
        block_label_background_fill="transparent",
        block_label_background_fill_dark="transparent",
        block_shadow="none",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_600",
        button_primary_background_fill_hover_dark="*primary_700",
        button_primary_text_color="white",
        button_primary_text_color_dark="white",
        button_secondary_background_fill="white",
        button_secondary_background_fill_hover="*neutral_100",
        button_secondary_background_fill_dark="*neutral_800",
        button_secondary_background_fill_hover_dark="*neutral_700",
        button_secondary_border_color="*neutral_300",
        button_secondary_border_color_dark="*neutral_600",
        button_border_width="1px",
        button_cancel_background_fill="white",
        button_cancel_background_fill_dark="*neutral_800",
        button_cancel_background_fill_hover="#fdf1ea",
        button_cancel_background_fill_hover_dark="*neutral_700",
        button_cancel_text_color="#a84300",
        button_cancel_text_color_dark="#f0864a",
        button_cancel_border_color="#c24e00",
        button_cancel_border_color_dark="#f0864a",
        color_accent_soft="*primary_100",
        color_accent_soft_dark="*primary_900",
        input_border_width="1px",
        input_background_fill="white",
        input_background_fill_dark="*neutral_800",
        input_border_color="*neutral_300",
        input_border_color_dark="*neutral_600",
        link_text_color="*primary_700",
        link_text_color_dark="*primary_400",
    )
