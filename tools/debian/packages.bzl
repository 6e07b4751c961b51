"""Repositories from locked Debian packages."""

_RELOCK = "run './bazelw run //tools/lock:debian' to lock what the mirror has now"

def _urls(repository_ctx, package):
    mirror = repository_ctx.getenv("DEBIAN_MIRROR", "").rstrip("/")
    if not mirror:
        fail("DEBIAN_MIRROR is not set: build with ./bazelw, which takes it from apt's own settings, or set it to a Debian mirror's base URL")
    security = repository_ctx.getenv("DEBIAN_SECURITY_MIRROR", "").rstrip("/") or mirror + "-security"
    return ["{}/{}".format(security if package["archive"] == "security" else mirror, package["path"])]

def fetch_package(repository_ctx, package, release, output):
    """Downloads one locked .deb; takes the index's newer version when the locked one has vanished.

    Args:
      repository_ctx: of the calling repository rule
      package: one record of packages.lock.json
      release: Debian release name
      output: where to put the .deb
    """
    download = repository_ctx.download(
        url = _urls(repository_ctx, package),
        output = output,
        sha256 = package["sha256"],
        allow_fail = True,
    )
    if download.success:
        return
    name = package["name"]
    if repository_ctx.getenv("EXPLANATION_STRICT_LOCK", "") == "1":
        fail("The locked {} {} could not be fetched from the Debian mirror; {}.".format(name, package["version"], _RELOCK))
    result = repository_ctx.execute([
        repository_ctx.path(Label("//tools/debian:newest.sh")),
        name,
        release,
        package["architecture"] if package["architecture"] != "all" else "amd64",
        repository_ctx.path(output),
    ])
    if result.return_code:
        fail("Neither the locked {} {} nor a newer one could be fetched from the Debian mirror ({}); {}.".format(
            name,
            package["version"],
            result.stderr.strip().split("\n")[-1],
            _RELOCK,
        ))

    # buildifier: disable=print
    print("The locked {} {} has left the mirror: taking the signed index's newer one, so digests differ from the lock's; {}.".format(
        name,
        package["version"],
        _RELOCK,
    ))

def unpack_package(repository_ctx, deb, root):
    """Unpacks a .deb's files below `root`.

    Args:
      repository_ctx: of the calling repository rule
      deb: the .deb, deleted afterwards
      root: folder
    """
    repository_ctx.extract(deb, output = deb + ".d")
    for data in ("data.tar.xz", "data.tar.zst", "data.tar.gz"):
        if repository_ctx.path("{}.d/{}".format(deb, data)).exists:
            repository_ctx.extract("{}.d/{}".format(deb, data), output = root)
    repository_ctx.delete(deb + ".d")
    repository_ctx.delete(deb)
