"""Fits of tables that are read and not held: on any engine, in any cut, the same bits."""

import numpy as np
import pyarrow as pa
import pytest

from sensitivenets.embeddings import EmbeddingTable, write_table
from sensitivenets.embeddings import rows as row_cuts
from sensitivenets.embeddings.fingerprint import table_record
from sensitivenets.embeddings.source import open_table
from sensitivenets.engines import InProcess
from sensitivenets.engines.processes import Processes
from sensitivenets.erasers.fit_table import adapt_table, fit_table
from sensitivenets.erasers.linear.inlp import INLP
from sensitivenets.erasers.linear.leace import LEACE
from sensitivenets.erasers.linear.sal import SAL
from sensitivenets.erasers.linear.splince import SPLINCE
from sensitivenets.erasers.transport.routed_transport import RoutedTransport
from sensitivenets.errors import InputError

N_ROWS = 20_000
# Uneven, and none a multiple of anything.
CUTS = ((0, N_ROWS), (0, 1, 7001, 15_555, N_ROWS))


@pytest.fixture(scope="module")
def large():
    """Rows whose gender, with a null now and then, shifts them; sorted by gender."""
    rng = np.random.default_rng(0)
    gender = np.sort(rng.integers(2, size=N_ROWS))
    X = rng.standard_normal((N_ROWS, 8)).astype(np.float32)
    X[:, 2] += 3 * gender
    X[:, 5] += 2 * (task := rng.integers(3, size=N_ROWS))
    subject = np.arange(N_ROWS) // 3
    text = [None if k % 10 == 0 else "fm"[code] for k, code in enumerate(gender)]
    return EmbeddingTable(X, pa.table({"gender": text, "task": task, "subject": subject}))


@pytest.fixture(scope="module", params=CUTS, ids=["one file", "four files"])
def source(request, large, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cut")
    for k, (start, stop) in enumerate(zip(request.param, request.param[1:], strict=False)):
        write_table(large.take(np.arange(start, stop)), folder / f"{k}.parquet")
    return open_table(folder)


@pytest.fixture(scope="module")
def short_stretches():
    """Three stretches, of which the last is not full."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_cuts, "STRETCH_ROWS", row_cuts.CHUNK_ROWS)
        patch.setattr("sensitivenets.erasers.transport.passes.STRETCH_ROWS", row_cuts.CHUNK_ROWS)
        yield


@pytest.fixture(scope="module")
def reference(large, short_stretches, tmp_path_factory):
    """What one thread makes of one file."""
    path = tmp_path_factory.mktemp("one") / "t.parquet"
    write_table(large, path)
    return {
        type(eraser).__name__: fit_table(eraser, path, sensitive=["gender"], engine=InProcess(1))
        for eraser in ERASERS
    }


ERASERS = [
    LEACE(random_state=0, covariance_rows=2000),
    LEACE(covariance_rows=None),
    SAL(random_state=0),
    RoutedTransport(n_rounds=2, random_state=0, router_shrinkage=0.1),
]


ENGINES = [InProcess(1), InProcess(3), Processes(2)]


@pytest.mark.parametrize("engine", ENGINES, ids=repr)
@pytest.mark.parametrize("eraser", ERASERS[1:], ids=lambda eraser: type(eraser).__name__)
def test_neither_engine_nor_cut_changes_a_bit(reference, source, eraser, engine):
    fitted = fit_table(eraser, source, sensitive=["gender"], engine=engine).model_
    expected = reference[type(eraser).__name__].model_
    assert fitted.fingerprint == expected.fingerprint
    assert fitted.curve == expected.curve
    for name, array in expected.map.arrays().items():
        np.testing.assert_array_equal(fitted.map.arrays()[name], array)


def test_a_sample_of_the_rows_is_the_same_on_any_engine(short_stretches, source, large):
    one, other = (
        fit_table(ERASERS[0], source, sensitive=["gender"], engine=InProcess(k)) for k in (1, 3)
    )
    np.testing.assert_array_equal(one.transform(large.vectors), other.transform(large.vectors))


@pytest.mark.parametrize("eraser", [LEACE(covariance_rows=None), SAL()])
def test_a_fit_from_files_is_the_fit_from_memory(short_stretches, large, source, eraser):
    streamed = fit_table(eraser, source, sensitive=["gender"])
    fitted = eraser.fit(large.vectors, sensitive={"gender": large.column("gender")})
    np.testing.assert_allclose(
        streamed.transform(large.vectors), fitted.transform(large.vectors), atol=1e-4
    )
    assert streamed.model_.removed == {"gender": ("f", "m")}
    assert streamed.model_.fingerprint["primary"] == table_record(large.vectors)


@pytest.mark.parametrize("eraser", [SAL(), RoutedTransport(n_rounds=1, random_state=0)])
def test_a_fit_of_some_rows_is_that_of_a_table_of_them(short_stretches, large, source, eraser):
    chosen = large.where("task", "1")
    streamed = fit_table(eraser, source.where("task", "1"), sensitive=["gender"])
    assert list(streamed.model_.removed) == ["gender"]
    assert streamed.model_.fingerprint["primary"] == table_record(chosen.vectors)


def test_a_target_is_kept(short_stretches, large, source):
    streamed = fit_table(SPLINCE(), source, sensitive=["gender"], target="task")
    task, hidden = large.labels("task").codes, streamed.transform(large.vectors)
    for code in range(3):
        np.testing.assert_allclose(
            hidden[task == code].mean(axis=0) - hidden.mean(axis=0),
            large.vectors[task == code].mean(axis=0) - large.vectors.mean(axis=0),
            atol=1e-4,
        )


def test_the_eraser_that_was_given_is_not_changed(short_stretches, source):
    eraser = SAL()
    before = dict(vars(eraser))
    seen = []
    fit_table(
        eraser,
        source,
        sensitive=["gender"],
        progress=lambda done, total, what: seen.append((done, total, what)),
    )
    assert vars(eraser) == before
    assert seen == [(8192, N_ROWS, "rows"), (16_384, N_ROWS, "rows"), (N_ROWS, N_ROWS, "rows")]


@pytest.mark.parametrize("engine", [InProcess(2), Processes(2)], ids=repr)
def test_a_part_that_fails_is_named(short_stretches, large, tmp_path, engine):
    for name, rows in (("a", slice(0, 10_000)), ("b", slice(10_000, None))):
        write_table(large.take(np.arange(N_ROWS)[rows]), tmp_path / f"{name}.parquet")
    damaged = bytearray((tmp_path / "b.parquet").read_bytes())
    damaged[2000:2100] = bytes(100)
    (tmp_path / "b.parquet").write_bytes(damaged)
    with pytest.raises(InputError, match=r"b\.parquet: cannot be read as \.parquet"):
        fit_table(SAL(), tmp_path, sensitive=["gender"], engine=engine)


def test_fits_that_cannot_be(source, large, tmp_path):
    with pytest.raises(InputError, match="INLP: needs all rows at once; read the table with"):
        fit_table(INLP(), source, sensitive=["gender"])
    with pytest.raises(InputError, match="sensitive: expected the name of at least one column"):
        fit_table(LEACE(), source, sensitive=[])
    write_table(large.where("gender", "f"), tmp_path / "women.parquet")
    with pytest.raises(InputError, match="'gender': expected at least two classes, found 'f'"):
        fit_table(LEACE(), tmp_path / "women.parquet", sensitive=["gender"])


@pytest.fixture(scope="module")
def adapted(reference, large, tmp_path_factory):
    """What one thread makes of one file, with and without subjects."""
    path = tmp_path_factory.mktemp("one") / "t.parquet"
    write_table(large, path)
    model = reference["RoutedTransport"].model_
    return model, {
        identity: adapt_table(model, path, identity=identity, trust=True, engine=InProcess(1))
        for identity in (None, "subject")
    }


@pytest.mark.parametrize("identity", [None, "subject"])
@pytest.mark.parametrize("engine", ENGINES, ids=repr)
def test_neither_engine_nor_cut_changes_a_bit_of_what_is_adapted(adapted, source, engine, identity):
    model, expected = adapted[0], adapted[1][identity]
    found = adapt_table(model, source, identity=identity, trust=True, engine=engine)
    assert found.adapted.record() == expected.adapted.record()
    assert found.model.fingerprint == expected.model.fingerprint
    for name, array in expected.model.map.arrays().items():
        np.testing.assert_array_equal(found.model.map.arrays()[name], array)
