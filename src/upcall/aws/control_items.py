"""The items of the table that hold what operators set for callers, and what counts against quotas.

    pk              sk               what
    CONTROLS        STOP#<scope>#<name>  an operator has stopped these runs
    CALLER#<owner>  QUOTA            the quotas of a caller that are not those of all
    CALLER#<owner>  DAY#<date>       runs, tokens and dollars (in millionths) of a day in UTC
    CALLER#<owner>  OPEN             how many of the caller's runs are open, among those that count

A run's start and its end are each counted in one transaction with a write to its record, so they count once.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from upcall.aws.dynamodb import Item, Table, update_request
from upcall.aws.transaction import Write, update
from upcall.domain.errors import QuotaExceeded
from upcall.domain.quota import DAILY, CallerUsage, Quota, QuotaSetting, check_quota
from upcall.domain.run import Run
from upcall.domain.stop import Controls, Scope, Stop

DAY_RETENTION: Final = timedelta(days=40)
"""Of what a caller has used in a day. A run may end that long after its start and still count."""

_STOPS: Final = "CONTROLS"
_QUOTA: Final = "QUOTA"
_OPEN: Final = "OPEN"


class ControlItems:
    """What operators set. Without stops and quotas there are no items."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, owner: str, batch_id: str | None = None) -> Controls:
        """What holds for the runs of a caller, or for those in a batch of it. One request."""
        stops = [(_STOPS, _stop_key(*each)) for each in _scopes(owner, batch_id)]
        found = self._table.get_many([(_caller_pk(owner), _QUOTA), *stops])
        setting = found.get((_caller_pk(owner), _QUOTA))
        return Controls(
            stops=tuple(_parse_stop(found[key]) for key in stops if key in found),
            setting=None if setting is None else QuotaSetting.model_validate_json(setting["quota"]),
        )

    def stop(self, scope: Scope, name: str, now: datetime) -> None:
        """Let no run of these start. Safe to repeat."""
        stop = Stop(scope=scope, name=name, since=now)
        self._table.put_new(_STOPS, _stop_key(scope, name), {"stop": stop.model_dump_json()})

    def resume(self, scope: Scope, name: str) -> None:
        """Let them start again. Safe to repeat."""
        self._table.delete(_STOPS, _stop_key(scope, name))

    def list_stops(self) -> list[Stop]:
        """Everything that is stopped."""
        return [_parse_stop(item) for item in self._table.query(_STOPS, "STOP#", "STOP#\U0010ffff")]

    def get_setting(self, owner: str) -> QuotaSetting | None:
        """The quotas that were set for a caller."""
        return self.get(owner).setting

    def set_quota(self, owner: str, setting: QuotaSetting) -> None:
        """Set the quotas of a caller. They replace those that were set before."""
        self._table.put(_caller_pk(owner), _QUOTA, {"quota": setting.model_dump_json(exclude_none=True)})

    def remove_quota(self, owner: str) -> None:
        """Let a caller have the quotas of all. Safe to repeat."""
        self._table.delete(_caller_pk(owner), _QUOTA)

    def get_usage(self, owner: str, day: str) -> CallerUsage:
        """What a caller's runs have used in a day, and how many are open."""
        pk = _caller_pk(owner)
        found = self._table.get_many([(pk, _day_key(day)), (pk, _OPEN)])
        return _usage(found.get((pk, _day_key(day)), {}), found.get((pk, _OPEN), {}))


def start_writes(run: Run, quota: Quota) -> list[Write]:
    """The writes that count the start of a run's attempt (see Run.counted), if the quota has room."""
    if run.counted is None:
        return []
    limits = quota.limits
    day = update_request(
        _caller_pk(run.owner),
        _day_key(run.counted.day),
        {"expires_at": _expiry(run.counted.day)},
        add={"runs": 1},
        below={name: limits[name] for name in DAILY if name in limits},
    )
    writes = [update(day)]
    if run.counted.concurrent:
        below = {"concurrent": limits["concurrent"]}
        writes.append(
            update(update_request(_caller_pk(run.owner), _OPEN, {}, add={"concurrent": 1}, below=below))
        )
    return writes


def end_writes(run: Run) -> list[Write]:
    """The writes that count the end of a run's attempt, beside the one that marks it as settled.

    Whatever else counts ends of runs may add its write here: all of them happen together, and once.
    """
    if run.counted is None or (settled := run.unsettled) is None:
        return []
    used = settled.since(run.settled)
    pk = _caller_pk(run.owner)
    writes = []
    if used.tokens or used.usd:
        fields = {"expires_at": _expiry(run.counted.day)}
        add: Mapping[str, int] = {"tokens": used.tokens, "usd": used.usd}
        writes.append(update(update_request(pk, _day_key(run.counted.day), fields, add=add)))
    if run.counted.concurrent:
        writes.append(update(update_request(pk, _OPEN, {}, add={"concurrent": -1})))
    return writes


def refused_start(quota: Quota, refusals: Sequence[Item | None], now: datetime) -> QuotaExceeded:
    """Why the writes of `start_writes` were refused, from the items whose conditions did not hold."""
    day, opened = [*refusals, None][:2]
    try:
        check_quota(quota, _usage(day or {}, opened or {}), now)
    except QuotaExceeded as error:
        return error
    raise RuntimeError("a write was refused though the quota has room")


def _scopes(owner: str, batch_id: str | None) -> list[tuple[Scope, str]]:
    batch: list[tuple[Scope, str]] = [("batch", batch_id)] if batch_id else []
    return [("all", ""), ("caller", owner), *batch]


def _usage(day: Item, opened: Item) -> CallerUsage:
    return CallerUsage.model_validate(
        {
            **{name: int(day.get(name, 0)) for name in DAILY},
            "concurrent": int(opened.get("concurrent", 0)),
        }
    )


def _parse_stop(item: Item) -> Stop:
    return Stop.model_validate_json(item["stop"])


def _expiry(day: str) -> int:
    return int((datetime.fromisoformat(f"{day}T00:00:00+00:00") + DAY_RETENTION).timestamp())


def _caller_pk(owner: str) -> str:
    return f"CALLER#{owner}"


def _day_key(day: str) -> str:
    return f"DAY#{day}"


def _stop_key(scope: Scope, name: str) -> str:
    return f"STOP#{scope}#{name}"
