"""A layered drawing of a family: raw data at the left, the model at the right, what feeds a box somewhere left of it.

Sugiyama's method in small: an edge over several layers gets a waypoint in each, layers are sorted by the mean place of
their neighbours, and boxes are pulled level with them. No dice are thrown, so a family is always drawn alike.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

SWEEPS = 8
"""Passes over the layers; more changed no drawing of a real family."""
GAP = 1.0
"""Between two boxes of a layer, in heights of a row."""
LANE = 0.45
"""Between a waypoint and its neighbours."""

Edge = tuple[str, str]
"""From what was used to what was made of it."""


@dataclass(frozen=True)
class Layout:
    """Where everything lies: column from the left, and row from the top, which may be a fraction."""

    boxes: dict[str, tuple[int, float]]
    lines: dict[Edge, list[tuple[int, float]]]
    """The places that each edge runs through, both ends included."""
    columns: int
    rows: float


def lay_out(parents: Mapping[str, Sequence[str]]) -> Layout:
    """Lay out a family; `parents` has every member, with what it was made from."""
    column = _columns(parents)
    edges = [(parent, child) for child, found in parents.items() for parent in dict.fromkeys(found)]
    paths = {edge: _path(edge, column) for edge in edges}
    layers: list[list[str]] = [[] for _ in range(max(column.values()) + 1)]
    for node in parents:
        layers[column[node]].append(node)
    for path in paths.values():
        for offset, node in enumerate(path[1:-1], start=column[path[0]] + 1):
            if node not in layers[offset]:
                layers[offset].append(node)
    left, right = _neighbours(paths.values())
    for _ in range(SWEEPS):
        for layer, near in [*((layer, left) for layer in layers), *((layer, right) for layer in reversed(layers))]:
            _sort(layer, near, layers)
    rows = _rows(layers, left, right, set(parents))
    top = min(rows.values())
    return Layout(
        {node: (column[node], rows[node] - top) for node in parents},
        {
            edge: [(column[edge[0]] + step, rows[node] - top) for step, node in enumerate(path)]
            for edge, path in paths.items()
        },
        len(layers),
        max(rows.values()) - top + 1,
    )


def _columns(parents: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Each member's distance from raw data, by its longest way there."""
    found: dict[str, int] = {}
    waiting = list(parents)
    while waiting:
        node = waiting.pop()
        unknown = [parent for parent in parents[node] if parent not in found]
        if unknown:
            waiting += [node, *unknown]
        else:
            found[node] = max((found[parent] + 1 for parent in parents[node]), default=0)
    return found


def _path(edge: Edge, column: Mapping[str, int]) -> list[str]:
    """The edge's ends, with the name of a waypoint for each layer between them; what one box feeds shares a lane."""
    parent, child = edge
    between = range(column[parent] + 1, column[child])
    return [parent, *(f"{parent} {layer}" for layer in between), child]


def _neighbours(paths: Iterable[list[str]]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    left: dict[str, list[str]] = {}
    right: dict[str, list[str]] = {}
    for path in paths:
        for before, after in pairwise(path):
            right.setdefault(before, []).append(after)
            left.setdefault(after, []).append(before)
    return left, right


def _sort(layer: list[str], near: Mapping[str, list[str]], layers: Sequence[Sequence[str]]) -> None:
    """Sort a layer by the mean place of the neighbours on one side; who has none stays put."""
    place = {node: index / max(len(other) - 1, 1) for other in layers for index, node in enumerate(other)}
    layer.sort(key=lambda node: _mean([place[other] for other in near.get(node, [])], place[node]))


def _rows(
    layers: Sequence[Sequence[str]], left: Mapping[str, list[str]], right: Mapping[str, list[str]], boxes: set[str]
) -> dict[str, float]:
    """The row of each node: near its neighbours' mean, and never closer to the next than it may be."""
    rows = {node: float(index) for layer in layers for index, node in enumerate(layer)}
    for _ in range(SWEEPS):
        for layer, near in [*((layer, left) for layer in layers), *((layer, right) for layer in reversed(layers))]:
            wanted = [_mean([rows[other] for other in near.get(node, [])], rows[node]) for node in layer]
            distances = [_distance(above, below, boxes) for above, below in pairwise(layer)]
            rows |= dict(zip(layer, _apart(wanted, distances), strict=True))
    return rows


def _distance(above: str, below: str, boxes: set[str]) -> float:
    return GAP if above in boxes and below in boxes else LANE + (above in boxes or below in boxes) * 0.3


def _apart(wanted: Sequence[float], distances: Sequence[float]) -> list[float]:
    """The places nearest to the wanted ones at which all keep their distance: the mean of pushing down and up."""
    down, up = list(wanted), list(wanted)
    for index, distance in enumerate(distances):
        down[index + 1] = max(down[index + 1], down[index] + distance)
    for index, distance in reversed(list(enumerate(distances))):
        up[index] = min(up[index], up[index + 1] - distance)
    return [(low + high) / 2 for low, high in zip(down, up, strict=True)]


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise
