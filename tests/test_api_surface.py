"""The public names and commands are those in api_surface.json; who changes one changes the list in the same commit."""

import inspect
import json
from pathlib import Path

import pytest

import unpool
from unpool.cli.main import COMMANDS

LISTED = json.loads(Path(__file__).with_name("api_surface.json").read_text())


def test_public_names_are_the_listed_ones():
    assert sorted(unpool.__all__) == LISTED["names"]
    assert dir(unpool) == LISTED["names"]


def test_commands_are_the_listed_ones():
    assert sorted(COMMANDS) == LISTED["commands"]


@pytest.mark.parametrize("name", LISTED["names"])
def test_every_name_is_there_and_says_what_it_is(name):
    value = getattr(unpool, name)
    if callable(value):
        assert inspect.getdoc(value)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'explian'"):
        unpool.explian  # noqa: B018
