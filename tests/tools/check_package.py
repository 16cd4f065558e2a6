"""Tests of the Debian package, built from build/release (or RANGED_BUILD):  pytest tests/tools/check_package.py"""
import os
import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("RANGED_BUILD", ROOT / "build/release")).resolve()


def output(*command):
    return subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True,
                          text=True).stdout


@pytest.fixture(scope="module", name="package")
def built(tmp_path_factory):
    directory = tmp_path_factory.mktemp("package")
    output("cpack", "--config", BUILD / "CPackConfig.cmake", "-B", directory)
    (package,) = directory.glob("*.deb")
    return package


@pytest.fixture(scope="module", name="tree")
def unpacked(package, tmp_path_factory):
    directory = tmp_path_factory.mktemp("tree")
    output("dpkg-deb", "-R", package, directory)
    return directory


def test_it_holds_the_daemon_and_no_library(package):
    listing = {}
    for line in output("dpkg-deb", "-c", package).splitlines():
        mode, owner, *_, name = line.split()
        assert owner == "root/root", line
        if not mode.startswith("d"):
            listing[name] = mode
    assert listing == {
        "./etc/ranged/ranged.json": "-rw-r--r--",
        "./lib/systemd/system/ranged.service": "-rw-r--r--",
        "./lib/systemd/system/ranged.socket": "-rw-r--r--",
        "./usr/bin/ranged": "-rwxr-xr-x",
        "./usr/share/doc/ranged/README.md": "-rw-r--r--",
        "./usr/share/doc/ranged/changelog.gz": "-rw-r--r--",
        "./usr/share/doc/ranged/copyright": "-rw-r--r--",
        "./usr/share/man/man1/ranged.1.gz": "-rw-r--r--",
        "./usr/share/ranged/openapi.json": "-rw-r--r--",
        "./usr/share/ranged/ranged.schema.json": "-rw-r--r--",
    }


def test_its_version_is_that_of_the_daemon(package, tree):
    version = output("dpkg-deb", "-f", package, "Version").strip()
    assert version in output(tree / "usr/bin/ranged", "--version").split()
    changelog = (ROOT / "config/debian/changelog").read_text()
    assert changelog.startswith(f"ranged ({version}) ")


def test_it_depends_on_the_libraries_that_the_daemon_loads(package, tree):
    depends = {name.split()[0] for name in output("dpkg-deb", "-f", package, "Depends").split(", ")}
    assert "adduser" in depends
    for library in re.findall(r"NEEDED +(\S+)", output("objdump", "-p", tree / "usr/bin/ranged")):
        owners = {line.split(":")[0] for line in output("dpkg", "-S", f"*/{library}").splitlines()}
        for owner in list(owners):  # libspdlog1.10 provides libspdlog1.10-fmt9: the build against that fmt
            owners |= {name.split()[0] for name in output("dpkg-query", "-W", "-f", "${Provides}", owner).split(", ") if name}
        assert owners & depends, f"{library} is in {owners}, the package depends on {depends}"


def test_its_configuration_is_valid_and_kept_on_upgrades(tree):
    assert (tree / "DEBIAN/conffiles").read_text() == "/etc/ranged/ranged.json\n"
    output(tree / "usr/bin/ranged", "--config", tree / "etc/ranged/ranged.json", "--check-config")


def test_its_manual_page_is_a_manual_page(tree):
    assert "SYNOPSIS" in output("man", "--warnings", "-l", tree / "usr/share/man/man1/ranged.1.gz")


@pytest.mark.parametrize("script", ["postinst", "prerm", "postrm"])
def test_its_scripts_are_run_as_dpkg_runs_them(tree, script):
    # Nothing is installed by the arguments that end a failed upgrade; a syntax error would show.
    output("sh", tree / "DEBIAN" / script, "abort-upgrade", "0.0.1")


def test_lintian_has_nothing_to_say(package):
    lintian = shutil.which("lintian")
    assert lintian, "config/packages.txt installs lintian"
    # The maintainer's address is the packager's to give (RANGED_MAINTAINER), and no bug asked for the package (closes: #N).
    tags = "bogus-mail-host,bogus-mail-host-in-debian-changelog,initial-upload-closes-no-bugs"
    done = subprocess.run([lintian, "--allow-root", "--fail-on", "error,warning", "--suppress-tags", tags, package],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, text=True)
    assert done.returncode == 0, done.stdout
