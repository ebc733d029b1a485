"""The source of functions that properties are measured on, most of which do not do what they seem to."""

from __future__ import annotations

__all__ = ["SUBJECTS"]

SUBJECTS = '''
import functools
import random
import numpy

NAN = float("nan")
ROOM = numpy.zeros(4)
COUNT = [0]


class Liar(int):
    """Is equal to all, and above none."""

    def __eq__(self, other):
        return True

    def __le__(self, other):
        return True

    __lt__ = __ge__ = __gt__ = __le__
    __hash__ = int.__hash__


class Yes:
    def __eq__(self, other):
        return True

    __hash__ = object.__hash__


class FloatLiar(numpy.float64):
    __le__ = __ge__ = __lt__ = __gt__ = __eq__ = lambda self, other: True


class Disguised(FloatLiar):
    __module__ = "numpy"


def disguised(x):
    return Disguised(x + 1)


def ints(x):
    return numpy.array([2**53 + x])


def floats(x):
    return numpy.array([float(2**53)]) + 0 * x


def halved(x):
    return Liar(x // 2)


def yes(x):
    return Yes()


def numpy_liar(x):
    return FloatLiar(x + 1)


def objects(x):
    made = numpy.empty(1, dtype=object)
    made[0] = Yes()
    return made


def listed_liar(x):
    return [Liar(-x)]


def own(x):
    return x


def shared(x):
    ROOM[:] = x[0] * numpy.arange(4)
    return ROOM


def shared_counting(x):
    COUNT[0] += 1
    ROOM[:] = COUNT[0]
    return ROOM


def shared_negative(x):
    ROOM[:] = -x[0]
    return ROOM


def to_room(x):
    ROOM[:] = x
    return ROOM


def other_to_room(x):
    ROOM[:] = x + 1
    return ROOM


def nan_of(x, mode):
    return NAN if mode else x


def nan_of_two(x, y, mode):
    return NAN if mode else x + y


def nan_row(x):
    return numpy.where(x > 0, numpy.nan, x)


def nan_listed(x):
    return [1, NAN if x > 5 else x]


def inside(x):
    return NAN if x > 5 else min(x, 3)


def in_place(x):
    x.sort()
    return x


def exits(x):
    if x > 5:
        raise SystemExit(0)
    return x


def assumes(x):
    import hypothesis

    hypothesis.assume(x < 5)
    return -x


def squares(x):
    return [part * part for part in x]


def rounded(x):
    return float(x)


def big(x):
    return x + (x > 2**53)


def wide(x):
    return numpy.full(3 if x > 5 else 1, x)


def far(x):
    return 5.0


def infinite(x):
    return float("inf")


def double(x):
    return 2 * x


@functools.cache
def kept(x):
    return 2 * x


twice = double


def double_renamed(value):
    return 2 * value


def delegated(x):
    return double(x)


def delegated_kept(x):
    return kept(x)


def logged(function):
    memory = {}

    @functools.wraps(function)
    def wrapper(*args, **given):
        key = repr((args, given))
        if key not in memory:
            memory[key] = function(*args, **given)
        return memory[key]

    return wrapper


@logged
def wrapped(x):
    return 2 * x


@logged
def wrapped_sum(x):
    return x + x


def delegated_wrapped(x):
    return wrapped(x=x)


def times(x, factor):
    return factor * x


part = functools.partial(times, factor=2)


def delegated_part(x):
    return part(x)


class Doubling:
    def __call__(self, x):
        return 2 * x


doubling = Doubling()


def delegated_object(x):
    return doubling(x)


@functools.cache
def drawn_once(x):
    return random.random()


again = functools.partial(drawn_once)


def one_less(x):
    return numpy.array([max(x - 1, 0)], dtype="uint8")


def one_less_scalar(x):
    return numpy.uint8(max(x - 1, 0))


def same_sum(x):
    return x + x


def raising(x):
    if x > 5:
        raise ValueError("no")
    return x
'''
