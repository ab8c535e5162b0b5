"""The service with two things broken in it: what recovers, and how it is counted.

    python -m tests.integration.recovery_actions DATA_DIR

An actor that nobody knows of, and a dispatcher that hangs. Prints one JSON object: which of them
ended, and the dashboard afterwards. A process of its own, as Ray reads its settings at import.
"""

import json
import os
import signal
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

import serve_app
from orchestration.config.models import Settings

LIMIT_S = 120.0
POLL_S = 0.5


def until(holds: Callable[[], bool]) -> bool:
    """Whether it came to hold."""
    gives_up_at = time.monotonic() + LIMIT_S
    while not holds():
        if time.monotonic() > gives_up_at:
            return False
        time.sleep(POLL_S)
    return True


def names() -> list[str]:
    from ray.util import list_named_actors

    return [str(name) for name in list_named_actors()]


def leak_an_actor() -> str:
    """Start a session's actor behind the coordinator's back."""
    import ray

    from actors.names import NAMESPACE

    class Leaked:
        """Holds nothing; its name is what matters."""

    leaked: Any = ray.remote(Leaked).options(
        name="session-leaked", namespace=NAMESPACE, lifetime="detached", num_cpus=0
    )
    leaked.remote()
    return "session-leaked"


def dispatchers_of(data_dir: Path) -> list[int]:
    """The processes in which this service's dispatchers run by now."""
    return [
        process.pid
        for process in psutil.process_iter(["cmdline", "environ"])
        if process.info["cmdline"]
        and process.info["cmdline"][0].startswith("ray::Dispatcher")
        and str(data_dir) in str(process.info["environ"])
    ]


def hang_the_dispatcher(data_dir: Path) -> int:
    """Stop the dispatcher's process without ending it; its id."""
    # The service is up before every process bears its actor's name.
    until(lambda: len(dispatchers_of(data_dir)) == 1)
    (dispatcher,) = dispatchers_of(data_dir)
    os.kill(dispatcher, signal.SIGSTOP)
    return dispatcher


def board_of(url: str) -> Any:
    """The dashboard's figures."""
    with urllib.request.urlopen(f"{url}/api/dashboard", timeout=30) as answer:
        return json.load(answer)


def is_well(url: str) -> bool:
    """Whether everybody works again, and the monitor has heard of what was done."""
    try:
        board = board_of(url)
    except OSError:
        # A route without its answer in time is asked again.
        return False
    done = board["recovery"].get("end_leaked_actor_done", 0)
    return bool(done) and board["services"]["consumers"]["status"] == "healthy"


def main() -> None:
    data_dir = Path(sys.argv[1])
    settings = Settings.model_validate(
        {
            "data_dir": data_dir,
            "server": {"port": 0},
            "services": {
                "whisper": [{"url": "http://127.0.0.1:9", "kind": "openai"}],
                "translation": [{"url": "http://127.0.0.1:9", "kind": "libretranslate"}],
                "health_check_interval_s": 1,
            },
        }
    )
    service = serve_app.Service(settings)
    urls = service.start(lambda _: None)
    try:
        leaked = leak_an_actor()
        hung = hang_the_dispatcher(data_dir)
        ended = {
            "leaked": until(lambda: leaked not in names()),
            "hung": until(lambda: not psutil.pid_exists(hung)),
        }
        recovered = until(lambda: is_well(urls.api))
        board = board_of(urls.api)
        print(json.dumps({"ended": ended, "recovered": recovered, "board": board}), flush=True)
    finally:
        service.stop()


if __name__ == "__main__":
    main()
