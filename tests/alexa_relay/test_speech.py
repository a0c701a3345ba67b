"""What Alexa says of what is written for the eye."""

from time import process_time

import pytest

from custom_components.alexa_relay.speech import MAX_SPEECH, is_ssml, question, shorten, spoken, written

# Between two examples are two blanks.
NO_MARKDOWN = """\
- 5 °C  + 5 °C  ~5 °C  > 20 °C  >= 5  3 > 2  50 % - 60 %  5 < 6 & 7  $5  1986.  3. Oktober
2**10 = 1024  2**3 and 4**5  2*3*4  2*(3+4)*5  5 * 3 * 2  a*b*c  x**2 + y**2  a<b and c>d  a | b  f[0](5)  call foo()
Dial *21#  **21*0171234567#  **61*Nummer*11*20#  Er sagte: *21*5#  Dial *21# or * now  Dial *21** now
Press '*' or '*'  5* hotel and 4* hotel  The PIN is **** or ****1  #  #1  C#  AT&T  >_<  👍  【明日の予定】
[Anna]: Dinner is ready  [12:30]: Opened  [5]  [x] done  [1](2)  [^0-9]  Call <name> at 5
snake_case_names  foo_bar_ baz  _foo_bar _ baz  light.kitchen_1  /config/__pycache__/x  C:\\Users\\x  \\\\nas\\music
*.yaml and *.json  **/*.py and **/*.js  ~/a and ~/b""".replace("\n", "  ").split("  ")

# Kept where there is nothing else to say.
ALONE = ["https://example.com/a_b_c?d=*e*", "http://192.168.1.5:8123", "___", "![](http://a.b/c.png)", "```"]

MARKDOWN = {
    "# Weather\nSunny\n\nTomorrow\n---\nRain": "Weather.\nSunny.\nTomorrow.\nRain",
    "**Note: **Text *i* __b__ _i_ ***a*** ~~no~~ **Haupt**bahnhof **21**st": "Note: Text i b i a no Hauptbahnhof 21st",
    "**「玄関」**は**重要**です。 و**الباب** مفتوح। **दरवाज़ा** **👍**": "「玄関」は重要です。 والباب مفتوح। दरवाज़ा 👍",
    "- Milk\n- Eggs!\n  - six\n\nDone": "Milk.\nEggs!\nsix\nDone",
    "- 料理\n- 買い物": "料理。\n買い物",
    "1. Mix\n2. Bake\n\n- [ ] Milk\n- [x] Eggs": "1. Mix.\n2. Bake.\nMilk.\nEggs",
    "| Room | Temp |\n|:--|--:|\n| Bath | **22** °C |\n| Hall | |": "Room, Temp.\nBath, 22 °C.\nHall",
    "`light.a_b*c* <p>` is on": "light.a_b*c* <p> is on",
    "```yaml\na: 1\n```": "a: 1",
    "``` Hello there": "Hello there",
    "[docs](https://a.b/c) [](https://a.b) ![cat](c.png) ![](d.gif) ![](e.jpeg) [f](g.html)": "docs a.b cat f",
    "See <https://a.b/c_d_e>, www.a.b/c. Or http://me:key@d-e.f:80/g.h/?i=1&j=~2#k!": "See a.b, www.a.b. Or d-e.f:80!",
    "[the docs][1] say so [1]. ([1])\n\n[1]: https://a.b/c": "the docs say so.",
    "So ([1](http://a.b), [2](http://a.b))【4:0†source】.": "So.",
    "It is[^1] so[^2].\n\n[^1]: He says.\n[^2]: http://a.b": "It is so.\nHe says.",
    "<b>on</b><br>H<sub>2</sub>O<!-- no -->": "on\nH2O",
    "5 &lt; 6 &amp; 7&nbsp;&#42; \\*not\\* snake\\_case": "5 < 6 & 7\u00a0* *not* snake_case",
    "one  \ntwo\\\nthree\n***\n> four\n> five": "one\ntwo\nthree\nfour\nfive",
}

THOUGHTS = {
    "<THINKING>*Hm.* a</THINKING>\n\nYes<think>b</think>.": "Yes.",
    "Hm.\n</think>\nHm.</think>Yes.": "Yes.",
    "Yes. <think>Hm": "Yes.",
    "<think>Yes.": "Yes.",
    "Write `<think>` and `</think>` here.": "Write `<think>` and `</think>` here.",
}

ABBREVIATED = "Is it Dr. A, Fr. B, Hr. C, Mrs. D, Sra. E, Mme. F, (Prof. G), z. B. Nr. 5 on the 3. or 12. Mai, ca. 5?"

QUESTIONS = {
    "No. **Shall I wait?**": "Shall I wait?",
    "ठीक है। क्या आप इंतज़ार करेंगे?": "क्या आप इंतज़ार करेंगे?",
    "はい。待ちますか？（はい/いいえ）": "待ちますか？（はい/いいえ）",
    "はい。「待ちますか」。": "「待ちますか」。",
    "Done.\nWait? (yes/no) 😀": "Wait? (yes/no) 😀",
    f"Done. {ABBREVIATED}": ABBREVIATED,
    "It is A! Is it approx. five, or USB*3?": "Is it approx. five, or USB*3?",
    "Wait? Or not.": None,
    "The question (is it one?) is closed.": None,
    "まさか、行きますか、と。": None,
}


@pytest.mark.parametrize("text", NO_MARKDOWN)
def test_keeps_what_is_no_markdown(text: str) -> None:
    assert spoken(text) == text
    assert spoken(f"**So:**\n\n{text}\n\n* yes\n* no").startswith(f"So:\n{text}")


@pytest.mark.parametrize("text", ALONE)
def test_never_says_nothing(text: str) -> None:
    assert spoken(text) == text


@pytest.mark.parametrize(("markdown", "words"), MARKDOWN.items())
def test_speaks_markdown(markdown: str, words: str) -> None:
    assert spoken(markdown) == words


@pytest.mark.parametrize(("text", "answer"), THOUGHTS.items())
def test_leaves_thoughts_out(text: str, answer: str) -> None:
    assert written(text) == answer


@pytest.mark.parametrize(("text", "last_sentence"), QUESTIONS.items())
def test_finds_the_question(text: str, last_sentence: str | None) -> None:
    assert question(text) == last_sentence


@pytest.mark.parametrize("mark", "?？؟՞፧⁇⁈⁉‽❓❔")
def test_knows_the_question_marks_of_all_scripts(mark: str) -> None:
    assert question(f"Done. Shall I wait{mark}") == f"Shall I wait{mark}"


@pytest.mark.parametrize("mark", "\"'”’»›)]}」』）】")
def test_knows_what_closes_a_sentence(mark: str) -> None:
    assert question(f"Done.{mark} Shall I wait?{mark}") == f"Shall I wait?{mark}"
    assert spoken(f"# Done.{mark}\nNext") == f"Done.{mark}\nNext"


@pytest.mark.parametrize("sentence", ["It is 3.5 °C (so). ", "Ist es an?\n", "はい。", "हाँ। ", "نعم؟ "])
def test_ends_with_a_sentence(sentence: str) -> None:
    text = spoken(sentence * 3000)
    assert MAX_SPEECH - 20 < len(text) <= MAX_SPEECH
    assert text.endswith(spoken(sentence))


def test_shortens_what_has_no_sentences() -> None:
    assert shorten("one two three", 9) == "one two"
    assert shorten("It is 3.5 °C.", 9) == "It is 3.5"
    assert shorten("onetwothree", 9) == "onetwothr"


INLINE = "a abbr b big cite code del em font i ins kbd mark q samp small span strike strong sub sup tt u var"
BLOCK = "blockquote center dd details div dl dt h1 li ol p pre summary table tbody td tfoot th thead tr ul"
TAGS = "alexa:name amazon:effect audio break emphasis lang p phoneme prosody s say-as speak sub voice w"


@pytest.mark.parametrize("tag", TAGS.split())
def test_knows_ssml(tag: str) -> None:
    assert is_ssml(f"Hi, <{tag} a='1' b-c=\"2\"/> you")
    assert is_ssml(f" <{tag}>Hi</{tag}>")
    assert spoken(f"<{tag} a='1'>Hi</{tag}>") == "Hi"


@pytest.mark.parametrize("text", ["5 < 6 & 7?", "Is it <b>on</b>?", "5 <s and 6> 7?", "<speaker>"])
def test_knows_what_is_not_ssml(text: str) -> None:
    assert not is_ssml(text)


@pytest.mark.parametrize("tag", [*INLINE.split(), *BLOCK.split()])
def test_leaves_html_out(tag: str) -> None:
    assert spoken(f"<{tag.upper()} id='a'>on</{tag}>off") == ("onoff" if tag in INLINE.split() else "on\noff")


SIGNS = [*" *_`~[<>-&#|(\\\n", "- a\n", "**a ", "[a](", "[a][", "![", "<!--", "<?", "<think>", "か。"]


@pytest.mark.parametrize("sign", SIGNS)
def test_takes_no_long_time(sign: str) -> None:
    start = process_time()  # Home Assistant waits meanwhile.
    for text in (sign * 10_000, f"a{sign * 100_000}a"):
        question(spoken(text))
        is_ssml(text)
    assert process_time() - start < 5  # seconds: 0.5, or 2 where garbage is collected in a large process


def test_keeps_what_is_nested_too_deeply() -> None:
    assert "Hello" in spoken(f"{'> ' * 100}Hello")
