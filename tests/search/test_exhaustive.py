from spcompile.search.exhaustive import solve


def test_least_error_then_least_cost_within_the_budget():
    items = [[(3.0, 0.0), (2.0, 1.0), (1.0, 1.0)], [(3.0, 0.0), (1.0, 2.0)]]
    assert solve(items, 6.0) == (0, 0)
    assert solve(items, 5.0) == (2, 0)
    assert solve(items, 3.0) == (2, 1)
    assert solve(items, 1.9) is None
