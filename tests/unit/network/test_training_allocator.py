"""TensorFlow's allocator: chunks by hand, and the peak of training steps."""

from hypothesis import given
from hypothesis import strategies as st
from keras import layers

from perfcast.network.allocator import SMALL_BYTES, BestFit
from perfcast.network.training_allocator import allocator_peak_bytes
from tests.unit.descriptors import chain, described

MIB = 1 << 20


def test_a_chunk_is_split_only_from_twice_the_request_on():
    allocator = BestFit()
    allocator.take(MIB + 256)  # Of a region of 2 MiB: less than twice as much.
    assert allocator.in_use == 2 * MIB
    allocator.take(MIB)  # Of the next one, 4 MiB.
    assert allocator.in_use == 3 * MIB


def test_freed_neighbours_are_one_chunk_again():
    allocator = BestFit()
    first, second = allocator.take(MIB), allocator.take(MIB)
    allocator.give(first)
    allocator.give(second)
    assert allocator.take(2 * MIB) == first
    assert allocator.in_use == allocator.peak == 2 * MIB


def test_the_smallest_chunk_that_is_large_enough_is_taken():
    allocator = BestFit()
    places = [allocator.take(count * MIB // 4) for count in (3, 1, 2, 1, 1)]
    for place in places[::2]:
        allocator.give(place)
    assert allocator.take(MIB // 2) == places[2]


@given(st.lists(st.tuples(st.integers(1, 5 * MIB), st.integers(0, 9)), max_size=60))
def test_chunks_never_overlap_and_hold_what_was_asked_for(requests):
    allocator, live = BestFit(), {}
    for count, freed in requests:
        start = allocator.take(count)
        assert all(start + count <= other or other + size <= start for other, size in live.items())
        live[start] = count
        if freed < len(live):
            place = sorted(live)[freed]
            allocator.give(place)
            del live[place]
        assert sum(live.values()) <= allocator.in_use <= allocator.peak
    for place in live:
        allocator.give(place)
    assert allocator.in_use == 0


def peak_of(network, batch, optimizer):
    return allocator_peak_bytes(network["layers"], {port["name"] for port in network["outputs"]}, batch, optimizer)


def test_small_tensors_are_not_the_allocators():
    network = described(lambda: chain((8, 8, 3), layers.Conv2D(4, 3, name="conv"), layers.Flatten()))
    assert peak_of(network, 1, "adam") == 0


def test_state_and_the_copy_of_an_updated_kernel_are_counted():
    side = 512  # A kernel of 1 MiB.
    assert 4 * side * side == MIB >= SMALL_BYTES

    def two():
        return chain((side,), *(layers.Dense(side, use_bias=False, name=name) for name in ("first", "second")))

    peaks = {name: peak_of(described(two, (side,)), 1, name) for name in ("sgd", "momentum", "adam")}
    # Both kernels, both gradients, and the new value of the second kernel, whose old one its input's gradient reads.
    assert peaks == {"sgd": 5 * MIB, "momentum": 7 * MIB, "adam": 9 * MIB}
