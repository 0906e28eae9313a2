"""Client of the imgsrv image server.

>>> import imgsrv
>>> small = imgsrv.Client("127.0.0.1:8080").resize(open("photo.jpg", "rb"), width=800, format="webp")
>>> small.save("small.webp")

`local()` starts a server of your own, for an application that has none.
"""

from ._errors import (
    BadRequest,
    Broken,
    Busy,
    Damaged,
    Forbidden,
    ImgsrvError,
    InternalError,
    LocalError,
    NotFound,
    NotReady,
    Refused,
    StorageFull,
    TimedOut,
    TooLarge,
    Unauthorized,
    Unreachable,
    Unsupported,
)
from ._async import AsyncClient
from ._client import Client
from ._local import async_local, local
from ._options import Options
from ._report import Report, Result, Task

__all__ = [
    "AsyncClient",
    "BadRequest",
    "Broken",
    "Busy",
    "Client",
    "Damaged",
    "Forbidden",
    "ImgsrvError",
    "InternalError",
    "LocalError",
    "NotFound",
    "NotReady",
    "Options",
    "Refused",
    "Report",
    "Result",
    "StorageFull",
    "Task",
    "TimedOut",
    "TooLarge",
    "Unauthorized",
    "Unreachable",
    "Unsupported",
    "async_local",
    "local",
]
