"""What all tests share: how Hypothesis searches, and what needs a LaTeX installation."""

import os
import shutil

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "ci",
    derandomize=True,
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("dev", max_examples=100, deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what compiles documents where there is no pdflatex."""
    if shutil.which("pdflatex"):
        return
    skip = pytest.mark.skip(reason="pdflatex is not installed: documents cannot be compiled")
    for item in items:
        if item.get_closest_marker("pdflatex"):
            item.add_marker(skip)
