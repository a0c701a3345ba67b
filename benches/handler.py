"""A script like the one on Home Assistant's docs page: the same settings, the same calls."""

import json
import os

import urllib3


def lambda_handler(event, context):
    verify = os.environ.get("NOT_VERIFY_SSL") != "True"
    http = urllib3.PoolManager(
        cert_reqs="CERT_REQUIRED" if verify else "CERT_NONE", timeout=urllib3.Timeout(connect=2.0, read=10.0)
    )
    token = event.get("session", {}).get("user", {}).get("accessToken") or os.environ["LONG_LIVED_ACCESS_TOKEN"]
    answer = http.request(
        "POST",
        os.environ["BASE_URL"] + "/api/alexa",
        headers={"Authorization": "Bearer " + token, "Content-Type": "application/json"},
        body=json.dumps(event).encode(),
    )
    return json.loads(answer.data.decode())
