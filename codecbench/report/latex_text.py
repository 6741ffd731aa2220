"""Text for LaTeX: taken literally, on one line, by pdfLaTeX with its standard fonts (OT1) and no packages.

Greek becomes mathematics and accents commands; a character that the fonts lack, or that is no text at all,
becomes `SIGN`.
"""

from __future__ import annotations

import re
import unicodedata

SIGN = r"$\diamond$"
SIGN_MEANS = f"{SIGN} stands for a character that LaTeX's standard fonts lack."

_LIGATURES = re.compile("(?<=[-`',?!])(?=[-`',])")
_GREEK_AS_LATIN = dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΧο", "ABEZHIKMNOPTXo", strict=True))
_CHARACTERS = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{",
    "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"$<$", ">": r"$>$", "|": r"$|$",
    '"': "''",
    # A row that begins with one of these would be an option of the line break before it.
    "[": "{[}", "]": "{]}", "*": "{*}",
    "–": "--", "—": "---", "‘": "`", "’": "'", "“": "``", "”": "''", "…": r"\ldots{}", "¡": "!`", "¿": "?`",
    "ß": r"\ss{}", "æ": r"\ae{}", "Æ": r"\AE{}", "œ": r"\oe{}", "Œ": r"\OE{}", "ø": r"\o{}", "Ø": r"\O{}",
    "ł": r"\l{}", "Ł": r"\L{}", "ı": r"\i{}", "§": r"\S{}", "¶": r"\P{}", "†": r"\dag{}", "‡": r"\ddag{}",
    "©": r"\copyright{}", "£": r"\pounds{}", "•": r"$\bullet$", "·": r"$\cdot$", "×": r"$\times$",
    "÷": r"$\div$", "±": r"$\pm$", "−": "$-$", "≤": r"$\le$", "≥": r"$\ge$", "≠": r"$\ne$", "≈": r"$\approx$",
    "∞": r"$\infty$", "→": r"$\to$", "←": r"$\gets$", "↑": r"$\uparrow$", "↓": r"$\downarrow$",
    "°": r"$^\circ$", "µ": r"$\mu$", "¹": "$^1$", "²": "$^2$", "³": "$^3$", "ς": r"$\varsigma$",
    **_GREEK_AS_LATIN,
}  # fmt: skip
_ACCENTS = {
    "\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0304": "=", "\u0306": "u", "\u0307": ".",
    "\u0308": '"', "\u030a": "r", "\u030b": "H", "\u030c": "v", "\u0323": "d", "\u0327": "c", "\u0331": "b",
}  # fmt: skip
_GREEK = frozenset({
    "ALPHA", "BETA", "GAMMA", "DELTA", "EPSILON", "ZETA", "ETA", "THETA", "IOTA", "KAPPA", "MU", "NU", "XI",
    "PI", "RHO", "SIGMA", "TAU", "UPSILON", "PHI", "CHI", "PSI", "OMEGA", "LAMDA",
})  # fmt: skip
_DOTLESS = {"i": r"\i", "j": r"\j"}


def escape(text: str) -> str:
    """Return text that LaTeX takes literally, on one line."""
    flat = re.sub(r"\s+", " ", unicodedata.normalize("NFC", text))
    parts = _LIGATURES.split(flat)  # "--" is no dash here, nor "''" a quotation mark
    return "{}".join("".join(map(_character, part)) for part in parts)


def _character(letter: str) -> str:
    if letter in _CHARACTERS:
        return _CHARACTERS[letter]
    if " " <= letter <= "~":
        return letter
    base, *marks = list(unicodedata.normalize("NFD", letter))
    if base.isascii() and base.isalpha() and len(marks) == 1 and marks[0] in _ACCENTS:
        return rf"\{_ACCENTS[marks[0]]}{{{_DOTLESS.get(base, base)}}}"
    if marks:
        return SIGN
    name = re.fullmatch(r"GREEK (SMALL|CAPITAL) LETTER ([A-Z]+)", unicodedata.name(letter, ""))
    if name and name[2] in _GREEK:
        command = name[2].replace("LAMDA", "LAMBDA").lower()
        return f"$\\{command if name[1] == 'SMALL' else command.capitalize()}$"
    return SIGN
