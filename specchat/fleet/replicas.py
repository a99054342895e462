"""Several engines as one: replicas under Ray Serve, asked as any OpenAI-compatible server is.

What is sent names its session, and a consistent hash of the name says which replica answers: the
prefix pages of a conversation, and what a replica's n-grams have seen of it, are where it goes on.
How many replicas there are, where they run and whether they live is Ray's to see to.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

from specchat.engine.errors import ModelLoadError
from specchat.engine.hardware import has_gpu, usable_cpus
from specchat.fleet.options import FleetOptions
from specchat.fleet.replica import Replica, application
from specchat.loader import resolve
from specchat.remote.loading import RemoteModel, RemoteOptions, connect

log = logging.getLogger(__name__)

APPLICATION = "specchat"
_ROUTER = "ray.serve.experimental.consistent_hash_router.ConsistentHashRouter"
_NEEDS = "SPECCHAT_ENGINE=ray needs Ray Serve: pip install 'specchat[ray]'"

MOST_ONGOING, MOST_QUEUED = 64, 256
"""Requests of one replica at a time, and those that wait for any; the next one is refused."""
TARGET_ONGOING = 8
"""Requests of each replica from which on another one is started, up to the most."""
HEALTH_S = 5.0  # between two looks at a replica
STARTS = 4
_SLOW = "timed out during startup"
GRACE_S = 8.0  # for the answers of a replica that is to end


class Fleet:
    """A running application of Ray Serve, in a cluster of its own unless RAY_ADDRESS names one."""

    def __init__(self, options: FleetOptions) -> None:
        """Start it; returns when the least number of replicas answer.

        Raises:
            ModelLoadError: Ray Serve is not installed, or no replica can load the model.
        """
        # Ray reads these when it is imported.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        if "RAY_ADDRESS" not in os.environ and "RAY_AUTH_TOKEN" not in os.environ:
            os.environ["RAY_AUTH_MODE"] = "token"
            os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
        try:
            import ray
            from ray import serve
        except ImportError:
            raise ModelLoadError(_NEEDS) from None
        self._ray, self._serve = ray, serve
        self.key = secrets.token_urlsafe(24)
        port = _free_port()
        self.url = f"http://127.0.0.1:{port}/v1"
        try:
            _begin(ray)
            serve.start(http_options={"host": "127.0.0.1", "port": port, "location": "HeadOnly"})
            serve.run(_deployed(serve, options, self.key), name=APPLICATION, route_prefix="/")
        except Exception as error:
            self.close()
            raise ModelLoadError(f"no replica answers: {_said(error)}") from error

    def close(self) -> None:
        """End the replicas, and the cluster where it is this one's own."""
        if not self._ray.is_initialized():
            return
        self._serve.delete(APPLICATION)
        if "RAY_ADDRESS" not in os.environ:
            self._serve.shutdown()
        self._ray.shutdown()


def connect_fleet(options: FleetOptions) -> RemoteModel:
    """Start a fleet and the engine that asks it; to close the engine ends the fleet.

    Raises:
        ModelLoadError: there is no such model, or as `Fleet`.
    """
    resolve(options.load.model)  # converted once, not by every replica, and missed here
    place = Path(options.load.model).expanduser()
    if place.exists():
        options = replace(options, load=replace(options.load, model=str(place.absolute())))
    fleet = Fleet(options)
    try:
        model = connect(
            RemoteOptions(
                base_url=fleet.url,
                key=fleet.key,
                model=options.load.model,
                answer_tokens=options.load.answer_tokens,
            )
        )
    except BaseException:
        fleet.close()
        raise
    model.engine.close_with(fleet.close)
    return model


def _deployed(serve: Any, options: FleetOptions, key: str) -> Any:
    from ray.serve.config import RequestRouterConfig

    on_gpu = options.load.device.startswith("cuda") or (options.load.device == "auto" and has_gpu())
    threads = options.load.threads or max(1, usable_cpus() // options.most)
    deployment = serve.deployment(
        name="engine",
        autoscaling_config={
            "min_replicas": options.least,
            "max_replicas": options.most,
            "target_ongoing_requests": TARGET_ONGOING,
        },
        max_ongoing_requests=MOST_ONGOING,
        max_queued_requests=MOST_QUEUED,
        health_check_period_s=HEALTH_S,
        graceful_shutdown_timeout_s=GRACE_S,
        ray_actor_options={"num_cpus": threads, "num_gpus": int(on_gpu)},
        request_router_config=RequestRouterConfig(
            request_router_class=_ROUTER,
            request_router_kwargs={"num_virtual_nodes": 100, "num_fallback_replicas": 2},
        ),
    )
    engine = deployment(serve.ingress(application)(Replica))
    return engine.bind(replace(options.load, threads=threads), key)


def _begin(ray: Any) -> None:
    """Join the cluster of RAY_ADDRESS, or start one. Ray gives its own processes 15 s to start,
    which is little on a busy machine; what they read is at hand the next time."""
    own: dict[str, Any] = {} if "RAY_ADDRESS" in os.environ else {"include_dashboard": False}
    for tried in range(1, STARTS + 1):
        try:
            ray.init(log_to_driver=False, logging_level="warning", **own)
            return
        except Exception as error:
            ray.shutdown()
            if tried == STARTS or _SLOW not in str(error):
                raise
            log.warning("Ray was too slow to start, once more: %s", error)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _said(error: Exception) -> str:
    """The last line of what Ray says of a replica that does not start."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
