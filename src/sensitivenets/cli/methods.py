"""``sensitivenets methods``: what can be fitted, and what it promises and costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sensitivenets.cli.output import print_json, print_line

if TYPE_CHECKING:
    from sensitivenets.benchmark.method_facts import MethodFacts


def methods(name: str | None = None, /, *, json: bool = False) -> None:
    """List the methods of `fit` and `benchmark`: what each promises, costs and can be set to.

    Parameters
    ----------
    name
        Show all that is written of one method; package.module:Class is one of your own.
    json
        Write the list as JSON.
    """
    from sensitivenets.benchmark.method_facts import facts_of
    from sensitivenets.benchmark.methods import METHODS

    found = [facts_of(one) for one in (METHODS if name is None else [name])]
    if json:
        print_json({"methods": [_facts(one) for one in found]})
        return
    for one in found:
        _print(one, whole=name is not None)
    if name is None:
        print_line("Times are of 28 557 rows of 128 features on two cores; docs/leaderboard.md has")
        print_line("what each hides of real faces. All of one method: sensitivenets methods NAME")


def _print(one: MethodFacts, *, whole: bool) -> None:
    print_line(f"{one.name}: {one.promise}")
    if one.cost:
        print_line(f"    costs: {one.cost}")
    if one.needs:
        print_line(f"    needs: {', '.join(one.needs)}")
    settings = ", ".join(f"{key}={value}" for key, value in one.parameters.items())
    print_line(f"    --set: {settings or 'nothing'}")
    if whole:
        print_line()
        print_line(one.documentation)


def _facts(one: MethodFacts) -> dict[str, Any]:
    return {
        "name": one.name,
        "promise": one.promise,
        "cost": one.cost,
        "needs": list(one.needs),
        "parameters": dict(one.parameters),
    }
