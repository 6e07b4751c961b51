"""The repositories of the linters: @buildifier and @build_files."""

load(":build_files.bzl", "build_files_repository")
load(":buildifier.bzl", "buildifier_repository")

def _lint_impl(_module_ctx):
    buildifier_repository(
        name = "buildifier",
        lock = "//tools/lint:buildifier.lock",
    )
    build_files_repository(name = "build_files")

lint = module_extension(implementation = _lint_impl)
