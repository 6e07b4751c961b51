%shebang%
# Starts a Python program from its runfiles with the locked interpreter; no Python of the host.
set -e
case "$0" in
  /*) self="$0" ;;
  *) self="$PWD/$0" ;;
esac
if [ -d "$self.runfiles" ]; then
  RUNFILES_DIR="$self.runfiles"
else
  case "$self" in
    *.runfiles/*) RUNFILES_DIR="${self%%.runfiles/*}.runfiles" ;;
    *) [ -n "$RUNFILES_DIR" ] || RUNFILES_DIR="$(readlink -f "$self").runfiles" ;;
  esac
fi
export RUNFILES_DIR

# %imports% is a colon-separated list of folders relative to the runfiles root.
path="$RUNFILES_DIR/%workspace_name%"
imports='%imports%'
old_ifs="$IFS"
IFS=:
for entry in $imports; do path="$path:$RUNFILES_DIR/$entry"; done
IFS="$old_ifs"

# Trees in runfiles are build outputs: nothing may write bytecode into them.
export PYTHONPATH="$path" PYTHONDONTWRITEBYTECODE=1 PYTHONNOUSERSITE=1 PYTHONSAFEPATH=1
exec "$RUNFILES_DIR/%python_binary%" "$RUNFILES_DIR/%main%" "$@"
