"""Starts a program of this folder with fixed arguments: what `bazel run` runs."""

_START = """#!/bin/sh
# Started by `bazel run` or from the runfiles of another program.
case "$0" in
  /*) self="$0" ;;
  *) self="$PWD/$0" ;;
esac
if [ -d "$self.runfiles" ]; then
  RUNFILES_DIR="$self.runfiles"
else
  case "$self" in
    *.runfiles/*) RUNFILES_DIR="${{self%%.runfiles/*}}.runfiles" ;;
  esac
fi
export RUNFILES_DIR
exec "$RUNFILES_DIR/{program}" {arguments} "$@"
"""

def _in_runfiles(ctx, file):
    path = file.short_path
    return path[len("../"):] if path.startswith("../") else ctx.workspace_name + "/" + path

def launcher(ctx, program, image, arguments):
    """Writes the launcher.

    Args:
      ctx: of the calling rule
      program: attribute of the executable py_binary
      image: the layout, passed as --layout
      arguments: further ones

    Returns:
      DefaultInfo
    """
    start = ctx.actions.declare_file(ctx.label.name)
    layout = ["--layout", "$RUNFILES_DIR/" + _in_runfiles(ctx, image)]
    ctx.actions.write(
        start,
        _START.format(
            program = _in_runfiles(ctx, program[DefaultInfo].files_to_run.executable),
            arguments = " ".join(['"{}"'.format(argument) for argument in layout + arguments]),
        ),
        is_executable = True,
    )
    runfiles = ctx.runfiles([image]).merge(program[DefaultInfo].default_runfiles)
    return DefaultInfo(executable = start, files = depset([start]), runfiles = runfiles)
