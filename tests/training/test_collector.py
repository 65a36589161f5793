import gc
import weakref

from tr2m.training.collector import STEPS, QuietCollector


class Cycle:
    def __init__(self) -> None:
        self.self = self


def test_what_lives_as_long_as_the_run_is_frozen_after_the_first_steps():
    lasting = Cycle()
    before = gc.get_freeze_count()
    with QuietCollector() as collector:
        for _ in range(STEPS - 1):
            collector.step()
        assert gc.get_freeze_count() == before
        collector.step()
        frozen = gc.get_freeze_count()
        assert frozen > before
        assert not any(thing is lasting for thing in gc.get_objects())
        for _ in range(3):
            later = weakref.ref(Cycle())
            collector.step()
        # Not a second time: what came later is collected.
        gc.collect()
        assert later() is None
        assert gc.get_freeze_count() <= frozen
    assert any(thing is lasting for thing in gc.get_objects())
