"""Objects from tagged tables, and the pydantic sections of `pets.config`."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BeforeValidator, Field

from pets.config import build
from pets.config.sections import Section, known_tag, validate
from pets.errors import ConfigError, InvalidArgument, MissingExtra, PetsError


@dataclass(frozen=True)
class Noise:
    epsilon: float
    sites: int = 1

    def __post_init__(self):
        if self.epsilon <= 0:
            raise InvalidArgument("epsilon", "must be above 0", "Give more.")


def anything(first, /, *others, by, **rest):
    return (by, rest)


def no_extra(n=1):
    raise MissingExtra("tenseal", "he")


REGISTRY = {"noise": Noise, "anything": lambda by, **rest: (by, rest), "extra": no_extra}


def refused(data, path="mechanism") -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        build(REGISTRY, data, path)
    return caught.value


def test_builds():
    assert build(REGISTRY, {"type": "noise", "epsilon": 2}) == Noise(2)
    assert build(REGISTRY, {"type": "anything", "by": 1, "more": 2}) == (1, {"more": 2})


@pytest.mark.parametrize(
    ("data", "argument", "said"),
    [
        ([], "mechanism", "table"),
        ({}, "mechanism.type", "'noise'"),
        ({"type": 3}, "mechanism.type", "text"),
        ({"type": ["noise"]}, "mechanism.type", "text"),
        ({"type": "nois"}, "mechanism.type", "Did you mean 'noise'?"),
        ({"type": "noise"}, "mechanism.epsilon", "missing"),
        ({"type": "noise", "epsilon": 1, "site": 2}, "mechanism.site", "Did you mean 'sites'?"),
        ({"type": "noise", "epsilon": 1, "self": 2}, "mechanism.self", "parameter"),
        ({"type": "noise", "epsilon": 0}, "mechanism.epsilon", "Give more."),
        ({"type": "noise", "epsilon": "x"}, "mechanism", "TypeError"),
        ({"type": "noise", 3: 1}, "mechanism.key", "text"),
        ({"type": "\ud800" * 999}, "mechanism.type", "not known"),
    ],
)
def test_refusals_name_the_key(data, argument, said):
    error = refused(data)
    assert error.argument == argument
    assert said in str(error)
    str(error).encode()


def test_without_a_path():
    assert refused({"type": "noise"}, "").argument == "epsilon"
    assert refused(3, "").argument == "document"
    assert refused({"type": "noise", "epsilon": 0}, "").argument == "epsilon"


def test_other_errors_of_ours_pass_through():
    with pytest.raises(MissingExtra):
        build(REGISTRY, {"type": "extra"}, "aggregator")


def test_a_nested_section_adds_its_path():
    registry = {"outer": lambda inner: build(REGISTRY, inner, "inner")}
    with pytest.raises(ConfigError) as caught:
        build(registry, {"type": "outer", "inner": {"type": "noise", "epsilon": -1}}, "plan")
    assert caught.value.argument == "plan.inner.epsilon"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["type", "epsilon", "sites", "x"]), inner | st.just("noise"), max_size=4)
        ),
    )
)
def test_nothing_else_escapes(data):
    with suppress(PetsError):
        build(REGISTRY, data, "x")


class Circle(Section):
    type: Literal["circle"]
    radius: int


class Square(Section):
    type: Literal["square"]
    side: int
    square: int = 0


class Drawing(Section):
    shapes: dict[
        str, Annotated[Circle | Square, Field(discriminator="type"), BeforeValidator(known_tag("circle", "square"))]
    ]
    title: str = Field(default="", alias="name")
    points: list[list[int]] = Field(default_factory=list)


@pytest.mark.parametrize(
    ("data", "argument"),
    [
        (3, "f"),
        ({}, "f.shapes"),
        ({"shapes": []}, "f.shapes"),
        ({"shapes": {}, "title": "x"}, "f.title"),
        ({"shapes": {}, "name": 3}, "f.name"),
        ({"shapes": {}, "points": [[1], [2, "3"]]}, "f.points.1.1"),
        ({"shapes": {}, "points": [[1], [2, True]]}, "f.points.1.1"),
        ({"shapes": {"a": 3}}, "f.shapes.a"),
        ({"shapes": {"a": {}}}, "f.shapes.a.type"),
        ({"shapes": {"a": {"type": "circl"}}}, "f.shapes.a.type"),
        ({"shapes": {"a": {"type": None}}}, "f.shapes.a.type"),
        ({"shapes": {"a": {"type": "circle"}}}, "f.shapes.a.radius"),
        ({"shapes": {"circle": {"type": "circle", "radius": "1"}}}, "f.shapes.circle.radius"),
        ({"shapes": {"a": {"type": "circle", "radius": 1.0}}}, "f.shapes.a.radius"),
        ({"shapes": {"a": {"type": "square", "side": 1, "square": ""}}}, "f.shapes.a.square"),
        ({"shapes": {"a": {"type": "square", "sid": 1}}}, "f.shapes.a.sid"),
        ({"shapes": {"a": {"type": "square", "side": 2**64}}}, "f.shapes.a.side"),
    ],
)
def test_sections_name_the_key(data, argument):
    with pytest.raises(ConfigError) as caught:
        validate(Drawing, data, "f")
    assert caught.value.argument == argument


def test_sections_suggest():
    with pytest.raises(ConfigError, match="Did you mean 'side'"):
        validate(Drawing, {"shapes": {"a": {"type": "square", "sid": 1}}})
    with pytest.raises(ConfigError, match="Did you mean 'circle'"):
        validate(Drawing, {"shapes": {"a": {"type": "circel"}}})


def test_sections_validate():
    drawing = validate(Drawing, {"shapes": {"a": {"type": "square", "side": 2}}, "name": "n", "points": [(1, 2)]})
    assert drawing.shapes["a"] == Square(type="square", side=2)
    assert (drawing.title, drawing.points) == ("n", [[1, 2]])
