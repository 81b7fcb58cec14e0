"""How the arguments of a call are shown to whoever decides about it."""

import pytest

from cli.terminal.call_arguments import lay_out_arguments, printable, printable_line


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        ('{"order": "4711 äö 😀", "amount": 150.5}', ['order: "4711 äö 😀"'.replace('"', ""), "amount: 150.5"]),
        ('{"text": "150", "flag": "true", "empty": "", "blank": " x"}',
         ['text: "150"', 'flag: "true"', 'empty: ""', 'blank: " x"']),
        ('{"none": null, "yes": true, "list": []}', ["none: null", "yes: true", "list: []"]),
        ('{"place": {"name": "Oslo"}}', ["place:", "  │ {", '  │   "name": "Oslo"', "  │ }"]),
        ("{}", ["(no arguments)"]),
        ("{", ["{"]),
        ("[1]", ["[1]"]),
        ('{"a: 1 b": 2}', ['"a: 1 b": 2']),
    ],
)  # fmt: skip
def test_each_argument_is_a_line(arguments: str, lines: list[str]) -> None:
    assert list(lay_out_arguments(arguments)) == lines


def test_a_text_of_several_lines_cannot_look_like_another_argument() -> None:
    lines = list(lay_out_arguments('{"message": "Hi\\namount: 5", "amount": 5000}'))

    assert lines == ["message:", "  │ Hi", "  │ amount: 5", "amount: 5000"]


def test_a_name_that_comes_twice_shows_the_text_of_the_model() -> None:
    text = '{"amount": 5, "amount": 5000}'
    assert list(lay_out_arguments(text)) == [text]


def test_nothing_is_hidden_or_moved_on_the_screen() -> None:
    hidden = "a\x1b[2K\rb\u202ec\u200bd\u00a0e"

    assert printable(hidden) == "a\\u001b[2K\\rb\\u202ec\\u200bd\\u00a0e"
    assert list(lay_out_arguments('{"x\\u001b": "\\u202e5"}')) == ['"x\\u001b": \\u202e5']
    assert printable_line("a\nb") == "a\\nb"


def test_deep_nesting_is_shown_as_it_is() -> None:
    text = '{"a":' * 100_000
    assert list(lay_out_arguments(text)) == [text]
