from support.run_records import UPSTREAM_RUN, new_run

from upcall.domain.views import RunView


def test_the_callers_view_shows_the_message_and_no_upstream_ids() -> None:
    fields = {"intent": UPSTREAM_RUN, "upstream_run": UPSTREAM_RUN, "previous_upstream_run": UPSTREAM_RUN}
    run = new_run().model_copy(update={**fields, "message_parts": 3, "event_published": True})
    shown = RunView.of(run, "Done.").model_dump_json(exclude_none=True)

    assert '"message":"Done."' in shown
    for name in ("upstream_run", "intent", "resp_1", "message_parts", "event_published"):
        assert name not in shown
