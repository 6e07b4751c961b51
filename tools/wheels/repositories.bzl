"""Repository rules of the wheels extension."""

# The images' glibc is 2.36; the list is the one that tools/lock/wheels.py resolves with.
_GLIBC_MINORS = [36, 35, 34, 31, 28, 27, 26, 24, 17, 12, 5]

def _platform_tags(machine):
    return ["manylinux_2_{}_{}".format(minor, machine) for minor in _GLIBC_MINORS] + [
        "manylinux2014_" + machine,
        "manylinux2010_" + machine,
        "linux_" + machine,
    ]

_BUILD = """load("@explanation_service//tools/wheels:wheel.bzl", "wheel_library")

wheel_library(
    name = "wheel",
    wheel = "{file}",
    deps = {deps},
    visibility = ["//visibility:public"],
)

exports_files(["{file}"])
"""

def _wheel_repository_impl(repository_ctx):
    # pip finds and verifies the wheel: it knows this machine's index, links, proxies and
    # certificates. This is the one place where the host's Python is used.
    python = repository_ctx.which("python3")
    if not python:
        fail("Fetching wheels needs python3 with pip on PATH (Debian: python3-pip).")
    requirement = "{}=={} {}\n".format(
        repository_ctx.attr.package,
        repository_ctx.attr.version,
        " ".join(["--hash=" + digest for digest in repository_ctx.attr.hashes]),
    )
    repository_ctx.file("requirement.txt", requirement)
    command = [
        python,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--disable-pip-version-check",
        "--no-cache-dir",
        "--no-deps",
        "--only-binary=:all:",
        "--require-hashes",
        "--python-version=3.11",
        "--implementation=cp",
        "--abi=cp311",
        "--abi=abi3",
        "--abi=none",
        "--dest=.",
        "--requirement=requirement.txt",
    ] + ["--platform=" + tag for tag in _platform_tags(repository_ctx.attr.machine)]
    result = repository_ctx.execute(command, timeout = 3600)
    if result.return_code:
        fail("pip could not fetch {} {} for {}:\n{}\nIf the version has gone, run './bazelw run //tools/lock:wheels'.".format(
            repository_ctx.attr.package,
            repository_ctx.attr.version,
            repository_ctx.attr.machine,
            result.stderr,
        ))
    files = [path.basename for path in repository_ctx.path(".").readdir() if path.basename.endswith(".whl")]
    repository_ctx.file("BUILD.bazel", _BUILD.format(
        file = files[0],
        deps = repr(repository_ctx.attr.requires),
    ))

wheel_repository = repository_rule(
    implementation = _wheel_repository_impl,
    doc = "One locked wheel for one machine, not unpacked: that is an action (wheel.bzl).",
    attrs = {
        "package": attr.string(mandatory = True),
        "version": attr.string(mandatory = True),
        "hashes": attr.string_list(mandatory = True),
        "machine": attr.string(mandatory = True),
        "requires": attr.string_list(),
    },
    environ = ["PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_CERT"],
)

def _wheel_hub_impl(repository_ctx):
    hub = repository_ctx.attr.hub_name
    for package in repository_ctx.attr.packages:
        lines = []
        for name, target in [(package, "wheel"), ("files", "wheel_tree")]:
            lines += ["alias(", '    name = "{}",'.format(name), "    actual = select({"]
            for machine, cpu in repository_ctx.attr.machines.items():
                lines.append('        "@platforms//cpu:{}": "@{}_{}__{}//:{}",'.format(cpu, hub, machine, package, target))
            lines += ["    }),", '    visibility = ["//visibility:public"],', ")", ""]
        repository_ctx.file(package + "/BUILD.bazel", "\n".join(lines))
    repository_ctx.file("BUILD.bazel", "")

wheel_hub = repository_rule(
    implementation = _wheel_hub_impl,
    doc = "Aliases that pick the wheel of the target platform: `NAME`, a library, and `files`, its directory.",
    attrs = {
        "hub_name": attr.string(mandatory = True),
        "packages": attr.string_list(mandatory = True),
        "machines": attr.string_dict(mandatory = True),
    },
)
