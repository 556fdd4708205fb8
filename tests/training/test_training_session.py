"""A Ray session that is opened when somebody needs it, and that outlives whoever asked first."""

import threading

import pytest

from wealtharena.settings.models import TrainingSettings
from wealtharena.training.session import deferred_ray_session, ray_session

TRAINING = TrainingSettings(num_workers=1)


def square(value: int) -> int:
    """In a Ray worker."""
    import ray

    answer: int = ray.get(ray.remote(lambda x: x * x).remote(value), timeout=60)
    return answer


def in_a_thread_that_ends(work: object) -> None:
    thread = threading.Thread(target=work)  # type: ignore[arg-type]
    thread.start()
    thread.join(timeout=60)
    assert not thread.is_alive()


def test_a_session_that_nobody_asks_for_is_never_opened() -> None:
    import ray

    with deferred_ray_session(TRAINING, 1):
        assert not ray.is_initialized()
    assert not ray.is_initialized()


@pytest.mark.slow
def test_a_session_outlives_the_thread_that_asked_for_it_and_ends_with_the_block() -> None:
    import ray

    with deferred_ray_session(TRAINING, 1) as open_session:
        in_a_thread_that_ends(open_session)
        assert ray.is_initialized()
        # The processes of a session die with the thread that started them; a new worker would then never answer.
        assert [square(value) for value in (2, 3)] == [4, 9]
        in_a_thread_that_ends(open_session)
        assert square(4) == 16
    assert not ray.is_initialized()


@pytest.mark.slow
def test_a_session_that_is_already_there_is_left_running_and_its_own_is_closed_also_after_an_error() -> None:
    import ray

    with pytest.raises(ValueError, match="training broke"), deferred_ray_session(TRAINING, 1) as open_session:
        open_session()
        with ray_session(TRAINING, 1), deferred_ray_session(TRAINING, 1) as open_another:
            open_another()
            assert square(5) == 25
        assert ray.is_initialized()
        assert square(6) == 36
        raise ValueError("training broke")
    assert not ray.is_initialized()
