"""The service's FastAPI application on plain uvicorn, over in-memory doubles at its ports.

python -m tests.benchmarks.bare_api PORT DATA_DIR [WHISPER_URL ...]

Its gateway passes requests on to these whisper services.
"""

import sys
from pathlib import Path

import uvicorn

from orchestration.api.app import create_api
from orchestration.api.roll_call import RollCall
from orchestration.config.current import CurrentSettings
from orchestration.config.models import Settings
from orchestration.services.gateway import HttpGateway
from orchestration.services.gateway_pool import GatewayUpstream
from tests.doubles.in_memory_archive import InMemoryArchive
from tests.doubles.in_memory_sessions import InMemorySessions
from tests.doubles.local_figures import LocalFigures
from tests.doubles.local_settings import LocalSettings
from tests.doubles.scripted_engines import ScriptedEngines


def main() -> None:
    port, data_dir = int(sys.argv[1]), Path(sys.argv[2])
    archive = InMemoryArchive()
    sessions, engines = InMemorySessions(archive), ScriptedEngines()
    whisper = [GatewayUpstream(url) for url in sys.argv[3:]]
    gateway = HttpGateway({"whisper": whisper}, timeout_s=1, tries=1)
    current, measures = CurrentSettings(Settings(data_dir=data_dir)), LocalFigures()
    control = LocalSettings(current)
    app = create_api(
        current, control, sessions, archive, engines, gateway, measures, RollCall(), data_dir
    )
    uvicorn.run(app, host="127.0.0.1", port=port, log_config=None, access_log=False)


if __name__ == "__main__":
    main()
