"""The function of the tool `fetch` on the local stack, which serves the pages."""

import json

from support.sample_events import Invoke, sample_event

from local.stack import LocalStack


def test_the_function_reads_a_page(invoke: Invoke, local_stack: LocalStack) -> None:
    arguments = json.dumps({"url": f"{local_stack.endpoints.pages}/lighthouses", "offset": 100})
    output = invoke("FetchFunction", sample_event("fetch", arguments=arguments))

    assert (output["call_id"], output["outcome"]) == ("call_1_1", "ok")
    page = json.loads(output["output"])
    assert page["title"] == "How a lighthouse says its name"
    assert (page["offset"], page["next_offset"]) == (100, None)
