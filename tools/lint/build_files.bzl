"""@build_files: all Starlark of the workspace in one JSON file, for what lints it.

A glob ends where the next package begins and never sees the folders of .bazelignore; here none is
forgotten. The folders are watched, so an edit, a new file and a new folder count with the next
command; the same contents make the same JSON, and nothing that reads it runs again.
"""

_NAMES = ["BUILD", "BUILD.bazel", "MODULE.bazel", "REPO.bazel", "WORKSPACE", "WORKSPACE.bazel"]
_ENDINGS = (".bzl", ".BUILD")

# No folders of ours: links to outputs, caches, other checkouts, virtual environments.
_FOREIGN_NAMES = ["__pycache__", "node_modules"]
_FOREIGN_CONTENTS = [".git", "pyvenv.cfg"]
_DEEPEST = 32

def _is_starlark(name):
    return name in _NAMES or name.endswith(_ENDINGS)

def _is_ours(folder):
    name = folder.basename
    if name.startswith((".", "bazel-")) or name in _FOREIGN_NAMES or not folder.is_dir:
        return False
    return not [one for one in folder.readdir(watch = "no") if one.basename in _FOREIGN_CONTENTS]

def _build_files_impl(repository_ctx):
    root = repository_ctx.workspace_root
    contents = {}
    folders = [root]
    for _ in range(_DEEPEST):
        below = []
        for folder in folders:
            # Trees are watched and not each listing, for Bazel fails when a folder whose listing it
            # watches is deleted (a tree that is deleted whole fails one command). The root stays.
            entries = folder.readdir(watch = "yes" if folder == root else "no")
            for entry in entries:
                if _is_ours(entry):
                    below.append(entry)
                    if folder == root:
                        repository_ctx.watch_tree(entry)
                elif _is_starlark(entry.basename) and not entry.is_dir:
                    path = str(entry).removeprefix(str(root) + "/")
                    contents[path] = repository_ctx.read(entry)
        folders = below

    # As bytes: read() takes them as they are.
    repository_ctx.file("files.json", json.encode(contents), legacy_utf8 = False)
    repository_ctx.file("BUILD.bazel", 'exports_files(["files.json"])\n')

build_files_repository = repository_rule(
    implementation = _build_files_impl,
    doc = "files.json: path below the workspace -> content.",
)
