"""Rewrites one request's annotation as fast as it can: churner.py KUBECONFIG NAMESPACE REQUEST CONNECTIONS AT_ONCE SECONDS.

Where another writer was faster the API server applies a patch again, five times: writers who do not wait for each other spend its
time on patches that come to nothing. Most writes get through where the connections take turns, AT_ONCE = 1.
"""

import base64
import http.client
import itertools
import json
import ssl
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import yaml

NOTE = "kubectl.kubernetes.io/last-applied-configuration"


class Churner:
    """Writes in the name of a kubeconfig's user; `written` counts what got through, from all threads."""

    def __init__(self, config: dict[str, list[dict[str, dict[str, str]]]], path: str) -> None:
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self.written: list[float] = []
        self._path = path
        self._host = urlsplit(cluster["server"]).netloc
        self._tls = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
        self._head = {"Authorization": f"Bearer {user['token']}", "Content-Type": "application/merge-patch+json"}

    def churn(self, connections: int, until: float) -> None:
        """Write through so many connections in turn, one write after the other."""
        mine = [http.client.HTTPSConnection(self._host, context=self._tls, timeout=300) for _ in range(connections)]
        for connection in itertools.cycle(mine):
            if (now := time.monotonic()) >= until:
                return
            body = {"metadata": {"annotations": {NOTE: str(now)}}}
            connection.request("PATCH", self._path, json.dumps(body), self._head)
            answer = connection.getresponse()
            answer.read()
            if answer.status == 200:
                self.written.append(now)


def main() -> None:
    """Run all connections, and print how many writes a second got through."""
    kubeconfig, namespace, request, connections, at_once, seconds = sys.argv[1:]
    path = f"/apis/jitaccess.dev/v1alpha1/namespaces/{namespace}/accessrequests/{request}"
    churner = Churner(yaml.safe_load(Path(kubeconfig).read_text()), path)
    until = time.monotonic() + float(seconds)
    shares = [int(connections) // int(at_once) + (turn < int(connections) % int(at_once)) for turn in range(int(at_once))]
    threads = [threading.Thread(target=churner.churn, args=(share, until)) for share in shares]
    for thread in threads:
        thread.start()
    print("started", flush=True)
    for thread in threads:
        thread.join()
    print(f"writes a second: {len(churner.written) / float(seconds):.0f}", flush=True)


if __name__ == "__main__":
    main()
