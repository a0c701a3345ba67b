"""Turn what is written for the eye into what Alexa says."""

from itertools import pairwise
import re

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

MAX_SPEECH = 8000  # characters; Alexa refuses more
_MAX_MARKDOWN = 10_000  # characters that are read: hardly any more would be spoken
_MAX_NESTING = 20  # levels; the library drops what is deeper

_THOUGHT = re.compile(r"(?<!`)<think(?:ing)?>(?:(?!</?think).)*</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_THOUGHT_TAG = re.compile(r"(?<!`)<(/?)think(?:ing)?>", re.IGNORECASE)
_ATTRIBUTES = r"""(?:\s+[\w:-]+\s*=\s*(?:"[^"<>]*"|'[^'<>]*'))*\s*/?>"""
_SSML = re.compile(
    r"</?(?:alexa:name|amazon:\w+|audio|break|emphasis|lang|p|phoneme|prosody|s|say-as"
    rf"|speak|sub|voice|w){_ATTRIBUTES}"
)
_INLINE_TAG = re.compile(
    r"""<img\b[^<>]*?\salt=["']([^"'<>]*)[^<>]*>|<!--.*-->|</?(?:a|abbr|b|big|cite|code"""
    r"|del|em|font|i|img|ins|kbd|mark|q|samp|small|span|strike|strong|su[bp]|tt|u|var)"
    rf"{_ATTRIBUTES}",
    re.DOTALL | re.IGNORECASE,
)
_BLOCK_TAG = re.compile(
    r"</?(?:blockquote|br|break|center|d[dlt]|details|div|h[1-6r]|li|ol|p|pre|summary|table"
    rf"|t(?:body|d|foot|h|head|r)|ul){_ATTRIBUTES}",
    re.IGNORECASE,
)

# Only what looks like an address is one: "[12:30]: Opened" and "f[0](5)" are text.
_ADDRESS = re.compile(
    r"$|[a-z][\w+.-]*:\S|www\.|\.{0,2}/\S|\S+\.(?:gif|html?|jpe?g|md|pdf|png|svg|webp)$", re.IGNORECASE
)
_URL = re.compile(
    r"(?:https?://(?:[\w.:%-]+@)?|\b(?=www\.))([\w.-]*\w(?::\d+)?)"
    "(?:[/?#](?:[!#-;=?-_a-{}~\ue000-\ue0ff]*[\\w/#=&~+%\ue000-\ue0ff-])?)?",
    re.ASCII | re.IGNORECASE,
)
_CITATION = re.compile(r"\[?\^?\d{1,3}\]?|\^\w+")
_LEFT_OUT = re.compile(
    r"(?<![ \t])[ \t]*(?:\[\^\w+\](?::(?:[ \t]*https?://\S+)?)?|【\d[^【】]*†[^【】]*】|\(\0(?:[,; ]*\0)*\)|\0)"
)

# Marks that are no Markdown, such as those of code, wait in Unicode's private use area.
_PROTECTED = {ord(mark): 0xE000 + ord(mark) for mark in "*_~|[<"}
_UNPROTECTED = {protected: mark for mark, protected in _PROTECTED.items()}


def _emphasis(mark: str, opening: str, closing: str) -> re.Pattern[str]:
    return re.compile(rf"{opening}{mark}(?![\s.,;:!?)\]}}]|$)((?:(?!{mark}).)+?){closing}", re.DOTALL)


# CommonMark's rule takes 2*3*4 for emphasis and does not see it in **「玄関」**は.
_LATIN = "0-9A-Za-zÀ-ɏ"
_OPENING = rf"""(?:(?<![{_LATIN})\]*])|(?<=[{_LATIN}])(?=\*+[⺀-\U0010ffff]))(?!\*{{4}})(?!(?<=['"])\*+['"])"""
_EMPHASIS = (
    _emphasis(r"\*\*", _OPENING, r"(?:(?<!\s)|(?<=[:：] ))\*\*"),
    _emphasis(r"\*", _OPENING, rf"(?:(?<![\s{_LATIN}])\*|(?<=[{_LATIN}])\*(?![{_LATIN}]))(?!\*)"),
    *(_emphasis(mark, r"(?<![\w/\\.:=@&?-])", rf"(?<!\s){mark}(?![\w/\\=@&%]|[.:?-]\w)") for mark in ("__", "_")),
    _emphasis("~~", "", "~~"),
)

_CLOSING = r"""["'”’»›)\]}」』）】*_]*"""
_SENTENCE_END = re.compile(rf"(?:(?<![.?!…।؟])[.?!…।؟]+{_CLOSING}(?=\s|$)|[。！？]+{_CLOSING}|\n)\s*")
_ABBREVIATION = re.compile(r"(?:^|[\s.(])(?:\w|\d\d|[DFHMNS]rs?|Sra|Mme|Prof|ca)$")
_QUESTION = re.compile(
    r"""(?:[?？؟\u037e՞፧⁇-⁉‽❓❔]|か["'”」』）]*。)[\W_]*"""
    r"(?:[(（\[［][^()（）\[\]]{1,40}[)）\]］][\W_]*)?$"
)


def spoken(markdown: str) -> str:
    """Return what Alexa says: no Markdown, no thoughts, at most 8,000 characters."""
    source = written(markdown)
    if re.fullmatch(r"<?\S+>?", source) and _URL.match(source.strip("<>")):
        return shorten(source.strip("<>"))
    try:
        text = _render(source[:_MAX_MARKDOWN]) or source
    except Exception:  # noqa: BLE001  A sign too many is better than no answer.
        text = source
    return shorten(text, min(MAX_SPEECH, len(text) - (len(source) > _MAX_MARKDOWN)))


def written(text: str) -> str:
    """Return an answer as it is written, without a reasoning model's thoughts."""
    answer = _THOUGHT.sub("", text).strip()
    tags = [*_THOUGHT_TAG.finditer(answer)]
    start = max((tag.end() for tag in tags if tag[1]), default=0)  # Never opened.
    end = min((tag.start() for tag in tags if tag.start() >= start), default=None)
    return answer[start:end].strip() or _THOUGHT_TAG.sub("", answer).strip()


def shorten(text: str, limit: int = MAX_SPEECH) -> str:
    """Return at most limit characters, which end with a sentence."""
    if len(text) <= limit:
        return text
    start = text[: limit + 1]
    ends = [end.end() for end in _SENTENCE_END.finditer(start) if end.end() <= limit]
    return text[: ends[-1] if ends else start.rfind(" ") % (limit + 1)].strip()


def question(text: str) -> str | None:
    """Return the last sentence of a spoken text if it is a question."""
    text = text.strip()
    asked = _QUESTION.search(text, max(len(text) - 150, 0))
    if not asked:
        return None
    start = 0
    for end in _SENTENCE_END.finditer(text, 0, asked.start()):
        before, after = text[max(end.start() - 6, 0) : end.start()], text[end.end() : end.end() + 1]
        if end[0][0] != "." or "\n" in end[0] or not (after.islower() or _ABBREVIATION.search(before)):
            start = end.end()
    return text[start:].strip("*_ \n")


def is_ssml(text: str) -> bool:
    """Return whether a text is SSML: it is a document or has a tag of Alexa's."""
    return bool(_SSML.search(text))


def _render(source: str) -> str:
    """Return the words of a Markdown text, a line for each block."""
    tokens = _markdown.parse(source)
    if any(token.level >= _MAX_NESTING for token in tokens):
        raise ValueError("Too deeply nested")
    blocks = [block for block in _blocks(SyntaxTreeNode(tokens)) if block[0].strip()]
    lines = [block[0].strip() for block in blocks]
    for index, (block, following) in enumerate(pairwise(blocks)):
        if block[1] or following[1]:
            lines[index] = _with_stop(lines[index])
    return "\n".join(lines)


def _blocks(node: SyntaxTreeNode) -> list[tuple[str, bool]]:
    """Return each block's words, and whether it is a heading, an item or a row."""
    if node.type == "inline":
        return _rows(_inline(node))
    if node.type == "fence":
        is_language = re.fullmatch(r"[\w+#.-]*", node.info.strip(), re.ASCII)
        info = "" if is_language and node.content.strip() else node.info
        return [(f"{info}\n{node.content}", False)]
    blocks = [block for child in node.children for block in _blocks(child)]
    first, *others = blocks or [("", False)]
    words = first[0]
    if node.type == "heading":
        return [(words or node.markup, True), *others]
    if node.type == "blockquote" and not others and re.match(r"[=~$€£]?\s*\d|[\W_]+$", words):
        return [(f"> {words}" if words[0].isdigit() else f">{words}", False)]
    if node.type == "list_item":
        is_part = len(node.siblings) > 1
        if node.info:
            words = f"{node.info}{node.markup} {words}"
        elif not is_part and node.markup != "*" and words[:1].isdigit():
            words = f"{node.markup} {words}"  # A minus.
        return [(re.sub(r"^\[[ xX]\]\s+", "", words), is_part), *others]
    return blocks


def _rows(text: str) -> list[tuple[str, bool]]:
    """Return a paragraph, or the rows of a table, ready to be spoken."""
    text = _SSML.sub("", _LEFT_OUT.sub("", text))
    for pattern in (_URL, *_EMPHASIS):
        text = pattern.sub(r"\1", text)
    lines = text.split("\n")
    rows: list[str] = []
    for index, line in enumerate(lines):
        if {"|", "-"} <= set(line.strip()) <= set("|:- \t"):
            lines, rows = lines[: index - 1], [*lines[index - 1 : index], *lines[index + 1 :]]
            break
    cells = [filter(None, map(str.strip, row.split("|"))) for row in rows]
    blocks = [("\n".join(lines), False), *((", ".join(row), True) for row in cells)]
    return [(words.translate(_UNPROTECTED), part) for words, part in blocks if words]


def _inline(node: SyntaxTreeNode) -> str:
    """Return the words of a paragraph, still with marks of emphasis."""
    text = ""
    for child in node.children:
        match child.type:
            case "text":
                text += child.content
            case "softbreak" | "hardbreak":
                text += "\n"
            case "html_inline":
                text += _INLINE_TAG.sub(r"\1", _BLOCK_TAG.sub("\n", child.content))
            case "link" | "image":
                words = _inline(child) or str(child.attrs.get("href", "\0"))
                text += "\0" if _CITATION.fullmatch(words) else words
            case _:  # Code, entities and escapes; a path may begin with two backslashes.
                words = child.markup if child.content == "\\" else child.content
                text += words.translate(_PROTECTED)
    return text


def _with_stop(text: str) -> str:
    end = re.sub(r"""[\s"'”’»›)\]}」』）】]+$""", "", text[-20:])[-1:]
    if end in ".,;:!?…।،؛؟。、！？：；":
        return text
    return text + ("。" if "⺀" <= end < "가" else ".")


_markdown = MarkdownIt("commonmark", {"maxNesting": _MAX_NESTING})
_markdown.disable(["code", "html_block", "emphasis", "text_join"])
_markdown.validateLink = lambda url: bool(_ADDRESS.match(url))  # type: ignore[method-assign]
