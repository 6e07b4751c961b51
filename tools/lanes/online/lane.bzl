"""What differs between the lanes: here the online one, with a current rules_python.

tools/airgap/lane holds its counterpart, swapped in with --override_module.
"""

# rules_python's own launcher is a shell script already (bootstrap_impl=script in .bazelrc).
PY_RUNTIME_ATTRIBUTES = {
    "interpreter_version_info": {"major": "3", "minor": "11", "micro": "2"},
}

# Whether @rules_oci is tools/airgap/rules_oci: its programs have tests here.
RULES_OCI_IS_STAND_IN = False
