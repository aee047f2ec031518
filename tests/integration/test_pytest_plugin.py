"""The plugin for pytest: scenario files are tests, and there is a world."""

import pytest

pytest_plugins = ["pytester"]

BARE = ("-p", "no:cacheprovider", "-p", "no:asyncio")
GOOD = """
given: {contacts: {KH-1: {name: Hoa}}}
then:
  - contact: {external_id: KH-1, tags: [VIP]}
  - expect: {contacts: {KH-1: {name: Hoa, tags: [VIP]}}}
"""
LATE = GOOD.replace("name: Hoa, tags", "name: Lan, tags")


def test_pytest_takes_scenarios_for_tests(pytester: pytest.Pytester) -> None:
    pytester.makefile(".scenario.yaml", good=GOOD, late=LATE, wrong="then: [{sleep: P1D}]\n")
    pytester.makefile(".yaml", other="not: ours\n")

    done = pytester.runpytest_inprocess(*BARE)

    done.assert_outcomes(passed=1, failed=2)
    done.stdout.fnmatch_lines(
        [
            "*scenario: late*",
            '*late.scenario.yaml: then?1?.expect.contacts.KH-1.name: expected "Lan", seen "Hoa"',
            "*wrong.scenario.yaml: then?0?.sleep: Object contains unknown field*",
            "FAILED late.scenario.yaml::late*",
        ]
    )
    done.stdout.no_fnmatch_line("*Traceback*")


def test_pytest_has_a_world(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        def test_a_contact(world):
            world.contact("KH-1", name="Hoa")
            assert world.contact_facts("KH-1")["name"] == "Hoa"
        """
    )
    pytester.runpytest_inprocess(*BARE).assert_outcomes(passed=1)


def test_a_world_of_ones_own_comes_before_it(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("import pytest\n\n\n@pytest.fixture\ndef world():\n    return 'mine'\n")
    pytester.makepyfile("def test_mine(world):\n    assert world == 'mine'\n")
    pytester.runpytest_inprocess(*BARE).assert_outcomes(passed=1)


def test_who_does_not_use_the_plugin_does_not_wait_for_it(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_nothing_heavy_is_loaded():
            assert "nhip.testing.pytest_plugin" in sys.modules
            heavy = {"nhip.bootstrap", "nhip.testing.world", "nhip.catalog", "sqlalchemy", "yaml", "aiohttp"}
            assert heavy & set(sys.modules) == set()
        """
    )
    pytester.runpytest_subprocess(*BARE, "-p", "no:hypothesispytest").assert_outcomes(passed=1)
