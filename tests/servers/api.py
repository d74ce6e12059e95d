"""
A small client of a Kubernetes API server, for tests: JSON over one kept-alive HTTPS connection.

Rules:

1. Objects are plain dicts as the API gives them; nothing is added or checked, so that a test can send what is wrong.
2. What the server refuses is a `StatusError` with the server's own words.
3. A connection that the server closed meanwhile (it was restarted) is opened anew, once for each request.
4. What is answered 429 is asked again: for some 50 ms after a restart, a server that is ready says "storage is
   (re)initializing" to the first who ask for a custom resource.

Not here: watching. What watches is the product, and it must not be tested with itself.
"""

import http.client
import json
import ssl
import threading
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import quote, urlencode, urlsplit

_JSON: Final = "application/json"
_APPLY: Final = "application/apply-patch+yaml"
_MERGE: Final = "application/merge-patch+json"
_AGAIN_S: Final = 0.05  # the header says 1 s, which is meant for a server with many clients
FIELD_MANAGER: Final = "mcsdns-tests"

Object = dict[str, Any]
Objects = list[Object]


class StatusError(Exception):
    """
    The API server refused.

    Args:
        status: The HTTP status.
        reason: The reason as a word, such as `NotFound` or `Conflict`; empty where the answer was not a Status.
        message: What the server said.
    """

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message


class Api:
    """
    One user's access to one API server. It may be used by several threads; they take turns.

    Args:
        url: Such as `https://127.0.0.1:26443`.
        ca_path: The certificates to trust, as PEM.
        token: The bearer token.
        limit_s: The longest silence of the server within a request, in seconds.
    """

    def __init__(self, url: str, ca_path: Path, token: str, limit_s: float = 30.0) -> None:
        self._url, self._ca_path, self._token, self._limit_s = url, ca_path, token, limit_s
        self._lock = threading.RLock()
        self._connection: http.client.HTTPSConnection | None = None
        self._resources: dict[str, Objects] = {}

    def get(self, group_version: str, plural: str, namespace: str | None, name: str) -> Object:
        """
        Read one object.

        Args:
            group_version: Such as `v1` or `multicluster.x-k8s.io/v1beta1`.
            plural: Such as `serviceimports`.
            namespace: None for what is not in a namespace.
            name: The object's.

        Raises:
            StatusError: 404 where there is none.
        """
        return self.request("GET", resource_path(group_version, plural, namespace, name))

    def list(self, group_version: str, plural: str, namespace: str | None = None, labels: str = "") -> Objects:
        """Read all objects of a namespace, or of all namespaces, that have the labels, such as `a=b,c`."""
        query = {"labelSelector": labels}
        items: Objects = self.request("GET", resource_path(group_version, plural, namespace), query=query)["items"]
        return items

    def patch(
        self, group_version: str, plural: str, namespace: str | None, name: str, change: Object, subresource: str = ""
    ) -> Object:
        """Change what `change` names, and remove what it gives as None (RFC 7396), in the object or its `status`."""
        path = resource_path(group_version, plural, namespace, name, subresource)
        return self.request("PATCH", path, change, content_type=_MERGE)

    def delete(self, group_version: str, plural: str, namespace: str | None, name: str) -> None:
        """Delete an object. It is no error that there is none."""
        try:
            self.request("DELETE", resource_path(group_version, plural, namespace, name))
        except StatusError as error:
            if error.status != 404:
                raise

    def delete_all(self, group_version: str, plural: str, namespace: str | None = None, labels: str = "") -> None:
        """Delete all objects of a namespace that have the labels, in one request."""
        self.request("DELETE", resource_path(group_version, plural, namespace), query={"labelSelector": labels})

    def create(self, manifest: Object) -> Object:
        """Create an object, and give it the status of the manifest where that is a subresource. 409 where it exists."""
        path, has_status = self._place(manifest)
        made = self.request("POST", path.rpartition("/")[0], manifest)
        if has_status and "status" in manifest:
            made = self.request("PATCH", f"{path}/status", {"status": manifest["status"]}, content_type=_MERGE)
        return made

    def update(self, manifest: Object) -> Object:
        """Replace an object, but not its status where that is a subresource."""
        return self.request("PUT", self._place(manifest)[0], manifest)

    def replace_status(self, manifest: Object) -> Object:
        """Replace the status of an object by that of the manifest, which must be as read: with its resource version."""
        return self.request("PUT", self._place(manifest)[0] + "/status", manifest)

    def apply(self, manifest: Object, **more: str) -> Object:
        """
        Make an object be as its manifest, whether it exists or not: server-side apply, as `FIELD_MANAGER`, by force.

        What an earlier `apply` named and this one does not is removed. Where status is a subresource and the manifest
        has one, a second request applies it. `more` goes into the query, such as `fieldValidation="Strict"`.
        """
        path, has_status = self._place(manifest)
        query = {"fieldManager": FIELD_MANAGER, "force": "true", **more}
        made = self.request("PATCH", path, manifest, query=query, content_type=_APPLY)
        if has_status and "status" in manifest:
            made = self.request("PATCH", f"{path}/status", manifest, query=query, content_type=_APPLY)
        return made

    def ensure_namespace(self, name: str) -> None:
        """Create a namespace where there is none of the name."""
        with suppress(_ExistsError):
            self.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})

    def bulk(self, manifests: Iterable[Object], connections: int = 32) -> int:
        """
        Load many objects fast, each as by `create`; those that exist, as by `apply`. Namespaces are made where absent.

        Args:
            manifests: In any order; they arrive in no particular one.
            connections: How many to use at once, each with a thread.

        Returns:
            How many objects there were.

        Raises:
            StatusError: The first refusal. Others may have been loaded by then.
        """
        waiting = [*manifests]
        for namespace in sorted({manifest["metadata"].get("namespace", "") for manifest in waiting} - {""}):
            self.ensure_namespace(namespace)
        for manifest in {manifest["apiVersion"]: manifest for manifest in waiting}.values():
            self._place(manifest)  # learns the group's resources, once for all connections

        def load(share: Objects) -> None:
            with Api(self._url, self._ca_path, self._token, self._limit_s) as api:
                api._resources = self._resources
                for manifest in share:
                    try:
                        api.create(manifest)
                    except _ExistsError:
                        api.apply(manifest)

        with ThreadPoolExecutor(connections) as pool:
            for _ in pool.map(load, [waiting[start::connections] for start in range(connections)]):
                pass
        return len(waiting)

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        query: Mapping[str, str] | None = None,
        content_type: str = _JSON,
    ) -> Object:
        """
        Send one request.

        Args:
            method: The HTTP method.
            path: The path, quoted.
            body: What to send as JSON, or None for no body.
            query: What follows the `?`, not quoted.
            content_type: Of the body.

        Returns:
            The body of the answer; an object with the one key `text` where it is not JSON (`/readyz`).

        Raises:
            StatusError: The status of the answer is 400 or above.
            OSError: The server cannot be reached, or is silent for `limit_s`.
        """
        headers = {"Authorization": f"Bearer {self._token}", "Accept": _JSON, "Content-Type": content_type}
        target = f"{path}?{urlencode(query)}" if query else path
        content = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        deadline = time.monotonic() + self._limit_s
        with self._lock:
            status, answer = self._exchange(method, target, content, headers)
            while status == 429 and time.monotonic() < deadline:
                time.sleep(_AGAIN_S)
                status, answer = self._exchange(method, target, content, headers)
        said = _parsed(answer)
        if status >= 400:
            reason, message = str(said.get("reason", "")), str(said.get("message", said.get("text", "")))
            raise (_ExistsError if reason == "AlreadyExists" else StatusError)(status, reason, message)
        return said

    def close(self) -> None:
        """Close the connection. A later request opens one again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
            self._connection = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()  # a test may forget to, and pytest takes a socket that is left open for a failure

    def _exchange(self, method: str, target: str, body: bytes | None, headers: Mapping[str, str]) -> tuple[int, bytes]:
        while True:
            is_used = self._connection is not None
            try:
                self._connection = self._connection or self._connect()
                self._connection.request(method, target, body, headers)
                with self._connection.getresponse() as response:
                    return response.status, response.read()
            except BaseException as error:
                self.close()
                if is_used and isinstance(error, (ConnectionError, ssl.SSLEOFError, http.client.BadStatusLine)):
                    continue
                if isinstance(error, http.client.HTTPException):
                    raise ConnectionError(f"{method} {target}: {error!r}") from error
                raise

    def _connect(self) -> http.client.HTTPSConnection:
        at = urlsplit(self._url)
        trust = ssl.create_default_context(cafile=str(self._ca_path))
        return http.client.HTTPSConnection(at.hostname or "", at.port, timeout=self._limit_s, context=trust)

    def _place(self, manifest: Object) -> tuple[str, bool]:
        """Give the path of the object that a manifest describes, and whether its status is a subresource."""
        group_version, kind = manifest["apiVersion"], manifest["kind"]
        if kind not in {resource["kind"] for resource in self._resources.get(group_version, [])}:
            found = self.request("GET", resource_path(group_version, ""))["resources"]
            self._resources = {**self._resources, group_version: found}
        names = {resource["name"] for resource in self._resources[group_version] if resource["kind"] == kind}
        plural = next((name for name in sorted(names) if "/" not in name), None)
        if plural is None:
            raise StatusError(404, "NotFound", f"{self._url} serves no {kind} in {group_version}")
        metadata = manifest["metadata"]
        path = resource_path(group_version, plural, metadata.get("namespace"), metadata["name"])
        return path, f"{plural}/status" in names


class _ExistsError(StatusError):
    """The object that was to be created exists already."""


def resource_path(
    group_version: str, plural: str, namespace: str | None = None, name: str = "", subresource: str = ""
) -> str:
    """
    Give the path of an object, or of a collection of them where no name is given.

    Args:
        group_version: Such as `v1` or `discovery.k8s.io/v1`.
        plural: Such as `endpointslices`.
        namespace: None for all namespaces, or for what is not in one.
        name: The object's, or empty.
        subresource: Such as `status`, or empty.
    """
    root = ["api" if "/" not in group_version else "apis", *group_version.split("/")]
    place = ["namespaces", namespace] if namespace else []
    return "/" + "/".join(quote(part, safe="") for part in [*root, *place, plural, name, subresource] if part)


def _parsed(answer: bytes) -> Object:
    try:
        said = json.loads(answer)
    except ValueError:
        said = None
    return said if isinstance(said, dict) else {"text": answer.decode(errors="replace")}
