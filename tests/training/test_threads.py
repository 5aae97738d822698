"""The number of threads follows what is fastest, and comes back afterwards."""

import time

import pytest
import torch

from spcompile.training.threads import at_best_speed, threads_restored


@pytest.mark.parametrize("faster", [1, 2])
def test_the_faster_number_stays(faster):
    seen = []

    def work() -> str:
        seen.append(torch.get_num_threads())
        time.sleep(0.001 if seen[-1] == faster else 0.1)
        return "done"

    before = torch.get_num_threads()
    with threads_restored() as most:
        assert most == before
        assert at_best_speed(work, 2) == "done" and seen == [1, 2]
        assert torch.get_num_threads() == faster
    assert torch.get_num_threads() == before


def test_one_thread_is_not_compared_with_itself():
    seen = []
    with threads_restored():
        at_best_speed(lambda: seen.append(torch.get_num_threads()), 1)
    assert seen == [1]
