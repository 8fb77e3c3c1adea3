"""Find results that were typed by hand into a page: numbers that only a measurement or a citation can give.

What is a setting and no result – a timestep, a size in pixels, a version, the number of an equation – is told by its shape or by
what stands beside it; a setting that looks like a result (`contamination.value=0.05`) is written as code, which is not searched.
Nor are commands, links and blocks that are generated. A comment behind a command is.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

_NUMBER = r"\d+(?:[.,]\d+)*"
_WORD = r"(?:an?|half an?|one|two|three|four|five|six|seven|eight|nine|ten|twelve|twenty|thirty|fifty|hundred)"
_SOME = _WORD.replace("|one|", "|")  # "one of the two" says no result
_METRIC = (
    r"(?:AUROC|AUPRO|AP|F1|recall|precision|accuracy|average precision|false positive rates?|false alarms?|mean rank|ranks?"
    r"|KS|KL|overlap|p values?|p)"
)
_UNIT = (
    r"(?:ns|µs|us|ms|s|sec|secs|seconds?|min|minutes?|hours?|h|[kMG]i?B|[MGT]?FLOPs?(?:/s)?|bytes|Hz|fps"
    r"|(?:patches|images|steps)(?:/s| per second)|M?\s?parameters)"
)
# settings that look like results: removed before anything is looked for
_SETTINGS = (
    r"arXiv:?\s*\d{4}\.\d{4,5}",
    r"\(\d{4}\.\d{4,5}\)",
    r"\d+\s?×\s?\d+(?:\s?×\s?\d+)*(?:\s?px)?",  # shapes
    r"\d+(?:\.\d+)?\s?px\b",
    r"[\[(][−-]?\d+(?:, ?[−-]?\d+)+[\])]",  # intervals
    r"(?<![A-Za-z])[BCHKNTWkmnqstvwα-ωΑ-Ω]\u0305?\s?[=≤≥<>]\s?[−+-]?(?:\.\d+|"
    + _NUMBER
    + ")",  # a symbol: t = 10, σ = 1.5, λ = .1
    r"(?:Python|torch|CUDA|version|revision|NFS)\s?[≥>=]*\s?\d+(?:\.\d+)*",
    r"\b(?:Eq|eq|Fig|Sec|Table)s?\.?\s?\d+(?:\.\d+)*",
    r"\d\d(?:\.\d)?\s?% (?:confidence )?intervals?",
    r"\b(?:19|20)\d\d-\d\d-\d\d\b",
)
_RESULTS = {
    "a fraction": r"(?<![\w.,/])[+−–±-]?[01]?\.\d+\b",
    "a deviation": rf"{_NUMBER}\s?±|±\s?\.?\d",
    "a percentage": r"\d\s?(?:%|‰|per cent|percent)",
    "a measurement": rf"(?<![\w.])\.?{_NUMBER}\s?(?:(?:–|-|to|and|or)\s?{_NUMBER}\s?)?{_UNIT}\b",
    "a duration": rf"\b{_WORD}(?: or {_WORD}| to {_WORD})? (?:seconds?|minutes?|hours?|milliseconds?)\b",
    "a factor": rf"{_NUMBER}\s?(?:×(?!\s?\d)|times\b|-?fold\b)"
    rf"|\b(?:{_SOME} times (?:as|more|less|slower|faster)|(?:twice|half) (?:as|the F1))\b",
    "a ratio": r"(?<![\w/.])\d+/\d+\b",
    "a count": rf"(?<![\w.])\d+ (?:[a-z]+ )?(?:of|out of) (?:(?:the|its|these|all) )?\d+\b"
    rf"|\b{_SOME} (?:of|out of) (?:(?:the|its) )?{_WORD}\b",
    "a bold number": r"\*\*[+−-]?\d+\*\*",
    "a decimal comma": r"(?<![\w,])0,\d+\b(?!,)",
    "a metric": rf"\b{_METRIC}\b\W{{0,3}}(?:[a-z ]{{0,20}}\W)?\W?[+−-]?\d+(?:\.\d+)?\b(?!\s?[=×])",
    "points": r"[+−-]?\d+(?:\.\d+)? (?:percentage )?points?\b",
    "a difference": r"(?<![\w.–])[+−]\d+(?:\.\d+)?\b",
    "a decimal": r"(?<![\w.,=/])\d+\.\d+\b(?!\.\d)",
}  # fmt: skip
_SHOW = ("number", "count", "Entry", "str")
_FENCE = re.compile(r"^```(?P<language>\w*)[^\n]*\n(?P<code>.*?)^```", re.MULTILINE | re.DOTALL)
_NOT_TEXT = re.compile(r"`[^`\n]+`|<!--.*?-->|<[^>\n]+>|(?<=\])\([^)\s]+\)|https?://\S+", re.DOTALL)
_BARE_DECIMAL = re.compile(r"`([+−-]?\d*\.\d+)`")  # as code, but no setting: nothing says of what
_COMMENT = re.compile(r"(?:^|(?<=\s))#.*$", re.MULTILINE)


@dataclass(frozen=True)
class Typed:
    """One result that stands where no command writes: its line, what kind it is and how it reads."""

    line: int
    kind: str
    text: str


def typed_results(page: str) -> list[Typed]:
    """What a page without its blocks (`sections.by_hand`) says in numbers, in its order."""
    told = _FENCE.sub(_comments, page)
    told = _NOT_TEXT.sub(_blank, _BARE_DECIMAL.sub(r" \1 ", told))
    for pattern in _SETTINGS:
        told = re.sub(pattern, _blank, told)
    matches = [(match, kind) for kind, pattern in _RESULTS.items() for match in re.finditer(pattern, told)]
    found: list[Typed] = []
    end = 0
    for match, kind in sorted(matches, key=lambda each: (each[0].start(), -each[0].end())):
        if match.start() >= end:
            found.append(Typed(told.count("\n", 0, match.start()) + 1, kind, match[0].strip()))
            end = match.end()
    return found


def typed_in_code(source: str) -> list[Typed]:
    """The same of the texts in a Python module, where only what is computed may stand in the place of a number."""
    tree = ast.parse(source)
    texts = [
        Typed(line + each.line - 1, each.kind, each.text) for line, text in _texts(tree) for each in typed_results(text)
    ]
    return sorted([*texts, *_shown_literals(tree)], key=lambda each: each.line)


def _shown_literals(tree: ast.AST) -> Iterator[Typed]:
    """Numbers that an f-string formats, or that are given to what makes a table's entry."""
    for node in ast.walk(tree):
        shown = [node.value] if isinstance(node, ast.FormattedValue) else []
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _SHOW:
            shown = node.args[:1]
        for each in shown:
            if isinstance(each, ast.Constant) and isinstance(each.value, float) and each.value not in (0.0, 1.0):
                yield Typed(each.lineno, "a formatted number", str(each.value))


def _texts(node: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and text of every string below `node`, with a mark where an f-string computes."""
    if isinstance(node, ast.JoinedStr):
        parts = [str(part.value) if isinstance(part, ast.Constant) else " § " for part in node.values]
        yield node.lineno, "".join(parts)
        computed = [part.value for part in node.values if isinstance(part, ast.FormattedValue)]
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.lineno, node.value
        return
    for child in computed if isinstance(node, ast.JoinedStr) else ast.iter_child_nodes(node):
        yield from _texts(child)


def _comments(fence: re.Match[str]) -> str:
    """Of commands their comments; the whole of what is shown without a language, as it was printed."""
    if not fence["language"] or fence["language"] in ("text", "console"):
        return fence[0].replace("`", " ")
    kept = {match.span() for match in _COMMENT.finditer(fence[0])}
    return "".join(
        character if character == "\n" or any(start <= place < end for start, end in kept) else " "
        for place, character in enumerate(fence[0])
    )


def _blank(match: re.Match[str]) -> str:
    """Nothing, as many lines long; a word in its place, so that its neighbours stay apart."""
    return " § " + "\n" * match[0].count("\n")
