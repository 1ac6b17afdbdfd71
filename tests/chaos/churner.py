"""Rewrites one request's annotation as fast as it can: churner.py KUBECONFIG NAMESPACE REQUEST CONNECTIONS SECONDS."""

import base64
import http.client
import json
import ssl
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import yaml

NOTE = "kubectl.kubernetes.io/last-applied-configuration"


def churn(config: dict[str, object], path: str, number: int, until: float, done: list[int]) -> None:
    """One connection's share."""
    cluster, user = (config[section][0][name] for section, name in (("clusters", "cluster"), ("users", "user")))  # type: ignore[index]
    tls = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
    head = {"Authorization": f"Bearer {user['token']}", "Content-Type": "application/merge-patch+json"}
    connection = http.client.HTTPSConnection(urlsplit(cluster["server"]).netloc, context=tls, timeout=10)
    while time.monotonic() < until:
        body = {"metadata": {"annotations": {NOTE: f"{number} {time.monotonic_ns()}"}}}
        connection.request("PATCH", path, json.dumps(body), head)
        answer = connection.getresponse()
        answer.read()
        done[number] += answer.status == 200


def main() -> None:
    """Run all connections, and print how many writes a second got through."""
    kubeconfig, namespace, request, connections, seconds = sys.argv[1:]
    config = yaml.safe_load(Path(kubeconfig).read_text())
    path = f"/apis/jitaccess.dev/v1alpha1/namespaces/{namespace}/accessrequests/{request}"
    done = [0] * int(connections)
    until = time.monotonic() + float(seconds)
    threads = [threading.Thread(target=churn, args=(config, path, number, until, done)) for number in range(len(done))]
    for thread in threads:
        thread.start()
    print("started", flush=True)
    for thread in threads:
        thread.join()
    print(f"writes a second: {sum(done) / float(seconds):.0f}", flush=True)


if __name__ == "__main__":
    main()
