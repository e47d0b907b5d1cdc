"""Lesson texts: Markdown as authors write it, made safe by libraries whatever they wrote."""

from __future__ import annotations

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

_PARSER = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
_TAGS = {
    *("h2", "h3", "h4", "h5", "h6", "p", "br", "hr", "ul", "ol", "li", "blockquote", "pre", "code"),
    *("em", "strong", "s", "a", "img", "table", "thead", "tbody", "tr", "th", "td"),
}
_ATTRIBUTES = {"a": {"href", "title"}, "img": {"src", "alt", "title"}, "ol": {"start"}, "code": {"class"}}


def to_html(text: str) -> Markup:
    """Safe HTML of a Markdown text. Raw HTML is shown as it was typed; only http, https and mailto links stay links.

    Headings begin at h2, as the page has its own h1.
    """
    tokens = _PARSER.parse(text)
    for token in tokens:
        _lower_heading(token)
    html = _PARSER.renderer.render(tokens, _PARSER.options, {})
    # nh3 has cleaned it: only listed tags, attributes and link schemes are left
    return Markup(  # nosec B704
        nh3.clean(
            html,
            tags=_TAGS,
            attributes=_ATTRIBUTES,
            url_schemes={"http", "https", "mailto"},
            link_rel="noopener noreferrer",
        )
    )


def _lower_heading(token: Token) -> None:
    if token.type in ("heading_open", "heading_close"):
        token.tag = f"h{min(int(token.tag[1]) + 1, 6)}"
