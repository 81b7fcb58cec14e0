"""Each route of a handler is in `template.yaml`, with its authorization, and has a sample event.

Run it after you have written a handler: it prints what to paste.
"""

import json

import pytest
from support.sample_events import sample_event, sample_event_files
from support.template_blocks import (
    RouteOfHandler,
    route_event_block,
    route_function_block,
    route_path_line,
    route_sample,
    routes_of,
)
from support.templates import FUNCTIONS, HANDLERS, TEMPLATE, function_id

from local.template import Route
from local.transform_template import parse_yaml


def _missing_parts(route: RouteOfHandler) -> list[tuple[str, str]]:
    """What to paste for a route, and where."""
    missing = []
    function = FUNCTIONS.get(function_id(route.handler))
    if function is None:
        missing.append(("template.yaml, in Resources", route_function_block(route)))
    elif not any(
        (event["Properties"].get("Method"), event["Properties"].get("Path")) == (route.method, route.path)
        for event in function["Events"].values()
    ):
        place = f"template.yaml, in Events of {function_id(route.handler)}"
        missing.append((place, route_event_block(route)))
    paths = TEMPLATE.source["Resources"]["HttpApi"]["Properties"]["DefinitionBody"]["paths"]
    if not route.open_to_all and route.method.lower() not in paths.get(route.path, {}):
        missing.append(("template.yaml, in paths of HttpApi", route_path_line(route)))
    if route.handler not in {path.stem for path in sample_event_files()}:
        missing.append((f"events/{route.handler}.json", route_sample(route)))
    return missing


ROUTES = [route for handler in HANDLERS for route in routes_of(handler)]
IDS = [f"{route.method} {route.path}" for route in ROUTES]


@pytest.mark.parametrize("route", ROUTES, ids=IDS)
def test_a_route_is_in_the_template_and_has_a_sample_event(route: RouteOfHandler) -> None:
    if missing := _missing_parts(route):
        pytest.fail("\n".join(f"{place}:\n{text}" for place, text in missing), pytrace=False)


def test_the_api_has_no_other_routes() -> None:
    of_handlers = {Route(route.method, route.path, function_id(route.handler)) for route in ROUTES}

    assert set(TEMPLATE.routes()) <= of_handlers


@pytest.mark.parametrize(
    "route",
    [each for each in ROUTES if not each.open_to_all and not _missing_parts(each)],
    ids=lambda each: f"{each.method} {each.path}",
)
def test_what_is_printed_for_a_route_is_what_the_template_has(route: RouteOfHandler) -> None:
    function = parse_yaml(f"Resources:{route_function_block(route)}")["Resources"][function_id(route.handler)]
    (event,) = function["Properties"]["Events"].values()
    paths = TEMPLATE.source["Resources"]["HttpApi"]["Properties"]["DefinitionBody"]["paths"]

    assert function["Properties"]["Handler"] == FUNCTIONS[function_id(route.handler)]["Handler"]
    assert event in FUNCTIONS[function_id(route.handler)]["Events"].values()
    assert parse_yaml(route_path_line(route))[route.path].items() <= paths[route.path].items()
    printed, existing = json.loads(route_sample(route)), sample_event(route.handler)
    assert printed["routeKey"] == existing["routeKey"]
    assert printed["rawPath"] == existing["rawPath"]
    assert printed.get("pathParameters") == existing.get("pathParameters")
