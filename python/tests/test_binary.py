"""Which engine the package takes, and what it says of one that does not fit."""

import os
import sys
import sysconfig

import pytest

import batchmill
from batchmill import _binary


def engine(path, version=batchmill.__version__):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_text(f"#!/bin/sh\necho started >> {path}.log\necho batchmill {version}\n")
    path.chmod(0o755)
    return str(path)


def starts(engine):
    return open(f"{engine}.log").read().count("started")


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    monkeypatch.delenv("BATCHMILL_BIN", raising=False)


@pytest.fixture
def places(tmp_path, monkeypatch):
    """An interpreter without an engine: each of its places is an empty directory."""
    package = tmp_path / "prefix/lib/python3.11/site-packages/batchmill"

    def get_path(name, scheme=None, vars=None):
        assert name == "scripts"
        return str(tmp_path / ("user" if scheme else "base" if vars else "own"))

    monkeypatch.setattr(sysconfig, "get_path", get_path)
    monkeypatch.setattr(_binary, "__file__", str(package / "_binary.py"))
    target = package.parent / "bin"
    return [tmp_path / "own", tmp_path / "base", tmp_path / "prefix/bin", target, tmp_path / "user"]


def test_the_places_are_looked_at_in_this_order(places):
    for place in reversed(places):
        wanted = engine(place / "batchmill")
        assert _binary.find_engine() == wanted


def test_each_place_is_named_if_none_has_it(places, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    engine(tmp_path / "path/batchmill")
    for place in places:
        (place / "batchmill").mkdir(parents=True)
    with pytest.raises(batchmill.EngineNotFoundError) as raised:
        _binary.find_engine()
    said = str(raised.value)
    assert [line.strip() for line in said.splitlines()[1:-1]] == [f"{place}/batchmill" for place in places]
    assert sys.executable in said and "BATCHMILL_BIN" in said


@pytest.mark.parametrize("packages", ["lib64/python3.14/site-packages", "local/lib/python3.12/dist-packages"])
def test_a_prefix_is_found_by_the_directory_of_the_packages(places, tmp_path, monkeypatch, packages):
    monkeypatch.setattr(_binary, "__file__", str(tmp_path / "other" / packages / "batchmill/_binary.py"))
    wanted = engine((tmp_path / "other" / packages).parents[2] / "bin/batchmill")
    assert _binary.find_engine() == wanted


def test_a_directory_of_a_virtual_environment_like_name_is_no_prefix(places, tmp_path, monkeypatch):
    monkeypatch.setattr(_binary, "__file__", str(tmp_path / "a/b/vendor/batchmill/_binary.py"))
    engine(tmp_path / "bin/batchmill")
    with pytest.raises(batchmill.EngineNotFoundError):
        _binary.find_engine()
    wanted = engine(tmp_path / "a/b/vendor/bin/batchmill")
    assert _binary.find_engine() == wanted


def test_the_users_own_engine_comes_first(places, tmp_path, monkeypatch):
    engine(places[0] / "batchmill")
    wanted = engine(tmp_path / "mine")
    monkeypatch.setenv("BATCHMILL_BIN", wanted)
    assert _binary.find_engine() == wanted


@pytest.mark.parametrize("name", ["nowhere", "."])
def test_a_wrong_path_of_the_users_own_engine_is_not_passed_over(places, tmp_path, monkeypatch, name):
    engine(places[0] / "batchmill")
    monkeypatch.setenv("BATCHMILL_BIN", str(tmp_path / name))
    with pytest.raises(batchmill.EngineNotFoundError, match="BATCHMILL_BIN is `.*` ?"):
        _binary.find_engine()


def test_an_engine_is_asked_for_its_version_once(tmp_path):
    path = engine(tmp_path / "batchmill")
    for _ in range(3):
        _binary.check_engine(path)
    assert starts(path) == 1


def test_an_engine_that_was_replaced_is_asked_again(tmp_path):
    path = engine(tmp_path / "batchmill")
    _binary.check_engine(path)
    os.rename(engine(tmp_path / "newer", "99.0.0"), path)
    for _ in range(2):
        with pytest.raises(batchmill.VersionMismatchError):
            _binary.check_engine(path)


def test_both_versions_both_paths_and_the_way_out_are_named(tmp_path, monkeypatch):
    path = engine(tmp_path / "batchmill", "99.0.0")
    with pytest.raises(batchmill.VersionMismatchError) as raised:
        _binary.check_engine(path)
    said = str(raised.value)
    package = os.path.dirname(batchmill.__file__)
    for part in ("99.0.0", path, batchmill.__version__, package, "restart Python", "install the package again"):
        assert part in said
    monkeypatch.setenv("BATCHMILL_BIN", path)
    with pytest.raises(batchmill.VersionMismatchError, match="unset BATCHMILL_BIN"):
        _binary.check_engine(path)


@pytest.mark.parametrize("text", ["echo something else", "exit 1", "echo batchmill", "printf 'batchmill \\377'"])
def test_another_program_is_not_taken_for_the_engine(tmp_path, text):
    path = tmp_path / "batchmill"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    with pytest.raises(batchmill.BatchmillError) as raised:
        _binary.check_engine(str(path))
    assert str(path) in str(raised.value)


def test_an_engine_that_cannot_be_started_is_named_with_the_cause(tmp_path):
    path = tmp_path / "batchmill"
    path.write_text("")
    for wanted in (str(path), str(tmp_path / "nowhere"), str(tmp_path)):
        with pytest.raises(batchmill.EngineNotFoundError, match="cannot be started: ") as raised:
            _binary.check_engine(wanted)
        assert wanted in str(raised.value)
