"""Whatever a file or an argument holds: success or a sentence, soon, and in little memory."""

from __future__ import annotations

import os
import random
import re
import resource
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from test_explain import EVERYTHING
from zoo import EACH_NETWORK

import archcalc
from archcalc import analyze
from archcalc.analysis import Analysis
from archcalc.analysis.figures import PUBLISHED
from archcalc.api import analyze_all, check_printed, reproduce
from archcalc.errors import ArchcalcError, SpecError
from archcalc.published.literature import of_path
from archcalc.published.printed import CONVENTIONS, QUOTED
from archcalc.published.verdicts import UNEXPLAINED, UNFOUNDED
from archcalc.report import explanations, verdicts
from archcalc.report.columns import COLUMNS
from archcalc.report.model import as_text
from archcalc.report.table import tabulate
from archcalc.spec import library
from archcalc.spec.expansion import expand

if TYPE_CHECKING:
    from collections.abc import Callable

# Mutations of good specs.

SPECS = {path.name: path for path in sorted(Path(library.shipped()).glob("*.yaml"))}

# What takes the place of a word or a number.
TOKENS = [
    "0", "-1", "1", "2", "3", "7", "1.5", "1e9", "10**12", "9**9**9", "true", "no", "null", "~",
    "''", "[]", "{}", "[1, 2]", "[[1]]", "{a: 1}", "x", "channels", "height", "width", "input",
    "required", "same", "same_tf", "valid", "int(x)", "range(5)", "1/0", "-(1)", "'a' + 1", "&a 1",
    "*a", "!!python/name:os.system", "!x", "|", ">", "#", "- ", "? ", ": ", "\t", "\x85", "é", "卷",
    "{x}", "{i + 1}", "a/b", "a.b", "conv", "relu", "add", "concat", "repeat", "when", "for",
    "maxpool", "maxunpool", "convtranspose", "flatten", "linear", "split", "slice", "multiply",
    "upsample", "globalavgpool", "from", "weights", "switches", "name", "layers", "outputs",
    "variants", "settings", "blocks", "tables", "inf", ".nan", "0x10", "0o17", "1_000", "<<",
]  # fmt: skip


def drop_line(lines: list[str], pick: random.Random) -> None:
    del lines[pick.randrange(len(lines))]


def double_line(lines: list[str], pick: random.Random) -> None:
    at = pick.randrange(len(lines))
    lines.insert(pick.randrange(len(lines)), lines[at])


def swap_lines(lines: list[str], pick: random.Random) -> None:
    a, b = pick.randrange(len(lines)), pick.randrange(len(lines))
    lines[a], lines[b] = lines[b], lines[a]


def indent_line(lines: list[str], pick: random.Random) -> None:
    at = pick.randrange(len(lines))
    lines[at] = pick.choice(["", " ", "  ", "    ", "- ", "\t"]) + lines[at].lstrip()


def replace_token(lines: list[str], pick: random.Random) -> None:
    at = pick.randrange(len(lines))
    words = list(re.finditer(r"[\w.]+|[^\w\s]", lines[at]))
    if words:
        start, end = pick.choice(words).span()
        lines[at] = lines[at][:start] + pick.choice(TOKENS) + lines[at][end:]


def replace_number(lines: list[str], pick: random.Random) -> None:
    at = pick.randrange(len(lines))
    numbers = list(re.finditer(r"\d+", lines[at]))
    if numbers:
        start, end = pick.choice(numbers).span()
        value = pick.choice(["0", "1", "2", "3", "5", "64", "1000", "999999999", "-3", "2.5"])
        lines[at] = lines[at][:start] + value + lines[at][end:]


def replace_sign(lines: list[str], pick: random.Random) -> None:
    at = pick.randrange(len(lines))
    if lines[at]:
        place = pick.randrange(len(lines[at]))
        sign = pick.choice("{}[],:#&*!|>'\"%@`-?\\ \n\x00\x1b\ufeff\ud7ff")
        lines[at] = lines[at][:place] + sign + lines[at][place + 1 :]


def cut_off(lines: list[str], pick: random.Random) -> None:
    del lines[pick.randint(1, len(lines)) :]


MUTATIONS: list[Callable[[list[str], random.Random], None]] = [
    drop_line, double_line, swap_lines, indent_line, replace_token, replace_token, replace_token,
    replace_number, replace_number, replace_sign, cut_off,
]  # fmt: skip


def mutated(text: str, pick: random.Random) -> str:
    lines = text.splitlines()
    for _ in range(pick.choice([1, 1, 1, 2, 3])):
        pick.choice(MUTATIONS)(lines, pick)
        if not lines:
            break
    return "\n".join(lines) + "\n"


def look_at(text: str, derivations: str) -> bool:
    """Everything that is done with a spec, derivations in one format; whether it is accepted."""
    try:
        for spec in library.variants(library.parse(text, "mutated.yaml"))[:2]:
            graph = expand(spec)
            if len(graph.nodes) > 400:
                continue
            analysis = Analysis(graph)
            for name in ("terminal", "json", "latex"):
                as_text(tabulate(analysis, fold=name == "latex"), name)
            explain_all(analysis, derivations)
    except ArchcalcError as error:
        said = str(error)
        assert said
        assert all(sign.isprintable() or sign == "\n" for sign in said), ascii(said)
        return False
    return True


def explain_all(analysis: Analysis, format_name: str) -> None:
    from archcalc.analysis.explain import explain

    explanations.as_text(explain(analysis), format_name)
    explanations.as_text(explain(analysis, analysis.layers[-1].name), "markdown")


@pytest.mark.parametrize("name", [*SPECS, "everything"])
def test_mutated_specs_are_looked_at_or_refused(name: str) -> None:
    accepted_of(name, range(2))


@pytest.mark.slow
@pytest.mark.parametrize("name", [*SPECS, "everything"])
def test_mutated_specs_are_accepted_or_refused(name: str) -> None:
    assert 0 < accepted_of(name, range(2, 22)) < 20  # else they are too mild, or too wild


def accepted_of(name: str, numbers: range) -> int:
    """How many of a spec's mutations of these numbers are accepted."""
    text = EVERYTHING if name == "everything" else SPECS[name].read_text("utf-8")
    accepted = 0
    for number in numbers:
        pick = random.Random(f"{name}/{number}")
        case = mutated(text, pick)
        try:
            accepted += look_at(case, ("terminal", "latex")[number % 2])
        except Exception as error:
            raise AssertionError(f"mutation {name}/{number}:\n{case}") from error
    return accepted


VALUES: list[Any] = [
    0, 1, -1, 2, 10**6, 10**18, 10**30, 0.5, 0.001, 1e-300, 1e300, float("inf"), float("nan"), True,
    None, "", "x", "B", "none", [], [1], [0, 0, 0, 0], [1, 2, 3, 4], [[1]], ["x"] * 4, "9**9",
    "\x1b[31m", {}, {"a": 1}, object(), b"x", (1, 2), [None],
]  # fmt: skip


@pytest.mark.parametrize("network", EACH_NETWORK)
def test_settings_of_every_sort(network: str) -> None:
    spec = archcalc.load(network)
    for name in spec.settings:
        for value in VALUES:
            with suppress(ArchcalcError):
                analysis = analyze(spec, settings={name: value})
                assert analysis.totals.params >= 0


WORDS = [
    "", "@", "#", "=", "alpha=", "alpha=[", "alpha=]", "alpha=[]", "alpha=[[1]]", "alpha={}",
    "alpha=[1,{a: 1}]", "alpha=1e400", "alpha=--1", "alpha=0x", "alpha=&a", "alpha=*a",
    "alpha=!!x 1", "alpha=[1", "alpha='", 'alpha="', "alpha=\n", "resolution=1", "resolution=31",
    "resolution=1e3",
    "a" * 5000, "alpha=" + "9" * 5000, "alpha=[" * 500, "alpha=1,alpha=2", ",", "alpha=1,", "=,=",
]  # fmt: skip


@pytest.mark.parametrize("form", ["{}", "mobilenet@{}"])
@pytest.mark.parametrize("word", WORDS)
def test_requests_of_every_sort(word: str, form: str) -> None:
    check_request(form.format(word))


@pytest.mark.slow
@pytest.mark.parametrize("form", ["mobilenet#{0}", "{0}@{0}"])
@pytest.mark.parametrize("word", WORDS)
def test_more_requests_of_every_sort(word: str, form: str) -> None:
    check_request(form.format(word))


def check_request(asked: str) -> None:
    """It is analyzed, or refused in few words."""
    refusal = ""
    try:
        analyze_all(asked)
    except ArchcalcError as error:
        refusal = str(error)
    assert len(refusal) < 1000


def test_columns_and_keys_of_every_sort() -> None:
    analysis = analyze("lenet5")
    for key in ["", " ", "all", "paper", "NAME", "params ", "__class__", "x" * 10_000, *COLUMNS]:
        for options in ({"columns": [key]}, {"sort": key}, {"columns": [key, key]}):
            refusal = ""
            try:
                as_text(tabulate(analysis, **options), "markdown")
            except ArchcalcError as error:
                refusal = str(error)
            assert len(refusal) < 1500


# Claims and printed figures: what `validate` accepts can be judged.

JUDGED = """
name: j
settings: {{n: 3, flag: true}}
input: [1, 4, 4]
layers:
  - conv: {{name: r, out: n, kernel: 1}}
  - add:
      name: s
      body: [conv: {{out: n, kernel: [3, 1], padding: [1, 0]}}]
      shortcut: []
  - flatten
  - softmax: {{name: v}}
published:
  - source: t
    convention: [{convention}]
    of: "{network}"
    network: {{top1: 70%}}
    layers: {{{layer}: {{{figure}: {printed}}}}}
claims:
  - source: t
    of: j
    where: {{{where}}}
    is: "{relation}"
    printed: {value}
"""
NUMBERS = ["1", "0", "-3", "2.5", "10**18", "p", "q", "true", "'a'", "[1, 2]", "[]", "[p, [q]]"]
RELATIONS = [
    "{}", "{} + {}", "{} - {}", "{} * {}", "{} / {}", "{} // {}", "{} % {}", "{} ** {}", "{} < {}",
    "{} == {}", "{} in {}", "{} if {} else 1", "range({})", "sum(range({}))", "{}[{}]", "len({})",
    "max({}, {})", "round({})", "int({})", "not {}", "{} and {}", "-{}", "{} p", "(", "height", "x",
]  # fmt: skip
PRINTED = [
    "5", "5%", "~4", "<5", ">0", "1/8", "1/0", "1..2", "2..1", "1e99", "true", "3x3", "1e-99", "0",
    "many", "null", "[1]", "{printed: 5, why: x}", "{printed: 0, convention: 1024s}", "-3.5M",
]  # fmt: skip
LAYERS = ["r", "s", "s/body/conv1", "v", "flatten1", "S", "x", "''"]


def judged_text(pick: random.Random) -> str:
    def relation(depth: int) -> str:
        if depth == 0:
            return pick.choice(NUMBERS + ["p", "q"] * 40)  # a relation must have letters
        shape = pick.choice(RELATIONS)
        return shape.format(*(relation(pick.randrange(depth)) for _ in range(shape.count("{}"))))

    layer, said = pick.choice(LAYERS[:5] * 10 + LAYERS), relation(pick.randrange(3))
    figures = ["params"] * 40 + [*PUBLISHED, *QUOTED, "parms"]
    networks = ["j"] * 40 + ["j@n=2", "j@n=0", "j@flag=3", "j@", "lenet5", "nonesuch", "''"]
    network, figure, other = pick.choice(networks), pick.choice(figures), pick.choice(figures)
    letters = {"p": f"{network} {layer} {figure}", "q": f"j {other}"}
    used = [letter for letter in letters if re.search(rf"\b{letter}\b", said)]
    return JUDGED.format(
        convention=pick.choice([*CONVENTIONS, "x"]) if pick.random() < 0.3 else "",
        network=network,
        layer=layer,
        figure=figure,
        where=", ".join(f"{letter}: {letters[letter]}" for letter in used),
        printed=pick.choice(PRINTED[:10] + PRINTED),
        relation=said,
        value=pick.choice(PRINTED[:10] * 2 + PRINTED[:12]),
    )


def test_what_validate_accepts_can_be_judged(tmp_path: Path) -> None:
    judge_numbers(range(30), tmp_path)


@pytest.mark.slow
def test_more_that_validate_accepts_can_be_judged(tmp_path: Path) -> None:
    assert judge_numbers(range(30, 1700), tmp_path) > 100


def judge_numbers(numbers: range, folder: Path) -> int:
    """How many of the texts of these numbers are accepted; each is judged, or refused twice."""
    path, accepted = folder / "j.yaml", 0
    for number in numbers:
        text = judged_text(random.Random(number))
        path.write_text(text)
        try:
            refused = is_refused(lambda: check_printed(of_path(str(path))))
            assert is_refused(lambda: judge(path)) is refused
        except Exception as error:
            raise AssertionError(f"claim {number}:\n{text}") from error
        accepted += not refused
    return accepted


def judge(path: Path) -> None:
    """Judge the figures, and refuse what is no matter of reasons, as `validate` does."""
    found = {"j": reproduce(str(path))}
    for one in found["j"]:
        if one.problem and one.problem not in (UNEXPLAINED, UNFOUNDED):
            raise SpecError(one.problem, place=one.place)
    for name in ("terminal", "json"):
        as_text(verdicts.report(found), name)


def is_refused(action: Callable[[], object]) -> bool:
    try:
        action()
    except SpecError as error:
        said = str(error)
    else:
        return False
    assert ".yaml:" in said  # it says where
    return True


# Hostile files, each in a process of its own with 1 GiB of address space.

MEMORY = 2**30
PATIENCE = 60  # seconds; an idle machine needs a few for the worst of them

HEAD = "input: [1, 32, 32]\n"
BOMB = "".join(f"a{i + 1}: &a{i + 1} [{', '.join([f'*a{i}'] * 10)}]\n" for i in range(12))
DOUBLING = "".join(
    f"  b{i}: {{layers: [b{i - 1}, b{i - 1}]}}\n" if i else "  b0: {layers: [relu, relu]}\n"
    for i in range(60)
)
NESTED = "repeat: {times: 1000, layers: ["
DEEP_BLOCKS = "".join(f"  c{i}: {{layers: [c{i + 1}]}}\n" for i in range(5000))
WIDE = "- conv: {out: 1, kernel: 1}\n"

HOSTILE: dict[str, str | bytes] = {
    "nothing": b"",
    "blanks": b" \n\n  \n",
    "a comment": b"# nothing\n",
    "bytes": bytes(range(256)) * 100,
    "zeros": b"\0" * 1_000_000,
    "not UTF-8": b"input: [1]\nlayers: [\xff\xfe]\n",
    "UTF-16": (HEAD + "layers: [relu]\n").encode("utf-16"),
    "a scalar": b"42\n",
    "a list": b"[1, 2]\n",
    "two documents": HEAD + "layers: [relu]\n---\n" + HEAD,
    "a tower of powers": HEAD + "layers: [conv: {out: 9**9**9, kernel: 3}]\n",
    "another tower": HEAD + "layers: [conv: {out: 9**(9**(9**9)), kernel: 3}]\n",
    "a long product": HEAD + f"layers: [conv: {{out: {'*'.join(['9'] * 200)}, kernel: 3}}]\n",
    "a long number": HEAD + f"layers: [conv: {{out: {'9' * 100_000}, kernel: 3}}]\n",
    "a long text": HEAD + f"layers: [conv: {{out: \"{'9' * 1_000_000}\", kernel: 3}}]\n",
    "many parentheses": HEAD + f"layers: [conv: {{out: {'(' * 10_000}1{')' * 10_000}}}]\n",
    "many signs": HEAD + f"layers: [conv: {{out: {'-' * 10_000}1, kernel: 1}}]\n",
    "many nots": HEAD + f"layers: [relu: {{when: {'not ' * 10_000}true}}]\n",
    "open brackets": "[" * 200_000,
    "open braces": "{a: " * 200_000,
    "deep lists": HEAD + "layers: " + "[" * 5000 + "]" * 5000,
    "deep indentation": "".join(" " * i + "a:\n" for i in range(1500)),
    "dashes": "- " * 200_000,
    "question marks": "? " * 100_000,
    "a bomb of aliases": "a0: &a0 [x]\n" + BOMB + "input: *a12\nlayers: *a12\n",
    "a bomb in layers": HEAD + "layers:\n- &r relu\n" + "- *r\n" * 400_000,
    "an alias of itself": HEAD + "layers: &a [*a]\n",
    "a merge key": HEAD + "x: &x {a: 1}\n<<: *x\nlayers: [relu]\n",
    "a Python object": HEAD + "layers: [!!python/object/apply:os.system ['touch owned']]\n",
    "a Python name": HEAD + "layers: !!python/name:os.system\n",
    "a trillion layers": HEAD + "layers: [repeat: {times: 10**12, layers: [relu]}]\n",
    "an empty trillion": HEAD + "layers: [relu, repeat: {times: 10**12, layers: []}]\n",
    "nested repeats": HEAD + f"layers: [{NESTED * 8}relu{']}' * 8}]\n",
    "nested empty repeats": HEAD + f"layers: [relu, {NESTED * 8}{']}' * 8}]\n",
    "doubling blocks": HEAD + f"blocks:\n{DOUBLING}layers: [b59]\n",
    "doubling nothing": HEAD
    + f"blocks:\n{DOUBLING.replace('[relu, relu]', '[]')}layers: [relu, b59]\n",
    "blocks in blocks": HEAD + f"blocks:\n{DEEP_BLOCKS}  c5000: {{layers: [relu]}}\nlayers: [c0]\n",
    "a block in itself": HEAD + "blocks: {b: {layers: [b]}}\nlayers: [b]\n",
    "blocks in a ring": HEAD
    + "blocks: {a: {layers: [b]}, b: {layers: [c]}, c: {layers: [a]}}\nlayers: [a]\n",
    "a long loop": HEAD
    + "layers: [for: {each: {x: range(1000), y: range(1000)}, layers: [for: {each: "
    "{z: range(1000)}, layers: [for: {each: {w: range(1000)}, layers: [relu]}]}]}]\n",
    "costly expressions": HEAD
    + "layers: [repeat: {times: 150000, index: i, layers: [relu: {when: i + "
    + " + ".join(["sum(range(1000))"] * 20)
    + " > 0}]}]\n",
    "costly lists": HEAD
    + f"settings: {{x: [{', '.join(['1'] * 1000)}]}}\n"
    + "layers: [repeat: {times: 190000, layers: [relu: {when: max(x) + max(x) + max(x) > 0}]}]\n",
    "two million layers": HEAD + "layers:\n" + "- relu\n" * 2_000_000,
    "too many layers": HEAD + "layers:\n" + "- relu\n" * 250_000,
    "seventeen megabytes": "#" * (17 * 2**20),
    "a wide join": HEAD
    + "layers: [concat: {" + ", ".join(f"b{i}: []" for i in range(150_000)) + "}]\n",
    "many wide joins": HEAD
    + "layers: [relu: {name: r}, repeat: {times: 2000, layers: [add: {from: ["
    + ", ".join(["r"] * 5000)
    + "]}]}]\n",
    "many parts": HEAD.replace("[1,", "[10000,")
    + "layers: [repeat: {times: 50000, layers: [split: {parts: 10000}, concat: "
    + "{from: [split1.0]}]}]\n",
    "large sizes": "input: [1000000000, 1000000000, 1000000000]\n"
     "layers: [repeat: {times: 30, layers: [upsample: {scale: 1000000000}]}]\n",
    "a large kernel": HEAD + "layers: [conv: {out: 1, kernel: 1000000000}]\n",
    "many axes": f"input: [1, {', '.join(['9'] * 100)}]\nlayers: [relu]\n",
    "a long name": HEAD + f"layers: [relu: {{name: {'n' * 1_000_000}}}]\n",
    "a growing name": HEAD
    + "blocks: {b: {arguments: {w: required}, layers: [relu: {name: 'a{w}'}]}}\n"
    + f"layers: [b: {{w: {'x' * 100_000}}}]\n",
    "many errors": HEAD + "layers:\n" + "- rleu: {x: 1}\n" * 20_000,
    "many keys": HEAD + "layers: [relu]\n" + "".join(f"k{i}: 1\n" for i in range(100_000)),
    "many settings": HEAD
    + "settings: {" + ", ".join(f"s{i}: {i}" for i in range(50_000)) + "}\n"
    + "layers: [repeat: {times: 150000, index: i, layers: [relu: {when: i >= s1}]}, rleu]\n",
    "an unused layer": HEAD + "layers:\n" + WIDE * 1000 + "- relu: {from: conv1}\n",
    "names that don't exist": HEAD
    + "layers: [repeat: {times: 50000, layers: [relu]}, add: {from: [relu1, relx]}]\n",
}  # fmt: skip


def limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def confined(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    root = os.path.dirname(os.path.dirname(os.path.abspath(library.__file__)))
    paths = [os.path.dirname(root), os.environ.get("PYTHONPATH", "")]
    return subprocess.run(
        [sys.executable, "-m", "archcalc", *arguments],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=PATIENCE,
        preexec_fn=limit,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        check=False,
    )


def written(folder: Path, name: str) -> Path:
    content = HOSTILE[name]
    path = folder / f"{name.replace(' ', '-')}.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


# What takes more than a second to refuse, as it is large in itself.
HEAVY = {
    "doubling nothing", "costly lists", "costly expressions", "many wide joins", "a bomb in layers",
    "two million layers", "too many layers", "a wide join", "many keys",
}  # fmt: skip


def test_hostile_files_are_refused_one_after_another(tmp_path: Path) -> None:
    names = [written(tmp_path, name).name for name in HOSTILE if name not in HEAVY]
    ran = confined("validate", *names, cwd=tmp_path)
    assert ran.returncode == 2, ran.stderr[-2000:]
    assert ran.stdout == ""
    lines = ran.stderr.splitlines()
    assert all(line.startswith("error: ") for line in lines), ran.stderr[-2000:]
    told = {line.removeprefix("error: ").split(":")[0] for line in lines}
    assert told == set(names)
    assert max(map(len, lines)) < 1000
    assert len(lines) < 50 + 2 * len(names)
    assert sorted(os.listdir(tmp_path)) == sorted(names)


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, name)
    ran = confined("table", path.name, "--depth", "1", "-o", "out.csv", cwd=tmp_path)
    assert ran.returncode == 2, ran.stderr[-2000:]
    assert ran.stdout == ""
    assert all(line.startswith("error: ") for line in ran.stderr.splitlines()), ran.stderr[-2000:]
    assert 0 < len(ran.stderr) < 20_000
    assert os.listdir(tmp_path) == [path.name]


# What is large but allowed.

LARGE = {
    "a hundred thousand layers": HEAD
    + "layers: [repeat: {times: 100000, layers: [conv: {out: 1, kernel: 3, padding: 1}]}]\n",
    "patterns that are long": "input: [1, 512]\n"
    "layers: [convtranspose: {out: 1, kernel: 1, stride: 4093}, "
    "repeat: {times: 5000, layers: [conv: {out: 1, kernel: 101, padding: 50}]}]\n",
    "figures that are long": "input: [999999999, 999999999, 999999999]\n"
    "layers: [conv: {out: 999999999, kernel: 999999999, padding: 999999999}]\n",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE)
def test_large_files_are_taken(tmp_path: Path, name: str) -> None:
    (tmp_path / "large.yaml").write_text(LARGE[name])
    ran = confined("table", "large.yaml", "-o", "out.csv", cwd=tmp_path)
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize(
    "arguments",
    [
        ["table", "/dev/zero"],
        ["table", "."],
        ["table", "/"],
        ["table", "mobilenet", "--set", "resolution=" + "9" * 4000],
        ["table", "mobilenet", "--set", "resolution=1e18"],
        ["table", "mobilenet", "--input", "x".join(["99999999999"] * 3)],
        ["table", "mobilenet", "--batch", "9" * 100],
        ["table", "mobilenet", "--batch", "9" * 5000],
        ["table", "lenet5", "--columns", ",".join(["zzz"] * 20_000)],
        ["list", "mobilenet@alpha=[" + ",".join(["1"] * 5000) + "]"],
        ["explain", "lenet5", "x" * 100_000],
        ["table", "x" * 100_000],
        ["table", "/".join(["x"] * 20_000)],
        ["validate", "\udcff.yaml"],
        ["table", "lenet5", "-o", "x" * 5000 + ".md"],
        ["table", "lenet5", "-o", "\udcff/a.md"],
        ["table", "\0"],
    ],
    ids=range(17),
)  # fmt: skip
def test_hostile_arguments_are_refused(tmp_path: Path, arguments: list[str]) -> None:
    if "\0" in arguments[-1]:  # no operating system passes it on, but the API may be given it
        with pytest.raises(ArchcalcError):
            analyze(arguments[-1])
        return
    ran = confined(*arguments, cwd=tmp_path)
    assert ran.returncode == 2, ran.stderr[-2000:]
    assert "Traceback" not in ran.stderr
    assert ran.stdout == ""
    assert os.listdir(tmp_path) == []
