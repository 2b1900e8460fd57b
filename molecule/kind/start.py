"""Start the lab's stand-in as the service whose pod this is."""

import json
import os
import socket

PORTS = {
    "frontend": 8080,
    "api-gateway": 8000,
    "order-service": 8001,
    "restaurant-service": 8002,
    "menu-service": 8003,
    "auth-service": 8004,
    "notification-service": 8005,
}

pod = socket.gethostname()
service = pod.rsplit("-", 2)[0]
settings = {"port": PORTS[service], "service": service, "version": "v1", "pod": pod, "faults": "/tmp/faults"}
os.execvp("python", ["python", "/standin.py", json.dumps(settings)])
