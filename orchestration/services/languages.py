"""Language names and codes, as engines write them, to ISO 639-1."""

UNDETERMINED = "und"
"""ISO 639-2's code for a language that nobody named and no engine recognised."""

# Whisper's languages by the names that OpenAI's service and whisper.cpp answer with
# (openai/whisper, tokenizer.py). Haw and yue have no ISO 639-1 code.
_NAMES_AND_CODES = """
afrikaans af, albanian sq, amharic am, arabic ar, armenian hy, assamese as, azerbaijani az,
bashkir ba, basque eu, belarusian be, bengali bn, bosnian bs, breton br, bulgarian bg, burmese my,
cantonese yue, castilian es, catalan ca, chinese zh, croatian hr, czech cs, danish da, dutch nl,
english en, estonian et, faroese fo, finnish fi, flemish nl, french fr, galician gl, georgian ka,
german de, greek el, gujarati gu, haitian ht, haitian-creole ht, hausa ha, hawaiian haw, hebrew he,
hindi hi, hungarian hu, icelandic is, indonesian id, italian it, japanese ja, javanese jv,
kannada kn, kazakh kk, khmer km, korean ko, lao lo, latin la, latvian lv, letzeburgesch lb,
lingala ln, lithuanian lt, luxembourgish lb, macedonian mk, malagasy mg, malay ms, malayalam ml,
maltese mt, mandarin zh, maori mi, marathi mr, moldavian ro, moldovan ro, mongolian mn, myanmar my,
nepali ne, norwegian no, nynorsk nn, occitan oc, panjabi pa, pashto ps, persian fa, polish pl,
portuguese pt, punjabi pa, pushto ps, romanian ro, russian ru, sanskrit sa, serbian sr, shona sn,
sindhi sd, sinhala si, sinhalese si, slovak sk, slovenian sl, somali so, spanish es, sundanese su,
swahili sw, swedish sv, tagalog tl, tajik tg, tamil ta, tatar tt, telugu te, thai th, tibetan bo,
turkish tr, turkmen tk, ukrainian uk, urdu ur, uzbek uz, valencian ca, vietnamese vi, welsh cy,
yiddish yi, yoruba yo
"""

_CODE_BY_NAME: dict[str, str] = {
    name: code for name, code in (pair.split() for pair in _NAMES_AND_CODES.split(","))
}

# Codes that ISO 639-1 withdrew, that engines still use, and LibreTranslate's own two.
_CODE_BY_ALIAS = {
    "fil": "tl",
    "in": "id",
    "iw": "he",
    "ji": "yi",
    "jw": "jv",
    "nb": "no",
    "pb": "pt",
    "zt": "zh",
}


def normalise_language(language: str) -> str:
    """The base ISO 639-1 code, lower case, of a code or an English name.

    Regions and scripts are dropped (`pt-BR` and `pt_PT` are `pt`), names looked up (`English` is
    `en`), withdrawn codes replaced (`iw` is `he`). What is not recognised comes back lower case
    and without its region; nothing at all is `UNDETERMINED`.
    """
    name = "-".join(language.casefold().replace("_", "-").split())
    if name in _CODE_BY_NAME:
        return _CODE_BY_NAME[name]
    base = name.split("-", 1)[0]
    return _CODE_BY_ALIAS.get(base, base) or UNDETERMINED
