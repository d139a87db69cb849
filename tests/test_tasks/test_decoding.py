"""Encodings, line ends, compressed text, and what is no text."""

# ruff: noqa: RUF001 (letters of other scripts)

from __future__ import annotations

import codecs
import gzip

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.decoding import decoded, unpacked
from tasks.errors import TaskError
from tasks.text import sentences, tokenized

LATIN = "the dog\na cat\n"
TEXTS = {
    "english": LATIN * 20,
    "short": LATIN,
    "accents": "naïve café\nçà et là\n",
    "greek": "ο σκύλος\nμια γάτα\n",
    "kana": "いぬ が いる\nねこ も いる\n",
    "kanji": "犬 と 猫\n一 人 の 人\n" * 3,  # the second line begins with U+4E00, whose low byte is 0
    "emoji": "a 🐕 dog\na 🐈 cat\n",
    "no-blanks": "".join(f"これは{k}番目の文です。\n" for k in range(40)),
}
SENTENCES = {  # the first article of the Universal Declaration of Human Rights, or the begin of it
    "Amharic": "የሰው፡ልጅ፡ሁሉ፡ሲወለድ፡ነጻና፡በክብርና፡በመብትም፡እኩልነት፡ያለው፡ነው።",
    "Arabic": "يولد جميع الناس أحرارًا متساوين في الكرامة والحقوق.",
    "Armenian": "Բոլոր մարդիկ ծնվում են ազատ ու հավասար իրենց արժանապատվությամբ ու իրավունքներով։",
    "Bengali": "সমস্ত মানুষ স্বাধীনভাবে সমান মর্যাদা এবং অধিকার নিয়ে জন্মগ্রহণ করে।",
    "Bulgarian": "Всички хора се раждат свободни и равни по достойнство и права.",
    "Chinese": "人人生而自由,在尊严和权利上一律平等。",
    "Czech": "Všichni lidé rodí se svobodní a sobě rovní co do důstojnosti a práv.",
    "English": "All human beings are born free and equal in dignity and rights.",
    "French": "Tous les êtres humains naissent libres et égaux en dignité et en droits.",
    "Georgian": "ყველა ადამიანი იბადება თავისუფალი და თანასწორი თავისი ღირსებითა და უფლებებით.",
    "German": "Alle Menschen sind frei und gleich an Würde und Rechten geboren.",
    "Greek": "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια και τα δικαιώματα.",
    "Gujarati": "પ્રતિષ્ઠા અને અધિકારોની દૃષ્ટિએ સર્વ માનવો જન્મથી સ્વતંત્ર અને સમાન હોય છે.",
    "Hebrew": "כל בני האדם נולדו בני חורין ושווים בערכם ובזכויותיהם.",
    "Hindi": "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है।",
    "Japanese": "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。",
    "Kannada": "ಎಲ್ಲಾ ಮಾನವರೂ ಸ್ವತಂತ್ರರಾಗಿಯೇ ಜನಿಸಿದ್ದಾರೆ.",
    "Khmer": "មនុស្សទាំងអស់កើតមកមានសេរីភាព និងសមភាព។",
    "Korean": "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다.",
    "Lao": "ມະນຸດທຸກຄົນເກີດມາມີກຽດສັກສີ ສິດທິ ເສລີພາບ ແລະ ຄວາມສະເໝີພາບເທົ່າທຽມກັນ.",
    "Malayalam": "മനുഷ്യരെല്ലാവരും തുല്യാവകാശങ്ങളോടും അന്തസ്സോടും സ്വാതന്ത്ര്യത്തോടുംകൂടി ജനിച്ചവരാണ്.",
    "Punjabi": "ਸਾਰਾ ਮਨੁੱਖੀ ਪਰਿਵਾਰ ਆਪਣੀ ਮਹਿਮਾ, ਸ਼ਾਨ ਅਤੇ ਹੱਕਾਂ ਦੇ ਪੱਖੋਂ ਜਨਮ ਤੋਂ ਹੀ ਆਜ਼ਾਦ ਹੈ.",
    "Russian": "Все люди рождаются свободными и равными в своем достоинстве и правах.",
    "Serbian": "Сва људска бића рађају се слободна и једнака у достојанству и правима.",
    "Sinhala": "සියලු මනුෂ්‍යයෝ නිදහස්ව උපත ලබා ඇත.",
    "Tamil": "மனிதப் பிறிவியினர் சகலரும் சுதந்திரமாகவே பிறக்கின்றனர்.",
    "Telugu": "ప్రతిపత్తిస్వత్వముల విషయమున మానవులెల్లరును జన్మతః స్వతంత్రులును సమానులును నగుదురు.",
    "Thai": "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ",
    "Tibetan": "འགྲོ་བ་མིའི་རིགས་རྒྱུད་ཡོངས་ལ་སྐྱེས་ཙམ་ཉིད་ནས་ཆེ་མཐོངས་དང༌།",
    "Turkish": "Bütün insanlar hür, haysiyet ve haklar bakımından eşit doğarlar.",
    "Ukrainian": "Всі люди народжуються вільними і рівними у своїй гідності та правах.",
    "Urdu": "تمام انسان آزاد اور حقوق و عزت کے اعتبار سے برابر پیدا ہوئے ہیں۔",
    "Vietnamese": "Tất cả mọi người sinh ra đều được tự do và bình đẳng về nhân phẩm và quyền.",
}
LINE_ENDS = ["\n", "\r", "\r\n", "\u2028", "\u2029", "\u0085", "\v", "\f", "\x1c", "\x1d", "\x1e"]


@pytest.mark.parametrize("name", list(TEXTS))
@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (b"", "utf-8"),
        (codecs.BOM_UTF8, "utf-8"),
        (b"", "utf-16-le"),
        (b"", "utf-16-be"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
    ],
)
def test_encodings_are_recognised(name: str, mark: bytes, encoding: str) -> None:
    assert decoded(mark + TEXTS[name].encode(encoding), "x") == TEXTS[name]


@pytest.mark.parametrize("language", list(SENTENCES))
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
def test_every_script_is_recognised_without_a_mark(language: str, encoding: str) -> None:
    sentence = SENTENCES[language]
    for text in (f"{sentence}\n", f"{sentence}\r\n" * 20, "\n".join(sentence.split()) + "\n"):
        assert decoded(text.encode(encoding), "x") == text.replace("\r\n", "\n")


@pytest.mark.parametrize(
    "text",
    [
        "1\t2\t3\n4\t5\t6\n" * 30,  # as UTF-16, this is Devanagari and Gurmukhi
        "x\ty\t" * 50,
        "r\ns\nt\n" * 50,
        "\tz" * 99,
        "1 2 3 4 5 6 7 8\n" * 30,
        "a b c d\n" * 9,
        "\n\n\n\n",
        "    \n" * 8,
        "\x1b[1m" * 20,
        *SENTENCES.values(),
    ],
)
def test_utf_8_is_not_taken_for_utf_16(text: str) -> None:
    for begin in ("", " "):
        assert decoded((begin + text).encode(), "x") == begin + text


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "cp1251", "koi8-r", "shift-jis", "gb18030", "euc-kr"])
def test_other_encodings_are_refused(encoding: str) -> None:
    refused = 0
    for text in SENTENCES.values():
        try:
            data = text.encode(encoding)
        except UnicodeEncodeError:
            continue
        for begin in (b"", b" "):
            if not data.isascii():
                with pytest.raises(TaskError, match=r"is not UTF-8 \(byte \d+\); convert it"):
                    decoded(begin + data, "x")
                refused += 1
    assert refused


@pytest.mark.parametrize("kind", ["<i2", ">i2", "<u2", "<i4", ">i4", "<f4", "<f8", "u1"])
def test_arrays_of_numbers_are_refused(kind: str) -> None:
    rng = np.random.default_rng(0)
    for most in (3, 100, 500, 20_000):
        numbers = (rng.normal(size=500) * most).astype(kind if kind[1] == "f" else "i8").astype(kind)
        with pytest.raises(TaskError, match=r"is not UTF-8|is no text"):
            decoded(numbers.tobytes(), "x")


@pytest.mark.parametrize("end", LINE_ENDS)
def test_every_line_end_is_one(end: str) -> None:
    text = decoded(f"the dog{end}a cat{end}".encode(), "x")
    assert text == LATIN
    assert list(sentences(text)) == ["the", "dog", "<eos>", "a", "cat", "<eos>"] == list(tokenized(text))


@settings(deadline=None)
@given(st.lists(st.sampled_from(["a", "b b", " ", "é", *LINE_ENDS])).map("".join))
def test_lines_are_those_of_python(text: str) -> None:
    assert decoded(text.encode(), "x").split("\n") == [
        *text.splitlines(),
        *([""] if text[-1:] in ("", *LINE_ENDS) else []),
    ]


def test_marks_between_joined_texts_are_left_out() -> None:
    assert decoded(codecs.BOM_UTF8 + b"the dog\n" + codecs.BOM_UTF8 + b"a cat\n", "x") == LATIN


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (
            LATIN.encode() + bytes(64),
            r"'x' is no text: it has NUL \(character 14\); remove it, or give the text itself",
        ),
        (LATIN.encode() * 9 + b"\0", r"'x' is no text: it has NUL \(character 126\)"),
        (b"the dog\na cats\n\0", r"'x' is no text: it has NUL \(character 15\)"),
        (b"\0" + LATIN.encode() + b"\0", "is no text: it has NUL"),
        (b"the\0dog\0a\0cat\0", "is no text: it has NUL"),  # texts of C
        (bytes(range(256)) * 4, r"is not UTF-8 \(byte 128\); convert it|is no text"),
        (b"\1\2\3\4 words" * 30, r"is no text: it has 120 control characters; give the text itself"),
        ("café au lait".encode("latin-1"), r"'x' is not UTF-8 \(byte 3\); convert it"),
        (codecs.BOM_UTF16_LE + b"a\0b", r"'x' is not UTF-16 \(byte 4\); convert it"),
        (codecs.BOM_UTF16_LE + "a\0b".encode("utf-16-le"), r"is no text: it has NUL \(character 2\)"),
        (LATIN.encode("utf-32-le"), "is no text: it has NUL"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "is not UTF-8"),
        (b"PK\3\4\x14\0\0\0\x08\0", "is no text: it has NUL"),
    ],
)
def test_what_is_no_text_is_refused(data: bytes, what: str) -> None:
    with pytest.raises(TaskError, match=what) as caught:
        decoded(data, "'x'")
    assert "\n" not in str(caught.value)


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=60))
def test_arbitrary_bytes_are_text_without_nul_or_an_error(data: bytes) -> None:
    try:
        text = decoded(data, "x")
    except TaskError:
        return
    assert "\0" not in text
    assert "\r" not in text


def test_colours_of_a_terminal_are_text() -> None:
    assert decoded(b"\x1b[31mred\x1b[0m dog\n" * 9, "x") == "\x1b[31mred\x1b[0m dog\n" * 9


def test_gzip_is_unpacked_whatever_the_name_and_within_bounds() -> None:
    data = LATIN.encode() * 9
    assert unpacked(data, 1000, "x") == data
    assert unpacked(gzip.compress(data), 1000, "x") == data
    assert unpacked(gzip.compress(data) + gzip.compress(data), 1000, "x") == data * 2  # as `cat` joins them
    assert unpacked(gzip.compress(bytes(1000)), 1000, "x") == bytes(1000)
    with pytest.raises(TaskError, match="'x' has more than 1,000 bytes after decompression; cut it"):
        unpacked(gzip.compress(bytes(1_000_000)), 1000, "'x'")
    for damaged in (gzip.compress(data)[:-9], b"\x1f\x8bnothing at all", gzip.compress(data)[:20] + bytes(30)):
        with pytest.raises(TaskError, match=r"'x' is a damaged gzip file \(.*\); get it again"):
            unpacked(damaged, 1000, "'x'")
