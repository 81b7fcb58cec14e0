"""Start the run that a message of the request queue asks for.

message               the run                            started once per
a request             what POST /runs takes              message
Run Requested         what POST /runs takes, as detail   event
Object Created        summarise the S3 object            write of the object
Digest Requested      summarise each URL of a list       event
"""

import json
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final

from pydantic import BaseModel, Field, ValidationError

from upcall.domain.errors import FieldError, InvalidInput
from upcall.domain.run import Run
from upcall.domain.run_request import RunRequest
from upcall.domain.validation import WHOLE_BODY, field_errors

MAX_DIGEST_URLS = 50

StartRun = Callable[[RunRequest, str], Run]
"""Starts a run on behalf of events, with an idempotency key."""


def start_run_from_event(body: str, message_id: str, start_run: StartRun) -> Run:
    """Start the run that a message asks for. The same message again returns the same run.

    Raises InvalidInput for a message that is not understood or asks for an invalid run,
    IdempotencyKeyConflict for a message whose key stands for another request.
    """
    idempotency_key, request = _parse(body, message_id)
    return start_run(request, idempotency_key)


class _Event(BaseModel):
    """An EventBridge event. Other fields of the envelope are ignored."""

    id: Annotated[str, Field(min_length=1, max_length=200)]


class _RunRequested(_Event):
    detail: RunRequest

    def key_and_request(self) -> tuple[str, RunRequest]:
        return f"event {self.id}", self.detail


_S3String = Annotated[str, Field(max_length=1024)]
"""The bound also makes pydantic reject lone surrogates, which no idempotency key can be made of."""


class _Bucket(BaseModel):
    name: _S3String


class _Object(BaseModel):
    key: _S3String
    etag: _S3String = ""
    sequencer: _S3String = ""


class _CreatedObject(BaseModel):
    bucket: _Bucket
    object: _Object


class _ObjectCreated(_Event):
    detail: _CreatedObject

    def key_and_request(self) -> tuple[str, RunRequest]:
        created = self.detail.object
        bucket = self.detail.bucket.name
        prompt = f"Summarise the stored object {json.dumps(created.key, ensure_ascii=False)}"
        key = f"object {bucket} {created.key} {created.etag} {created.sequencer}"
        return key, RunRequest(prompt=prompt, metadata={"bucket": bucket, "object": created.key[:512]})


class _Digest(BaseModel):
    urls: Annotated[str, Field(min_length=1)]


class _DigestRequested(_Event):
    detail: _Digest

    def key_and_request(self) -> tuple[str, RunRequest]:
        urls = [url for part in self.detail.urls.split(",") if (url := part.strip())]
        if not urls:
            raise InvalidInput(FieldError("detail.urls", "must name a URL"))
        if len(urls) > MAX_DIGEST_URLS:
            raise InvalidInput(FieldError("detail.urls", f"must be at most {MAX_DIGEST_URLS}"))
        return f"event {self.id}", RunRequest(prompt="Summarise each of these:\n" + "\n".join(urls))


_EVENTS: Final[Mapping[str, type[_RunRequested | _ObjectCreated | _DigestRequested]]] = {
    "Run Requested": _RunRequested,
    "Object Created": _ObjectCreated,
    "Digest Requested": _DigestRequested,
}


def _parse(body: str, message_id: str) -> tuple[str, RunRequest]:
    """The idempotency key and the request in a message."""
    document = _parse_json_object(body)
    try:
        if "detail-type" in document:
            return _parse_event(document).key_and_request()
        return f"message {message_id}", RunRequest.model_validate(document)
    except ValidationError as error:
        raise InvalidInput(*field_errors(error)) from error


def _parse_event(document: Mapping[str, Any]) -> _RunRequested | _ObjectCreated | _DigestRequested:
    event_type = _EVENTS.get(str(document["detail-type"]))
    if event_type is None:
        raise InvalidInput(FieldError("detail-type", f"should be one of {', '.join(_EVENTS)}"))
    return event_type.model_validate(document)


def _parse_json_object(body: str) -> Mapping[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise InvalidInput(FieldError(WHOLE_BODY, "is not JSON")) from None
    if not isinstance(document, dict):
        raise InvalidInput(FieldError(WHOLE_BODY, "should be an object"))
    return document
