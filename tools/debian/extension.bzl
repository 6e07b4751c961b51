"""@debian_amd64 and @debian_arm64: the locked Debian packages as .deb files, for image layers."""

load(":packages.bzl", "fetch_package")

def _debian_packages_impl(repository_ctx):
    lock = json.decode(repository_ctx.read(repository_ctx.attr.lock))
    names = []
    for package in lock["packages"][repository_ctx.attr.architecture]:
        names.append(package["name"] + ".deb")
        fetch_package(repository_ctx, package, lock["release"], names[-1])
    repository_ctx.file("BUILD.bazel", "exports_files({})\n".format(repr(names)))

debian_packages = repository_rule(
    implementation = _debian_packages_impl,
    attrs = {
        "architecture": attr.string(mandatory = True),
        "lock": attr.label(mandatory = True),
    },
)

def _debian_impl(_module_ctx):
    for architecture in ("amd64", "arm64"):
        debian_packages(
            name = "debian_" + architecture,
            architecture = architecture,
            lock = "//tools/debian:packages.lock.json",
        )

debian = module_extension(implementation = _debian_impl)
