"""Reads requirements_lock.txt: the one source of what is fetched and of who depends on whom."""

ROOT = "explanation-service"

def parse_lock(text):
    """Parses the lock.

    Args:
      text: content of requirements_lock.txt, as tools/lock/wheels.py writes it

    Returns:
      dict from package name to struct(version, hashes, via)
    """
    packages = {}
    current = None
    for raw in text.split("\n"):
        line = raw.strip().removesuffix("\\").strip()
        if not line or line.startswith("# Made by"):
            continue
        if line.startswith("--hash="):
            current.hashes.append(line.removeprefix("--hash="))
        elif line.startswith("# via "):
            current.via.append(line.removeprefix("# via "))
        elif "==" in line and not line.startswith("#"):
            name, _, version = line.partition("==")
            current = struct(name = name, version = version, hashes = [], via = [])
            packages[name] = current
        else:
            fail("requirements_lock.txt: cannot read the line '{}'; run './bazelw run //tools/lock:wheels'".format(raw))
    return packages

def dependencies(packages):
    """Turns the lock's `# via` lines round.

    Args:
      packages: what parse_lock returned

    Returns:
      dict from package name to the names it requires, sorted as the lock is
    """
    requires = {name: [] for name in packages}
    for name, package in packages.items():
        for parent in package.via:
            if parent != ROOT:
                requires[parent].append(name)
    return requires
