"""Runs that are asked for by messages: what each kind of message asks for, and what makes it the same.

a request             what POST /runs takes              once per message
Run Requested         an event whose detail is that      once per event
Object Created        S3's event: summarise the object   once per write of the object
Digest Requested      a list of URLs: summarise them     once per event
"""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import BaseModel, Field, ValidationError

from upcall.caller import EVENTS
from upcall.errors import FieldError, InvalidInput
from upcall.field_errors import WHOLE, field_errors
from upcall.run import Run
from upcall.run_request import RunRequest
from upcall.start import start

MAX_DIGEST_URLS = 50


def start_from_message(body: str, message_id: str) -> Run:
    """Start the run that a message asks for; the same message again is the same run.

    Raises InvalidInput for what cannot be read or started.
    """
    key, request = _read(body, message_id)
    return start(request, EVENTS, key)


class _Event(BaseModel):
    """What all events have; the rest of an envelope is of no matter here."""

    id: Annotated[str, Field(min_length=1, max_length=200)]


class _RunRequested(_Event):
    detail: RunRequest

    def asked(self) -> tuple[str, RunRequest]:
        return f"event {self.id}", self.detail


class _Bucket(BaseModel):
    name: str


class _Object(BaseModel):
    key: str
    etag: str = ""
    sequencer: str = ""


class _Created(BaseModel):
    bucket: _Bucket
    object: _Object


class _ObjectCreated(_Event):
    detail: _Created

    def asked(self) -> tuple[str, RunRequest]:
        found = self.detail.object
        prompt = f"Summarise the stored object {json.dumps(found.key, ensure_ascii=False)}"
        bucket = self.detail.bucket.name
        name = f"object {bucket} {found.key} {found.etag} {found.sequencer}"
        return name, RunRequest(prompt=prompt, metadata={"bucket": bucket, "object": found.key[:512]})


class _Digest(BaseModel):
    urls: Annotated[str, Field(min_length=1)]


class _DigestRequested(_Event):
    detail: _Digest

    def asked(self) -> tuple[str, RunRequest]:
        urls = [url for each in self.detail.urls.split(",") if (url := each.strip())]
        if len(urls) > MAX_DIGEST_URLS:
            raise InvalidInput(FieldError("detail.urls", f"must be at most {MAX_DIGEST_URLS}"))
        return f"event {self.id}", RunRequest(prompt="Summarise each of these:\n" + "\n".join(urls))


_KINDS: Final[Mapping[str, type[_RunRequested | _ObjectCreated | _DigestRequested]]] = {
    "Run Requested": _RunRequested,
    "Object Created": _ObjectCreated,
    "Digest Requested": _DigestRequested,
}


def _read(body: str, message_id: str) -> tuple[str, RunRequest]:
    """What a message asks for, and the key that tells it from others."""
    document = _json(body)
    try:
        if "detail-type" in document:
            return _event(document).asked()
        return f"message {message_id}", RunRequest.model_validate(document)
    except ValidationError as error:
        raise InvalidInput(*field_errors(error)) from error


def _event(document: Mapping[str, Any]) -> _RunRequested | _ObjectCreated | _DigestRequested:
    kind = _KINDS.get(str(document["detail-type"]))
    if kind is None:
        raise InvalidInput(FieldError("detail-type", f"should be one of {', '.join(_KINDS)}"))
    return kind.model_validate(document)


def _json(body: str) -> Mapping[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise InvalidInput(FieldError(WHOLE, "is not JSON")) from None
    if not isinstance(document, dict):
        raise InvalidInput(FieldError(WHOLE, "should be an object"))
    return document
