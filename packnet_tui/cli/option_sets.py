"""Sets of options for a command, and the options of a recipe, made from its fields."""

import inspect
from collections.abc import Callable
from functools import wraps
from inspect import Parameter
from typing import Annotated, Any, TypeVar, get_type_hints

import typer

from packnet_core.schema.fields import Field
from packnet_core.schema.recipes import Recipe, fields

T = TypeVar("T")
Given = dict[str, Any]  # the options that were typed, by name


def takes(*shared: Parameter) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """Add options to a command, in the place of its parameter `given`, which gets those that were typed.

    @takes(*recipe_options("epochs", "lr"), *option_set(device=Device))
    def train(file: File, given: Given, json: JsonLines = False): ...
    """

    def decorate(command: Callable[..., T]) -> Callable[..., T]:
        @wraps(command)
        def call(ctx: typer.Context, **values: Any) -> T:
            every = {option.name: values.pop(option.name) for option in shared}
            typed = {name: value for name, value in every.items() if _is_typed(ctx, name)}
            return command(given={name: _plain(value) for name, value in typed.items()}, **values)

        parameters = [Parameter("ctx", Parameter.KEYWORD_ONLY, annotation=typer.Context)]
        for own in inspect.signature(command).parameters.values():
            parameters += shared if own.name == "given" else [own.replace(kind=Parameter.KEYWORD_ONLY)]
        call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        call.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return call

    return decorate


def _is_typed(ctx: typer.Context, name: str) -> bool:
    source = ctx.get_parameter_source(name)
    return source is not None and source.name not in ("DEFAULT", "DEFAULT_MAP")


def _plain(value: Any) -> Any:
    """An option's value; a repeated option's values as a tuple, each once."""
    return tuple(dict.fromkeys(map(str, value))) if isinstance(value, list) else value


def option_set(**types: Any) -> tuple[Parameter, ...]:
    """Options by name, for `takes`."""
    return tuple(Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=type) for name, type in types.items())


def option(type: Any, **about: Any) -> Any:
    """The type of an option of a set."""
    return Annotated[type | None, typer.Option(**about)]


def help_of(command: Callable[..., Any], name: str) -> str:
    """The help of an option or argument of a command."""
    annotation = inspect.signature(command).parameters[name].annotation
    return str(next(about.help for about in annotation.__metadata__ if getattr(about, "help", None)))


def recipe_options(*names: str, defaults: bool = False) -> tuple[Parameter, ...]:
    """The options of a recipe's fields, for `takes`; with `defaults`, the help shows the fields' defaults."""
    types = get_type_hints(Recipe)
    return tuple(
        Parameter(
            field.name,
            Parameter.KEYWORD_ONLY,
            default=field.default if defaults else None,
            annotation=Annotated[types[field.name] | None, _option(field, defaults)],
        )
        for field in map(fields().__getitem__, names)
    )


def _option(field: Field, defaults: bool) -> Any:
    def check(value: Any) -> Any:
        if value is not None and (problem := field.problem(value)):
            raise typer.BadParameter(problem)
        return value

    whole = field.type is int
    return typer.Option(
        field.option,
        metavar=field.metavar or "|".join(field.choices) or {int: "N", float: "X"}.get(field.type),
        min=field.bounds.get("ge") if whole else None,
        max=field.bounds.get("le") if whole else None,
        callback=check if field.type is float else None,
        case_sensitive=False,
        help=f"{field.help[:-1]} (default: {field.unset})." if field.unset and defaults else field.help,
    )
