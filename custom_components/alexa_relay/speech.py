"""Turn what is written for the eye into what Alexa says."""

from html import escape
import re

from markdown_it import MarkdownIt
from markdown_it.common.html_blocks import block_names
from markdown_it.tree import SyntaxTreeNode

MAX_SPEECH = 8000  # characters; Alexa refuses more
_MAX_MARKDOWN = 10_000  # characters that are read: hardly any more would be spoken

_THOUGHT = re.compile("(?is)(?<!`)<think(?:ing)?>(?:(?!</?think).)*</think(?:ing)?>")
_HALF_THOUGHT = re.compile("(?is)^.*(?<!`)</think(?:ing)?>|(?<!`)<think(?:ing)?>.*")
_SSML = re.compile(
    r"</?(?:alexa:name|amazon:\w+|audio|break|emphasis|lang|p|phoneme|prosody|s|say-as|speak|sub|voice|w)"
    r"""(?:\s+[\w:-]+\s*=\s*(?:"[^"<>]*"|'[^'<>]*'))*\s*/?>"""
)
_TAG = re.compile(r"(?is)<!--.*?-->|</?([a-z][\w:-]*)(?:\s[^<>]*?)?(/?)>")
_UNCLOSED = {"br", "hr", "img", "li", "p"}  # Tags of other names are such only where they are opened and closed.
_BREAKS = {*block_names, "br", "break", "pre"}

# Only what looks like an address is one: "[12:30]: Opened" and "f[0](5)" are text.
_ADDRESS = re.compile(r"(?i)$|[a-z][\w+.-]*:\S|www\.|\.{0,2}/\S|\S+\.(?:gif|html?|jpe?g|md|pdf|png|svg|webp)$")
_URL = re.compile(
    r"(?ai)(?:https?://(?:[\w.:%-]+@)?|\b(?=www\.))([\w.-]*\w(?::\d+)?)"
    "(?:[/?#](?:[!#-;=?-_a-{}~\ue000-\ue0ff]*[\\w/#=&~+%\ue000-\ue0ff-])?)?"
)
_CITATION = re.compile(r"\[?\^?\d{1,3}\]?|\^\w+")
_LEFT_OUT = re.compile(
    r"(?<![ \t])[ \t]*(?:\[\^\w+\](?::(?:[ \t]*https?://\S+)?)?|【\d[^【】]*†[^【】]*】|\(\0(?:[,; ]*\0)*\)|\0)"
)

# Marks that are no Markdown, such as those of code, wait in Unicode's private use area.
_PROTECTED = {ord(mark): 0xE000 + ord(mark) for mark in "*_~[<"}
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
_PART_END = re.compile(r"(\w)[^\w\s.,;:!?…।،؛؟。、！？：；]*(?=\v+\n|\n\v)")
_SENTENCE_END = re.compile(rf"(?:(?<![.?!…।؟])[.?!…।؟]+{_CLOSING}(?=\s|$)|[。！？]+{_CLOSING}|\n)\s*")
_ABBREVIATION = re.compile(r"(?:^|[\s.(])(?:\w|\d\d|[DFHMNS]rs?|Sra|Mme|Prof|ca)$")
_QUESTION = re.compile(
    r"""(?:[?？؟\u037e՞፧⁇-⁉‽❓❔]|か["'”」』）]*。)[\W_]*"""
    r"(?:[(（\[［][^()（）\[\]]{1,40}[)）\]］][\W_]*)?$"
)


class Ssml(str):
    """Speech with tags."""

    __slots__ = ()


def spoken(markdown: str) -> str:
    """Return what Alexa says: no Markdown, no thoughts, at most 8,000 characters."""
    source = written(markdown)
    if re.fullmatch(r"<?\S+>?", source) and _URL.match(source.strip("<>")):
        return shorten(source.strip("<>"))
    return shorten(_render(shorten(source, _MAX_MARKDOWN)) or source)


def written(text: str) -> str:
    """Return an answer as it is written, without a reasoning model's thoughts."""
    answer = _THOUGHT.sub("", text)
    return _HALF_THOUGHT.sub("", answer).strip() or re.sub("(?i)(?<!`)</?think(?:ing)?>", "", answer).strip()


def shorten(text: str, limit: int = MAX_SPEECH) -> str:
    """Return at most limit characters, which end with a sentence."""
    if len(text) <= limit:
        return text
    start = text[: limit + 1]
    ends = [end.end() for end in _SENTENCE_END.finditer(start) if end.end() <= limit]
    return text[: ends[-1] if ends else start.rfind(" ") % (limit + 1)].strip()


def question(text: str) -> str | None:
    """Return the last sentence of a speech if it is a question."""
    text = (re.sub(r"<[^<>]+>", "", text) if isinstance(text, Ssml) else text).strip()
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


def join(*parts: str) -> str:
    """Return speeches as one, which is SSML if a part of it is."""
    if not any(isinstance(part, Ssml) for part in parts):
        return " ".join(parts)
    inner = " ".join(part if isinstance(part, Ssml) else escape(part, False) for part in parts)
    inner = re.sub(r"&(?!#?\w+;)", "&amp;", re.sub("</?speak[^<>]*>", "", inner))
    return Ssml(f"<speak>{inner}</speak>")


def _render(source: str) -> str:
    """Return the words of a Markdown text, a line for each block."""
    text = _block(SyntaxTreeNode(_markdown.parse(source)))
    text = re.sub(r"""<img\b[^<>]*?\salt=["']([^"'<>]*)[^<>]*>""", r"\1", text)
    closed = {*re.findall(r"</([\w:-]+)\s*>", text.lower())} & {*re.findall(r"<([\w:-]+)", text.lower())}

    def without(tag: re.Match[str]) -> str:
        name = (tag[1] or "").lower()
        if name and not tag[2] and name not in closed | _UNCLOSED:
            return tag[0]  # "Call <name> at 5."
        return "\n" if name in _BREAKS else ""

    text = _PART_END.sub(lambda end: end[0] + ("。" if "⺀" <= end[1] < "가" else "."), _TAG.sub(without, text))
    return text.replace("\v", "").translate(_UNPROTECTED).strip()


def _block(node: SyntaxTreeNode) -> str:
    """Return the words of a block, a line for each block in it, with a vertical tab beside what may be no sentence."""
    if node.type == "inline":
        text = _LEFT_OUT.sub("", _inline(node))
        for pattern in (_URL, *_EMPHASIS):
            text = pattern.sub(r"\1", text)
        return text
    if node.type == "fence":
        is_language = re.fullmatch(r"[\w+#.-]*", node.info.strip(), re.ASCII)
        return node.content if is_language and node.content.strip() else f"{node.info}\n{node.content}"
    blocks = (_block(child).strip(" \n") for child in node.children)
    words = (", " if node.type == "tr" else "\n").join(filter(None, blocks))
    match node.type:
        case "heading" | "tr":
            return f"\v{words or node.markup}\v"
        case "paragraph" if (item := node.parent) and item.type == "list_item" and len(item.siblings) > 1:
            return f"\v{words}\v"
        case "blockquote" if re.fullmatch(r"[=~$€£]?\s*\d.*|[\W_]+", words):
            return f"> {words}" if words[0].isdigit() else f">{words}"
        case "list_item" if node.info:
            return f"{node.info}{node.markup} {words}"
        case "list_item" if words[:1].isdigit() and node.markup != "*":
            return f"{node.markup} {words}"  # A minus.
        case "list_item":
            return re.sub(r"^(\v?)\[[ xX]\]\s+", r"\1", words)
    return words


def _inline(node: SyntaxTreeNode) -> str:
    """Return the words of a paragraph, still with marks of emphasis."""
    text = ""
    for child in node.children:
        if child.type == "text":
            text += child.content
        elif child.type in ("link", "image"):
            words = _inline(child) or str(child.attrs.get("href", "\0"))
            text += "\0" if _CITATION.fullmatch(words) else words
        else:  # Breaks, code, entities and escapes; a path may begin with two backslashes.
            words = child.markup if child.content == "\\" else child.content
            text += words.translate(_PROTECTED) or "\n"
    return text


_markdown = MarkdownIt("commonmark").enable("table")
_markdown.disable(["code", "html_block", "html_inline", "emphasis", "text_join"])
_markdown.validateLink = lambda url: bool(_ADDRESS.match(url))  # type: ignore[method-assign]
