"""What differs between the lanes: here the air-gapped one, with Debian's rules_python 0.22.1."""

# That version's launcher is a Python program that the host's python3 would have to start.
PY_RUNTIME_ATTRIBUTES = {
    "bootstrap_template": "//tools/python:launcher.sh.tpl",
    "stub_shebang": "#!/bin/sh",
}

# Whether @rules_oci is tools/airgap/rules_oci: its programs have tests here.
RULES_OCI_IS_STAND_IN = True
